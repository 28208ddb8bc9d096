// Kll lanes: each kind of machine code sorts, merges and halves, and all do it alike.
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

#include "common/base/mem.h"
#include "common/sketch/kll_lanes.h"

#define ITEMS_MAX 5000

static const enum quantile_path paths[] = {QUANTILE_PATH_PLAIN, QUANTILE_PATH_SSE2,
                                           QUANTILE_PATH_AVX2};

// Runs a test on all that this processor has.
static void on_each(void (*test)(enum quantile_type, const struct kll_lanes *))
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct kll_lanes *f = kll_lanes_for(QUANTILE_FLOAT, paths[i]);
        const struct kll_lanes *d = kll_lanes_for(QUANTILE_DOUBLE, paths[i]);
        assert_int_equal(f == NULL, d == NULL);
        if (!f)
            continue;
        test(QUANTILE_FLOAT, f);
        test(QUANTILE_DOUBLE, d);
    }
}

static size_t width_of(enum quantile_type type)
{
    return type == QUANTILE_FLOAT ? sizeof(float) : sizeof(double);
}

static double at(enum quantile_type type, const void *run, size_t i)
{
    return type == QUANTILE_FLOAT ? (double)((const float *)run)[i]
                                  : ((const double *)run)[i];
}

static void put(enum quantile_type type, void *run, size_t i, double v)
{
    if (type == QUANTILE_FLOAT)
        ((float *)run)[i] = (float)v;
    else
        ((double *)run)[i] = v;
}

// A block of just n items, so that the address sanitizer sees one too many.
static void *drawn(enum quantile_type type, size_t n, struct random *r)
{
    void *run = mem_zero(n ? n : 1, width_of(type));
    assert_non_null(run);
    bool has_ties = random_u64(r) & 1;
    for (size_t i = 0; i < n; i++)
        put(type, run, i,
            has_ties ? (double)(random_u64(r) % 5) - 2 : random_normal(r));
    if (n > 0 && random_u64(r) % 4 == 0)
        put(type, run, random_u64(r) % n, INFINITY);
    return run;
}

