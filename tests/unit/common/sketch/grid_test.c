// Grid: edges where they were promised, counts that agree on every path, bytes that are
// believed only when they are whole.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/grid.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/simd.h"

#define ROWS 100000

static double row[ROWS];
static float row_f32[ROWS];

static void fill(double (*draw)(struct random *), uint64_t seed)
{
    struct random r = {seed};
    for (size_t i = 0; i < ROWS; i++) {
        row[i] = draw(&r);
        row_f32[i] = (float)row[i];
    }
}

static double lognormal(struct random *r)
{
    return exp(random_normal(r));
}

static double lognormal_f32(struct random *r)
{
    return (double)(float)exp(random_normal(r));
}

// 30 % zeros, 5 % sevens, else normal.
static double with_atoms(struct random *r)
{
    double u = random_unit(r);
    return u < 0.3 ? 0 : u < 0.35 ? 7 : random_normal(r) * 10;
}

// Close together for a float: many edges round to one.
static double timestamps(struct random *r)
{
    return 1.7e9 + 100 * random_unit(r);
}

static double digits(struct random *r)
{
    return (double)(random_u64(r) % 10);
}

static struct grid *grid_of_all(enum grid_width width)
{
    struct grid *g = NULL;
    assert_int_equal(grid_of_rows(width, row, ROWS, &g), ST_OK);
    return g;
}

// The definition: the number of edges below the value, or the place among the values.
static uint32_t cell_by_definition(const struct grid *g, double x)
{
    for (uint32_t j = 0; j < grid_cells(g); j++) {
        double low, high;
        grid_bounds(g, j, &low, &high);
        if (low == high ? x == low : x > low && x <= high)
            return j;
    }
    fail();
    return 0;
}

static void every_value_is_in_its_cell(void **state)
{
    (void)state;
    double (*const draw[])(struct random *) = {lognormal, with_atoms, digits};
    for (size_t k = 0; k < 3; k++) {
        fill(draw[k], k);
        struct grid *g = grid_of_all(GRID_F64);
        for (size_t i = 0; i < ROWS; i += 37)
            assert_int_equal(grid_cell_of(g, row[i]), cell_by_definition(g, row[i]));
        for (uint32_t j = 0; j < grid_cells(g); j++) { // and right at the edges
            double low, high;
            grid_bounds(g, j, &low, &high);
            const double near[] = {
                low, high, nextafter(low, INFINITY), nextafter(high, -INFINITY),
                0,   -0.0};
            for (size_t i = 0; i < sizeof near / sizeof *near; i++)
                if (isfinite(near[i]))
                    assert_int_equal(grid_cell_of(g, near[i]),
                                     cell_by_definition(g, near[i]));
        }
        grid_close(g);
    }
}

static void has_64_cells_of_even_mass(void **state)
{
    (void)state;
    fill(lognormal, 4);
    struct grid *g = grid_of_all(GRID_F64);
    uint64_t count[GRID_CELLS_MAX] = {0}, heaviest = 0;
    assert_int_equal(grid_form(g), GRID_EDGES);
    assert_int_equal(grid_cells(g), 64);
    grid_count_f64(g, row, ROWS, count);
    for (size_t j = 0; j < 64; j++)
        heaviest = count[j] > heaviest ? count[j] : heaviest;
    assert_int_equal(count[0], ROWS / 1000);
    assert_int_equal(count[63], ROWS / 1000);
    assert_true(heaviest <= ROWS / 40);
    grid_close(g);
}

static void gives_atoms_their_own_cell(void **state)
{
    (void)state;
    fill(with_atoms, 5);
    struct grid *g = grid_of_all(GRID_F64);
    const double atom[] = {0, 7};
    for (size_t i = 0; i < 2; i++) {
        double low, high;
        grid_bounds(g, grid_cell_of(g, atom[i]), &low, &high);
        assert_true(high == atom[i] && low == nextafter(atom[i], -INFINITY));
    }
    assert_int_equal(grid_cells(g), 64);
    grid_close(g);
}

