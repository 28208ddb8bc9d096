// Quantile speed: what a value, a merge, a view, a reading and a writing cost.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdbool.h>

#include "common/base/hash.h"
#include "common/sketch/quantile.h"
#include "tests/bench/bench.h"

#define POOL 10000000u
#define MERGE_SOURCES 64
#define GROUP 1000000u // values in one timed run of short sketches

static float *pool_f32;
static double *pool_f64;
static volatile double sink;

static void must(enum status st)
{
    if (st != ST_OK) {
        fprintf(stderr, "bench: %s\n", status_text(st));
        exit(1);
    }
}

enum shape { UNIFORM, LOGNORMAL, SORTED, INTEGERS, SHAPES };
static const char *const shape_name[] = {"uniform", "lognormal", "sorted", "integers"};

static void fill_pool(enum shape shape)
{
    struct random r = {42 + (uint64_t)shape};
    for (uint32_t i = 0; i < POOL; i++) {
        double v = random_unit(&r);
        if (shape == LOGNORMAL)
            v = exp(random_normal(&r));
        else if (shape == SORTED)
            v = i;
        else if (shape == INTEGERS)
            v = floor(v * 10);
        pool_f32[i] = (float)v;
        pool_f64[i] = v;
    }
}

struct feeding {
    enum quantile_type type;
    enum quantile_path path;
    uint32_t k;
    size_t n;
    bool is_single;
};

static void feed(struct quantile *q, const struct feeding *f, size_t from)
{
    if (f->is_single) {
        for (size_t i = 0; i < f->n; i++)
            quantile_add(q, f->type == QUANTILE_FLOAT ? (double)pool_f32[from + i]
                                                      : pool_f64[from + i]);
    } else if (f->type == QUANTILE_FLOAT) {
        quantile_add_floats(q, pool_f32 + from, f->n);
    } else {
        quantile_add_doubles(q, pool_f64 + from, f->n);
    }
}

// Opening, feeding, settling and closing; each sketch on a fresh slice of the pool.
static uint64_t feed_sketches(void *arg, uint64_t run)
{
    const struct feeding *f = arg;
    size_t sketches = f->n < GROUP ? GROUP / f->n : 1;
    size_t at = run * GROUP % (POOL - sketches * f->n + 1);
    for (size_t i = 0; i < sketches; i++) {
        struct quantile *q;
        must(quantile_open(f->type, f->k, run, &q));
        must(quantile_set_path(q, f->path));
        feed(q, f, at + i * f->n);
        quantile_settle(q);
        sink = (double)quantile_n(q);
        quantile_close(q);
    }
    return sketches * f->n;
}

static const struct {
    enum quantile_path path;
    const char *name;
} paths[] = {
    {QUANTILE_PATH_AVX2, "AVX2"},
    {QUANTILE_PATH_SSE2, "SSE2"},
    {QUANTILE_PATH_PLAIN, "plain"},
};

static bool has_path(enum quantile_path path)
{
    struct quantile *q;
    must(quantile_open(QUANTILE_FLOAT, 200, 1, &q));
    enum status st = quantile_set_path(q, path);
    quantile_close(q);
    return st == ST_OK;
}

static void row(const char *what, struct feeding f)
{
    static const size_t lens[] = {1000, 10000, 100000, 1000000, 10000000};
    printf("%-32s", what);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        f.n = lens[i];
        printf(" %7.2f", bench_median(feed_sketches, &f));
        fflush(stdout);
    }
    printf("\n");
}

static void bench_values(bool is_long)
{
    printf("\nns per value%27s%8s%8s%8s%8s\n", "n=1e3", "1e4", "1e5", "1e6", "1e7");
    for (int shape = 0; shape < SHAPES; shape++) {
        if (shape != LOGNORMAL && !is_long)
            continue;
        fill_pool((enum shape)shape);
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            if (!has_path(paths[p].path))
                continue;
            char what[64];
            struct feeding f = {QUANTILE_FLOAT, paths[p].path, 200, 0, false};
            snprintf(what, sizeof what, "float 200 %s %s", paths[p].name,
                     shape_name[shape]);
            row(what, f);
            if (shape != LOGNORMAL)
                continue;
            f.type = QUANTILE_DOUBLE;
            snprintf(what, sizeof what, "double 200 %s", paths[p].name);
            row(what, f);
        }
    }
    fill_pool(LOGNORMAL);
    struct feeding f = {QUANTILE_FLOAT, QUANTILE_PATH_BEST, 200, 0, true};
    row("float 200 one per call", f);
    f.type = QUANTILE_DOUBLE;
    row("double 200 one per call", f);
    f.is_single = false;
    f.k = 1000;
    row("double 1000", f);
    f.type = QUANTILE_FLOAT;
    row("float 1000", f);
}

