// Kll lanes: doubles with AVX2.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define ITEM double
#define ITEM_MAX INFINITY
#define LANES 4
#define LANES_NAME kll_lanes_double_avx2
#define TARGET __attribute__((target("avx2")))
#define VEC_ITEMS 4
#define VEC TARGET static inline __attribute__((always_inline)) vec

typedef __m256d vec;

VEC vec_load(const ITEM *p)
{
    return _mm256_loadu_pd(p);
}

TARGET static inline __attribute__((always_inline)) void vec_store(ITEM *p, vec v)
{
    _mm256_storeu_pd(p, v);
}

VEC vec_all(ITEM v)
{
    return _mm256_set1_pd(v);
}

VEC vec_min(vec a, vec b)
{
    return _mm256_min_pd(a, b);
}

VEC vec_max(vec a, vec b)
{
    return _mm256_max_pd(a, b);
}

VEC vec_plus_zero(vec v)
{
    return _mm256_add_pd(v, _mm256_setzero_pd());
}

VEC vec_or(vec a, vec b)
{
    return _mm256_or_pd(a, b);
}

VEC vec_equal(vec a, vec b)
{
    return _mm256_cmp_pd(a, b, _CMP_EQ_OQ);
}

VEC vec_unordered(vec a, vec b)
{
    return _mm256_cmp_pd(a, b, _CMP_UNORD_Q);
}

TARGET static inline __attribute__((always_inline)) bool vec_any(vec v)
{
    return _mm256_movemask_pd(v) != 0;
}

// The mask of the lanes whose bit is set.
VEC vec_coins(uint32_t coins)
{
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    __m256i set = _mm256_and_si256(_mm256_set1_epi64x((long long)coins), bit);
    return _mm256_castsi256_pd(_mm256_cmpeq_epi64(set, bit));
}

VEC vec_pick(vec zero, vec one, vec coin)
{
    return _mm256_blendv_pd(zero, one, coin);
}

VEC vec_reverse(vec v)
{
    return _mm256_permute4x64_pd(v, _MM_SHUFFLE(0, 1, 2, 3));
}

// Sorts what first rises and then falls.
VEC vec_clean(vec v)
{
    vec other = _mm256_permute2f128_pd(v, v, 0x01);
    v = _mm256_blend_pd(_mm256_min_pd(v, other), _mm256_max_pd(v, other), 0xc);
    other = _mm256_permute_pd(v, 0x5);
    return _mm256_blend_pd(_mm256_min_pd(v, other), _mm256_max_pd(v, other), 0xa);
}

TARGET static inline __attribute__((always_inline)) void vec_transpose(vec *r)
{
    vec a = _mm256_unpacklo_pd(r[0], r[1]), b = _mm256_unpackhi_pd(r[0], r[1]);
    vec c = _mm256_unpacklo_pd(r[2], r[3]), d = _mm256_unpackhi_pd(r[2], r[3]);
    r[0] = _mm256_permute2f128_pd(a, c, 0x20);
    r[1] = _mm256_permute2f128_pd(b, d, 0x20);
    r[2] = _mm256_permute2f128_pd(a, c, 0x31);
    r[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

// The items at even places of two registers, or those at odd places.
VEC vec_second(vec a, vec b, uint32_t odd)
{
    vec mixed = odd ? _mm256_unpackhi_pd(a, b) : _mm256_unpacklo_pd(a, b);
    return _mm256_permute4x64_pd(mixed, _MM_SHUFFLE(3, 1, 2, 0));
}

#include "common/sketch/kll_lanes_template.h"
#endif
