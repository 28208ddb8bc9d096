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
#define FEW 48                        // values that are not worth four histograms

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

// In a grid of values, of which j are below x: the next one is x, or else x is unknown.
// "Above" is asked instead of "not equal", which would cost a branch for NaN.
static inline uint32_t known_or_other(const double *edge, uint32_t other, uint32_t j,
                                      double x)
{
    return edge[j] > x ? other : j;
}

uint32_t grid_cell_of(const struct grid *g, double value)
{
    assert(g->form != GRID_CATEGORIES);
    uint32_t j = below_f64(g->edge, value);
    return g->form == GRID_VALUES ? known_or_other(g->edge, g->edges, j, value) : j;
}

static void count_f32_plain(const struct grid *g, const float *x, size_t n,
                            struct histograms *h)
{
    bool is_values = g->form == GRID_VALUES;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = below_f32(g->edge_down, x[i]);
        j = is_values ? known_or_other(g->edge, g->edges, j, (double)x[i]) : j;
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
        j = is_values ? known_or_other(g->edge, g->edges, j, x[i]) : j;
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

SSE2_INLINE size_t count_f32_fours(const struct grid *g, const float *x, size_t n,
                                   bool is_values, struct histograms *h)
{
    const float *edge = g->edge_down;
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
        j = is_values ? known_or_other(g->edge, g->edges, j, (double)x[i]) : j;
        h->count[i % HISTOGRAMS][j]++;
    }
    return n;
}

static size_t count_f32_sse2(const struct grid *g, const float *x, size_t n,
                             struct histograms *h)
{
    if (g->form == GRID_VALUES)
        return count_f32_fours(g, x, n, true, h);
    return count_f32_fours(g, x, n, false, h);
}

// AVX2: eight values side by side. The first step compares them with every eighth edge,
// which gives each its row of eight edges; the second fetches the k-th edge of each
// one's row by a permutation, for k = 0..6. No branch, and no way through the scalar
// registers but for the increments.
struct eights {
    __m256 coarse[7]; // edge 8 k + 7 in all lanes
    __m256 fine[7];   // the k-th edge of row 0, 1 .. 7
};

AVX2_INLINE void eights_init(struct eights *e, const float *edge)
{
    for (int k = 0; k < 7; k++) {
        e->coarse[k] = _mm256_set1_ps(edge[8 * k + 7]);
        e->fine[k] =
            _mm256_setr_ps(edge[k], edge[8 + k], edge[16 + k], edge[24 + k],
                           edge[32 + k], edge[40 + k], edge[48 + k], edge[56 + k]);
    }
}

// One more for each lane whose edge is below x: a true comparison is -1.
AVX2_INLINE __m256i one_more(__m256i count, __m256 edge, __m256 x)
{
    __m256 is_below = _mm256_cmp_ps(edge, x, _CMP_LT_OQ);
    return _mm256_sub_epi32(count, _mm256_castps_si256(is_below));
}

AVX2_INLINE __m256 of_row(__m256 edges, __m256i row)
{
    return _mm256_permutevar8x32_ps(edges, row);
}

// The number of edges below each of the eight values. Written out, since loops left in
// would double the time.
AVX2_INLINE __m256i below_eights(const struct eights *e, __m256 x)
{
    __m256i row = one_more(_mm256_setzero_si256(), e->coarse[0], x);
    row = one_more(row, e->coarse[1], x);
    row = one_more(row, e->coarse[2], x);
    row = one_more(row, e->coarse[3], x);
    row = one_more(row, e->coarse[4], x);
    row = one_more(row, e->coarse[5], x);
    row = one_more(row, e->coarse[6], x);
    __m256i below = one_more(_mm256_slli_epi32(row, 3), of_row(e->fine[0], row), x);
    below = one_more(below, of_row(e->fine[1], row), x);
    below = one_more(below, of_row(e->fine[2], row), x);
    below = one_more(below, of_row(e->fine[3], row), x);
    below = one_more(below, of_row(e->fine[4], row), x);
    below = one_more(below, of_row(e->fine[5], row), x);
    return one_more(below, of_row(e->fine[6], row), x);
}

// What a search among rounded edges leaves to do. Constants, which decide `settle` at
// compile time.
struct rest {
    const double *edge;
    uint32_t other;
    int steps;      // edges that may have become one float with the value: 0..2
    bool is_values; // and is it one of the known values?
};

AVX2_INLINE uint32_t settle(const struct rest *r, uint32_t j, double x)
{
    if (r->steps > 0)
        j += r->edge[j] < x;
    if (r->steps > 1)
        j += r->edge[j] < x;
    return r->is_values ? known_or_other(r->edge, r->other, j, x) : j;
}

