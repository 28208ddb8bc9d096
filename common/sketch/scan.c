// Scan: comparisons counted by the lane, and runs found in words of 64 equalities.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/scan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/span.h"
#include "common/sketch/simd.h"

// One bit a value: whether it equals the one before it. The first bit of the block is
// set by the caller, who knows what came before.
struct equal_bits {
    uint8_t byte[SCAN_BLOCK / 8];
};

static void set_bit(struct equal_bits *bits, size_t i, bool is_equal)
{
    uint8_t mask = (uint8_t)(1u << i % 8);
    uint8_t others = bits->byte[i / 8] & (uint8_t)~mask;
    bits->byte[i / 8] = is_equal ? others | mask : others;
}

// How many values are below and above two bounds.
struct outside {
    uint64_t below;
    uint64_t above;
};

// Counts values first..n-1; after vectors those are the few left over.
static void outside_plain(struct numbers x, size_t first, size_t n,
                          struct scan_range bounds, struct outside *o)
{
    for (size_t i = first; i < n; i++) {
        double v = numbers_at(x, i);
        o->below += v < bounds.low;
        o->above += v > bounds.high;
    }
}

static void equal_plain(struct numbers x, size_t first, size_t n,
                        struct equal_bits *bits)
{
    for (size_t i = first; i < n; i++)
        set_bit(bits, i, i > 0 && numbers_at(x, i) == numbers_at(x, i - 1));
}

static bool is_finite_plain(struct numbers x, size_t first, size_t n)
{
    bool all = true;
    for (size_t i = first; i < n; i++)
        all &= isfinite(numbers_at(x, i)) != 0;
    return all;
}

// The least float that is not below v, and the largest not above it: comparing floats
// with these is comparing them with v.
static float float_up(double v)
{
    float f = (float)v;
    return (double)f < v ? nextafterf(f, INFINITY) : f;
}

static float float_down(double v)
{
    float f = (float)v;
    return (double)f > v ? nextafterf(f, -INFINITY) : f;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static uint32_t add_eight(__m256i lanes)
{
    uint32_t lane[8], sum = 0;
    _mm256_storeu_si256((__m256i *)(void *)lane, lanes);
    for (size_t i = 0; i < 8; i++)
        sum += lane[i];
    return sum;
}

AVX2 static uint64_t add_four(__m256i lanes)
{
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)(void *)lane, lanes);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

// A true comparison is -1 in its lane, so subtracting it counts it. These return how
// many values they took, a multiple of eight.
AVX2 static size_t outside_f32(const float *x, size_t n, struct scan_range bounds,
                               struct outside *o)
{
    const __m256 low = _mm256_set1_ps(float_up(bounds.low));
    const __m256 high = _mm256_set1_ps(float_down(bounds.high));
    __m256i below = _mm256_setzero_si256(), above = below;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i);
        __m256 is_below = _mm256_cmp_ps(v, low, _CMP_LT_OQ);
        __m256 is_above = _mm256_cmp_ps(v, high, _CMP_GT_OQ);
        below = _mm256_sub_epi32(below, _mm256_castps_si256(is_below));
        above = _mm256_sub_epi32(above, _mm256_castps_si256(is_above));
    }
    o->below += add_eight(below);
    o->above += add_eight(above);
    return i;
}

AVX2 static size_t outside_f64(const double *x, size_t n, struct scan_range bounds,
                               struct outside *o)
{
    const __m256d low = _mm256_set1_pd(bounds.low);
    const __m256d high = _mm256_set1_pd(bounds.high);
    __m256i below = _mm256_setzero_si256(), above = below;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d v = _mm256_loadu_pd(x + i);
        __m256d is_below = _mm256_cmp_pd(v, low, _CMP_LT_OQ);
        __m256d is_above = _mm256_cmp_pd(v, high, _CMP_GT_OQ);
        below = _mm256_sub_epi64(below, _mm256_castpd_si256(is_below));
        above = _mm256_sub_epi64(above, _mm256_castpd_si256(is_above));
    }
    o->below += add_four(below);
    o->above += add_four(above);
    return i;
}

// Values 8.. are compared with those before them; the first eight are left to the plain
// form, since nothing may be read before the block.
AVX2 static size_t equal_f32_avx2(const float *x, size_t n, struct equal_bits *bits)
{
    size_t i = 8;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i), before = _mm256_loadu_ps(x + i - 1);
        int mask = _mm256_movemask_ps(_mm256_cmp_ps(v, before, _CMP_EQ_OQ));
        bits->byte[i / 8] = (uint8_t)mask;
    }
    return i;
}