static void few_values_have_a_cell_each(void **state)
{
    (void)state;
    fill(digits, 6);
    struct grid *g = grid_of_all(GRID_F32);
    assert_int_equal(grid_form(g), GRID_VALUES);
    assert_int_equal(grid_cells(g), 11);
    for (uint32_t j = 0; j < 10; j++) {
        assert_int_equal(grid_cell_of(g, j), j);
        assert_true(grid_is_ranked(g, j) && !grid_is_tail(g, j));
    }
    const double others[] = {-1, 0.5, 9.5, 10, 1e300, nextafter(3, 4)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(grid_cell_of(g, others[i]), 10);
    assert_true(grid_is_tail(g, 10) && !grid_is_ranked(g, 10));
    assert_true(grid_min(g) == 0 && grid_max(g) == 9);
    grid_close(g);
}

static void the_limit_of_few_is_63(void **state)
{
    (void)state;
    for (size_t n = 63; n <= 64; n++) {
        struct grid *g;
        for (size_t i = 0; i < n; i++)
            row[i] = (double)i;
        assert_int_equal(grid_of_rows(GRID_F64, row, n, &g), ST_OK);
        assert_int_equal(grid_form(g), n == 63 ? GRID_VALUES : GRID_EDGES);
        assert_true(grid_cells(g) <= 64);
        grid_close(g);
    }
}

static void counts_f64_by_hand(const struct grid *g, const double *x, size_t n,
                               uint64_t *count)
{
    for (size_t i = 0; i < n; i++)
        count[grid_cell_of(g, x[i])]++;
}

static void compare_paths(const struct grid *g)
{
    for (size_t n = 0; n < ROWS; n = n * 2 + 1) {
        uint64_t want[GRID_CELLS_MAX] = {0}, want_f32[GRID_CELLS_MAX] = {0};
        counts_f64_by_hand(g, row + 1, n, want);
        for (size_t i = 0; i < n; i++)
            want_f32[grid_cell_of(g, (double)row_f32[1 + i])]++;
        for (int level = SIMD_PORTABLE; level <= SIMD_AVX2; level++) {
            uint64_t got[GRID_CELLS_MAX] = {0}, got_f32[GRID_CELLS_MAX] = {0};
            simd_limit((enum simd_level)level);
            grid_count_f64(g, row + 1, n, got);
            grid_count_f32(g, row_f32 + 1, n, got_f32);
            assert_memory_equal(got, want, sizeof want);
            assert_memory_equal(got_f32, want_f32, sizeof want_f32);
        }
        if (n > 1000)
            n *= 5;
    }
    simd_limit(SIMD_AVX2);
}

static void every_path_counts_alike(void **state)
{
    (void)state;
    double (*const draw[])(struct random *) = {lognormal, lognormal_f32, with_atoms,
                                               digits, timestamps};
    for (size_t k = 0; k < 5; k++) {
        for (int width = GRID_F32; width <= GRID_F64; width += 4) {
            struct grid *g;
            fill(draw[k], 20 + k);
            enum status st = grid_of_rows((enum grid_width)width, row, ROWS, &g);
            if (st == ST_RANGE && width == GRID_F32)
                continue;
            assert_int_equal(st, ST_OK);
            for (size_t i = 0; i < ROWS; i += 3) { // and values the grid has not seen
                row[i] = nextafter(row[i] * 1.5, -INFINITY);
                row_f32[i] = nextafterf(row_f32[i] * 1.5f, INFINITY);
            }
            compare_paths(g);
            grid_close(g);
        }
    }
}

static void widths_do_not_change_the_cell(void **state)
{
    (void)state;
    // One double just above a float, as an edge: the float belongs below it.
    double edge = nextafter(0.25, 1), edges[] = {-3, edge, 8};
    struct grid *g;
    assert_int_equal(grid_of_edges(GRID_F64, edges, 3, -5, 9, &g), ST_OK);
    float x[100];
    uint64_t count[4] = {0};
    for (size_t i = 0; i < 100; i++)
        x[i] = 0.25f;
    grid_count_f32(g, x, 100, count);
    assert_int_equal(count[1], 100);
    assert_int_equal(grid_cell_of(g, nextafter(edge, 1)), 2);
    grid_close(g);
}

static void weights_are_rows(void **state)
{
    (void)state;
    struct random r = {8};
    struct grid_point point[500];
    size_t n = 0;
    for (size_t i = 0; i < 500; i++) {
        point[i] =
            (struct grid_point){random_normal(&r), (double)(1 + random_u64(&r) % 200)};
        for (size_t k = 0; k < (size_t)point[i].weight; k++)
            row[n++] = point[i].value;
    }
    struct grid *a, *b;
    assert_int_equal(grid_of_points(GRID_F64, point, 500, &a), ST_OK);
    assert_int_equal(grid_of_rows(GRID_F64, row, n, &b), ST_OK);
    assert_true(grid_id(a) == grid_id(b));
    grid_close(a);
    grid_close(b);
}

// PSI of `n` rows counted on cells whose shares are `want`.
static double psi_of(const uint64_t *count, const double *want, uint32_t cells,
                     double n)
{
    double sum = 0;
    for (uint32_t j = 0; j < cells; j++) {
        double share = ((double)count[j] + 0.5) / (n + 0.5 * cells);
        sum += (share - want[j]) * log(share / want[j]);
    }
    return sum;
}

static int ascending(const void *a, const void *b)
{
    double u = *(const double *)a, v = *(const double *)b;
    return (u > v) - (u < v);
}

// The floor of a PSI on 64 cells: about 63 / n. Uniform rows, whose true shares are the
// widths of the cells.
static void no_drift_is_next_to_no_psi(void **state)
{
    (void)state;
    enum { TRIALS = 400 };
    static double psi[TRIALS];
    double want[GRID_CELLS_MAX];
    fill(random_unit, 90);
    struct grid *g = grid_of_all(GRID_F64);
    assert_int_equal(grid_cells(g), 64);
    for (uint32_t j = 0; j < 64; j++) {
        double low, high;
        grid_bounds(g, j, &low, &high);
        want[j] = fmin(high, 1) - fmax(low, 0);
    }
    for (uint64_t t = 0; t < TRIALS; t++) {
        uint64_t count[GRID_CELLS_MAX] = {0};
        struct random r = {1000 + t};
        for (size_t i = 0; i < ROWS; i++)
            row[i] = random_unit(&r);
        grid_count_f64(g, row, ROWS, count);
        psi[t] = psi_of(count, want, 64, ROWS);
    }
    qsort(psi, TRIALS, sizeof *psi, ascending);
    assert_true(psi[TRIALS / 2] > 0.0004 && psi[TRIALS / 2] < 0.0008);
    assert_true(psi[TRIALS * 99 / 100] <= 0.001);
    grid_close(g);
}

static void refuses_what_is_no_number(void **state)
{
    (void)state;
    struct grid *g;
    struct grid_point bad[] = {{NAN, 1}, {INFINITY, 1}, {1, 0}, {1, -1}, {1, NAN}};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(grid_of_points(GRID_F64, &bad[i], 1, &g), ST_RANGE);
    struct grid_point wide = {0.1, 1};
    assert_int_equal(grid_of_points(GRID_F32, &wide, 1, &g), ST_RANGE);
    assert_int_equal(grid_of_points(GRID_F64, NULL, 0, &g), ST_RANGE);
    double none[] = {NAN, INFINITY, -INFINITY};
    assert_int_equal(grid_of_rows(GRID_F64, none, 3, &g), ST_RANGE);
    double edges[] = {2, 1}, same[] = {1, 1}, fine[64] = {0};
    assert_int_equal(grid_of_edges(GRID_F64, edges, 2, 0, 3, &g), ST_RANGE);
    assert_int_equal(grid_of_edges(GRID_F64, same, 2, 0, 3, &g), ST_RANGE);
    assert_int_equal(grid_of_edges(GRID_F64, fine, 64, 0, 3, &g), ST_RANGE);
    assert_int_equal(grid_of_edges(GRID_F64, fine, 0, 0, 3, &g), ST_RANGE);
    assert_int_equal(grid_of_edges(GRID_F64, fine, 1, 3, 0, &g), ST_RANGE);
}

static void survives_extreme_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < 200; i++)
        row[i] = ldexp(i % 2 ? 1.9 : -1.9, (int)i * 10 - 1000);
    row[0] = -1.7976931348623157e308;
    row[1] = 1.7976931348623157e308;
    row[2] = 4.9e-324;
    for (size_t i = 200; i < 300; i++) // the least number of all as an atom
        row[i] = row[0];
    struct grid *g;
    assert_int_equal(grid_of_rows(GRID_F64, row, 300, &g), ST_OK);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(grid_cell_of(g, row[i]), cell_by_definition(g, row[i]));
    grid_close(g);
}

