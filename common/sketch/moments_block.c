// Moments, inside: the sums of a block in eight lanes, plain and with AVX2.
//
// Value i is added to lane i mod 8, and the lanes are added in a fixed order, so that
// vectors of any width give the same sum. No square is fused with its sum, which would
// round it otherwise than machines that cannot do so.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/moments_block.h"

#include <math.h>

#include "common/sketch/simd.h"

#define LANES 8

struct lanes {
    double sum[LANES];
    double squares[LANES];
    double min[LANES];
    double max[LANES];
};

struct colanes {
    double sum_x[LANES];
    double sum_y[LANES];
    double squares_x[LANES];
    double squares_y[LANES];
    double products[LANES];
};

static double add_lanes(const double lane[LANES])
{
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
           ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

static void lanes_init(struct lanes *l)
{
    *l = (struct lanes){.sum = {0}};
    for (size_t i = 0; i < LANES; i++) {
        l->min[i] = INFINITY;
        l->max[i] = -INFINITY;
    }
}

static void lanes_close(const struct lanes *l, struct moments_block *out)
{
    *out = (struct moments_block){add_lanes(l->sum), add_lanes(l->squares), l->min[0],
                                  l->max[0]};
    for (size_t i = 1; i < LANES; i++) {
        out->min = l->min[i] < out->min ? l->min[i] : out->min;
        out->max = l->max[i] > out->max ? l->max[i] : out->max;
    }
}

static void colanes_close(const struct colanes *l, struct comoments_block *out)
{
    *out = (struct comoments_block){
        .sum_x = add_lanes(l->sum_x),
        .sum_y = add_lanes(l->sum_y),
        .squares_x = add_lanes(l->squares_x),
        .squares_y = add_lanes(l->squares_y),
        .products = add_lanes(l->products),
    };
}

// The plain form adds values first..n-1; after vectors those are the few left over.
static void lanes_add_plain(struct lanes *l, struct numbers in, size_t first, size_t n,
                            double shift)
{
    for (size_t i = first; i < n; i++) {
        size_t k = i % LANES;
        double x = numbers_at(in, i);
        double d = x - shift;
        l->sum[k] += d;
        l->squares[k] += d * d;
        l->min[k] = x < l->min[k] ? x : l->min[k];
        l->max[k] = x > l->max[k] ? x : l->max[k];
    }
}

static void colanes_add_plain(struct colanes *l, struct numbers x, const double *y,
                              size_t first, size_t n, const double shift[2])
{
    for (size_t i = first; i < n; i++) {
        size_t k = i % LANES;
        double dx = numbers_at(x, i) - shift[0];
        double dy = y[i] - shift[1];
        l->sum_x[k] += dx;
        l->sum_y[k] += dy;
        l->squares_x[k] += dx * dx;
        l->squares_y[k] += dy * dy;
        l->products[k] += dx * dy;
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) static inline

// Half of the eight lanes.
struct quad {
    __m256d sum;
    __m256d squares;
};

struct coquad {
    __m256d sum_x;
    __m256d sum_y;
    __m256d squares_x;
    __m256d squares_y;
    __m256d products;
};

AVX2_INLINE __m256d load_four(struct numbers x, size_t i)
{
    return x.f32 ? _mm256_cvtps_pd(_mm_loadu_ps(x.f32 + i))
                 : _mm256_loadu_pd(x.f64 + i);
}

// The processor adds in fewer places than it multiplies, so some sums are made there: a
// factor of one changes no bit.
AVX2_INLINE __m256d add(__m256d a, __m256d b)
{
    return _mm256_fmadd_pd(a, _mm256_set1_pd(1), b);
}

AVX2_INLINE __m256d subtract(__m256d a, __m256d b)
{
    return _mm256_fmsub_pd(a, _mm256_set1_pd(1), b);
}

AVX2_INLINE void quad_add(struct quad *q, __m256d x, __m256d shift)
{
    __m256d d = subtract(x, shift);
    q->sum = add(d, q->sum);
    q->squares = _mm256_add_pd(q->squares, _mm256_mul_pd(d, d));
}

AVX2_INLINE void quad_store(const struct quad *q, struct lanes *l, size_t at)
{
    _mm256_storeu_pd(l->sum + at, q->sum);
    _mm256_storeu_pd(l->squares + at, q->squares);
}

AVX2_INLINE void coquad_add(struct coquad *q, __m256d dx, __m256d dy)
{
    q->sum_x = _mm256_add_pd(q->sum_x, dx);
    q->sum_y = _mm256_add_pd(q->sum_y, dy);
    q->squares_x = _mm256_add_pd(q->squares_x, _mm256_mul_pd(dx, dx));
    q->squares_y = _mm256_add_pd(q->squares_y, _mm256_mul_pd(dy, dy));
    q->products = _mm256_add_pd(q->products, _mm256_mul_pd(dx, dy));
}

AVX2_INLINE void coquad_store(const struct coquad *q, struct colanes *l, size_t at)
{
    _mm256_storeu_pd(l->sum_x + at, q->sum_x);
    _mm256_storeu_pd(l->sum_y + at, q->sum_y);
    _mm256_storeu_pd(l->squares_x + at, q->squares_x);
    _mm256_storeu_pd(l->squares_y + at, q->squares_y);
    _mm256_storeu_pd(l->products + at, q->products);
}

// These fill empty lanes and return how many values they took, a multiple of eight. The
// range of floats is found before they are widened, at half the cost.
AVX2 static size_t lanes_add_f32(struct lanes *l, const float *x, size_t n,
                                 double shift)
{
    const __m256d by = _mm256_set1_pd(shift);
    struct quad a = {_mm256_setzero_pd(), _mm256_setzero_pd()}, b = a;
    __m256 min = _mm256_set1_ps(INFINITY), max = _mm256_set1_ps(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 v = _mm256_loadu_ps(x + i);
        min = _mm256_min_ps(v, min);
        max = _mm256_max_ps(v, max);
        quad_add(&a, _mm256_cvtps_pd(_mm_loadu_ps(x + i)), by);
        quad_add(&b, _mm256_cvtps_pd(_mm_loadu_ps(x + i + 4)), by);
    }
    quad_store(&a, l, 0);
    quad_store(&b, l, 4);
    _mm256_storeu_pd(l->min, _mm256_cvtps_pd(_mm256_castps256_ps128(min)));
    _mm256_storeu_pd(l->min + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(min, 1)));
    _mm256_storeu_pd(l->max, _mm256_cvtps_pd(_mm256_castps256_ps128(max)));
    _mm256_storeu_pd(l->max + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(max, 1)));
    return i;
}

