// Kll items: doubles.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_items.h"

#include <math.h>
#include <string.h>

#include "common/base/span.h"

#define ITEM double
#define ITEM_NAME kll_items_double
#define ITEM_LOAD load_le_f64
#define ITEM_STORE store_le_f64

// Whether the items up to where it stops, *at, ascend; the loads want no alignment.
#if defined(__x86_64__)
#include <emmintrin.h>

static __m128d doubles_at(const uint8_t *p)
{
    return _mm_castsi128_pd(_mm_loadu_si128((const __m128i_u *)(const void *)p));
}

static bool ascend_by_registers(const uint8_t *bytes, size_t n, size_t *at)
{
    __m128d good = _mm_cmpeq_pd(_mm_setzero_pd(), _mm_setzero_pd());
    size_t i = *at;
    for (; i + 4 <= n; i += 4) {
        const uint8_t *p = bytes + i * 8;
        __m128d a = _mm_cmple_pd(doubles_at(p - 8), doubles_at(p));
        __m128d b = _mm_cmple_pd(doubles_at(p + 8), doubles_at(p + 16));
        good = _mm_and_pd(good, _mm_and_pd(a, b));
    }
    *at = i;
    return _mm_movemask_pd(good) == 3;
}
#else
static bool ascend_by_registers(const uint8_t *bytes, size_t n, size_t *at)
{
    (void)bytes, (void)n, (void)at;
    return true;
}
#endif

#include "common/sketch/kll_items_template.h"
