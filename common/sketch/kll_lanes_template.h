// Kll lanes template: one instance of struct kll_lanes, on registers of any width.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: each kll_lanes_*.c defines ITEM, ITEM_MAX (infinity), LANES,
// LANES_NAME, TARGET (the processor), the type vec of VEC_ITEMS items and the vec_
// calls, and includes this once.

#define KERNEL TARGET static inline __attribute__((always_inline))
#define TILE_ITEMS (KLL_ROWS * LANES)

KERNEL void widen(struct kll_range *range, ITEM low, ITEM high)
{
    range->min = (double)low < range->min ? (double)low : range->min;
    range->max = (double)high > range->max ? (double)high : range->max;
}

#include "common/sketch/kll_rows_template.h"

#include "common/sketch/kll_cascade_template.h"
#include "common/sketch/kll_runs_template.h"

const struct kll_lanes LANES_NAME = {
    .lanes = LANES,
    .sort = sort,
    .merge = merge,
    .halve = halve,
    .thin = thin,
    .flatten = flatten,
    .cascade = cascade,
};
