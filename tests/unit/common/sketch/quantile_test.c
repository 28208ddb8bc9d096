// Quantile: every line of the contract, on both widths and each kind of machine code.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/quantile.h"

#define BYTES_MAX (16u << 20)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const enum quantile_type types[] = {QUANTILE_FLOAT, QUANTILE_DOUBLE};
static const uint32_t sizes[] = {8, 9, 20, 200, 333, 1000, 5000};

static struct quantile *sketch_of(enum quantile_type type, uint32_t k, uint64_t seed)
{
    struct quantile *q = NULL;
    assert_int_equal(quantile_open(type, k, seed, &q), ST_OK);
    return q;
}

// Values of both signs over many magnitudes, finite in both widths.
static double *values_of(size_t n, uint64_t seed)
{
    struct random r = {seed};
    double *values = mem_zero(n ? n : 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] =
            (double)(float)exp(3 * random_normal(&r)) * (random_u64(&r) & 1 ? 1 : -1);
    return values;
}

static void feed(struct quantile *q, size_t n, uint64_t seed)
{
    double *values = values_of(n, seed);
    assert_int_equal(quantile_add_doubles(q, values, n).taken, n);
    mem_free(values);
}

static struct buf bytes_of(struct quantile *q)
{
    struct buf b;
    buf_init(&b, BYTES_MAX);
    assert_int_equal(quantile_serialize(q, &b), ST_OK);
    return b;
}

static uint64_t view_total(struct quantile *q)
{
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(quantile_k(q), &v), ST_OK);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    assert_int_equal(quantile_view_len(v), quantile_retained(q));
    uint64_t total = quantile_view_weight(v, quantile_view_len(v) - 1);
    for (size_t i = 1; i < quantile_view_len(v); i++) {
        assert_true(quantile_view_item(v, i - 1) <= quantile_view_item(v, i));
        assert_true(quantile_view_weight(v, i - 1) < quantile_view_weight(v, i));
    }
    quantile_view_close(v);
    return total;
}

static void refuses_k_out_of_range(void **state)
{
    (void)state;
    struct quantile *q = NULL;
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_open(QUANTILE_FLOAT, 7, 1, &q), ST_RANGE);
    assert_int_equal(quantile_open(QUANTILE_FLOAT, 65536, 1, &q), ST_RANGE);
    assert_int_equal(quantile_open((enum quantile_type)2, 200, 1, &q), ST_RANGE);
    assert_null(q);
    assert_int_equal(quantile_view_open(7, &v), ST_RANGE);
    assert_null(v);
    quantile_close(NULL);
    quantile_view_close(NULL);
}

static void is_empty_at_first_and_after_reset(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++) {
        struct quantile *q = sketch_of(types[t], 200, 1);
        struct quantile_view *v = NULL;
        assert_int_equal(quantile_view_open(200, &v), ST_OK);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(quantile_n(q), 0);
            assert_true(isnan(quantile_min(q)) && isnan(quantile_max(q)));
            assert_int_equal(quantile_levels(q), 1);
            assert_int_equal(quantile_retained(q), 0);
            assert_int_equal(quantile_view_load(v, q), ST_EMPTY);
            assert_true(isnan(quantile_view_rank(v, 0, QUANTILE_INCLUSIVE)));
            assert_true(isnan(quantile_view_quantile(v, .5, QUANTILE_INCLUSIVE)));
            struct buf b = bytes_of(q);
            assert_int_equal(b.size, 8);
            buf_fini(&b);
            feed(q, 5000, 3);
            quantile_reset(q);
            assert_int_equal(quantile_offered(q).taken, 0);
        }
        quantile_view_close(v);
        quantile_close(q);
    }
}

