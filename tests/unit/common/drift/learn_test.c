// Learn: level, season, memory and noise come back from series made of them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/learn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define HOUR 3600000000000ull
#define SUNDAY (1341100800ull * 1000000000ull) // 2012-07-01 00:00 UTC
#define MOST 3000

static double value[MOST], variance[MOST];
static uint64_t start[MOST];

struct recipe {
    uint32_t windows;
    double level, phi, sd, daily, weekend, rows;
};

static struct learn_series series_of(const struct recipe *r, uint64_t seed)
{
    struct random random = {seed};
    double memory = 0, row = r->rows > 0 ? 1 / r->rows : 0;
    for (uint32_t i = 0; i < r->windows; i++) {
        start[i] = SUNDAY + i * HOUR;
        variance[i] = row;
        memory = r->phi * memory + r->sd * random_normal(&random);
        double hour = r->daily * sin(2 * M_PI * learn_hour(start[i]) / 24.0);
        double day = learn_day(start[i]) % 6 == 0 ? r->weekend : 0;
        value[i] = r->level + memory + hour + day + sqrt(row) * random_normal(&random);
    }
    return (struct learn_series){value, variance, start, r->windows, HOUR};
}

static struct learn_profile learned(const struct learn_series *s)
{
    struct learn_profile p;
    assert_int_equal(learn_profile_of(s, LEARN_BOTH, 0.1, 0, 0.2, &p), ST_OK);
    return p;
}

static void hours_and_days_are_utc(void **state)
{
    (void)state;
    assert_int_equal(learn_hour(SUNDAY + 5 * HOUR + 59 * 60000000000ull), 5);
    assert_int_equal(learn_day(SUNDAY), 0);
    assert_int_equal(learn_day(SUNDAY + 24 * HOUR), 1);
    assert_int_equal(learn_day(0), 4); // a Thursday
}

static void independent_rows_have_no_memory_and_no_extra_noise(void **state)
{
    (void)state;
    struct recipe r = {.windows = 1000, .level = 0.3, .rows = 100};
    struct learn_series s = series_of(&r, 1);
    s.window_ns = 0; // no season to look for
    struct learn_profile p = learned(&s);
    assert_true(fabs(p.mu - 0.3) < 0.02);
    assert_true(p.phi == 0);
    assert_true(fabs(p.sd - 0.1) < 0.01);
    assert_true(p.extra < 0.001);
    assert_true(p.noise >= 0.9 && p.noise <= 1.01);
    assert_true(p.kappa <= 1.2);
    assert_true(fabs(learn_sigma(&p, 0.01) - 0.1) < 0.02);
    assert_false(p.has_hours || p.has_days);
}

static void season_is_taken_out(void **state)
{
    (void)state;
    struct recipe r = {.windows = 28 * 24, .sd = 0.02, .daily = 0.5, .weekend = 0.3};
    struct learn_series s = series_of(&r, 2);
    struct learn_profile p = learned(&s);
    assert_true(p.has_hours && p.has_days);
    assert_true(p.sd < 0.06); // shrinking leaves a little of the season
    assert_true(p.hour[6] - p.hour[18] > 0.85);
    assert_true((p.day[0] + p.day[6]) / 2 - p.day[3] > 0.2);
    uint64_t sunday_six = SUNDAY + (28 * 24 + 6) * HOUR;
    assert_true(fabs(learn_residual(&p, 0.5 + 0.3, sunday_six)) < 0.1);
}

static void season_needs_days_enough(void **state)
{
    (void)state;
    struct recipe r = {.windows = 47, .sd = 0.1};
    struct learn_series s = series_of(&r, 3);
    assert_false(learned(&s).has_hours);
    r.windows = 48;
    s = series_of(&r, 3);
    assert_true(learned(&s).has_hours);
    assert_false(learned(&s).has_days);
    r.windows = 14 * 24;
    s = series_of(&r, 3);
    assert_true(learned(&s).has_days);
    s.window_ns = 12 * HOUR; // too long for hours
    assert_false(learned(&s).has_hours);
}

static void memory_is_found_and_small_ones_are_none(void **state)
{
    (void)state;
    struct recipe r = {.windows = 2000, .phi = 0.7, .sd = 0.1};
    struct learn_series s = series_of(&r, 4);
    s.window_ns = 0;
    struct learn_profile p = learned(&s);
    assert_true(p.phi > 0.65 && p.phi < 0.77);
    assert_true(fabs(sqrt(p.extra) - 0.1) < 0.02); // the innovation's, not the level's
    r.phi = 0.03;
    s = series_of(&r, 5);
    s.window_ns = 0;
    assert_true(learned(&s).phi == 0);
    r.windows = 10;
    r.phi = 0.9;
    s = series_of(&r, 6);
    assert_true(learned(&s).phi == 0);
}

