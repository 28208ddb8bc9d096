// Profile: counts are those of the rows however they were cut, merged and carried.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/profile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/quantile.h"
#include "common/sketch/simd.h"

#define ROWS 20000

static double value[ROWS], prediction[ROWS];
static float narrow[ROWS];
static uint8_t status_of[ROWS];
static uint64_t hash[ROWS];
static struct span text[ROWS];

// What each row should be counted as.
static void fill(uint64_t seed, bool is_odd)
{
    static const double odd[] = {NAN,  INFINITY, -INFINITY, 0,
                                 -0.0, 1e300,    -1e300,    5e-324};
    static const char *const names[] = {"", "red", "green", "blue",
                                        "\xc3\xa9t\xc3\xa9"};
    struct random r = {seed};
    for (size_t i = 0; i < ROWS; i++) {
        double u = random_unit(&r);
        value[i] = u < 0.2 ? floor(u * 20) : random_normal(&r) * 3 + 1;
        if (u > 0.9 && i > 0) // runs
            value[i] = value[i - 1];
        prediction[i] = 2 * value[i] + random_normal(&r);
        status_of[i] = VALUE_PRESENT;
        if (is_odd && random_u64(&r) % 5 == 0) {
            value[i] = odd[random_u64(&r) % 8];
            status_of[i] = (uint8_t)(random_u64(&r) % 3);
            prediction[i] = odd[random_u64(&r) % 5];
        }
        narrow[i] = (float)value[i];
        hash[i] = 1 + random_u64(&r) % 40 * (random_u64(&r) % 40);
        text[i] = span_text(names[hash[i] % 5]);
    }
}

static struct profile *open_of(enum profile_kind kind, enum grid_width width,
                               enum profile_sketches sketches, const struct grid *grid)
{
    struct profile_options options = {kind, width, sketches, 0, 1};
    struct profile *p = NULL;
    assert_int_equal(profile_open(&options, grid, &p), ST_OK);
    return p;
}

static struct grid *grid_of_normal(enum grid_width width)
{
    static double row[5000];
    struct random r = {99};
    struct grid *g = NULL;
    for (size_t i = 0; i < 5000; i++)
        row[i] = (double)(float)(random_normal(&r) * 3 + 1);
    assert_int_equal(grid_of_rows(width, row, 5000, &g), ST_OK);
    return g;
}

static struct grid *grid_of_hashes(void)
{
    static struct grid_category c[300];
    struct grid *g = NULL;
    for (size_t i = 0; i < 300; i++)
        c[i] = (struct grid_category){1 + i * 3, 300 - i};
    assert_int_equal(grid_of_categories(c, 300, &g), ST_OK);
    return g;
}

// One row at a time, as the words of the contract say it.
struct naive {
    struct counters c;
    uint64_t cell[GRID_CELLS_MAX];
    uint64_t pairs;
    double before;
    uint64_t run;
};

static void naive_valid(struct naive *n, const struct grid *g, double v, double y)
{
    bool is_again = n->run > 0 && v == n->before;
    n->run = is_again ? n->run + 1 : 1;
    n->before = v;
    n->c.run_longest = n->run > n->c.run_longest ? n->run : n->c.run_longest;
    n->c.zero += v == 0;
    n->c.negative += v < 0;
    n->pairs += isfinite(y) != 0;
    if (!g)
        return;
    n->c.below += v < grid_min(g);
    n->c.above += v > grid_max(g);
    n->cell[grid_cell_of(g, v)]++;
}

static struct naive naive_of(const struct grid *g, size_t n, bool is_narrow)
{
    struct naive want = {.c = {.rows = n}};
    for (size_t i = 0; i < n; i++) {
        double v = is_narrow ? (double)(float)value[i] : value[i];
        if (status_of[i] == VALUE_MISSING)
            want.c.missing++;
        else if (status_of[i] == VALUE_TYPE_ERROR)
            want.c.type_error++;
        else if (isnan(v))
            want.c.nan++;
        else if (isinf(v))
            v > 0 ? want.c.pos_inf++ : want.c.neg_inf++;
        else
            naive_valid(&want, g, v, prediction[i]);
    }
    return want;
}