static void assert_ascending(enum quantile_type type, const void *run, size_t n)
{
    for (size_t i = 1; i < n; i++)
        assert_true(at(type, run, i - 1) <= at(type, run, i));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The items of `run` in order, by another's hand.
static double *sorted_copy(enum quantile_type type, const void *run, size_t n)
{
    double *copy = mem_zero(n ? n : 1, sizeof *copy);
    assert_non_null(copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = at(type, run, i);
    qsort(copy, n, sizeof *copy, compare);
    return copy;
}

static void sorts_any_length(enum quantile_type type, const struct kll_lanes *lanes)
{
    struct random r = {3};
    for (size_t n = 0; n < ITEMS_MAX; n += n < 300 ? 1 : 97) {
        void *run = drawn(type, n, &r), *scratch = mem_zero(n ? n : 1, width_of(type));
        double *expected = sorted_copy(type, run, n);
        lanes->sort(run, n, scratch);
        for (size_t i = 0; i < n; i++)
            assert_true(at(type, run, i) == expected[i]);
        mem_free(run);
        mem_free(scratch);
        mem_free(expected);
    }
}

static void merges_into_a_place_of_its_own_and_over_b(enum quantile_type type,
                                                      const struct kll_lanes *lanes)
{
    struct random r = {4};
    size_t width = width_of(type);
    for (uint32_t trial = 0; trial < 3000; trial++) {
        size_t na = random_u64(&r) % 70, nb = random_u64(&r) % (trial % 2 ? 300 : 20);
        void *a = drawn(type, na, &r), *b = drawn(type, nb, &r);
        void *scratch = mem_zero(na + nb + 1, width);
        uint8_t *out = mem_zero(na + nb + 1, width),
                *over = mem_zero(na + nb + 1, width);
        lanes->sort(a, na, scratch);
        lanes->sort(b, nb, scratch);
        memcpy(out, a, na * width);
        memcpy(out + na * width, b, nb * width);
        double *expected = sorted_copy(type, out, na + nb);
        memcpy(over + na * width, b, nb * width);
        lanes->merge(out, a, na, b, nb);
        lanes->merge(over, a, na, over + na * width, nb);
        for (size_t i = 0; i < na + nb; i++) {
            assert_true(at(type, out, i) == expected[i]);
            assert_true(at(type, over, i) == expected[i]);
        }
        assert_true(at(type, out, na + nb) == 0 && at(type, over, na + nb) == 0);
        mem_free(a);
        mem_free(b);
        mem_free(scratch);
        mem_free(out);
        mem_free(over);
        mem_free(expected);
    }
}

// A network that sorts all patterns of 0 and 1 sorts everything (Knuth, TAOCP
// 3, 5.3.4). Half a tile is seen: ascending, and with half of the ones.
static void sorts_all_patterns_of_16_rows(enum quantile_type type,
                                          const struct kll_lanes *lanes)
{
    double tile[KLL_TILE_BYTES / sizeof(double)], half[KLL_TILE_BYTES / sizeof(double)];
    struct kll_coins coins = {.source = {1}};
    for (uint32_t first = 0; first < 65536; first += lanes->lanes) {
        struct kll_cascade c = {.levels = 1};
        struct kll_range range = {INFINITY, -INFINITY};
        bool is_out = false;
        for (uint32_t i = 0; i < KLL_ROWS * lanes->lanes; i++) {
            uint32_t pattern = first + i % lanes->lanes;
            put(type, tile, i, pattern >> (i / lanes->lanes) & 1);
        }
        assert_int_equal(lanes->cascade(&c, &coins, tile, 1, half, &is_out, &range), 1);
        assert_true(is_out);
        for (uint32_t lane = 0; lane < lanes->lanes; lane++) {
            int ones = __builtin_popcount(first + lane), kept = 0;
            double last = 0;
            for (uint32_t row = 0; row < KLL_ROWS / 2; row++) {
                double v = at(type, half, row * lanes->lanes + lane);
                assert_true(last <= v);
                last = v;
                kept += v == 1;
            }
            assert_in_range(kept, ones / 2, (ones + 1) / 2);
        }
    }
}

// Two half tiles of 0 and 1 with any numbers of ones meet in the cascade.
static void merges_all_patterns_of_8_and_8_rows(enum quantile_type type,
                                                const struct kll_lanes *lanes)
{
    double tile[KLL_TILE_BYTES / sizeof(double)], half[KLL_TILE_BYTES / sizeof(double)];
    uint8_t waiting[KLL_HALF_BYTES];
    struct kll_coins coins = {.source = {1}};
    for (int ones = 0; ones <= 8 * 9 + 8; ones++) {
        struct kll_cascade c = {.levels = 2, .half = waiting};
        struct kll_range range = {INFINITY, -INFINITY};
        bool is_out = false;
        for (int part = 0; part < 2; part++) {
            int of_16 = 2 * (part ? ones % 9 : ones / 9);
            for (uint32_t i = 0; i < KLL_ROWS * lanes->lanes; i++)
                put(type, tile, i, (int)(i / lanes->lanes) < of_16);
            assert_int_equal(lanes->cascade(&c, &coins, tile, 1, half, &is_out, &range),
                             1);
        }
        assert_true(is_out);
        int total = ones / 9 + ones % 9;
        for (uint32_t lane = 0; lane < lanes->lanes; lane++) {
            int kept = 0;
            for (uint32_t row = 0; row < KLL_ROWS / 2; row++)
                kept += at(type, half, row * lanes->lanes + lane) == 1;
            assert_in_range(kept, total / 2, (total + 1) / 2);
        }
    }
}

// Of each pair of neighbours in a lane one is left; the coins say which.
static void thins_each_lane_by_its_coin(enum quantile_type type,
                                        const struct kll_lanes *lanes)
{
    struct random r = {6};
    for (uint32_t tiles = 1; tiles <= KLL_TALL_TILES; tiles *= 2) {
        size_t rows = tiles * KLL_ROWS, n = rows * lanes->lanes;
        void *run = mem_zero(n, width_of(type)), *scratch = mem_zero(n, width_of(type));
        uint32_t coins = (uint32_t)random_u64(&r) & ((1u << lanes->lanes) - 1);
        // In lane l, row i has i * lanes + l: already sorted, and all items differ.
        for (size_t i = 0; i < n; i++)
            put(type, run, i, (double)i);
        struct kll_range range = {INFINITY, -INFINITY};
        void *kept = lanes->thin(run, tiles, coins, scratch, &range);
        assert_ascending(type, kept, n / 2);
        for (size_t i = 0; i < n / 2; i++) {
            uint32_t item = (uint32_t)at(type, kept, i);
            assert_int_equal(item / lanes->lanes % 2, coins >> item % lanes->lanes & 1);
        }
        assert_true(range.min == 0 && range.max == (double)(n - 1));
        mem_free(run);
        mem_free(scratch);
    }
}

static void flattens_lanes_of_any_height(enum quantile_type type,
                                         const struct kll_lanes *lanes)
{
    struct random r = {7};
    for (uint32_t rows = 8; rows <= 64; rows *= 2) {
        size_t n = rows * lanes->lanes;
        void *run = mem_zero(n, width_of(type)), *scratch = mem_zero(n, width_of(type));
        for (size_t i = 0; i < n; i++) {
            double above = i < lanes->lanes ? 0 : at(type, run, i - lanes->lanes);
            put(type, run, i, above + random_unit(&r));
        }
        double *expected = sorted_copy(type, run, n);
        void *flat = lanes->flatten(run, rows, scratch);
        for (size_t i = 0; i < n; i++)
            assert_true(at(type, flat, i) == expected[i]);
        mem_free(run);
        mem_free(scratch);
        mem_free(expected);
    }
}

static void stops_before_what_is_no_number(enum quantile_type type,
                                           const struct kll_lanes *lanes)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const size_t n = KLL_ROWS * lanes->lanes;
    uint8_t waiting[KLL_HALF_BYTES], half[KLL_HALF_BYTES];
    for (size_t at_item = 0; at_item < 3 * n; at_item++) {
        void *tiles = mem_zero(3 * n, width_of(type));
        put(type, tiles, at_item, bad[at_item % 3]);
        struct kll_cascade c = {.levels = 2, .half = waiting};
        struct kll_coins coins = {.source = {1}};
        struct kll_range range = {INFINITY, -INFINITY};
        bool is_out;
        size_t taken = lanes->cascade(&c, &coins, tiles, 3, half, &is_out, &range);
        size_t good = at_item / n;
        assert_int_equal(taken, good);
        assert_int_equal(is_out, good == 2);
        assert_int_equal(coins.left,
                         good == 0 ? 0 : 64 - (good + is_out) * lanes->lanes / 2);
        assert_true(isinf(range.min) == (good == 0) || range.min == 0);
        mem_free(tiles);
    }
}

static void all_make_the_same_choices(void **state)
{
    (void)state;
    const size_t tiles = 1000;
    for (int t = 0; t < 2; t++) {
        enum quantile_type type = t ? QUANTILE_DOUBLE : QUANTILE_FLOAT;
        uint8_t first[KLL_HALF_BYTES];
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            const struct kll_lanes *lanes = kll_lanes_for(type, paths[p]);
            if (!lanes)
                continue;
            struct random r = {9};
            size_t n = tiles * KLL_ROWS * lanes->lanes;
            void *values = mem_zero(n, width_of(type));
            for (size_t i = 0; i < n; i++)
                put(type, values, i, i % 3 ? random_normal(&r) : -0.0);
            uint8_t waiting[KLL_CASCADE_MAX][KLL_HALF_BYTES], half[KLL_HALF_BYTES];
            struct kll_cascade c = {.levels = 5, .half = waiting[0]};
            struct kll_coins coins = {.source = {1}};
            struct kll_range range = {INFINITY, -INFINITY};
            bool is_out;
            for (size_t at_tile = 0; at_tile < tiles;)
                at_tile += lanes->cascade(&c, &coins,
                                          (uint8_t *)values + at_tile * KLL_TILE_BYTES,
                                          tiles - at_tile, half, &is_out, &range);
            if (paths[p] == QUANTILE_PATH_PLAIN)
                memcpy(first, waiting[2], sizeof first);
            assert_memory_equal(first, waiting[2], sizeof first);
            mem_free(values);
        }
    }
}

#define ON_EACH(test)                                                                  \
    static void test##_on_each(void **state)                                           \
    {                                                                                  \
        (void)state;                                                                   \
        on_each(test);                                                                 \
    }

ON_EACH(sorts_any_length)
ON_EACH(merges_into_a_place_of_its_own_and_over_b)
ON_EACH(sorts_all_patterns_of_16_rows)
ON_EACH(merges_all_patterns_of_8_and_8_rows)
ON_EACH(thins_each_lane_by_its_coin)
ON_EACH(flattens_lanes_of_any_height)
ON_EACH(stops_before_what_is_no_number)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_any_length_on_each),
        cmocka_unit_test(merges_into_a_place_of_its_own_and_over_b_on_each),
        cmocka_unit_test(sorts_all_patterns_of_16_rows_on_each),
        cmocka_unit_test(merges_all_patterns_of_8_and_8_rows_on_each),
        cmocka_unit_test(thins_each_lane_by_its_coin_on_each),
        cmocka_unit_test(flattens_lanes_of_any_height_on_each),
        cmocka_unit_test(stops_before_what_is_no_number_on_each),
        cmocka_unit_test(all_make_the_same_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
