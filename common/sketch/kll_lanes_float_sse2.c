// Kll lanes: floats with SSE2.
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
#define LANES_NAME kll_lanes_float_sse2
#define TARGET __attribute__((target("sse2")))
#define VEC_ITEMS 4
#define VEC TARGET static inline __attribute__((always_inline)) vec

typedef __m128 vec;

VEC vec_load(const ITEM *p)
{
    return _mm_loadu_ps(p);
}

TARGET static inline __attribute__((always_inline)) void vec_store(ITEM *p, vec v)
{
    _mm_storeu_ps(p, v);
}

VEC vec_all(ITEM v)
{
    return _mm_set1_ps(v);
}

VEC vec_min(vec a, vec b)
{
    return _mm_min_ps(a, b);
}

VEC vec_max(vec a, vec b)
{
    return _mm_max_ps(a, b);
}

VEC vec_plus_zero(vec v)
{
    return _mm_add_ps(v, _mm_setzero_ps());
}

VEC vec_or(vec a, vec b)
{
    return _mm_or_ps(a, b);
}

VEC vec_equal(vec a, vec b)
{
    return _mm_cmpeq_ps(a, b);
}

VEC vec_unordered(vec a, vec b)
{
    return _mm_cmpunord_ps(a, b);
}

TARGET static inline __attribute__((always_inline)) bool vec_any(vec v)
{
    return _mm_movemask_ps(v) != 0;
}

// The mask of the lanes whose bit is set.
VEC vec_coins(uint32_t coins)
{
    const __m128i bit = _mm_setr_epi32(1, 2, 4, 8);
    __m128i set = _mm_and_si128(_mm_set1_epi32((int)coins), bit);
    return _mm_castsi128_ps(_mm_cmpeq_epi32(set, bit));
}

VEC vec_pick(vec zero, vec one, vec coin)
{
    return _mm_or_ps(_mm_and_ps(coin, one), _mm_andnot_ps(coin, zero));
}

VEC vec_reverse(vec v)
{
    return _mm_shuffle_ps(v, v, _MM_SHUFFLE(0, 1, 2, 3));
}

// Sorts what first rises and then falls.
VEC vec_clean(vec v)
{
    vec other = _mm_shuffle_ps(v, v, _MM_SHUFFLE(1, 0, 3, 2));
    vec low = _mm_min_ps(v, other), high = _mm_max_ps(v, other);
    v = _mm_shuffle_ps(low, high, _MM_SHUFFLE(3, 2, 1, 0));
    other = _mm_shuffle_ps(v, v, _MM_SHUFFLE(2, 3, 0, 1));
    low = _mm_min_ps(v, other);
    high = _mm_max_ps(v, other);
    vec pairs = _mm_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm_shuffle_ps(pairs, pairs, _MM_SHUFFLE(3, 1, 2, 0));
}

TARGET static inline __attribute__((always_inline)) void vec_transpose(vec *r)
{
    vec a = _mm_unpacklo_ps(r[0], r[1]), b = _mm_unpackhi_ps(r[0], r[1]);
    vec c = _mm_unpacklo_ps(r[2], r[3]), d = _mm_unpackhi_ps(r[2], r[3]);
    r[0] = _mm_movelh_ps(a, c);
    r[1] = _mm_movehl_ps(c, a);
    r[2] = _mm_movelh_ps(b, d);
    r[3] = _mm_movehl_ps(d, b);
}

// The items at even places of two registers, or those at odd places.
VEC vec_second(vec a, vec b, uint32_t odd)
{
    return odd ? _mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1))
               : _mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0));
}

#include "common/sketch/kll_lanes_template.h"
#endif
