// Derive: vectors by eight lanes times four, texts byte by byte.
//
// Number i of a vector is added to lane i mod 32, and the lanes are added in a fixed
// order, so that the figures do not depend on the machine.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/derive.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define LANES 32 // numbers that share one word of signs

struct derive {
    uint32_t dims;
    uint32_t projections;
    uint32_t words;  // of signs in a projection
    double scale;    // 1 / sqrt(dims)
    uint32_t *signs; // projections x words; a set bit takes the number away
};

enum status derive_open(uint32_t dims, uint32_t projections, uint64_t seed,
                        struct derive **out)
{
    if (dims < 1 || dims > DERIVE_DIMS_MAX || projections < DERIVE_PROJECTIONS_MIN ||
        projections > DERIVE_PROJECTIONS_MAX)
        return ST_RANGE;
    struct derive *d = MEM_NEW(struct derive);
    if (!d)
        return ST_NOMEM;
    d->dims = dims;
    d->projections = projections;
    d->words = (dims + LANES - 1) / LANES;
    d->scale = 1 / sqrt(dims);
    d->signs = mem_zero((size_t)projections * d->words, sizeof *d->signs);
    if (!d->signs) {
        derive_close(d);
        return ST_NOMEM;
    }
    struct random r = {seed};
    for (size_t i = 0; i < (size_t)projections * d->words; i++)
        d->signs[i] = (uint32_t)(random_u64(&r) >> 32);
    *out = d;
    return ST_OK;
}

void derive_close(struct derive *d)
{
    if (!d)
        return;
    mem_free(d->signs);
    mem_free(d);
}

uint32_t derive_columns(const struct derive *d)
{
    return DERIVE_VECTOR_FIGURES + d->projections;
}

void derive_put_name(const struct derive *d, uint32_t column, struct buf *out)
{
    static const char *const figures[DERIVE_VECTOR_FIGURES] = {"norm", "mean", "min",
                                                               "max"};
    assert(column < derive_columns(d));
    if (column < DERIVE_VECTOR_FIGURES)
        buf_put_text(out, figures[column]);
    else
        buf_printf(out, "p%02u", (unsigned)(column - DERIVE_VECTOR_FIGURES));
}

// Takes numbers first..n-1 with the signs of their words; n - first may be anything.
static void project_plain(const float *x, size_t first, size_t n, const uint32_t *signs,
                          float lane[LANES])
{
    for (size_t i = first; i < n; i++) {
        bool is_minus = signs[i / LANES] >> i % LANES & 1;
        lane[i % LANES] += is_minus ? -x[i] : x[i];
    }
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) static inline

// Eight numbers, each with the sign that `shift` brings to the top of the word.
AVX2_INLINE __m256 signed_eight(const float *x, __m256i word, __m256i shift)
{
    const __m256i top = _mm256_set1_epi32(INT32_MIN);
    __m256i sign = _mm256_and_si256(_mm256_sllv_epi32(word, shift), top);
    return _mm256_xor_ps(_mm256_loadu_ps(x), _mm256_castsi256_ps(sign));
}

// Returns how many numbers it took, a multiple of LANES.
AVX2 static size_t project_avx2(const float *x, size_t n, const uint32_t *signs,
                                float lane[LANES])
{
    const __m256i shift = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    const __m256i eight = _mm256_set1_epi32(8);
    const __m256i shift_b = _mm256_sub_epi32(shift, eight);
    const __m256i shift_c = _mm256_sub_epi32(shift_b, eight);
    const __m256i shift_d = _mm256_sub_epi32(shift_c, eight);
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256i word = _mm256_set1_epi32((int)signs[i / LANES]);
        a = _mm256_add_ps(a, signed_eight(x + i, word, shift));
        b = _mm256_add_ps(b, signed_eight(x + i + 8, word, shift_b));
        c = _mm256_add_ps(c, signed_eight(x + i + 16, word, shift_c));
        d = _mm256_add_ps(d, signed_eight(x + i + 24, word, shift_d));
    }
    _mm256_storeu_ps(lane, a);
    _mm256_storeu_ps(lane + 8, b);
    _mm256_storeu_ps(lane + 16, c);
    _mm256_storeu_ps(lane + 24, d);
    return i;
}

#endif

static double project(const struct derive *d, const float *x, const uint32_t *signs)
{
    float lane[LANES] = {0};
    size_t done = 0;
    double sum = 0;
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2)
        done = project_avx2(x, d->dims, signs, lane);
#endif
    project_plain(x, done, d->dims, signs, lane);
    for (size_t i = 0; i < LANES; i++)
        sum += (double)lane[i];
    return sum * d->scale;
}

struct figures {
    double norm;
    double mean;
    double min;
    double max;
};

static struct figures figures_of(const float *x, size_t n)
{
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        sum += v;
        squares += v * v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    return (struct figures){sqrt(squares), sum / (double)n, min, max};
}

// Writes the columns of one vector, `stride` apart.
static void derive_one(const struct derive *d, const float *x, size_t stride,
                       double *out)
{
    struct figures f = figures_of(x, d->dims);
    bool is_whole = isfinite(f.norm); // the squares of floats cannot overflow a double
    const double first[DERIVE_VECTOR_FIGURES] = {f.norm, f.mean, f.min, f.max};
    for (size_t k = 0; k < DERIVE_VECTOR_FIGURES; k++)
        out[k * stride] = is_whole ? first[k] : NAN;
    out += DERIVE_VECTOR_FIGURES * stride;
    for (size_t k = 0; k < d->projections; k++)
        out[k * stride] = is_whole ? project(d, x, d->signs + k * d->words) : NAN;
}

void derive_vectors(const struct derive *d, const float *vectors, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        derive_one(d, vectors + i * d->dims, n, out + i);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void derive_text(struct span text, size_t stride, double *out)
{
    size_t characters = 0, words = 0, beyond = 0, digits = 0;
    bool was_space = true;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_continued = (c & 0xc0) == 0x80 && i > 0 && text.data[i - 1] >= 0x80;
        characters += !is_continued;
        beyond += !is_continued && c >= 0x80;
        digits += c >= '0' && c <= '9';
        words += was_space && !is_space(c);
        was_space = is_space(c);
    }
    out[0] = (double)characters;
    out[stride] = (double)words;
    out[2 * stride] = characters ? (double)beyond / (double)characters : NAN;
    out[3 * stride] = characters ? (double)digits / (double)characters : NAN;
}

void derive_texts(const struct span *texts, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        derive_text(texts[i], n, out + i);
}

const char *derive_text_name(uint32_t column)
{
    static const char *const names[DERIVE_TEXT_COLUMNS] = {"characters", "words",
                                                           "non_ascii", "digits"};
    assert(column < DERIVE_TEXT_COLUMNS);
    return names[column];
}
