// Kll: capacities of levels.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll.h"

// 2 k 2^depth / 3^depth stays below 2^48 up to this depth.
#define DEPTH_EXACT 30

static uint32_t capacity_near_top(uint32_t k, uint32_t depth)
{
    uint64_t power = 1;
    for (uint32_t i = 0; i < depth; i++)
        power *= 3;
    uint64_t twice = ((uint64_t)k << (depth + 1)) / power;
    return (uint32_t)((twice + 1) / 2);
}

uint32_t kll_capacity(uint32_t k, uint32_t depth)
{
    uint32_t c;
    if (depth <= DEPTH_EXACT) {
        c = capacity_near_top(k, depth);
    } else {
        uint32_t half = depth / 2;
        c = capacity_near_top(capacity_near_top(k, half), depth - half);
    }
    return c > KLL_M ? c : KLL_M;
}

uint32_t kll_total_capacity(uint32_t k, uint32_t levels)
{
    uint32_t total = 0;
    for (uint32_t depth = 0; depth < levels; depth++)
        total += kll_capacity(k, depth);
    return total;
}
