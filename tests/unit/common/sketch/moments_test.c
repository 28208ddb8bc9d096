// Moments: as exact as numpy, mergeable in any order, the same bits on every path.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/moments.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/sketch/simd.h"

#define ROWS 200000

static double x[ROWS], y[ROWS];
static float f[ROWS];

// The plain two-pass figures in long double, counted from the first row.
struct exact {
    long double mean_x, mean_y, m2_x, m2_y, c_xy;
};

static struct exact exact_of(const double *a, const double *b, size_t n)
{
    struct exact e = {0};
    for (size_t i = 0; i < n; i++) {
        e.mean_x += (long double)a[i] - a[0];
        e.mean_y += (long double)b[i] - b[0];
    }
    e.mean_x = a[0] + e.mean_x / n;
    e.mean_y = b[0] + e.mean_y / n;
    for (size_t i = 0; i < n; i++) {
        long double dx = a[i] - e.mean_x, dy = b[i] - e.mean_y;
        e.m2_x += dx * dx;
        e.m2_y += dy * dy;
        e.c_xy += dx * dy;
    }
    return e;
}

static void near(double got, long double want, double relative)
{
    long double error = fabsl((long double)got - want);
    if (error > relative * fabsl(want))
        fail_msg("%.17g is not %.17Lg", got, want);
}

// Values about `mean` with `sd`, drifting by `drift` sd over the rows.
static void fill(double mean, double sd, double drift, uint64_t seed)
{
    struct random r = {seed};
    for (size_t i = 0; i < ROWS; i++) {
        double z = random_normal(&r);
        x[i] = mean + sd * (z + drift * (double)i / ROWS);
        y[i] = 3 * z + random_normal(&r);
        f[i] = (float)x[i];
    }
}

static void agree(double relative)
{
    struct exact e = exact_of(x, y, ROWS);
    struct moments m = {0};
    struct comoments c = {0};
    moments_add_f64(&m, x, ROWS);
    comoments_add_f64(&c, x, y, ROWS);
    near(moments_mean(&m), e.mean_x, relative);
    near(moments_variance(&m), e.m2_x / (ROWS - 1), relative);
    near(c.mean_x.high + c.mean_x.low, e.mean_x, relative);
    near(c.m2_y.high + c.m2_y.low, e.m2_y, relative);
    near(comoments_correlation(&c), e.c_xy / sqrtl(e.m2_x) / sqrtl(e.m2_y), relative);
}

static void is_exact(void **state)
{
    (void)state;
    fill(1, 2, 0, 1);
    agree(1e-13);
}

static void is_exact_far_from_zero(void **state)
{
    (void)state;
    fill(1e9, 1, 0, 2);
    agree(1e-12);
    fill(-4e12, 3, 0, 3);
    agree(1e-12);
}

static void is_exact_while_it_drifts(void **state)
{
    (void)state;
    fill(1e6, 1, 1e5, 4);
    agree(1e-12);
    for (size_t i = 0; i < ROWS; i++) // one step far away, after a calm beginning
        x[i] = i < ROWS / 2 ? 1 + 1e-9 * y[i] : 1e9 + y[i];
    agree(1e-11);
}

static void merges_in_any_order(void **state)
{
    (void)state;
    fill(100, 5, 3, 5);
    struct exact e = exact_of(x, y, ROWS);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct random r = {seed};
        struct moments part[64] = {{0}};
        struct comoments pairs[64] = {{0}};
        for (size_t i = 0; i < ROWS;) {
            size_t n = 1 + random_u64(&r) % 3000, at = random_u64(&r) % 64;
            n = n < ROWS - i ? n : ROWS - i;
            moments_add_f64(&part[at], x + i, n);
            comoments_add_f64(&pairs[at], x + i, y + i, n);
            i += n;
        }
        for (size_t left = 64; left > 1; left--) { // a random tree
            size_t a = random_u64(&r) % left;
            size_t b = (a + 1 + random_u64(&r) % (left - 1)) % left;
            moments_merge(&part[a], &part[b]);
            comoments_merge(&pairs[a], &pairs[b]);
            part[b] = part[left - 1];
            pairs[b] = pairs[left - 1];
        }
        assert_int_equal(part[0].n, ROWS);
        near(moments_mean(&part[0]), e.mean_x, 1e-14);
        near(moments_variance(&part[0]), e.m2_x / (ROWS - 1), 1e-13);
        near(pairs[0].c_xy.high + pairs[0].c_xy.low, e.c_xy, 1e-12);
    }
}

static void constant_has_no_variance(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        x[i] = 0.1;
    struct moments m = {0};
    moments_add_f64(&m, x, ROWS);
    assert_true(moments_mean(&m) == 0.1 && moments_variance(&m) == 0);
    assert_true(m.min == 0.1 && m.max == 0.1);
}

static void empty_and_one(void **state)
{
    (void)state;
    struct moments m = {0}, none = {0};
    struct comoments c = {0};
    assert_true(moments_mean(&m) == 0 && moments_variance(&m) == 0);
    assert_true(comoments_correlation(&c) == 0);
    double one = -7;
    moments_add_f64(&m, &one, 1);
    moments_merge(&m, &none);
    assert_true(m.n == 1 && moments_mean(&m) == -7 && moments_variance(&m) == 0);
    assert_true(m.min == -7 && m.max == -7 && moments_total(&m) == -7);
    comoments_add_f64(&c, &one, &one, 1);
    assert_true(comoments_correlation(&c) == 0);
}

static void huge_values_do_not_overflow(void **state)
{
    (void)state;
    fill(0, 1, 0, 6);
    x[5] = 1.7e308;
    x[6] = -1.7e308;
    x[150000] = 1e300;
    y[9] = -1e308;
    struct moments m = {0};
    struct comoments c = {0};
    moments_add_f64(&m, x, ROWS);
    comoments_add_f64(&c, x, y, ROWS);
    assert_true(m.max == 1.7e308 && m.min == -1.7e308);
    assert_true(isfinite(moments_mean(&m)) && isfinite(moments_variance(&m)));
    assert_true(isfinite(comoments_correlation(&c)));
    near(moments_mean(&m), (long double)MOMENTS_BOUND / ROWS, 1e-9);
}

static void every_path_gives_the_same_bits(void **state)
{
    (void)state;
    fill(10, 3, 2, 7);
    for (size_t n = 1; n < 3000; n = n * 3 / 2 + 1) {
        struct moments a[2] = {{0}}, b[2] = {{0}};
        struct comoments c[2] = {{0}}, d[2] = {{0}};
        for (int path = 0; path < 2; path++) {
            simd_limit(path ? SIMD_AVX2 : SIMD_PORTABLE);
            moments_add_f64(&a[path], x + n, n);
            moments_add_f32(&b[path], f + n, n);
            comoments_add_f64(&c[path], x + n, y, n);
            comoments_add_f32(&d[path], f + n, y, n);
        }
        assert_memory_equal(&a[0], &a[1], sizeof *a);
        assert_memory_equal(&b[0], &b[1], sizeof *b);
        assert_memory_equal(&c[0], &c[1], sizeof *c);
        assert_memory_equal(&d[0], &d[1], sizeof *d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_exact),
        cmocka_unit_test(is_exact_far_from_zero),
        cmocka_unit_test(is_exact_while_it_drifts),
        cmocka_unit_test(merges_in_any_order),
        cmocka_unit_test(constant_has_no_variance),
        cmocka_unit_test(empty_and_one),
        cmocka_unit_test(huge_values_do_not_overflow),
        cmocka_unit_test(every_path_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