static void is_exact_up_to_k_values(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_DOUBLE, 200, 1);
    for (int i = 200; i > 0; i--)
        assert_true(quantile_add(q, i));
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(200, &v), ST_OK);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    for (int i = 1; i <= 200; i++) {
        assert_true(quantile_view_rank(v, i, QUANTILE_INCLUSIVE) == i / 200.);
        assert_true(quantile_view_rank(v, i, QUANTILE_EXCLUSIVE) == (i - 1) / 200.);
        assert_true(quantile_view_quantile(v, (i - .5) / 200, QUANTILE_INCLUSIVE) == i);
    }
    assert_true(quantile_view_quantile(v, 0, QUANTILE_INCLUSIVE) == 1);
    assert_true(quantile_view_quantile(v, 1, QUANTILE_EXCLUSIVE) == 200);
    assert_true(isnan(quantile_view_quantile(v, 1.01, QUANTILE_INCLUSIVE)));
    assert_true(isnan(quantile_view_quantile(v, NAN, QUANTILE_INCLUSIVE)));
    assert_true(quantile_view_rank(v, INFINITY, QUANTILE_EXCLUSIVE) == 1);
    assert_true(quantile_view_rank(v, -INFINITY, QUANTILE_EXCLUSIVE) == 0);
    assert_true(isnan(quantile_view_rank(v, NAN, QUANTILE_EXCLUSIVE)));
    assert_true(quantile_view_rank(v, -INFINITY, QUANTILE_INCLUSIVE) == 0);
    quantile_view_close(v);
    quantile_close(q);
}

static void gives_ranks_and_shares_at_points(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_FLOAT, 200, 1);
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(200, &v), ST_OK);
    const double points[] = {10, 20, 40}, unsorted[] = {10, 10}, nan[] = {NAN};
    double out[4];
    assert_int_equal(quantile_view_cdf(v, points, 3, QUANTILE_INCLUSIVE, out),
                     ST_EMPTY);
    for (int i = 1; i <= 100; i++)
        quantile_add(q, i);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    assert_int_equal(quantile_view_cdf(v, points, 3, QUANTILE_INCLUSIVE, out), ST_OK);
    assert_true(out[0] == .1 && out[1] == .2 && out[2] == .4 && out[3] == 1);
    assert_int_equal(quantile_view_pmf(v, points, 3, QUANTILE_EXCLUSIVE, out), ST_OK);
    assert_true(fabs(out[0] - .09) < 1e-15 && fabs(out[3] - .61) < 1e-15);
    assert_int_equal(quantile_view_cdf(v, unsorted, 2, QUANTILE_INCLUSIVE, out),
                     ST_RANGE);
    assert_int_equal(quantile_view_cdf(v, nan, 1, QUANTILE_INCLUSIVE, out), ST_RANGE);
    quantile_view_close(v);
    quantile_close(q);
}

// Doubles that differ only in their last bits, on several levels.
static void keeps_apart_what_is_nearly_equal(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_DOUBLE, 8, 1);
    struct random r = {2};
    for (int i = 0; i < 5000; i++)
        quantile_add(q, (random_u64(&r) & 1 ? 1 : -1) *
                            (1 + (double)(random_u64(&r) % 200) * 0x1p-52));
    assert_true(quantile_levels(q) > 3);
    assert_int_equal(view_total(q), 5000);
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(8, &v), ST_OK);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    for (size_t i = 0; i < quantile_view_len(v); i++)
        assert_true(fabs(quantile_view_item(v, i)) < 1 + 200 * 0x1p-52);
    quantile_view_close(v);
    quantile_close(q);
}

static void counts_what_is_no_number_apart(void **state)
{
    (void)state;
    const double values[] = {1, NAN, INFINITY, -INFINITY, -0.0, NAN, 2, 1e300};
    for (size_t t = 0; t < COUNT(types); t++) {
        struct quantile *q = sketch_of(types[t], 200, 1);
        bool is_float = types[t] == QUANTILE_FLOAT;
        struct quantile_tally told = quantile_add_doubles(q, values, COUNT(values));
        assert_int_equal(told.taken, is_float ? 3 : 4);
        assert_int_equal(told.nan, 2);
        assert_int_equal(told.pos_inf, is_float ? 2 : 1);
        assert_int_equal(told.neg_inf, 1);
        assert_int_equal(told.lost, 0);
        assert_false(quantile_add(q, NAN));
        assert_false(quantile_add(q, INFINITY));
        assert_true(quantile_add(q, 3));
        assert_int_equal(quantile_offered(q).nan, 3);
        assert_int_equal(quantile_offered(q).taken, told.taken + 1);
        assert_int_equal(quantile_n(q), told.taken + 1);
        assert_true(quantile_min(q) == 0 && !signbit(quantile_min(q)));
        assert_true(quantile_max(q) == (is_float ? 3 : 1e300));
        quantile_close(q);
    }
}

