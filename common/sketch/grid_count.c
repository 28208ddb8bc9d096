// Grid: counting batches of numbers, plain, with SSE2 and with AVX2.
//
// All three search the same 64 padded edges and find the number of edges below the
// value, so they count alike. Four histograms are filled in turn: values that follow
// each other into one cell would otherwise wait for each other's increment.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "common/sketch/grid_inner.h"
#include "common/sketch/simd.h"

#define HISTOGRAMS 4
#define CHUNK_MAX (UINT32_C(1) << 30) // so that no 32-bit count can overflow
#define WIDEN_BLOCK 512
#define FEW 48 // values that are not worth four histograms

struct histograms {
    uint32_t count[HISTOGRAMS][GRID_CELLS_MAX];
};

// Six halvings without a branch. `edge` has 64 numbers, the last of them +inf.
static inline uint32_t below_f64(const double *edge, double x)
{
    uint32_t j = (uint32_t)(edge[31] < x) << 5;
    j += (uint32_t)(edge[j + 15] < x) << 4;
    j += (uint32_t)(edge[j + 7] < x) << 3;
    j += (uint32_t)(edge[j + 3] < x) << 2;
    j += (uint32_t)(edge[j + 1] < x) << 1;
    return j + (uint32_t)(edge[j] < x);
}

static inline uint32_t below_f32(const float *edge, float x)
{
    uint32_t j = (uint32_t)(edge[31] < x) << 5;
    j += (uint32_t)(edge[j + 15] < x) << 4;
    j += (uint32_t)(edge[j + 7] < x) << 3;
    j += (uint32_t)(edge[j + 3] < x) << 2;
    j += (uint32_t)(edge[j + 1] < x) << 1;
    return j + (uint32_t)(edge[j] < x);
}

uint32_t grid_cell_of(const struct grid *g, double value)
{
    assert(g->form != GRID_CATEGORIES);
    uint32_t j = below_f64(g->edge, value);
    return g->form == GRID_VALUES && g->edge[j] != value ? g->edges : j;
}

static void count_f32_plain(const struct grid *g, const float *x, size_t n,
                            struct histograms *h)
{
    const float *edge = g->edge_f32;
    bool is_values = g->form == GRID_VALUES;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = below_f32(edge, x[i]);
        j = is_values && edge[j] != x[i] ? g->edges : j;
        h->count[i % HISTOGRAMS][j]++;
    }
}

static void count_f64_plain(const struct grid *g, const double *x, size_t n,
                            struct histograms *h)
{
    const double *edge = g->edge;
    bool is_values = g->form == GRID_VALUES;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = below_f64(edge, x[i]);
        j = is_values && edge[j] != x[i] ? g->edges : j;
        h->count[i % HISTOGRAMS][j]++;
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))
#define AVX2_INLINE __attribute__((target("avx2,popcnt"), always_inline)) static inline
#define SSE2_INLINE __attribute__((always_inline)) static inline

// SSE2: three steps to one of four. The comparisons of ascending edges make the masks
// 0, 1, 3 and 7 alone, which the table turns into how many there are.
static const uint8_t ones_of[16] = {0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4};

struct fours {
    float coarse[4];
    float middle[4][4];
};

SSE2_INLINE uint32_t step_four(const float *edge, __m128 x)
{
    return ones_of[_mm_movemask_ps(_mm_cmplt_ps(_mm_loadu_ps(edge), x))];
}

SSE2_INLINE void count_f32_fours(const struct grid *g, const float *x, size_t n,
                                 bool is_values, struct histograms *h)
{
    const float *edge = g->edge_f32;
    struct fours f;
    for (size_t i = 0; i < 16; i++) {
        f.coarse[i / 4] = edge[i / 4 * 16 + 15];
        f.middle[i / 4][i % 4] = edge[i * 4 + 3];
    }
    for (size_t i = 0; i < n; i++) {
        __m128 v = _mm_set1_ps(x[i]);
        uint32_t j = step_four(f.coarse, v);
        j = j * 4 + step_four(f.middle[j], v);
        j = j * 4 + step_four(edge + j * 4, v);
        if (is_values)
            j = edge[j] == x[i] ? j : g->edges;
        h->count[i % HISTOGRAMS][j]++;
    }
}

static void count_f32_sse2(const struct grid *g, const float *x, size_t n,
                           struct histograms *h)
{
    if (g->form == GRID_VALUES)
        count_f32_fours(g, x, n, true, h);
    else
        count_f32_fours(g, x, n, false, h);
}

// AVX2: two steps to one of eight.
AVX2_INLINE uint32_t eight_f32(__m256 edges, __m256 x)
{
    __m256 below = _mm256_cmp_ps(edges, x, _CMP_LT_OQ);
    return (uint32_t)__builtin_popcount((unsigned)_mm256_movemask_ps(below));
}

AVX2_INLINE uint32_t cell_f32(const struct grid *g, __m256 coarse, const float *x,
                              bool is_values)
{
    const float *edge = g->edge_f32;
    __m256 v = _mm256_broadcast_ss(x);
    uint32_t j = eight_f32(coarse, v) * 8;
    j += eight_f32(_mm256_load_ps(edge + j), v);
    return is_values && edge[j] != *x ? g->edges : j;
}

