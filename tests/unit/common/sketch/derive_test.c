// Derive: the columns are what they say, and shifts of embeddings and texts show in
// them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/derive.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "common/sketch/simd.h"

#define DIMS 64
#define PROJECTIONS 16
#define COLUMNS (DERIVE_VECTOR_FIGURES + PROJECTIONS)
#define ROWS 8000

static float vectors[2][ROWS * DIMS];
static double column[2][ROWS * COLUMNS];

static struct derive *open_of(uint32_t dims, uint32_t projections)
{
    struct derive *d = NULL;
    assert_int_equal(derive_open(dims, projections, 11, &d), ST_OK);
    return d;
}

// PSI of column c between the two sides, on the cells of the first.
static double psi_of(size_t c)
{
    uint64_t count[2][GRID_CELLS_MAX] = {{0}};
    struct grid *g = NULL;
    assert_int_equal(grid_of_rows(GRID_F64, column[0] + c * ROWS, ROWS, &g), ST_OK);
    for (size_t side = 0; side < 2; side++)
        grid_count_f64(g, column[side] + c * ROWS, ROWS, count[side]);
    double psi = 0;
    for (uint32_t j = 0; j < grid_cells(g); j++) {
        double a = fmax((double)count[0][j] / ROWS, 1e-4);
        double b = fmax((double)count[1][j] / ROWS, 1e-4);
        psi += (b - a) * log(b / a);
    }
    grid_close(g);
    return psi;
}

// The largest PSI of all columns of the two sides' vectors.
static double worst_psi(void)
{
    struct derive *d = open_of(DIMS, PROJECTIONS);
    double worst = 0;
    for (size_t side = 0; side < 2; side++)
        derive_vectors(d, vectors[side], ROWS, column[side]);
    for (size_t c = 0; c < COLUMNS; c++)
        worst = fmax(worst, psi_of(c));
    derive_close(d);
    return worst;
}

static void fill_normal(size_t side, uint64_t seed)
{
    struct random r = {seed};
    for (size_t i = 0; i < ROWS * DIMS; i++)
        vectors[side][i] = (float)random_normal(&r);
}

// Five clusters, each about a centre of its own; `alive` of them are drawn from.
static void fill_clusters(size_t side, uint64_t alive, uint64_t seed)
{
    float centre[5][DIMS];
    struct random c = {77}, r = {seed};
    for (size_t k = 0; k < 5 * DIMS; k++)
        centre[k / DIMS][k % DIMS] = (float)random_normal(&c);
    for (size_t i = 0; i < ROWS; i++) {
        uint64_t k = random_u64(&r) % alive;
        for (size_t j = 0; j < DIMS; j++)
            vectors[side][i * DIMS + j] =
                centre[k][j] + 0.3f * (float)random_normal(&r);
    }
}

static void no_shift_is_not_seen(void **state)
{
    (void)state;
    fill_normal(0, 1);
    fill_normal(1, 2);
    assert_true(worst_psi() < 0.04);
    fill_clusters(0, 5, 1);
    fill_clusters(1, 5, 2);
    assert_true(worst_psi() < 0.04);
}

static void a_shift_of_the_mean_is_seen(void **state)
{
    (void)state;
    fill_normal(0, 1);
    fill_normal(1, 2);
    for (size_t i = 0; i < ROWS * DIMS; i++)
        vectors[1][i] += i % DIMS < 8 ? 0.8f : 0; // 8 of 64 numbers
    assert_true(worst_psi() > 0.1);
}

// Every number keeps its mean and variance; they only begin to go together.
static void a_shift_of_the_covariance_is_seen(void **state)
{
    (void)state;
    struct random r = {9};
    fill_normal(0, 1);
    fill_normal(1, 2);
    for (size_t i = 0; i < ROWS; i++) {
        float common = (float)random_normal(&r);
        for (size_t j = 0; j < DIMS; j++) {
            float *x = &vectors[1][i * DIMS + j];
            *x = sqrtf(0.9f) * *x + sqrtf(0.1f) * common;
        }
    }
    assert_true(worst_psi() > 0.1);
}

static void a_lost_cluster_is_seen(void **state)
{
    (void)state;
    fill_clusters(0, 5, 1);
    fill_clusters(1, 4, 2);
    assert_true(worst_psi() > 0.1);
}

static void figures_are_those_of_the_vector(void **state)
{
    (void)state;
    const float x[] = {3, -4, 0, 12};
    double out[DERIVE_VECTOR_FIGURES + 8];
    struct derive *d = open_of(4, 8);
    derive_vectors(d, x, 1, out);
    assert_true(out[0] == 13 && out[1] == 2.75 && out[2] == -4 && out[3] == 12);
    for (size_t k = 0; k < 8; k++) { // a signed sum over 2
        double sum = out[DERIVE_VECTOR_FIGURES + k] * 2;
        assert_true(fabs(sum) == 19 || fabs(sum) == 13 || fabs(sum) == 11 ||
                    fabs(sum) == 5);
    }
    derive_close(d);
}

