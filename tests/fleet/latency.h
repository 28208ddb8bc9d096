// Latency: a histogram of microseconds whose quantiles are right to a few percent.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_LATENCY_H
#define KEDGE_TESTS_FLEET_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_CELLS 1024u

// One process adds; others may read meanwhile.
struct latency {
    _Atomic uint64_t n;
    _Atomic uint64_t cell[LATENCY_CELLS];
};

void latency_add(struct latency *l, uint64_t us);
void latency_merge(struct latency *into, const struct latency *from);
// The value in ms below which `share` (0..1) of all lie; 0 of none.
double latency_ms(const struct latency *l, double share);

#endif
