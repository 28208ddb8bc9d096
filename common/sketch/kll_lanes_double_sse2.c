// Kll lanes: doubles with SSE2.
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
#define LANES_NAME kll_lanes_double_sse2
#define TARGET __attribute__((target("sse2")))
#define VEC_ITEMS 2
#define VEC TARGET static inline __attribute__((always_inline)) vec

typedef __m128d vec;

VEC vec_load(const ITEM *p)
{
    return _mm_loadu_pd(p);
}

TARGET static inline __attribute__((always_inline)) void vec_store(ITEM *p, vec v)
{
    _mm_storeu_pd(p, v);
}

VEC vec_all(ITEM v)
{
    return _mm_set1_pd(v);
}

VEC vec_min(vec a, vec b)
{
    return _mm_min_pd(a, b);
}

VEC vec_max(vec a, vec b)
{
    return _mm_max_pd(a, b);
}

VEC vec_plus_zero(vec v)
{
    return _mm_add_pd(v, _mm_setzero_pd());
}

VEC vec_or(vec a, vec b)
{
    return _mm_or_pd(a, b);
}

VEC vec_equal(vec a, vec b)
{
    return _mm_cmpeq_pd(a, b);
}

VEC vec_unordered(vec a, vec b)
{
    return _mm_cmpunord_pd(a, b);
}

TARGET static inline __attribute__((always_inline)) bool vec_any(vec v)
{
    return _mm_movemask_pd(v) != 0;
}

// The mask of the lanes whose bit is set. SSE2 compares 32 bits at most, so both halves
// of a lane ask for the same bit.
VEC vec_coins(uint32_t coins)
{
    const __m128i bit = _mm_setr_epi32(1, 1, 2, 2);
    __m128i set = _mm_and_si128(_mm_set1_epi32((int)coins), bit);
    return _mm_castsi128_pd(_mm_cmpeq_epi32(set, bit));
}

VEC vec_pick(vec zero, vec one, vec coin)
{
    return _mm_or_pd(_mm_and_pd(coin, one), _mm_andnot_pd(coin, zero));
}

VEC vec_reverse(vec v)
{
    return _mm_shuffle_pd(v, v, 1);
}

// Sorts what first rises and then falls.
VEC vec_clean(vec v)
{
    vec other = _mm_shuffle_pd(v, v, 1);
    return _mm_move_sd(_mm_max_pd(v, other), _mm_min_pd(v, other));
}

TARGET static inline __attribute__((always_inline)) void vec_transpose(vec *r)
{
    vec a = r[0];
    r[0] = _mm_unpacklo_pd(a, r[1]);
    r[1] = _mm_unpackhi_pd(a, r[1]);
}

// The items at even places of two registers, or those at odd places.
VEC vec_second(vec a, vec b, uint32_t odd)
{
    return odd ? _mm_unpackhi_pd(a, b) : _mm_unpacklo_pd(a, b);
}

#include "common/sketch/kll_lanes_template.h"
#endif