static struct grid *categories_of(size_t n)
{
    static struct grid_category c[6000];
    struct random r = {n};
    for (size_t i = 0; i < n; i++)
        c[i] = (struct grid_category){random_u64(&r), n + 1 - i};
    struct grid *g;
    assert_int_equal(grid_of_categories(c, n, &g), ST_OK);
    return g;
}

static void categories_are_top_rare_or_unseen(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 2, 23, 24, 25, 300, 4095, 4096, 4097, 6000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k], top = n < 24 ? n : 24;
        struct grid *g = categories_of(n);
        struct random r = {n};
        uint64_t count[GRID_CELLS_MAX] = {0};
        assert_int_equal(grid_cells(g), top + 2);
        for (size_t i = 0; i < n; i++) {
            uint64_t hash = random_u64(&r);
            uint32_t cell = grid_cell_of_hash(g, hash);
            assert_int_equal(cell, i < top ? i : i < 4096 ? top : top + 1);
            if (i < top)
                assert_true(grid_category_hash(g, cell) == hash);
            grid_count_hash(g, &hash, 1, count);
        }
        assert_int_equal(grid_cell_of_hash(g, random_u64(&r)), top + 1);
        assert_true(grid_is_tail(g, (uint32_t)top + 1));
        assert_false(grid_is_tail(g, 0));
        grid_close(g);
    }
}