AVX2 static size_t lanes_add_f64(struct lanes *l, const double *x, size_t n,
                                 double shift)
{
    const __m256d by = _mm256_set1_pd(shift);
    struct quad a = {_mm256_setzero_pd(), _mm256_setzero_pd()}, b = a;
    __m256d min[2], max[2];
    min[0] = min[1] = _mm256_set1_pd(INFINITY);
    max[0] = max[1] = _mm256_set1_pd(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d low = _mm256_loadu_pd(x + i), high = _mm256_loadu_pd(x + i + 4);
        min[0] = _mm256_min_pd(low, min[0]);
        max[0] = _mm256_max_pd(low, max[0]);
        min[1] = _mm256_min_pd(high, min[1]);
        max[1] = _mm256_max_pd(high, max[1]);
        quad_add(&a, low, by);
        quad_add(&b, high, by);
    }
    quad_store(&a, l, 0);
    quad_store(&b, l, 4);
    _mm256_storeu_pd(l->min, min[0]);
    _mm256_storeu_pd(l->min + 4, min[1]);
    _mm256_storeu_pd(l->max, max[0]);
    _mm256_storeu_pd(l->max + 4, max[1]);
    return i;
}

AVX2_INLINE size_t colanes_add_four(struct colanes *l, struct numbers x,
                                    const double *y, size_t n, const double shift[2])
{
    const __m256d zero = _mm256_setzero_pd();
    const __m256d by_x = _mm256_set1_pd(shift[0]), by_y = _mm256_set1_pd(shift[1]);
    struct coquad a = {zero, zero, zero, zero, zero}, b = a;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        coquad_add(&a, subtract(load_four(x, i), by_x),
                   subtract(_mm256_loadu_pd(y + i), by_y));
        coquad_add(&b, subtract(load_four(x, i + 4), by_x),
                   subtract(_mm256_loadu_pd(y + i + 4), by_y));
    }
    coquad_store(&a, l, 0);
    coquad_store(&b, l, 4);
    return i;
}

// The constant NULL decides load_four at compile time.
AVX2 static size_t colanes_add_avx2(struct colanes *l, struct numbers x,
                                    const double *y, size_t n, const double shift[2])
{
    if (x.f32)
        return colanes_add_four(l, (struct numbers){NULL, x.f32}, y, n, shift);
    return colanes_add_four(l, (struct numbers){x.f64, NULL}, y, n, shift);
}

#endif

void moments_block(struct numbers x, size_t n, double shift, struct moments_block *out)
{
    struct lanes l;
    size_t done = 0;
    lanes_init(&l);
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2)
        done = x.f32 ? lanes_add_f32(&l, x.f32, n, shift)
                     : lanes_add_f64(&l, x.f64, n, shift);
#endif
    lanes_add_plain(&l, x, done, n, shift);
    lanes_close(&l, out);
}

void comoments_block(struct numbers x, const double *y, size_t n, const double shift[2],
                     struct comoments_block *out)
{
    struct colanes l = {.sum_x = {0}};
    size_t done = 0;
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2)
        done = colanes_add_avx2(&l, x, y, n, shift);
#endif
    colanes_add_plain(&l, x, y, done, n, shift);
    colanes_close(&l, out);
}
