// Kll items: floats.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_items.h"

#include <math.h>
#include <string.h>

#include "common/base/span.h"

#define ITEM float
#define ITEM_NAME kll_items_float
#define ITEM_LOAD load_le_f32
#define ITEM_STORE store_le_f32

// Whether the items up to where it stops, *at, ascend; the loads want no alignment.
#if defined(__x86_64__)
#include <emmintrin.h>

static __m128 floats_at(const uint8_t *p)
{
    return _mm_castsi128_ps(_mm_loadu_si128((const __m128i_u *)(const void *)p));
}

static bool ascend_by_registers(const uint8_t *bytes, size_t n, size_t *at)
{
    __m128 good = _mm_cmpeq_ps(_mm_setzero_ps(), _mm_setzero_ps());
    size_t i = *at;
    for (; i + 8 <= n; i += 8) {
        const uint8_t *p = bytes + i * 4;
        __m128 a = _mm_cmple_ps(floats_at(p - 4), floats_at(p));
        __m128 b = _mm_cmple_ps(floats_at(p + 12), floats_at(p + 16));
        good = _mm_and_ps(good, _mm_and_ps(a, b));
    }
    *at = i;
    return _mm_movemask_ps(good) == 15;
}
#else
static bool ascend_by_registers(const uint8_t *bytes, size_t n, size_t *at)
{
    (void)bytes, (void)n, (void)at;
    return true;
}
#endif

#include "common/sketch/kll_items_template.h"