static void same_counts(const struct profile *p, const struct naive *want)
{
    uint32_t n;
    const uint64_t *cell = profile_cells(p, &n);
    assert_memory_equal(profile_counters(p), &want->c, sizeof want->c);
    if (cell)
        assert_memory_equal(cell, want->cell, n * sizeof *cell);
    assert_int_equal(profile_comoments(p)->n, want->pairs);
    assert_int_equal(profile_moments(p)->n, counters_valid(&want->c));
}

// Feeds rows [from, to) in pieces of random size.
static void feed(struct profile *p, size_t from, size_t to, bool is_narrow,
                 struct random *r)
{
    for (size_t at = from, n; at < to; at += n) {
        n = 1 + random_u64(r) % (random_u64(r) % 2 ? 5 : 6000);
        n = n < to - at ? n : to - at;
        struct profile_column column = {
            .f64 = is_narrow ? NULL : value + at,
            .f32 = is_narrow ? narrow + at : NULL,
            .state = status_of + at,
            .prediction = prediction + at,
            .n = n,
        };
        profile_update(p, &column);
    }
}

static void counts_every_row_once(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 48; k++) {
        bool is_odd = k & 1, is_narrow = k & 2, has_grid = k & 4;
        enum grid_width width = k & 8 ? GRID_F32 : GRID_F64;
        simd_limit((enum simd_level)(k / 16));
        fill(k, is_odd);
        struct grid *g = has_grid ? grid_of_normal(k & 1 ? GRID_F64 : width) : NULL;
        struct random r = {k};
        struct profile *p = open_of(PROFILE_NUMERIC, width, PROFILE_WITH_SKETCHES, g);
        feed(p, 0, ROWS, is_narrow, &r);
        struct naive want = naive_of(g, ROWS, is_narrow || width == GRID_F32);
        same_counts(p, &want);
        assert_int_equal(quantile_n(profile_quantile(p)), counters_valid(&want.c));
        profile_close(p);
        grid_close(g);
    }
    simd_limit(SIMD_AVX2);
}

static void a_run_passes_over_batches_and_gaps(void **state)
{
    (void)state;
    struct profile *p = open_of(PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, NULL);
    double one = 7, gap = NAN;
    for (int i = 0; i < 500; i++) {
        profile_update(p, &(struct profile_column){.f64 = &one, .n = 1});
        profile_update(p, &(struct profile_column){.f64 = &gap, .n = 1});
    }
    assert_int_equal(profile_counters(p)->run_longest, 500);
    assert_true(profile_is_constant(p));
    profile_reset(p);
    assert_int_equal(profile_counters(p)->run_longest, 0);
    assert_false(profile_is_constant(p));
    profile_close(p);
}

// All runs of all lengths, at all places about the vectors' and the words' edges.
static void runs_are_found_anywhere(void **state)
{
    (void)state;
    for (int level = SIMD_PORTABLE; level <= SIMD_AVX2; level++) {
        simd_limit((enum simd_level)level);
        for (size_t at = 0; at < 140; at += 3) {
            for (size_t length = 2; length < 200; length += 1 + length / 5) {
                for (size_t i = 0; i < 400; i++) {
                    value[i] = (double)i;
                    narrow[i] = (float)i;
                }
                for (size_t i = at; i < at + length; i++) {
                    value[i] = -1;
                    narrow[i] = -1;
                }
                for (int k = 0; k < 2; k++) {
                    struct profile *p = open_of(PROFILE_SIGNAL, k ? GRID_F32 : GRID_F64,
                                                PROFILE_PLAIN, NULL);
                    struct profile_column c = {.n = 400};
                    c.f64 = k ? NULL : value;
                    c.f32 = k ? narrow : NULL;
                    profile_update(p, &c);
                    assert_int_equal(profile_counters(p)->run_longest, length);
                    profile_close(p);
                }
            }
        }
    }
}

static struct buf bytes_of(const struct profile *p, enum profile_sketches sketches)
{
    struct buf out;
    buf_init(&out, PROFILE_BYTES_MAX);
    profile_encode(p, sketches, &out);
    assert_int_equal(out.failed, ST_OK);
    return out;
}