static void one_wild_window_moves_the_level_little(void **state)
{
    (void)state;
    struct recipe r = {.windows = 500, .level = 1, .sd = 0.1};
    struct learn_series s = series_of(&r, 7);
    s.window_ns = 0;
    value[250] = 1e9;
    assert_true(fabs(learned(&s).mu - 1) < 0.05);
}

static void a_restless_reference_gets_a_wider_sigma(void **state)
{
    (void)state;
    struct recipe r = {.windows = 600, .sd = 0.05};
    struct learn_series s = series_of(&r, 8);
    s.window_ns = 0;
    double quiet = learned(&s).kappa;
    for (uint32_t i = 300; i < 318; i++)
        value[i] += 0.6; // a storm of eighteen windows
    double restless = learned(&s).kappa;
    assert_true(restless > quiet);
    assert_true(restless <= 8);
}

static void tolerance_grows_when_little_is_known(void **state)
{
    (void)state;
    struct recipe r = {.windows = 1000, .sd = 0.2};
    struct learn_series s = series_of(&r, 9);
    s.window_ns = 0;
    double much = learned(&s).tau;
    s.windows = 20;
    double little = learned(&s).tau;
    assert_true(much > 0.1 && much < 0.13);
    assert_true(little > 0.15);
    struct learn_profile p;
    assert_int_equal(learn_profile_of(&s, LEARN_UP, 0.02, 0.1, 0.04, &p), ST_OK);
    assert_true(fabs(p.tau - (0.02 + 0.1 * p.sd + 2 * p.sd / sqrt(20))) < 1e-12);
    assert_true(p.gate == 0.04);
}

static void few_windows_teach_nothing(void **state)
{
    (void)state;
    struct recipe r = {.windows = LEARN_WINDOWS_MIN - 1, .sd = 1};
    struct learn_series s = series_of(&r, 10);
    assert_false(learn_is_usable(&(struct learn_profile){0}));
    struct learn_profile p = learned(&s);
    assert_false(learn_is_usable(&p));
    s.windows = 0;
    p = learned(&s);
    assert_int_equal(p.windows, 0);
    r.windows = LEARN_WINDOWS_MIN;
    s = series_of(&r, 10);
    p = learned(&s);
    assert_true(learn_is_usable(&p));
}

static void a_constant_series_is_legal(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        value[i] = 2;
        variance[i] = 0;
        start[i] = SUNDAY + i * HOUR;
    }
    struct learn_series s = {value, variance, start, 100, HOUR};
    struct learn_profile p = learned(&s);
    assert_true(p.mu == 2 && p.phi == 0 && p.extra == 0);
    assert_true(learn_sigma(&p, 0) > 0);
}

static void the_lag_is_held_at_four_sd(void **state)
{
    (void)state;
    struct learn_profile p = {.phi = 0.5, .sd = 1};
    assert_true(learn_innovation(&p, 10, 2) == 9);
    assert_true(learn_innovation(&p, 10, 100) == 8);
    assert_true(learn_innovation(&p, -10, -100) == -8);
}

static void bad_series_are_refused(void **state)
{
    (void)state;
    struct recipe r = {.windows = 50, .sd = 1};
    struct learn_series s = series_of(&r, 11);
    struct learn_profile p;
    value[3] = NAN;
    assert_int_equal(learn_profile_of(&s, LEARN_BOTH, 0, 0, 0, &p), ST_RANGE);
    value[3] = 0;
    variance[4] = -1;
    assert_int_equal(learn_profile_of(&s, LEARN_BOTH, 0, 0, 0, &p), ST_RANGE);
    variance[4] = 0;
    start[6] = 0;
    assert_int_equal(learn_profile_of(&s, LEARN_BOTH, 0, 0, 0, &p), ST_RANGE);
    start[6] = start[5];
    assert_int_equal(learn_profile_of(&s, (enum learn_sides)0, 0, 0, 0, &p), ST_RANGE);
    mem_fail_from(1);
    assert_int_equal(learn_profile_of(&s, LEARN_BOTH, 0, 0, 0, &p), ST_NOMEM);
    mem_fail_from(0);
    assert_int_equal(learn_profile_of(&s, LEARN_BOTH, 0, 0, 0, &p), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_and_days_are_utc),
        cmocka_unit_test(independent_rows_have_no_memory_and_no_extra_noise),
        cmocka_unit_test(season_is_taken_out),
        cmocka_unit_test(season_needs_days_enough),
        cmocka_unit_test(memory_is_found_and_small_ones_are_none),
        cmocka_unit_test(one_wild_window_moves_the_level_little),
        cmocka_unit_test(a_restless_reference_gets_a_wider_sigma),
        cmocka_unit_test(tolerance_grows_when_little_is_known),
        cmocka_unit_test(few_windows_teach_nothing),
        cmocka_unit_test(a_constant_series_is_legal),
        cmocka_unit_test(the_lag_is_held_at_four_sd),
        cmocka_unit_test(bad_series_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
