// Counters: what was wrong or odd with a feature's values, counted exactly.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_COUNTERS_H
#define KEDGE_COMMON_SKETCH_COUNTERS_H

#include <stdint.h>

// All zero is empty. Every row is in exactly one of: missing, type_error, nan, pos_inf,
// neg_inf, or valid; the rest tell more about the valid ones.
struct counters {
    uint64_t rows;
    uint64_t missing;     // null or absent
    uint64_t type_error;  // not of the feature's kind
    uint64_t nan;         // numeric kinds only, as are the seven below it
    uint64_t pos_inf;     //
    uint64_t neg_inf;     //
    uint64_t zero;        // -0.0 too
    uint64_t negative;    // below zero
    uint64_t below;       // below the baseline's least value (0 without a grid)
    uint64_t above;       // above its largest
    uint64_t run_longest; // most valid rows in sequence with one value, others skipped
};

#define COUNTERS_FIELDS 11

// Adds, except run_longest: the longer of the two, since parts come from several hosts.
void counters_merge(struct counters *into, const struct counters *from);

// Rows with a value that can be sketched.
uint64_t counters_valid(const struct counters *c);

// Rows without any value: missing and nan.
uint64_t counters_absent(const struct counters *c);

#endif