// At every moment the weights add to n, and the bytes keep all the rules of a reader.
static void conserves_weight_at_every_length(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            struct quantile *q = sketch_of(types[t], sizes[s], 5);
            uint64_t n = 0;
            for (size_t step = 1; n < 300000; step += 1 + step / 2) {
                feed(q, step, step);
                n += step;
                assert_int_equal(quantile_n(q), n);
                assert_int_equal(view_total(q), n);
                struct buf b = bytes_of(q);
                const char *why = "";
                assert_int_equal(quantile_check(types[t], buf_span(&b), &why), ST_OK);
                assert_true(b.size <= quantile_bytes_max(types[t], sizes[s]));
                buf_fini(&b);
            }
            quantile_close(q);
        }
    }
}

static void knows_the_exact_least_and_greatest(void **state)
{
    (void)state;
    for (size_t n = 1; n < 100000; n = n * 3 + 1) {
        struct quantile *q = sketch_of(QUANTILE_DOUBLE, 200, n);
        double *values = values_of(n, n), min = INFINITY, max = -INFINITY;
        quantile_add_doubles(q, values, n);
        for (size_t i = 0; i < n; i++) {
            min = values[i] < min ? values[i] : min;
            max = values[i] > max ? values[i] : max;
        }
        assert_true(quantile_min(q) == min && quantile_max(q) == max);
        quantile_settle(q);
        assert_true(quantile_min(q) == min && quantile_max(q) == max);
        mem_free(values);
        quantile_close(q);
    }
}

static void takes_a_batch_as_it_takes_single_values(void **state)
{
    (void)state;
    const size_t n = 60000;
    double *values = values_of(n, 11);
    for (size_t i = 0; i < n; i += 997)
        values[i] = i % 2 ? NAN : INFINITY;
    for (size_t t = 0; t < COUNT(types); t++) {
        struct quantile *one = sketch_of(types[t], 200, 1);
        struct quantile *all = sketch_of(types[t], 200, 1);
        struct quantile *some = sketch_of(types[t], 200, 1);
        for (size_t i = 0; i < n; i++)
            quantile_add(one, values[i]);
        quantile_add_doubles(all, values, n);
        for (size_t i = 0, step = 1; i < n; i += step, step = step * 2 % 1021)
            quantile_add_doubles(some, values + i, n - i < step ? n - i : step);
        struct buf a = bytes_of(one), b = bytes_of(all), c = bytes_of(some);
        assert_true(span_equal(buf_span(&a), buf_span(&b)));
        assert_true(span_equal(buf_span(&a), buf_span(&c)));
        buf_fini(&a);
        buf_fini(&b);
        buf_fini(&c);
        quantile_close(one);
        quantile_close(all);
        quantile_close(some);
    }
    mem_free(values);
}

static const enum quantile_path paths[] = {QUANTILE_PATH_SSE2, QUANTILE_PATH_AVX2};

// A life of batches, single values, merges and settlings, on one kind of machine code.
static struct buf life_on(enum quantile_path path, enum quantile_type type, uint32_t k,
                          const double *values, size_t n)
{
    struct quantile *q = sketch_of(type, k, 1), *other = sketch_of(type, 100, 2);
    assert_int_equal(quantile_set_path(q, path), ST_OK);
    assert_int_equal(quantile_set_path(other, path), ST_OK);
    quantile_add_doubles(q, values, n / 2);
    quantile_add_doubles(other, values, n / 3);
    struct buf b = bytes_of(other);
    for (size_t i = 0; i < 100; i++)
        quantile_add(q, values[i]);
    assert_int_equal(quantile_merge_bytes(q, buf_span(&b)), ST_OK);
    quantile_settle(q);
    quantile_add_doubles(q, values, n);
    assert_int_equal(quantile_merge(q, other), ST_OK);
    buf_fini(&b);
    b = bytes_of(q);
    quantile_close(q);
    quantile_close(other);
    return b;
}