static void refuses_a_category_twice(void **state)
{
    (void)state;
    struct grid_category c[] = {{5, 1}, {6, 2}, {5, 3}}, zero = {1, 0};
    struct grid *g;
    assert_int_equal(grid_of_categories(c, 3, &g), ST_RANGE);
    assert_int_equal(grid_of_categories(&zero, 1, &g), ST_RANGE);
}

static struct buf bytes_of(const struct grid *g)
{
    struct buf out;
    buf_init(&out, GRID_BYTES_MAX);
    grid_encode(g, &out);
    assert_int_equal(out.failed, ST_OK);
    return out;
}

static void comes_back_from_bytes(const struct grid *g)
{
    struct buf a = bytes_of(g);
    struct grid *back;
    assert_int_equal(grid_decode(buf_span(&a), &back), ST_OK);
    assert_true(grid_id(back) == grid_id(g));
    struct buf b = bytes_of(back);
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    size_t step = a.size > 2000 ? 97 : 1;
    for (size_t cut = 0; cut < a.size; cut += step) {
        struct grid *none;
        assert_int_equal(grid_decode(span_of(a.data, cut), &none), ST_CORRUPT);
    }
    buf_put_u8(&a, 0);
    struct grid *none;
    assert_int_equal(grid_decode(buf_span(&a), &none), ST_CORRUPT);
    buf_fini(&a);
    buf_fini(&b);
    grid_close(back);
}