static uint64_t copy_pool(void *arg, uint64_t run)
{
    (void)run;
    memcpy(arg, pool_f32, POOL * sizeof *pool_f32);
    return POOL;
}

static uint64_t sum_pool(void *arg, uint64_t run)
{
    (void)arg, (void)run;
    float sum = 0;
    for (uint32_t i = 0; i < POOL; i++)
        sum += pool_f32[i];
    sink = (double)sum;
    return POOL;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static uint64_t qsort_slice(void *arg, uint64_t run)
{
    memcpy(arg, pool_f32 + run * GROUP / 4, GROUP * sizeof *pool_f32);
    qsort(arg, GROUP, sizeof *pool_f32, compare_floats);
    return GROUP;
}

static void bench_yardsticks(void)
{
    float *copy = malloc(POOL * sizeof *copy);
    if (!copy)
        exit(1);
    printf("\nyardsticks, ns per float\n");
    printf("memcpy %.3f  plain sum %.3f  qsort of 1e6 %.1f\n",
           bench_median(copy_pool, copy), bench_median(sum_pool, NULL),
           bench_median(qsort_slice, copy));
    free(copy);
}

// One sketch of a million values in each form.
struct parts {
    struct quantile *live[MERGE_SOURCES];
    struct buf bytes[MERGE_SOURCES];
    struct quantile *into;
    struct quantile_view *view;
    struct buf out;
    enum quantile_type type;
};

static void parts_open(struct parts *p, enum quantile_type type, uint32_t k)
{
    p->type = type;
    for (uint64_t i = 0; i < MERGE_SOURCES; i++) {
        must(quantile_open(type, k, i, &p->live[i]));
        struct feeding f = {type, QUANTILE_PATH_BEST, k, 1000000, false};
        feed(p->live[i], &f, i * 100000);
        buf_init(&p->bytes[i], 1u << 20);
        must(quantile_serialize(p->live[i], &p->bytes[i]));
    }
    must(quantile_open(type, k, 99, &p->into));
    must(quantile_view_open(k, &p->view));
    buf_init(&p->out, 1u << 20);
}

static void parts_close(struct parts *p)
{
    for (uint64_t i = 0; i < MERGE_SOURCES; i++) {
        quantile_close(p->live[i]);
        buf_fini(&p->bytes[i]);
    }
    quantile_close(p->into);
    quantile_view_close(p->view);
    buf_fini(&p->out);
}

#define ROUNDS 20

// All sources poured into an empty sketch, and that again.
static uint64_t merge_live(void *arg, uint64_t run)
{
    (void)run;
    struct parts *p = arg;
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++) {
        if (i % MERGE_SOURCES == 0)
            quantile_reset(p->into);
        must(quantile_merge(p->into, p->live[i % MERGE_SOURCES]));
    }
    return ROUNDS * MERGE_SOURCES;
}

static uint64_t merge_raw(void *arg, uint64_t run)
{
    (void)run;
    struct parts *p = arg;
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++) {
        if (i % MERGE_SOURCES == 0)
            quantile_reset(p->into);
        must(quantile_merge_bytes(p->into, buf_span(&p->bytes[i % MERGE_SOURCES])));
    }
    return ROUNDS * MERGE_SOURCES;
}

// All into one that grows to a thousand times as many values as each source has.
static uint64_t merge_far(void *arg, uint64_t run)
{
    (void)run;
    struct parts *p = arg;
    quantile_reset(p->into);
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++)
        must(quantile_merge(p->into, p->live[i % MERGE_SOURCES]));
    return ROUNDS * MERGE_SOURCES;
}

static uint64_t load_view(void *arg, uint64_t run)
{
    (void)run;
    struct parts *p = arg;
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++)
        must(quantile_view_load(p->view, p->live[i % MERGE_SOURCES]));
    return ROUNDS * MERGE_SOURCES;
}

