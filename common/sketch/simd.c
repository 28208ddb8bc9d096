// Simd: one question to the processor, and a limit for tests.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/simd.h"

#include <stdbool.h>

static enum simd_level limit = SIMD_AVX2;

static enum simd_level simd_of_processor(void)
{
#if defined(__x86_64__)
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return has_avx2 ? SIMD_AVX2 : SIMD_SSE2;
#else
    return SIMD_PORTABLE;
#endif
}

enum simd_level simd_level(void)
{
    enum simd_level have = simd_of_processor();
    return have < limit ? have : limit;
}

void simd_limit(enum simd_level most)
{
    limit = most;
}
