// Moments, inside: sums over one block of values, the same bits on every machine.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_MOMENTS_BLOCK_H
#define KEDGE_COMMON_SKETCH_MOMENTS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/sketch/moments.h"
#include "common/sketch/numbers.h"

// Large enough that merging blocks costs little, small enough to stay in the first
// cache and to make the rounding of plain sums harmless (about 1e-14).
#define MOMENTS_BLOCK 2048

struct moments_block {
    double sum;     // of x - shift
    double squares; // of (x - shift)^2
    double min;
    double max;
};

struct comoments_block {
    double sum_x;
    double sum_y;
    double squares_x;
    double squares_y;
    double products;
};

// 1 <= n <= MOMENTS_BLOCK finite values.
void moments_block(struct numbers x, size_t n, double shift, struct moments_block *out);
void comoments_block(struct numbers x, const double *y, size_t n, const double shift[2],
                     struct comoments_block *out);

// Adds 1 <= n <= MOMENTS_BLOCK values, and tells the least and the largest of these.
// False, and nothing was added, when one of them is not finite.
bool moments_add_block(struct moments *m, struct numbers x, size_t n, double *least,
                       double *largest);

#endif
