// Profile speed: everything that is kept of a value, in one pass; and what a window
// costs as bytes, to write, to read and to merge.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/profile.h"
#include "tests/bench/columns.h"

#define BASELINE_ROWS 100000
#define FEATURES 50

struct pass {
    struct columns *columns;
    struct profile *profile;
    const uint8_t *state;
    bool is_float;
    bool has_prediction;
};

// Each slice is a window of its own.
static uint64_t update(void *arg, uint64_t run)
{
    struct pass *p = arg;
    const struct columns *c = p->columns;
    for (size_t k = 0; k < c->times; k++) {
        size_t at = columns_at(c, run * c->times + k);
        struct profile_column column = {
            .f64 = p->is_float ? NULL : c->f64 + at,
            .f32 = p->is_float ? c->f32 + at : NULL,
            .state = p->state ? p->state + at : NULL,
            .prediction = p->has_prediction ? c->prediction + at : NULL,
            .n = c->n,
        };
        profile_reset(p->profile);
        profile_reset_sketches(p->profile);
        profile_update(p->profile, &column);
    }
    return c->n * c->times;
}

static void print_pass(struct columns *c, const char *name,
                       enum profile_sketches sketches, struct pass p)
{
    struct grid *g;
    struct profile_options o = {PROFILE_NUMERIC, p.is_float ? GRID_F32 : GRID_F64,
                                sketches, 200, 1};
    columns_must(grid_of_rows(GRID_F64, c->f64, BASELINE_ROWS, &g));
    columns_must(profile_open(&o, g, &p.profile));
    p.columns = c;
    printf("%-40s", name);
    for (size_t n = 1000; n <= COLUMNS_POOL; n *= 10) {
        columns_cut(c, n);
        printf(" %8.2f", bench_median(update, &p));
    }
    printf("\n");
    profile_close(p.profile);
    grid_close(g);
}

static void print_passes(struct columns *c, const uint8_t *state)
{
    printf("ns a value at n = 1e3, 1e4, 1e5, 1e6, 1e7:\n");
    print_pass(c, "float: counters, moments, grid, KLL", PROFILE_WITH_SKETCHES,
               (struct pass){.is_float = true});
    print_pass(c, "float: without KLL", PROFILE_PLAIN, (struct pass){.is_float = true});
    print_pass(c, "float: with predictions", PROFILE_WITH_SKETCHES,
               (struct pass){.is_float = true, .has_prediction = true});
    print_pass(c, "float: with 2 % missing", PROFILE_WITH_SKETCHES,
               (struct pass){.is_float = true, .state = state});
    print_pass(c, "double: counters, moments, grid, KLL", PROFILE_WITH_SKETCHES,
               (struct pass){.is_float = false});
    print_pass(c, "double: without KLL", PROFILE_PLAIN,
               (struct pass){.is_float = false});
}

struct window {
    struct profile *from, *to;
    struct buf bytes;
};

static uint64_t encode(void *arg, uint64_t run)
{
    struct window *w = arg;
    (void)run;
    for (size_t i = 0; i < FEATURES; i++) {
        buf_clear(&w->bytes);
        profile_encode(w->from, PROFILE_PLAIN, &w->bytes);
    }
    return FEATURES;
}

static uint64_t decode(void *arg, uint64_t run)
{
    struct window *w = arg;
    (void)run;
    for (size_t i = 0; i < FEATURES; i++)
        columns_must(profile_decode(w->to, buf_span(&w->bytes)));
    return FEATURES;
}

static uint64_t merge(void *arg, uint64_t run)
{
    struct window *w = arg;
    (void)run;
    profile_reset(w->to);
    for (size_t i = 0; i < FEATURES; i++)
        columns_must(profile_merge(w->to, w->from));
    return FEATURES;
}

static void print_windows(struct columns *c)
{
    struct grid *g;
    struct profile_options o = {PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, 0, 1};
    columns_must(grid_of_rows(GRID_F64, c->f64, BASELINE_ROWS, &g));
    for (size_t n = 100; n <= 100000; n *= 10) {
        struct window w = {0};
        buf_init(&w.bytes, PROFILE_BYTES_MAX);
        columns_must(profile_open(&o, g, &w.from));
        columns_must(profile_open(&o, g, &w.to));
        struct profile_column column = {
            .f64 = c->f64, .prediction = c->prediction, .n = n};
        profile_update(w.from, &column);
        double encode_ns = bench_median(encode, &w),
               decode_ns = bench_median(decode, &w);
        double merge_ns = bench_median(merge, &w);
        printf(
            "window of %6zu rows, 64 cells, with pairs: %3zu bytes; ns to write %.0f, "
            "read %.0f, merge %.0f\n",
            n, w.bytes.size, encode_ns, decode_ns, merge_ns);
        profile_close(w.from);
        profile_close(w.to);
        buf_fini(&w.bytes);
    }
    grid_close(g);
}

int main(void)
{
    struct columns c = columns_open();
    uint8_t *state = calloc(COLUMNS_POOL, 1);
    struct random r = {3};
    if (!state)
        columns_must(ST_NOMEM);
    for (size_t i = 0; i < COLUMNS_POOL; i++)
        state[i] = random_u64(&r) % 50 == 0 ? VALUE_MISSING : VALUE_PRESENT;
    bench_print_machine();
    columns_fill(&c, COLUMNS_LOGNORMAL);
    columns_print_yardsticks(&c);
    columns_fill(&c, COLUMNS_LOGNORMAL);
    print_passes(&c, state);
    print_windows(&c);
    free(state);
    columns_close(&c);
    return 0;
}
