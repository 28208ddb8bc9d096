// Budget: how many false pages the fleet allows, and the hard stop behind that promise.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_BUDGET_H
#define KEDGE_COMMON_DRIFT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/status.h"

#define BUDGET_WEEK_NS (7ull * 24 * 3600 * 1000000000)

// The level that one stream must reach so that all streams together raise at most
// `pages_per_week` false pages: T / (budget x share), T the stream's windows in a week
// and `share` its part of the budget (all shares sum to at most 1).
double budget_level(double pages_per_week, double share, uint64_t window_ns);

// The token bucket over all pages, false or true.
struct budget {
    double pages_per_week; // refill; > 0
    double burst;          // most tokens it holds; >= 1
    double tokens;
    uint64_t at;    // event or tick time of `tokens`, ns
    uint64_t spent; // pages let through
    uint64_t held;  // pages turned into the digest
};

// Defaults: 2 a week, burst 3. Full at `now_ns`. ST_RANGE for figures out of bounds.
MUST_USE enum status budget_init(struct budget *b, double pages_per_week, double burst,
                                 uint64_t now_ns);

// Takes a token; false when there is none (the page goes to the digest). Time that goes
// back refills nothing.
bool budget_take(struct budget *b, uint64_t now_ns);

// When the next token is there; `now_ns` if it is there already.
uint64_t budget_next(const struct budget *b, uint64_t now_ns);

void budget_encode(const struct budget *b, struct buf *out);
MUST_USE enum status budget_decode(struct cursor *in, struct budget *out);

#endif