static void gives_the_same_bytes_on_each_path(void **state)
{
    (void)state;
    const size_t n = 300000;
    double *values = values_of(n, 13);
    for (size_t i = 0; i < n; i += 1 + i / 7)
        values[i] = i % 2 ? -0.0 : NAN;
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            struct buf plain =
                life_on(QUANTILE_PATH_PLAIN, types[t], sizes[s], values, n);
            for (size_t p = 0; p < COUNT(paths); p++) {
                struct quantile *probe = sketch_of(types[t], 8, 1);
                enum status st = quantile_set_path(probe, paths[p]);
                quantile_close(probe);
                if (st == ST_UNSUPPORTED)
                    continue;
                struct buf b = life_on(paths[p], types[t], sizes[s], values, n);
                assert_true(span_equal(buf_span(&plain), buf_span(&b)));
                buf_fini(&b);
            }
            buf_fini(&plain);
        }
    }
    mem_free(values);
}

static void gives_other_bytes_for_another_seed(void **state)
{
    (void)state;
    struct quantile *a = sketch_of(QUANTILE_FLOAT, 200, 1);
    struct quantile *b = sketch_of(QUANTILE_FLOAT, 200, 2);
    feed(a, 10000, 1);
    feed(b, 10000, 1);
    struct buf x = bytes_of(a), y = bytes_of(b);
    assert_false(span_equal(buf_span(&x), buf_span(&y)));
    buf_fini(&x);
    buf_fini(&y);
    quantile_close(a);
    quantile_close(b);
}

static void merges_any_k_and_length(void **state)
{
    (void)state;
    const size_t lens[] = {0, 1, 2, 199, 5000, 70000};
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t i = 0; i < COUNT(lens) * COUNT(lens); i++) {
            size_t na = lens[i / COUNT(lens)], nb = lens[i % COUNT(lens)];
            uint32_t ka = sizes[i % COUNT(sizes)], kb = sizes[(i / 2) % COUNT(sizes)];
            struct quantile *a = sketch_of(types[t], ka, 1);
            struct quantile *b = sketch_of(types[t], kb, 2);
            feed(a, na, 1);
            feed(b, nb, 2);
            assert_int_equal(quantile_merge(a, b), ST_OK);
            assert_int_equal(quantile_n(a), na + nb);
            assert_int_equal(quantile_n(b), nb);
            assert_int_equal(quantile_k(a), ka);
            assert_int_equal(quantile_min_k(a),
                             quantile_levels(b) > 1 && kb < ka ? kb : ka);
            if (na + nb > 0)
                assert_int_equal(view_total(a), na + nb);
            feed(a, 1000, 3);
            assert_int_equal(view_total(a), na + nb + 1000);
            quantile_close(a);
            quantile_close(b);
        }
    }
}

static void refuses_what_it_cannot_merge(void **state)
{
    (void)state;
    struct quantile *f = sketch_of(QUANTILE_FLOAT, 8, 1);
    struct quantile *d = sketch_of(QUANTILE_DOUBLE, 8, 1);
    assert_int_equal(quantile_merge(f, d), ST_RANGE);
    feed(f, 1000, 1);
    // Doubling it 51 times passes 2^60.
    enum status st = ST_OK;
    int doublings = 0;
    while (st == ST_OK) {
        struct buf b = bytes_of(f);
        uint64_t n = quantile_n(f);
        st = quantile_merge_bytes(f, buf_span(&b));
        assert_int_equal(quantile_n(f), st == ST_OK ? 2 * n : n);
        assert_int_equal(view_total(f), quantile_n(f));
        doublings += st == ST_OK;
        buf_fini(&b);
    }
    assert_int_equal(st, ST_FULL);
    assert_int_equal(doublings, 50);
    quantile_close(f);
    quantile_close(d);
}

