// Serving: which host serves which version of a model now, from what the hosts
// attested.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_SERVING_H
#define KEDGE_CONTROLLER_LOG_SERVING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"

#define SERVING_NAME_MAX 128u

// One host's newest attestation for one model.
struct serving_host {
    uint8_t agent[16];
    char host[SERVING_NAME_MAX + 1];
    char version[SERVING_NAME_MAX + 1];
    char before[SERVING_NAME_MAX + 1]; // the version that it replaced; "" for none
    uint8_t digest[32];
    uint64_t at_ns;   // event time from which on
    uint64_t wall_ns; // wall time at the host
    bool by_order;    // an order of ours brought it
};

struct serving {
    struct serving_host *host; // owned; by rising agent id
    uint32_t hosts;
};

// Reads them all: one seek and one jump a host. Errors: ST_NOMEM, ST_CORRUPT, the
// shelf's.
MUST_USE enum status serving_read(struct shelf *s, uint32_t model, struct serving *out);
void serving_fini(struct serving *s);

// How many hosts serve `version`.
uint32_t serving_count(const struct serving *s, struct span version);

#endif
