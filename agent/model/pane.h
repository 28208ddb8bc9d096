// Pane: what one model version did in one span of event time, while it is being
// counted.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_PANE_H
#define KEDGE_AGENT_MODEL_PANE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/schema.h"
#include "agent/model/yardstick.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/sketch/profile.h"
#include "proto/messages/window.h"
#include "proto/observation.h"

// Values are staged in columns and enter the profiles this many at a time.
#define PANE_STAGE_ROWS 64

// What one feature has, in its slot of the schema.
struct pane_column {
    struct profile *profile; // NULL: the feature has not been met in this pane
    uint64_t row;            // the last row that had it, counted from 1
    uint32_t staged;
    union {
        double value[PANE_STAGE_ROWS];
        uint64_t hash[PANE_STAGE_ROWS];
    };
    double prediction[PANE_STAGE_ROWS];
    uint8_t state[PANE_STAGE_ROWS]; // enum value_state
};

struct pane {
    struct span version; // lent from the model
    uint64_t start;      // inclusive, ns of event time
    uint64_t end;        // exclusive
    uint64_t rows;       // predictions counted
    uint64_t values;     // rows, labels and signals: the number of the present one
    uint64_t type_errors;
    struct yardstick *yardstick; // held until the end; may be NULL
    const uint8_t *key;          // 16 bytes, for categories
    struct schema *schema;       // keeps
    struct pane_column **column; // by slot of the schema; NULL: not met yet
    uint32_t columns;
};

// An empty pane of [start, end). Holds the yardstick; keeps schema, version and key.
MUST_USE enum status pane_open(struct schema *schema, struct span version,
                               uint64_t start, uint64_t end,
                               struct yardstick *yardstick, const uint8_t *key,
                               struct pane **out);
void pane_close(struct pane *p); // NULL is fine

// Counts one row: each value of side input, output or signal in its feature. A feature
// that other rows of the pane had and this one lacks, though it has others of the same
// side, counts as missing. `prediction` is NaN when the row has none.
// ST_FULL: more features than a model may have; the others were counted. ST_NOMEM.
MUST_USE enum status pane_row(struct pane *p, const struct observation *o,
                              double prediction);

// Counts one number of a label or of a signal that the agent makes.
MUST_USE enum status pane_number(struct pane *p, const char *name,
                                 enum feature_role role, double value);

// Puts what is staged into the profiles. Before they are looked at.
void pane_settle(struct pane *p);

// Appends everything, and back again: for the snapshot of an open pane. What was
// counted on another baseline than `yardstick` cannot go on: ST_CONFLICT. ST_CORRUPT,
// ST_NOMEM.
void pane_save(struct pane *p, struct buf *out);
MUST_USE enum status pane_load(struct cursor *from, struct schema *schema,
                               struct span version, struct yardstick *yardstick,
                               const uint8_t *key, struct pane **out);

#endif