static void all_forms_come_back(void **state)
{
    (void)state;
    double (*const draw[])(struct random *) = {lognormal, with_atoms, digits,
                                               lognormal_f32};
    for (size_t k = 0; k < 4; k++) {
        fill(draw[k], 40 + k);
        struct grid *g = grid_of_all(k < 2 ? GRID_F64 : GRID_F32);
        comes_back_from_bytes(g);
        grid_close(g);
    }
    const size_t sizes[] = {0, 1, 24, 100, 4096};
    for (size_t k = 0; k < 5; k++) {
        struct grid *g = categories_of(sizes[k]);
        comes_back_from_bytes(g);
        grid_close(g);
    }
}

// A VALUES grid of the floats 1 and 2, and what may be wrong with it.
static void refuses_broken_bytes(void **state)
{
    (void)state;
    const uint8_t good[] = {1, 2,    4, 2, 0,    0,    0x80, 0x3f, 0, 0,
                            0, 0x40, 0, 0, 0x80, 0x3f, 0,    0,    0, 0x40};
    struct grid *g;
    assert_int_equal(grid_decode(span_of(good, sizeof good), &g), ST_OK);
    grid_close(g);
    const struct {
        size_t at;
        uint8_t value;
        enum status want;
    } bad[] = {
        {0, 0, ST_CORRUPT},     {0, 2, ST_VERSION},     {1, 0, ST_CORRUPT},
        {1, 4, ST_CORRUPT},     {2, 5, ST_CORRUPT},     {2, 8, ST_CORRUPT},
        {3, 0, ST_CORRUPT},     {3, 64, ST_CORRUPT},    {3, 1, ST_CORRUPT},
        {7, 0x40, ST_CORRUPT},  {11, 0x41, ST_CORRUPT}, {11, 0xc0, ST_CORRUPT},
        {19, 0x3f, ST_CORRUPT}, {18, 0x80, ST_CORRUPT}, {15, 0x7f, ST_CORRUPT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t broken[sizeof good];
        memcpy(broken, good, sizeof good);
        broken[bad[i].at] = bad[i].value;
        assert_int_equal(grid_decode(span_of(broken, sizeof broken), &g), bad[i].want);
    }
}

static void every_failed_allocation_is_clean(void **state)
{
    (void)state;
    fill(lognormal, 60);
    for (uint64_t n = 1;; n++) {
        struct grid *g = NULL;
        mem_fail_from(n);
        enum status st = grid_of_rows(GRID_F64, row, 1000, &g);
        mem_fail_from(0);
        grid_close(g);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
        assert_true(n < 100);
    }
    struct grid *g = categories_of(100), *back;
    struct buf bytes = bytes_of(g);
    for (uint64_t n = 1;; n++) {
        mem_fail_from(n);
        enum status st = grid_decode(buf_span(&bytes), &back);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    grid_close(back);
    grid_close(g);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_in_its_cell),
        cmocka_unit_test(has_64_cells_of_even_mass),
        cmocka_unit_test(gives_atoms_their_own_cell),
        cmocka_unit_test(few_values_have_a_cell_each),
        cmocka_unit_test(the_limit_of_few_is_63),
        cmocka_unit_test(every_path_counts_alike),
        cmocka_unit_test(widths_do_not_change_the_cell),
        cmocka_unit_test(weights_are_rows),
        cmocka_unit_test(no_drift_is_next_to_no_psi),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(survives_extreme_values),
        cmocka_unit_test(categories_are_top_rare_or_unseen),
        cmocka_unit_test(refuses_a_category_twice),
        cmocka_unit_test(all_forms_come_back),
        cmocka_unit_test(refuses_broken_bytes),
        cmocka_unit_test(every_failed_allocation_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