// These return how many values they took, a multiple of eight. (They do not go on to
// the plain form themselves: a call at their end would leave the upper halves of the
// vectors in use, which slows all older code for as long as they are.)
AVX2_INLINE size_t count_f32_eights(const struct grid *g, const float *x, size_t n,
                                    struct rest rest, struct histograms *h)
{
    struct eights e;
    eights_init(&e, g->edge_down);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _Alignas(32) uint32_t j[8];
        const float *v = x + i;
        __m256i below = below_eights(&e, _mm256_loadu_ps(v));
        _mm256_storeu_si256((__m256i *)(void *)j, below);
        h->count[0][settle(&rest, j[0], (double)v[0])]++;
        h->count[1][settle(&rest, j[1], (double)v[1])]++;
        h->count[2][settle(&rest, j[2], (double)v[2])]++;
        h->count[3][settle(&rest, j[3], (double)v[3])]++;
        h->count[0][settle(&rest, j[4], (double)v[4])]++;
        h->count[1][settle(&rest, j[5], (double)v[5])]++;
        h->count[2][settle(&rest, j[6], (double)v[6])]++;
        h->count[3][settle(&rest, j[7], (double)v[7])]++;
    }
    return i;
}

AVX2 static size_t count_f32_avx2(const struct grid *g, const float *x, size_t n,
                                  struct histograms *h)
{
    if (g->form == GRID_VALUES)
        return count_f32_eights(g, x, n, (struct rest){g->edge, g->edges, 0, true}, h);
    return count_f32_eights(g, x, n, (struct rest){NULL, 0, 0, false}, h);
}

// Doubles are searched as floats. Rounding keeps the order, so only edges that round to
// the same float as the value are in doubt: they begin where the search ended, and are
// compared again as what they are. There are one or two of them (an atom's edges are
// neighbours), or the grid is not searched like this.
AVX2_INLINE size_t count_f64_eights(const struct grid *g, const double *x, size_t n,
                                    struct rest rest, struct histograms *h)
{
    struct eights e;
    eights_init(&e, g->edge_near);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _Alignas(32) uint32_t j[8];
        const double *v = x + i;
        __m128 low = _mm256_cvtpd_ps(_mm256_loadu_pd(v));
        __m128 high = _mm256_cvtpd_ps(_mm256_loadu_pd(v + 4));
        __m256i below = below_eights(&e, _mm256_set_m128(high, low));
        _mm256_storeu_si256((__m256i *)(void *)j, below);
        h->count[0][settle(&rest, j[0], v[0])]++;
        h->count[1][settle(&rest, j[1], v[1])]++;
        h->count[2][settle(&rest, j[2], v[2])]++;
        h->count[3][settle(&rest, j[3], v[3])]++;
        h->count[0][settle(&rest, j[4], v[4])]++;
        h->count[1][settle(&rest, j[5], v[5])]++;
        h->count[2][settle(&rest, j[6], v[6])]++;
        h->count[3][settle(&rest, j[7], v[7])]++;
    }
    return i;
}

AVX2 static size_t count_f64_avx2(const struct grid *g, const double *x, size_t n,
                                  struct histograms *h)
{
    const double *edge = g->edge;
    bool is_values = g->form == GRID_VALUES, is_pairs = g->rounding == ROUNDING_PAIRS;
    if (is_values && is_pairs)
        return count_f64_eights(g, x, n, (struct rest){edge, g->edges, 2, true}, h);
    if (is_values)
        return count_f64_eights(g, x, n, (struct rest){edge, g->edges, 1, true}, h);
    if (is_pairs)
        return count_f64_eights(g, x, n, (struct rest){edge, 0, 2, false}, h);
    return count_f64_eights(g, x, n, (struct rest){edge, 0, 1, false}, h);
}

#endif

static void fill_f32(const struct grid *g, const float *x, size_t n,
                     struct histograms *h)
{
    size_t done = 0;
#if defined(__x86_64__)
    enum simd_level level = simd_level();
    if (level == SIMD_AVX2)
        done = count_f32_avx2(g, x, n, h);
    else if (level == SIMD_SSE2)
        done = count_f32_sse2(g, x, n, h);
#endif
    count_f32_plain(g, x + done, n - done, h);
}

// Two doubles a vector gain nothing over six scalar halvings, so there is no SSE2 form.
static void fill_f64(const struct grid *g, const double *x, size_t n,
                     struct histograms *h)
{
    size_t done = 0;
#if defined(__x86_64__)
    if (simd_level() == SIMD_AVX2 && g->rounding != ROUNDING_JOINS)
        done = count_f64_avx2(g, x, n, h);
#endif
    count_f64_plain(g, x + done, n - done, h);
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

void grid_count_f32(const struct grid *g, const float *value, size_t n, uint64_t *count)
{
    assert(g->form != GRID_CATEGORIES);
    if (n < FEW) {
        for (size_t i = 0; i < n; i++)
            count[grid_cell_of(g, (double)value[i])]++;
        return;
    }
    for (size_t chunk; n; value += chunk, n -= chunk) {
        struct histograms h = {.count = {{0}}};
        chunk = n < CHUNK_MAX ? n : CHUNK_MAX;
        fill_f32(g, value, chunk, &h);
        add_histograms(g, &h, count);
    }
}