AVX2_INLINE void count_f32_eights(const struct grid *g, const float *x, size_t n,
                                  bool is_values, struct histograms *h)
{
    float pivot[8];
    for (size_t i = 0; i < 8; i++)
        pivot[i] = g->edge_f32[i * 8 + 7];
    __m256 coarse = _mm256_loadu_ps(pivot);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        h->count[0][cell_f32(g, coarse, x + i, is_values)]++;
        h->count[1][cell_f32(g, coarse, x + i + 1, is_values)]++;
        h->count[2][cell_f32(g, coarse, x + i + 2, is_values)]++;
        h->count[3][cell_f32(g, coarse, x + i + 3, is_values)]++;
    }
    for (; i < n; i++)
        h->count[0][cell_f32(g, coarse, x + i, is_values)]++;
}

AVX2 static void count_f32_avx2(const struct grid *g, const float *x, size_t n,
                                struct histograms *h)
{
    if (g->form == GRID_VALUES)
        count_f32_eights(g, x, n, true, h);
    else
        count_f32_eights(g, x, n, false, h);
}

AVX2_INLINE uint32_t eight_f64(__m256d low, __m256d high, __m256d x)
{
    unsigned a = (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(low, x, _CMP_LT_OQ));
    unsigned b = (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(high, x, _CMP_LT_OQ));
    return (uint32_t)__builtin_popcount(a | b << 4);
}

AVX2_INLINE uint32_t cell_f64(const struct grid *g, const __m256d coarse[2],
                              const double *x, bool is_values)
{
    const double *edge = g->edge;
    __m256d v = _mm256_broadcast_sd(x);
    uint32_t j = eight_f64(coarse[0], coarse[1], v) * 8;
    j += eight_f64(_mm256_load_pd(edge + j), _mm256_load_pd(edge + j + 4), v);
    return is_values && edge[j] != *x ? g->edges : j;
}

AVX2_INLINE void count_f64_eights(const struct grid *g, const double *x, size_t n,
                                  bool is_values, struct histograms *h)
{
    double pivot[8];
    for (size_t i = 0; i < 8; i++)
        pivot[i] = g->edge[i * 8 + 7];
    __m256d coarse[2] = {_mm256_loadu_pd(pivot), _mm256_loadu_pd(pivot + 4)};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        h->count[0][cell_f64(g, coarse, x + i, is_values)]++;
        h->count[1][cell_f64(g, coarse, x + i + 1, is_values)]++;
        h->count[2][cell_f64(g, coarse, x + i + 2, is_values)]++;
        h->count[3][cell_f64(g, coarse, x + i + 3, is_values)]++;
    }
    for (; i < n; i++)
        h->count[0][cell_f64(g, coarse, x + i, is_values)]++;
}

AVX2 static void count_f64_avx2(const struct grid *g, const double *x, size_t n,
                                struct histograms *h)
{
    if (g->form == GRID_VALUES)
        count_f64_eights(g, x, n, true, h);
    else
        count_f64_eights(g, x, n, false, h);
}

#endif

static void fill_f32(const struct grid *g, const float *x, size_t n,
                     struct histograms *h)
{
#if defined(__x86_64__)
    switch (simd_level()) {
    case SIMD_AVX2:
        count_f32_avx2(g, x, n, h);
        return;
    case SIMD_SSE2:
        count_f32_sse2(g, x, n, h);
        return;
    case SIMD_PORTABLE:
        break;
    }
#endif
    count_f32_plain(g, x, n, h);
}

// Two doubles a vector gain nothing over six scalar halvings, so there is no SSE2 form.
static void fill_f64(const struct grid *g, const double *x, size_t n,
                     struct histograms *h)
{
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2) {
        count_f64_avx2(g, x, n, h);
        return;
    }
#endif
    count_f64_plain(g, x, n, h);
}

static void add_histograms(const struct grid *g, const struct histograms *h,
                           uint64_t *count)
{
    for (uint32_t j = 0; j < g->cells; j++)
        for (size_t k = 0; k < HISTOGRAMS; k++)
            count[j] += h->count[k][j];
}

void grid_count_f64(const struct grid *g, const double *value, size_t n,
                    uint64_t *count)
{
    assert(g->form != GRID_CATEGORIES);
    if (n < FEW) {
        for (size_t i = 0; i < n; i++)
            count[grid_cell_of(g, value[i])]++;
        return;
    }
    for (size_t chunk; n; value += chunk, n -= chunk) {
        struct histograms h = {.count = {{0}}};
        chunk = n < CHUNK_MAX ? n : CHUNK_MAX;
        fill_f64(g, value, chunk, &h);
        add_histograms(g, &h, count);
    }
}

// A float is counted among edges that are no floats by its exact value.
static void count_widened(const struct grid *g, const float *value, size_t n,
                          uint64_t *count)
{
    double wide[WIDEN_BLOCK];
    for (size_t block; n; value += block, n -= block) {
        block = n < WIDEN_BLOCK ? n : WIDEN_BLOCK;
        for (size_t i = 0; i < block; i++)
            wide[i] = (double)value[i];
        grid_count_f64(g, wide, block, count);
    }
}

void grid_count_f32(const struct grid *g, const float *value, size_t n, uint64_t *count)
{
    assert(g->form != GRID_CATEGORIES);
    if (n < FEW || !g->is_narrow) {
        count_widened(g, value, n, count);
        return;
    }
    for (size_t chunk; n; value += chunk, n -= chunk) {
        struct histograms h = {.count = {{0}}};
        chunk = n < CHUNK_MAX ? n : CHUNK_MAX;
        fill_f32(g, value, chunk, &h);
        add_histograms(g, &h, count);
    }
}
