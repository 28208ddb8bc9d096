// Kll: capacities of levels.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll.h"

// From here on every level has the least capacity, whatever k: 65535 (2/3)^23 < 8.
#define DEPTH_SMALL 23

static const uint64_t power_of_3[DEPTH_SMALL] = {
    1,         3,          9,          27,          81,          243,
    729,       2187,       6561,       19683,       59049,       177147,
    531441,    1594323,    4782969,    14348907,    43046721,    129140163,
    387420489, 1162261467, 3486784401, 10460353203, 31381059609,
};

uint32_t kll_capacity(uint32_t k, uint32_t depth)
{
    if (depth >= DEPTH_SMALL)
        return KLL_M;
    uint64_t twice = ((uint64_t)k << (depth + 1)) / power_of_3[depth];
    uint32_t c = (uint32_t)((twice + 1) / 2);
    return c > KLL_M ? c : KLL_M;
}

uint32_t kll_total_capacity(uint32_t k, uint32_t levels)
{
    uint32_t total = 0, depth = 0;
    for (uint32_t c = 0; depth < levels && c != KLL_M; depth++) {
        c = kll_capacity(k, depth);
        total += c;
    }
    return total + (levels - depth) * KLL_M;
}