AVX2 static size_t equal_f64_avx2(const double *x, size_t n, struct equal_bits *bits)
{
    size_t i = 8;
    for (; i + 8 <= n; i += 8) {
        __m256d a = _mm256_cmp_pd(_mm256_loadu_pd(x + i), _mm256_loadu_pd(x + i - 1),
                                  _CMP_EQ_OQ);
        __m256d b = _mm256_cmp_pd(_mm256_loadu_pd(x + i + 4),
                                  _mm256_loadu_pd(x + i + 3), _CMP_EQ_OQ);
        int mask = _mm256_movemask_pd(a) | _mm256_movemask_pd(b) << 4;
        bits->byte[i / 8] = (uint8_t)mask;
    }
    return i;
}

// Nothing finite has all bits of the exponent set.
AVX2 static bool is_finite_f32_avx2(const float *x, size_t n)
{
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    __m256i odd = _mm256_setzero_si256();
    for (size_t i = 0; i + 8 <= n; i += 8) {
        __m256i v = _mm256_castps_si256(_mm256_loadu_ps(x + i));
        __m256i held = _mm256_and_si256(v, exponent);
        odd = _mm256_or_si256(odd, _mm256_cmpeq_epi32(held, exponent));
    }
    return _mm256_testz_si256(odd, odd);
}

AVX2 static bool is_finite_f64_avx2(const double *x, size_t n)
{
    const __m256i exponent = _mm256_set1_epi64x(0x7ff0000000000000);
    __m256i odd = _mm256_setzero_si256();
    for (size_t i = 0; i + 4 <= n; i += 4) {
        __m256i v = _mm256_castpd_si256(_mm256_loadu_pd(x + i));
        __m256i held = _mm256_and_si256(v, exponent);
        odd = _mm256_or_si256(odd, _mm256_cmpeq_epi64(held, exponent));
    }
    return _mm256_testz_si256(odd, odd);
}

#endif

bool scan_is_finite(struct numbers x, size_t n)
{
    size_t done = 0;
    bool is_finite = true;
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2) {
        done = n / 8 * 8;
        is_finite =
            x.f32 ? is_finite_f32_avx2(x.f32, done) : is_finite_f64_avx2(x.f64, done);
    }
#endif
    return is_finite && is_finite_plain(x, done, n);
}

static struct outside count_outside(struct numbers x, size_t n,
                                    struct scan_range bounds)
{
    struct outside o = {0, 0};
    size_t done = 0;
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2)
        done = x.f32 ? outside_f32(x.f32, n, bounds, &o)
                     : outside_f64(x.f64, n, bounds, &o);
#endif
    outside_plain(x, done, n, bounds, &o);
    return o;
}

static void mark_equal(struct numbers x, size_t n, struct equal_bits *bits)
{
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2 && n >= 16) {
        equal_plain(x, 0, 8, bits);
        size_t vectors =
            x.f32 ? equal_f32_avx2(x.f32, n, bits) : equal_f64_avx2(x.f64, n, bits);
        equal_plain(x, vectors, n, bits);
        return;
    }
#endif
    equal_plain(x, 0, n, bits);
}

static void note(struct scan_run *run)
{
    if (run->longest < run->length)
        run->longest = run->length;
}

// `n` <= 64 values whose equalities are the low bits of `word`. A run of k set bits is
// k + 1 equal values.
static void add_word(struct scan_run *run, uint64_t word, unsigned n)
{
    uint64_t used = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
    word &= used;
    if (word == used) {
        run->length += n;
        note(run);
        return;
    }
    run->length += (unsigned)__builtin_ctzll(~word);
    note(run);
    // Within the word, a run counts only when it beats the longest: fold until none is
    // left, one bit of each run in every turn.
    uint64_t inner = 1;
    for (uint64_t left = word; left; left &= left >> 1)
        inner++;
    if (run->longest < inner)
        run->longest = inner;
    run->length = (unsigned)__builtin_clzll(~(word << (64 - n))) + 1u;
}

static void add_run(struct numbers x, size_t n, struct scan_run *run)
{
    struct equal_bits bits = {{0}};
    mark_equal(x, n, &bits);
    set_bit(&bits, 0, run->length > 0 && run->value == numbers_at(x, 0));
    for (size_t i = 0; i < n; i += 64) {
        unsigned in_word = n - i < 64 ? (unsigned)(n - i) : 64;
        uint8_t padded[8] = {0};
        memcpy(padded, bits.byte + i / 8, (in_word + 7) / 8);
        add_word(run, load_le64(padded), in_word);
    }
    run->value = numbers_at(x, n - 1);
}

void scan_add(struct numbers x, size_t n, struct scan_range extent,
              struct scan_range range, struct scan *s, struct scan_run *run)
{
    assert(n <= SCAN_BLOCK);
    if (n == 0)
        return;
    if (extent.low <= 0) { // most features have no other values than positive ones
        struct outside zero = count_outside(x, n, (struct scan_range){0, 0});
        s->negative += zero.below;
        s->zero += n - zero.below - zero.above;
    }
    if (extent.low < range.low || extent.high > range.high) {
        struct outside o = count_outside(x, n, range);
        s->below += o.below;
        s->above += o.above;
    }
    add_run(x, n, run);
}