static uint64_t ask_ranks(void *arg, uint64_t run)
{
    struct parts *p = arg;
    double sum = 0;
    for (uint32_t i = 0; i < GROUP; i++) {
        double x = pool_f64[(run * 1000 + i) % POOL];
        sum += quantile_view_rank(p->view, x, QUANTILE_INCLUSIVE);
    }
    sink = sum;
    return GROUP;
}

static uint64_t ask_cdf(void *arg, uint64_t run)
{
    struct parts *p = arg;
    double points[100], out[101];
    for (int i = 0; i < 100; i++)
        points[i] = .05 * i + .01 * (double)run;
    for (uint64_t i = 0; i < 1000; i++)
        must(quantile_view_cdf(p->view, points, 100, QUANTILE_INCLUSIVE, out));
    sink = out[50];
    return 1000;
}

static uint64_t parse_bytes(void *arg, uint64_t run)
{
    struct parts *p = arg;
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++) {
        struct quantile *q;
        struct span bytes = buf_span(&p->bytes[i % MERGE_SOURCES]);
        must(quantile_parse(p->type, bytes, run, &q));
        quantile_close(q);
    }
    return ROUNDS * MERGE_SOURCES;
}

// A settled sketch is only written; a live one is first fed, untimed cost apart.
static uint64_t write_settled(void *arg, uint64_t run)
{
    (void)run;
    struct parts *p = arg;
    for (uint64_t i = 0; i < ROUNDS * MERGE_SOURCES; i++) {
        buf_clear(&p->out);
        must(quantile_serialize(p->live[i % MERGE_SOURCES], &p->out));
    }
    return ROUNDS * MERGE_SOURCES;
}

// Median time to write a sketch that has just been fed; the feeding is not timed. The
// clock's own cost, about 0.3 us, is in it.
static double write_live(struct parts *p, uint32_t k, size_t n)
{
    enum { RUNS = 101 };
    double ns[RUNS];
    for (uint64_t i = 0; i < RUNS; i++) {
        struct quantile *q;
        must(quantile_open(p->type, k, i, &q));
        struct feeding f = {p->type, QUANTILE_PATH_BEST, k, n + i * 37, false};
        feed(q, &f, i * 1000);
        buf_clear(&p->out);
        uint64_t from = bench_cpu_ns();
        must(quantile_serialize(q, &p->out));
        ns[i] = (double)(bench_cpu_ns() - from);
        quantile_close(q);
    }
    qsort(ns, RUNS, sizeof ns[0], bench_ascending);
    return ns[RUNS / 2];
}

static void bench_whole(enum quantile_type type, uint32_t k)
{
    struct parts p;
    parts_open(&p, type, k);
    printf("%-6s %5u %7zu", type == QUANTILE_FLOAT ? "float" : "double", k,
           p.bytes[0].size);
    printf(" %8.0f", bench_median(merge_live, &p));
    printf(" %8.0f", bench_median(merge_raw, &p));
    printf(" %8.0f", bench_median(merge_far, &p));
    printf(" %8.0f", bench_median(load_view, &p));
    printf(" %6.1f", bench_median(ask_ranks, &p));
    printf(" %6.0f", bench_median(ask_cdf, &p));
    printf(" %6.0f", bench_median(parse_bytes, &p));
    printf(" %6.0f", bench_median(write_settled, &p));
    printf(" %6.0f\n", write_live(&p, k, 1000000));
    parts_close(&p);
}

// No argument: lognormal values, then whole sketches. --long: of all shapes. --whole:
// no values.
int main(int argc, char **argv)
{
    bool is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
    bool is_whole = argc > 1 && strcmp(argv[1], "--whole") == 0;
    pool_f32 = malloc(POOL * sizeof *pool_f32);
    pool_f64 = malloc(POOL * sizeof *pool_f64);
    if (!pool_f32 || !pool_f64)
        return 1;
    bench_print_machine();
    fill_pool(LOGNORMAL);
    bench_yardsticks();
    if (!is_whole)
        bench_values(is_long);
    printf("\nns, sketches of 1e6 lognormal values\n");
    printf("type       k   bytes    merge  m.bytes m.of1280     view   rank cdf100  "
           "parse  write "
           "+settle\n");
    bench_whole(QUANTILE_FLOAT, 200);
    bench_whole(QUANTILE_DOUBLE, 200);
    bench_whole(QUANTILE_FLOAT, 1000);
    bench_whole(QUANTILE_DOUBLE, 1000);
    free(pool_f32);
    free(pool_f64);
    return 0;
}