static struct profile *back_of(const struct buf *bytes)
{
    struct profile *p = open_of(PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, NULL);
    assert_int_equal(profile_decode(p, buf_span(bytes)), ST_OK);
    return p;
}

static void merges_in_any_order_to_the_same_counts(void **state)
{
    (void)state;
    fill(7, true);
    struct grid *g = grid_of_normal(GRID_F64);
    struct naive want = naive_of(g, ROWS, false);
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct random r = {seed};
        struct profile *part[40];
        for (size_t k = 0; k < 40; k++) {
            struct profile *p =
                open_of(PROFILE_NUMERIC, GRID_F64,
                        k % 2 ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN, g);
            feed(p, k * ROWS / 40, (k + 1) * ROWS / 40, false, &r);
            part[k] = p;
            if (k % 3 == 0) { // some travelled
                struct buf bytes = bytes_of(p, PROFILE_WITH_SKETCHES);
                part[k] = back_of(&bytes);
                profile_close(p);
                buf_fini(&bytes);
            }
        }
        want.c.run_longest = 0;
        for (size_t k = 0; k < 40; k++)
            if (profile_counters(part[k])->run_longest > want.c.run_longest)
                want.c.run_longest = profile_counters(part[k])->run_longest;
        for (size_t left = 40; left > 1; left--) {
            size_t a = random_u64(&r) % left;
            size_t b = (a + 1 + random_u64(&r) % (left - 1)) % left;
            assert_int_equal(profile_merge(part[a], part[b]), ST_OK);
            profile_close(part[b]);
            part[b] = part[left - 1];
        }
        same_counts(part[0], &want);
        assert_true(quantile_n(profile_quantile(part[0])) > 0);
        profile_close(part[0]);
    }
    grid_close(g);
}

static void grids_do_not_mix(void **state)
{
    (void)state;
    fill(1, false);
    struct grid *g = grid_of_normal(GRID_F64), *h = grid_of_normal(GRID_F32);
    const struct grid *grids[] = {g, h, NULL};
    struct random r = {1};
    struct profile *p[3];
    for (size_t i = 0; i < 3; i++) {
        p[i] = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, grids[i]);
        feed(p[i], 0, 100, false, &r);
    }
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            if (i != k)
                assert_int_equal(profile_merge(p[i], p[k]), ST_CONFLICT);
    struct profile *f = open_of(PROFILE_NUMERIC, GRID_F32, PROFILE_PLAIN, g);
    feed(f, 0, 100, false, &r);
    assert_int_equal(profile_merge(p[0], f), ST_CONFLICT);
    profile_reset(f);
    assert_int_equal(profile_merge(p[0], f), ST_OK); // nothing is in it
    assert_int_equal(profile_counters(p[0])->rows, 100);
    assert_int_equal(profile_merge(f, p[1]), ST_OK); // and it takes anything
    assert_true(profile_grid_id(f) == grid_id(h));
    assert_null(profile_grid(f));
    assert_int_equal(profile_set_grid(f, g), ST_OK);
    assert_int_equal(profile_counters(f)->rows, 0);
    assert_ptr_equal(profile_grid(f), g);
    for (size_t i = 0; i < 3; i++)
        profile_close(p[i]);
    profile_close(f);
    grid_close(g);
    grid_close(h);
}

static void kinds_fit_their_grids(void **state)
{
    (void)state;
    struct grid *g = grid_of_normal(GRID_F64), *h = grid_of_hashes();
    struct profile_options o = {PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, 0, 1};
    struct profile *p = NULL;
    assert_int_equal(profile_open(&o, h, &p), ST_RANGE);
    o.k = 7;
    assert_int_equal(profile_open(&o, g, &p), ST_RANGE);
    o.k = 65536;
    assert_int_equal(profile_open(&o, g, &p), ST_RANGE);
    o.k = 0;
    o.kind = PROFILE_CATEGORICAL;
    assert_int_equal(profile_open(&o, g, &p), ST_RANGE);
    o.kind = PROFILE_SIGNAL;
    assert_int_equal(profile_open(&o, g, &p), ST_RANGE);
    o.width = (enum grid_width)5;
    assert_int_equal(profile_open(&o, NULL, &p), ST_RANGE);
    grid_close(g);
    grid_close(h);
}

