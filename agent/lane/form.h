// Form: what a guest's process says that the rows of one of its models look like.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LANE_FORM_H
#define KEDGE_AGENT_LANE_FORM_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/lane.h"
#include "proto/observation.h"

struct form {
    struct span model;
    struct span version; // empty: none said
    struct datum *datum; // of each feature: its name and side, and the last row's value
    uint8_t *kind;       // enum lane_feature
    uint32_t features;
    uint64_t shape;      // of rows of numbers; 0: it has other columns too
    char *number;        // TEXT_NUMBER_BYTES for each feature; NULL: no categories
    uint8_t *packet;     // a copy, in which the names lie
    struct datum single; // of the last label or metric
};

// Reads a LANE_HAS_MODEL packet, its type included. ST_CORRUPT, ST_NOMEM.
MUST_USE enum status form_open(struct span packet, uint32_t *number, struct form **out);
void form_close(struct form *f); // NULL is fine

// Reads a record of this form. `rest` is what follows its head. *out is lent until the
// next call; `now_ns` stands in for a time that the record lacks. ST_CORRUPT.
MUST_USE enum status form_read(struct form *f, const struct lane_record *head,
                               struct span rest, uint64_t now_ns,
                               struct observation *out);

#endif