static void projections_keep_the_variance(void **state)
{
    (void)state;
    struct derive *d = open_of(DIMS, PROJECTIONS);
    fill_normal(0, 3);
    derive_vectors(d, vectors[0], ROWS, column[0]);
    for (size_t c = DERIVE_VECTOR_FIGURES; c < COLUMNS; c++) {
        struct moments m = {0};
        moments_add_f64(&m, column[0] + c * ROWS, ROWS);
        assert_true(fabs(moments_mean(&m)) < 0.06);
        assert_true(fabs(moments_variance(&m) - 1) < 0.08);
    }
    derive_close(d);
}

static void every_path_gives_the_same_bits(void **state)
{
    (void)state;
    fill_normal(0, 4);
    for (uint32_t dims = 1; dims <= DERIVE_DIMS_MAX; dims = dims * 3 / 2 + 1) {
        struct derive *d = open_of(dims, 8);
        for (size_t path = 0; path < 2; path++) {
            simd_limit(path ? SIMD_AVX2 : SIMD_PORTABLE);
            derive_vectors(d, vectors[0], 20, column[path]);
        }
        assert_memory_equal(column[0], column[1], 20 * 12 * sizeof(double));
        derive_close(d);
    }
}

static void one_bad_number_spoils_its_vector_alone(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    struct derive *d = open_of(DIMS, PROJECTIONS);
    for (size_t k = 0; k < 3; k++) {
        fill_normal(0, 5);
        vectors[0][DIMS + 63] = bad[k];
        derive_vectors(d, vectors[0], 3, column[0]);
        for (size_t c = 0; c < COLUMNS; c++)
            for (size_t i = 0; i < 3; i++)
                assert_true(isnan(column[0][c * 3 + i]) == (i == 1));
    }
    derive_close(d);
}

static void bounds_and_names(void **state)
{
    (void)state;
    struct derive *d = NULL;
    assert_int_equal(derive_open(0, 8, 1, &d), ST_RANGE);
    assert_int_equal(derive_open(4097, 8, 1, &d), ST_RANGE);
    assert_int_equal(derive_open(8, 7, 1, &d), ST_RANGE);
    assert_int_equal(derive_open(8, 33, 1, &d), ST_RANGE);
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_from(n);
        assert_int_equal(derive_open(8, 8, 1, &d), ST_NOMEM);
    }
    mem_fail_from(0);
    d = open_of(8, 32);
    struct buf name;
    buf_init(&name, 100);
    derive_put_name(d, 1, &name);
    derive_put_name(d, 35, &name);
    assert_string_equal(buf_cstr(&name), "meanp31");
    assert_int_equal(derive_columns(d), 36);
    buf_fini(&name);
    derive_close(d);
}

static void texts_are_measured(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double characters, words, beyond, digits;
    } rows[] = {
        {"hello world", 11, 2, 0, 0},
        {"  a\tb\n c  ", 10, 3, 0, 0},
        {"\xc3\xa9t\xc3\xa9", 3, 1, 2.0 / 3, 0},
        {"call 555 now", 12, 3, 0, 0.25},
        {"\xe6\x97\xa5\xe6\x9c\xac", 2, 1, 1, 0},
        {"\x80\x80", 1, 1, 1, 0},
        {"", 0, 0, NAN, NAN},
    };
    const size_t n = sizeof rows / sizeof *rows;
    struct span texts[sizeof rows / sizeof *rows];
    double out[4 * sizeof rows / sizeof *rows];
    for (size_t i = 0; i < n; i++)
        texts[i] = span_text(rows[i].text);
    derive_texts(texts, n, out);
    for (size_t i = 0; i < n; i++) {
        assert_true(out[i] == rows[i].characters && out[n + i] == rows[i].words);
        if (rows[i].characters == 0)
            assert_true(isnan(out[2 * n + i]) && isnan(out[3 * n + i]));
        else
            assert_true(out[2 * n + i] == rows[i].beyond &&
                        out[3 * n + i] == rows[i].digits);
    }
    assert_string_equal(derive_text_name(3), "digits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_shift_is_not_seen),
        cmocka_unit_test(a_shift_of_the_mean_is_seen),
        cmocka_unit_test(a_shift_of_the_covariance_is_seen),
        cmocka_unit_test(a_lost_cluster_is_seen),
        cmocka_unit_test(figures_are_those_of_the_vector),
        cmocka_unit_test(projections_keep_the_variance),
        cmocka_unit_test(every_path_gives_the_same_bits),
        cmocka_unit_test(one_bad_number_spoils_its_vector_alone),
        cmocka_unit_test(bounds_and_names),
        cmocka_unit_test(texts_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