static void carries_all_but_the_last_bits(const struct profile *p,
                                          enum profile_sketches sketches)
{
    struct buf bytes = bytes_of(p, sketches);
    struct profile *back = back_of(&bytes);
    uint32_t n, m;
    assert_int_equal(profile_kind(back), profile_kind(p));
    assert_memory_equal(profile_counters(back), profile_counters(p),
                        sizeof(struct counters));
    const uint64_t *a = profile_cells(p, &n), *b = profile_cells(back, &m);
    assert_int_equal(n, m);
    if (n)
        assert_memory_equal(a, b, n * sizeof *a);
    assert_true(profile_grid_id(back) == profile_grid_id(p));
    assert_true(profile_is_constant(back) == profile_is_constant(p));
    assert_true(moments_mean(profile_moments(back)) ==
                moments_mean(profile_moments(p)));
    assert_true(fabs(comoments_correlation(profile_comoments(back)) -
                     comoments_correlation(profile_comoments(p))) < 1e-12);
    struct buf again = bytes_of(back, sketches);
    assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
    struct profile *none = open_of(PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, NULL);
    for (size_t cut = 0; cut < bytes.size; cut += 1 + cut / 2000) {
        enum status st = profile_decode(none, span_of(bytes.data, cut));
        assert_int_equal(st, ST_CORRUPT);
    }
    profile_close(none);
    profile_close(back);
    buf_fini(&again);
    buf_fini(&bytes);
}

static void numeric_profiles_travel(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 32; k++) {
        enum grid_width width = k & 1 ? GRID_F32 : GRID_F64;
        size_t rows = (size_t[]){0, 1, 60, ROWS}[k >> 3];
        struct grid *g = k & 2 ? grid_of_normal(width) : NULL;
        enum profile_kind kind = g || k & 4 ? PROFILE_NUMERIC : PROFILE_SIGNAL;
        fill(k, k & 4);
        struct random r = {k};
        struct profile *p = open_of(kind, width, PROFILE_WITH_SKETCHES, g);
        feed(p, 0, rows, false, &r);
        carries_all_but_the_last_bits(p, PROFILE_PLAIN);
        carries_all_but_the_last_bits(p, PROFILE_WITH_SKETCHES);
        profile_close(p);
        grid_close(g);
    }
}

static struct profile *categories_of(const struct grid *g, size_t from, size_t to)
{
    struct profile *p =
        open_of(PROFILE_CATEGORICAL, GRID_F32, PROFILE_WITH_SKETCHES, g);
    struct profile_categories rows = {hash + from, text + from, status_of + from,
                                      to - from};
    profile_update_hash(p, &rows);
    return p;
}

static void categorical_profiles_travel_and_merge(void **state)
{
    (void)state;
    struct grid *g = grid_of_hashes();
    fill(3, true);
    struct profile *all = categories_of(g, 0, ROWS);
    struct profile *parts = categories_of(g, 0, 0);
    for (size_t i = 0; i < 10; i++) {
        struct profile *p = categories_of(g, i * ROWS / 10, (i + 1) * ROWS / 10);
        struct buf bytes = bytes_of(p, PROFILE_WITH_SKETCHES);
        struct profile *back = back_of(&bytes);
        assert_int_equal(profile_merge(parts, back), ST_OK);
        profile_close(back);
        profile_close(p);
        buf_fini(&bytes);
    }
    uint32_t n;
    assert_int_equal(profile_counters(all)->rows, profile_counters(parts)->rows);
    const uint64_t *cell = profile_cells(all, &n);
    assert_memory_equal(cell, profile_cells(parts, NULL), n * sizeof *cell);
    assert_true(distinct_estimate(profile_distinct(all)) ==
                distinct_estimate(profile_distinct(parts)));
    struct topk_item a[20], b[20];
    uint32_t len = topk_heaviest(profile_topk(all), 20, a);
    assert_int_equal(topk_heaviest(profile_topk(parts), 20, b), len);
    for (uint32_t i = 0; i < len; i++)
        assert_true(span_equal(a[i].text, b[i].text) && a[i].hash == b[i].hash &&
                    a[i].lower == b[i].lower);
    carries_all_but_the_last_bits(all, PROFILE_PLAIN);
    carries_all_but_the_last_bits(all, PROFILE_WITH_SKETCHES);
    profile_close(all);
    profile_close(parts);
    grid_close(g);
}