static void reads_its_own_bytes(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t n = 0; n < 200000; n = n * 2 + 1) {
            struct quantile *q = sketch_of(types[t], 200, 1), *back = NULL;
            feed(q, n, n + 1);
            struct buf b = bytes_of(q);
            assert_int_equal(quantile_parse(types[t], buf_span(&b), 1, &back), ST_OK);
            struct buf again = bytes_of(back);
            assert_true(span_equal(buf_span(&b), buf_span(&again)));
            assert_int_equal(quantile_n(back), n);
            assert_true(quantile_memory(back) < 1024 + b.size);
            feed(back, 5000, 1);
            assert_int_equal(view_total(back), n + 5000);
            buf_fini(&b);
            buf_fini(&again);
            quantile_close(q);
            quantile_close(back);
        }
    }
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_FLOAT, 200, 1);
    feed(q, 3000, 1);
    struct buf b = bytes_of(q);
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct quantile *opened = NULL, *parsed = NULL;
        struct quantile_view *v = NULL;
        struct quantile_tally told = {0};
        mem_fail_from(n);
        enum status st = quantile_open(QUANTILE_DOUBLE, 200, 1, &opened);
        if (st == ST_OK)
            st = quantile_view_open(200, &v);
        if (st == ST_OK)
            st = quantile_parse(QUANTILE_FLOAT, buf_span(&b), 1, &parsed);
        if (st == ST_OK)
            told = quantile_add_floats(parsed, (const float[]){1, 2}, 2);
        mem_fail_from(0);
        has_failed = st != ST_OK || told.lost > 0;
        assert_true(st == ST_OK || st == ST_NOMEM);
        assert_int_equal(told.taken + told.lost, st == ST_OK ? 2 : 0);
        if (parsed)
            assert_int_equal(quantile_n(parsed), 3000 + told.taken);
        quantile_close(opened);
        quantile_close(parsed);
        quantile_view_close(v);
    }
    buf_fini(&b);
    quantile_close(q);
}

static void allocates_nothing_once_prepared(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_FLOAT, 200, 1);
    struct quantile *other = sketch_of(QUANTILE_FLOAT, 300, 1);
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(300, &v), ST_OK);
    feed(other, 100000, 2);
    struct buf b = bytes_of(other);
    double *values = values_of(100000, 3);
    mem_fail_from(1);
    assert_int_equal(quantile_add_doubles(q, values, 100000).taken, 100000);
    assert_int_equal(quantile_merge(q, other), ST_OK);
    assert_int_equal(quantile_merge_bytes(q, buf_span(&b)), ST_OK);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    quantile_reset(q);
    assert_int_equal(mem_fail_from(0), 0);
    mem_free(values);
    buf_fini(&b);
    quantile_view_close(v);
    quantile_close(q);
    quantile_close(other);
}

static void tells_when_the_buffer_is_full(void **state)
{
    (void)state;
    struct quantile *q = sketch_of(QUANTILE_FLOAT, 200, 1);
    for (size_t n = 0; n < 3; n++) {
        struct buf b;
        buf_init(&b, 7 + 4 * n);
        assert_int_equal(quantile_serialize(q, &b), ST_FULL);
        buf_fini(&b);
        quantile_add(q, 1);
    }
    quantile_close(q);
}

static void shows_errors_and_memory(void **state)
{
    (void)state;
    assert_true(fabs(quantile_rank_error(200) - .0133) < 1e-4);
    assert_true(fabs(quantile_pmf_error(200) - .0165) < 1e-4);
    assert_true(fabs(quantile_rank_error(1000) - .0028) < 1e-4);
    struct quantile *q = sketch_of(QUANTILE_FLOAT, 200, 1);
    assert_true(quantile_memory(q) <= 6 * 1024);
    feed(q, 1000000, 1);
    struct buf b = bytes_of(q);
    assert_true(b.size <= 2548);
    buf_fini(&b);
    quantile_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_k_out_of_range),
        cmocka_unit_test(is_empty_at_first_and_after_reset),
        cmocka_unit_test(is_exact_up_to_k_values),
        cmocka_unit_test(gives_ranks_and_shares_at_points),
        cmocka_unit_test(keeps_apart_what_is_nearly_equal),
        cmocka_unit_test(counts_what_is_no_number_apart),
        cmocka_unit_test(conserves_weight_at_every_length),
        cmocka_unit_test(knows_the_exact_least_and_greatest),
        cmocka_unit_test(takes_a_batch_as_it_takes_single_values),
        cmocka_unit_test(gives_the_same_bytes_on_each_path),
        cmocka_unit_test(gives_other_bytes_for_another_seed),
        cmocka_unit_test(merges_any_k_and_length),
        cmocka_unit_test(refuses_what_it_cannot_merge),
        cmocka_unit_test(reads_its_own_bytes),
        cmocka_unit_test(survives_each_failing_allocation),
        cmocka_unit_test(allocates_nothing_once_prepared),
        cmocka_unit_test(tells_when_the_buffer_is_full),
        cmocka_unit_test(shows_errors_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
