// Columns: the data that the sketch benches count, and yardsticks on the same data.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_COLUMNS_H
#define KEDGE_TESTS_BENCH_COLUMNS_H

#include <math.h>
#include <stdbool.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "tests/bench/bench.h"

#define COLUMNS_POOL 10000000u

enum columns_shape {
    COLUMNS_LOGNORMAL,
    COLUMNS_NORMAL,
    COLUMNS_DIGITS,
    COLUMNS_SHAPES
};

// The pool and a slice of it; each run of a bench takes another slice.
struct columns {
    float *f32;
    double *f64;
    double *prediction;
    size_t n;     // values in a slice
    size_t times; // slices in a run, so that reading the clock costs nothing
};

static inline void columns_must(enum status st)
{
    if (st != ST_OK) {
        fprintf(stderr, "bench: %s\n", status_text(st));
        exit(1);
    }
}

static inline const char *columns_name(enum columns_shape shape)
{
    return shape == COLUMNS_LOGNORMAL ? "lognormal"
           : shape == COLUMNS_NORMAL  ? "normal"
                                      : "digits 0-9";
}

static inline double columns_draw(enum columns_shape shape, struct random *r)
{
    if (shape == COLUMNS_DIGITS)
        return (double)(random_u64(r) % 10);
    double z = random_normal(r);
    return shape == COLUMNS_NORMAL ? z : exp(z);
}

static inline void columns_fill(struct columns *c, enum columns_shape shape)
{
    struct random r = {42};
    for (size_t i = 0; i < COLUMNS_POOL; i++) {
        c->f32[i] = (float)columns_draw(shape, &r);
        c->f64[i] = (double)c->f32[i] * (1 + 1e-9);
        c->prediction[i] = c->f64[i] + random_unit(&r);
    }
}

static inline struct columns columns_open(void)
{
    struct columns c = {
        .f32 = malloc(COLUMNS_POOL * sizeof *c.f32),
        .f64 = malloc(COLUMNS_POOL * sizeof *c.f64),
        .prediction = malloc(COLUMNS_POOL * sizeof *c.prediction),
        .n = COLUMNS_POOL,
        .times = 1,
    };
    if (!c.f32 || !c.f64 || !c.prediction)
        columns_must(ST_NOMEM);
    return c;
}

static inline void columns_close(struct columns *c)
{
    free(c->f32);
    free(c->f64);
    free(c->prediction);
}

static inline void columns_cut(struct columns *c, size_t n)
{
    c->n = n;
    c->times = n < 1000000 ? 1000000 / n : 1;
}

static inline size_t columns_at(const struct columns *c, uint64_t run)
{
    return (size_t)(run * c->n % (COLUMNS_POOL - c->n + 1));
}

static volatile double columns_sink;

static inline uint64_t columns_copy(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    memcpy(c->prediction, c->f32 + columns_at(c, run), c->n * sizeof *c->f32);
    columns_sink = c->prediction[run % c->n / 2];
    return c->n;
}

static inline uint64_t columns_sum(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    const float *x = c->f32 + columns_at(c, run);
    double sum = 0;
    for (size_t i = 0; i < c->n; i++)
        sum += (double)x[i];
    columns_sink = sum;
    return c->n;
}

static inline int columns_compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// qsort of a copy, a hundredth of the slice at most.
static inline uint64_t columns_sort(void *arg, uint64_t run)
{
    const struct columns *c = arg;
    size_t n = c->n < 100000 ? c->n : 100000;
    float *copy = (float *)(void *)c->prediction;
    memcpy(copy, c->f32 + columns_at(c, run), n * sizeof *copy);
    qsort(copy, n, sizeof *copy, columns_compare);
    columns_sink = (double)copy[0];
    return n;
}

// Spoils the predictions.
static inline void columns_print_yardsticks(struct columns *c)
{
    printf("yardsticks, ns a float: memcpy %.3f, plain sum %.3f, qsort of 1e5 %.1f\n",
           bench_median(columns_copy, c), bench_median(columns_sum, c),
           bench_median(columns_sort, c));
}

#endif
