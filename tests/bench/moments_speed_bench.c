// Moments speed: what a value costs, alone and with its prediction, and how exact it
// is.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/moments.h"
#include "common/sketch/simd.h"
#include "tests/bench/columns.h"

static uint64_t add_f32(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    struct moments m = {0};
    for (size_t k = 0; k < c->times; k++)
        moments_add_f32(&m, c->f32 + columns_at(c, run * c->times + k), c->n);
    columns_sink = moments_mean(&m);
    return c->n * c->times;
}

static uint64_t add_f64(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    struct moments m = {0};
    for (size_t k = 0; k < c->times; k++)
        moments_add_f64(&m, c->f64 + columns_at(c, run * c->times + k), c->n);
    columns_sink = moments_mean(&m);
    return c->n * c->times;
}

static uint64_t add_pairs(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    struct comoments m = {0};
    for (size_t k = 0; k < c->times; k++) {
        size_t at = columns_at(c, run * c->times + k);
        comoments_add_f32(&m, c->f32 + at, c->prediction + at, c->n);
    }
    columns_sink = comoments_correlation(&m);
    return c->n * c->times;
}

static uint64_t merge(void *arg, uint64_t run)
{
    struct moments *part = arg, all = {0};
    for (size_t i = 0; i < 1000; i++)
        moments_merge(&all, &part[(run + i) % 64]);
    columns_sink = moments_variance(&all);
    return 1000;
}

// Against two passes in long double, from the first value.
static void print_error(const double *x, size_t n)
{
    long double mean = 0, m2 = 0;
    struct moments m = {0};
    moments_add_f64(&m, x, n);
    for (size_t i = 0; i < n; i++)
        mean += (long double)x[i] - x[0];
    mean = x[0] + mean / n;
    for (size_t i = 0; i < n; i++)
        m2 += (x[i] - mean) * (x[i] - mean);
    printf("relative error at n=%zu: mean %.1Le, variance %.1Le\n", n,
           fabsl(moments_mean(&m) / mean - 1),
           fabsl(moments_variance(&m) / (m2 / (n - 1)) - 1));
}

int main(void)
{
    struct columns c = columns_open();
    bench_print_machine();
    columns_fill(&c, COLUMNS_LOGNORMAL);
    columns_print_yardsticks(&c);
    columns_fill(&c, COLUMNS_LOGNORMAL);
    for (int level = SIMD_PORTABLE; level <= SIMD_AVX2; level += SIMD_AVX2) {
        simd_limit((enum simd_level)level);
        printf("%s, ns a value (float, double, float with prediction):\n",
               level ? "AVX2" : "portable");
        for (size_t n = 1000; n <= COLUMNS_POOL; n *= 10) {
            columns_cut(&c, n);
            printf("  n=%-9zu %.3f %.3f %.3f\n", n, bench_median(add_f32, &c),
                   bench_median(add_f64, &c), bench_median(add_pairs, &c));
        }
    }
    struct moments part[64] = {{0}};
    for (size_t i = 0; i < 64; i++)
        moments_add_f64(&part[i], c.f64 + 1000 * i, 1000);
    printf("merge: %.1f ns\n", bench_median(merge, part));
    print_error(c.f64, COLUMNS_POOL);
    for (size_t i = 0; i < COLUMNS_POOL; i++)
        c.f64[i] += 1e9;
    print_error(c.f64, COLUMNS_POOL);
    columns_close(&c);
    return 0;
}
