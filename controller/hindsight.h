// Hindsight: what a detection policy would have said to the windows that a store holds.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_HINDSIGHT_H
#define KEDGE_CONTROLLER_HINDSIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/verdict.h"
#include "controller/recorded.h"
#include "controller/rules.h"

#define HINDSIGHT_FIRINGS_MAX 100000u // further ones are counted

// A model's time with something open: from the first feature's alarm until all have
// cleared. Names are copies.
struct firing {
    char model[RECORDED_NAME_MAX + 1], version[RECORDED_NAME_MAX + 1];
    char feature[BASELINE_NAME_MAX + 1]; // that opened it
    enum signal signal;
    enum tier tier;       // the highest it reached, were every page allowed
    uint64_t onset_ns;    // best guess
    uint64_t opened_ns;   // event time
    uint64_t page_ns;     // when it asked for a page; 0: never
    uint64_t closed_ns;   // 0: still open at the end
    bool is_sent;         // the page found a token
    uint64_t incident_ns; // the known incident that it belongs to; 0: none
};

struct hindsight {
    const struct rules *rules;
    double share;     // of the budget, for each model
    uint64_t from_ns; // windows before it are judged, but tell nothing
    struct firing *firing;
    uint32_t firings, capacity;
    uint64_t firings_dropped;
    uint64_t windows, feature_windows; // told
    uint64_t first_ns, last_ns;        // event time of those
    uint64_t said[RULES_MAX];          // windows in which each familiar rule spoke
};

void hindsight_init(struct hindsight *h, const struct rules *rules, double share);
void hindsight_fini(struct hindsight *h);

// Judges all recorded windows of a version up to `to_ns` from its sealed baseline on:
// evidence must have grown before the time that is asked about. ST_NOMEM, and as
// recorded_windows.
MUST_USE enum status hindsight_add(struct hindsight *h, struct recorded *r,
                                   const struct recorded_version *v, uint64_t to_ns);

// Puts the firings in the order of time and gives the pages their tokens.
void hindsight_settle(struct hindsight *h);

#endif
