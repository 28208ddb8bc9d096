// Kll lanes: which code this processor runs.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_lanes.h"

static enum quantile_path best_path(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? QUANTILE_PATH_AVX2 : QUANTILE_PATH_SSE2;
#else
    return QUANTILE_PATH_PLAIN;
#endif
}

const struct kll_lanes *kll_lanes_for(enum quantile_type type, enum quantile_path path)
{
    enum quantile_path best = best_path();
    bool is_float = type == QUANTILE_FLOAT;
    if (path == QUANTILE_PATH_BEST)
        path = best;
    if (path > best)
        return NULL;
#if defined(__x86_64__)
    if (path == QUANTILE_PATH_AVX2)
        return is_float ? &kll_lanes_float_avx2 : &kll_lanes_double_avx2;
    if (path == QUANTILE_PATH_SSE2)
        return is_float ? &kll_lanes_float_sse2 : &kll_lanes_double_sse2;
#endif
    return is_float ? &kll_lanes_float_plain : &kll_lanes_double_plain;
}