static void one_category_is_constant(void **state)
{
    (void)state;
    for (size_t i = 0; i < 50; i++) {
        hash[i] = 42;
        status_of[i] = i % 7 ? VALUE_PRESENT : VALUE_MISSING;
    }
    struct profile *p = categories_of(NULL, 0, 50), *q = categories_of(NULL, 0, 50);
    assert_true(profile_is_constant(p));
    assert_int_equal(profile_counters(p)->run_longest, 42);
    carries_all_but_the_last_bits(p, PROFILE_PLAIN);
    assert_int_equal(profile_merge(p, q), ST_OK);
    assert_true(profile_is_constant(p));
    hash[1] = 43;
    struct profile *other = categories_of(NULL, 1, 2);
    assert_true(profile_is_constant(other));
    assert_int_equal(profile_merge(p, other), ST_OK);
    assert_false(profile_is_constant(p));
    profile_close(p);
    profile_close(q);
    profile_close(other);
}

static void costs_few_bytes(void **state)
{
    (void)state;
    static const uint64_t rows[] = {60, 1000, 10000, 100000};
    static const size_t most[] = {160, 200, 230, 290};
    struct grid *g = grid_of_normal(GRID_F64);
    struct random r = {12};
    for (size_t k = 0; k < 4; k++) {
        struct profile *p = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, g);
        for (uint64_t i = 0; i < rows[k]; i++) {
            double v = random_normal(&r) * 3 + 1, y = v + random_normal(&r);
            profile_update(
                p, &(struct profile_column){.f64 = &v, .prediction = &y, .n = 1});
        }
        struct buf bytes = bytes_of(p, PROFILE_PLAIN);
        if (bytes.size > most[k])
            fail_msg("%zu bytes for %zu rows", bytes.size, (size_t)rows[k]);
        buf_fini(&bytes);
        profile_close(p);
    }
    grid_close(g);
}

static void plain_bytes_allocate_nothing(void **state)
{
    (void)state;
    struct grid *g = grid_of_normal(GRID_F64);
    struct random r = {1};
    fill(1, true);
    struct profile *p = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_WITH_SKETCHES, g);
    feed(p, 0, ROWS, false, &r);
    struct buf bytes = bytes_of(p, PROFILE_PLAIN);
    mem_fail_from(1);
    assert_int_equal(profile_decode(p, buf_span(&bytes)), ST_OK);
    assert_int_equal(mem_fail_from(0), 0);
    assert_null(profile_quantile(p));
    buf_fini(&bytes);
    profile_close(p);
    grid_close(g);
}

static void updates_allocate_nothing(void **state)
{
    (void)state;
    struct grid *g = grid_of_normal(GRID_F64), *h = grid_of_hashes();
    struct random r = {1};
    fill(1, true);
    struct profile *p = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_WITH_SKETCHES, g);
    struct profile *q =
        open_of(PROFILE_CATEGORICAL, GRID_F64, PROFILE_WITH_SKETCHES, h);
    mem_fail_from(1);
    feed(p, 0, ROWS, false, &r);
    profile_update_hash(q, &(struct profile_categories){hash, NULL, status_of, ROWS});
    assert_int_equal(mem_fail_from(0), 0);
    profile_close(p);
    profile_close(q);
    grid_close(g);
    grid_close(h);
}

