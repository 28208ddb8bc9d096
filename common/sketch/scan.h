// Scan: the first look at a block of numbers: which are odd, and which repeat.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_SCAN_H
#define KEDGE_COMMON_SKETCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sketch/numbers.h"

#define SCAN_BLOCK 2048 // values in a block at most

// What there is among finite values. All zero is empty.
struct scan {
    uint64_t zero;
    uint64_t negative;
    uint64_t below; // below the range
    uint64_t above; // above it
};

// The least and the largest of something.
struct scan_range {
    double low;
    double high;
};

// The sequence of equal values that is under way. All zero is none.
struct scan_run {
    double value;
    uint64_t length;
    uint64_t longest; // so far
};

// Whether all of `n` <= SCAN_BLOCK values are finite.
bool scan_is_finite(struct numbers x, size_t n);

// Adds `n` <= SCAN_BLOCK finite values, whose extent is known, to both. `range` may be
// infinite. The figures are the same on every machine.
void scan_add(struct numbers x, size_t n, struct scan_range extent,
              struct scan_range range, struct scan *s, struct scan_run *run);

#endif
