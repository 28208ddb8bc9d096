// Kll lanes: floats with AVX2.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define ITEM float
#define ITEM_MAX INFINITY
#define LANES 8
#define LANES_NAME kll_lanes_float_avx2
#define TARGET __attribute__((target("avx2")))
#define VEC_ITEMS 8
#define VEC TARGET static inline __attribute__((always_inline)) vec

typedef __m256 vec;

VEC vec_load(const ITEM *p)
{
    return _mm256_loadu_ps(p);
}

TARGET static inline __attribute__((always_inline)) void vec_store(ITEM *p, vec v)
{
    _mm256_storeu_ps(p, v);
}

VEC vec_all(ITEM v)
{
    return _mm256_set1_ps(v);
}

VEC vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}

VEC vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

VEC vec_plus_zero(vec v)
{
    return _mm256_add_ps(v, _mm256_setzero_ps());
}

VEC vec_or(vec a, vec b)
{
    return _mm256_or_ps(a, b);
}

VEC vec_equal(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}

VEC vec_unordered(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_UNORD_Q);
}

TARGET static inline __attribute__((always_inline)) bool vec_any(vec v)
{
    return _mm256_movemask_ps(v) != 0;
}

// The mask of the lanes whose bit is set.
VEC vec_coins(uint32_t coins)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i set = _mm256_and_si256(_mm256_set1_epi32((int)coins), bit);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit));
}

VEC vec_pick(vec zero, vec one, vec coin)
{
    return _mm256_blendv_ps(zero, one, coin);
}

VEC vec_reverse(vec v)
{
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

// Sorts what first rises and then falls.
VEC vec_clean(vec v)
{
    vec other = _mm256_permute2f128_ps(v, v, 0x01);
    v = _mm256_blend_ps(_mm256_min_ps(v, other), _mm256_max_ps(v, other), 0xf0);
    other = _mm256_permute_ps(v, _MM_SHUFFLE(1, 0, 3, 2));
    v = _mm256_blend_ps(_mm256_min_ps(v, other), _mm256_max_ps(v, other), 0xcc);
    other = _mm256_permute_ps(v, _MM_SHUFFLE(2, 3, 0, 1));
    return _mm256_blend_ps(_mm256_min_ps(v, other), _mm256_max_ps(v, other), 0xaa);
}

TARGET static inline __attribute__((always_inline)) void vec_transpose(vec *r)
{
    vec t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], _MM_SHUFFLE(1, 0, 1, 0));
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], _MM_SHUFFLE(3, 2, 3, 2));
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], _MM_SHUFFLE(1, 0, 1, 0));
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], _MM_SHUFFLE(3, 2, 3, 2));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vec low = r[i], high = r[i + 4];
        r[i] = _mm256_permute2f128_ps(low, high, 0x20);
        r[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

// The items at even places of two registers, or those at odd places.
VEC vec_second(vec a, vec b, uint32_t odd)
{
    vec mixed = odd ? _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1))
                    : _mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0));
    return _mm256_castpd_ps(
        _mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
}

#include "common/sketch/kll_lanes_template.h"
#endif