// Any byte changed: refused, or read as something that holds together and travels on.
static void changed_bytes_are_harmless(void **state)
{
    (void)state;
    struct random r = {4};
    for (unsigned k = 0; k < 4; k++) {
        struct grid *g = k & 1 ? grid_of_hashes() : grid_of_normal(GRID_F64);
        fill(k, k & 2);
        struct profile *p = k & 1
                                ? categories_of(g, 0, 500)
                                : open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, g);
        if (!(k & 1))
            feed(p, 0, 500, false, &r);
        struct buf bytes = bytes_of(p, PROFILE_PLAIN);
        struct profile *q = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_PLAIN, NULL);
        for (size_t i = 0; i < bytes.size * 40; i++) {
            uint8_t *at = &bytes.data[i % bytes.size], before = *at;
            *at ^= (uint8_t)(1 + random_u64(&r) % 255);
            if (profile_decode(q, buf_span(&bytes)) == ST_OK) {
                struct buf again = bytes_of(q, PROFILE_WITH_SKETCHES);
                assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
                buf_fini(&again);
            } else {
                assert_int_equal(profile_counters(q)->rows, 0);
            }
            *at = before;
        }
        buf_fini(&bytes);
        profile_close(p);
        profile_close(q);
        grid_close(g);
    }
}

static void every_failed_allocation_is_clean(void **state)
{
    (void)state;
    struct grid *g = grid_of_hashes();
    fill(5, false);
    struct random r = {1};
    struct profile *from[2] = {categories_of(g, 0, 3000), NULL};
    from[1] = open_of(PROFILE_NUMERIC, GRID_F64, PROFILE_WITH_SKETCHES, NULL);
    feed(from[1], 0, 3000, false, &r);
    for (size_t k = 0; k < 2; k++) {
        struct buf bytes = bytes_of(from[k], PROFILE_WITH_SKETCHES);
        for (uint64_t n = 1;; n++) {
            struct profile_options o = {profile_kind(from[k]), GRID_F64,
                                        PROFILE_WITH_SKETCHES, 0, 1};
            struct profile *p = NULL;
            mem_fail_from(n);
            enum status st = profile_open(&o, NULL, &p);
            if (st == ST_OK)
                st = profile_decode(p, buf_span(&bytes));
            uint64_t before = st == ST_OK ? profile_counters(p)->rows : 0;
            if (st == ST_OK)
                st = profile_merge(p, from[k]);
            mem_fail_from(0);
            if (p)
                assert_int_equal(profile_counters(p)->rows,
                                 st == ST_OK ? 2 * before : before);
            profile_close(p);
            if (st == ST_OK)
                break;
            assert_int_equal(st, ST_NOMEM);
        }
        buf_fini(&bytes);
        profile_close(from[k]);
    }
    grid_close(g);
}

static void huge_counts_are_refused(void **state)
{
    (void)state;
    struct profile *p = open_of(PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, NULL);
    fill(2, false);
    struct random r = {1};
    feed(p, 0, 2, false, &r);
    struct profile *q = open_of(PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, NULL);
    enum status st = ST_OK;
    for (int i = 0; i < 100 && st == ST_OK; i++) {
        struct buf bytes = bytes_of(p, PROFILE_PLAIN);
        assert_int_equal(profile_decode(q, buf_span(&bytes)), ST_OK);
        st = profile_merge(p, q);
        buf_fini(&bytes);
    }
    assert_int_equal(st, ST_FULL);
    assert_true(profile_counters(p)->rows <= PROFILE_ROWS_MAX);
    profile_close(p);
    profile_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_every_row_once),
        cmocka_unit_test(a_run_passes_over_batches_and_gaps),
        cmocka_unit_test(runs_are_found_anywhere),
        cmocka_unit_test(merges_in_any_order_to_the_same_counts),
        cmocka_unit_test(grids_do_not_mix),
        cmocka_unit_test(kinds_fit_their_grids),
        cmocka_unit_test(numeric_profiles_travel),
        cmocka_unit_test(categorical_profiles_travel_and_merge),
        cmocka_unit_test(one_category_is_constant),
        cmocka_unit_test(costs_few_bytes),
        cmocka_unit_test(plain_bytes_allocate_nothing),
        cmocka_unit_test(updates_allocate_nothing),
        cmocka_unit_test(changed_bytes_are_harmless),
        cmocka_unit_test(every_failed_allocation_is_clean),
        cmocka_unit_test(huge_counts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
