// Meter, rates, unfold: counts become figures that can be judged.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/intake/meter.h"
#include "agent/intake/rates.h"
#include "agent/intake/unfold.h"
#include "common/base/clock.h"

#define S NS_PER_S
#define T0 (UINT64_C(1700000000) * S)

// All that was told, in order.
struct told {
    char name[64];
    double value;
    uint64_t t;
};
static struct told told[512];
static uint32_t tells;

static void take_row(void *self, const struct observation *o)
{
    (void)self;
    for (uint32_t i = 0; i < o->values && tells < 512; i++) {
        struct told *to = &told[tells++];
        assert_true(o->value[i].name.size < sizeof to->name);
        memset(to, 0, sizeof *to);
        memcpy(to->name, o->value[i].name.data, o->value[i].name.size);
        to->value = o->value[i].number;
        to->t = o->t;
    }
}

static void take_drop(void *self, struct span model, enum drop_reason why, uint64_t n)
{
    (void)self, (void)model, (void)why, (void)n;
}

static void take_settle(void *self)
{
    (void)self;
}

static const struct observation_sink sink = {NULL, take_row, take_drop, take_settle};

static struct meter *meter_new(void)
{
    struct meter *m;
    tells = 0;
    assert_int_equal(meter_open(&sink, &m), ST_OK);
    return m;
}

static void give(struct meter *m, const char *name, double v, uint64_t t,
                 enum signal_form form, uint64_t since)
{
    const struct datum d = {.name = span_text(name),
                            .side = SIDE_SIGNAL,
                            .kind = DATUM_NUMBER,
                            .number = v};
    const struct observation o = {.model = span_text("m"),
                                  .t = t,
                                  .weight = 1,
                                  .form = form,
                                  .since = since,
                                  .value = &d,
                                  .values = 1};
    struct observation_sink in = meter_sink(m);
    in.row(in.self, &o);
}

static void assert_told(uint32_t i, const char *name, double v, uint64_t t)
{
    assert_true(i < tells);
    assert_string_equal(told[i].name, name);
    assert_true(fabs(told[i].value - v) < 1e-9);
    assert_true(told[i].t == t);
}

static void counters_become_rates_of_whole_periods(void **state)
{
    (void)state;
    struct meter *m = meter_new();
    give(m, "n", 7, T0 + 5 * S, FORM_COUNTS, 0); // a period that was not seen whole
    for (int i = 0; i < 30; i++)
        give(m, "n", 2, T0 + (10 + (uint64_t)i) * S, FORM_COUNTS, 0);
    assert_int_equal(tells, 2);
    assert_told(0, "n_per_s", 2, T0 + 20 * S - 1);
    assert_told(1, "n_per_s", 2, T0 + 30 * S - 1);
    meter_turn(m, T0 + 40 * S); // what is on its way may still come
    assert_int_equal(tells, 2);
    meter_turn(m, T0 + 41 * S);
    assert_int_equal(tells, 3);
    for (uint64_t i = 42; i < 110; i++)
        meter_turn(m, T0 + i * S);
    assert_int_equal(tells, 3 + METER_QUIET_MAX);
    assert_told(tells - 1, "n_per_s", 0, T0 + 100 * S - 1);
    meter_close(m);
}

static void values_and_gauges_go_straight_on(void **state)
{
    (void)state;
    struct meter *m = meter_new();
    give(m, "g", 7, T0, FORM_VALUES, 0);
    assert_told(0, "g", 7, T0);
    meter_close(m);
}

static void totals_tell_what_came_on_top(void **state)
{
    (void)state;
    struct meter *m = meter_new();
    uint64_t since = T0 - 1000 * S;
    give(m, "n", 5000, T0, FORM_VALUES, since);
    assert_int_equal(tells, 0); // of old
    give(m, "n", 5100, T0 + 10 * S, FORM_VALUES, since);
    assert_told(0, "n_per_s", 10, T0 + 10 * S);
    give(m, "n", 30, T0 + 20 * S, FORM_VALUES, T0 + 15 * S); // began anew
    assert_told(1, "n_per_s", 6, T0 + 20 * S);
    give(m, "n", 20, T0 + 30 * S, FORM_VALUES, T0 + 15 * S); // went back
    assert_int_equal(tells, 2);
    assert_int_equal(meter_stats(m).resets, 1);
    give(m, "n", 50, T0 + 40 * S, FORM_VALUES, T0 + 30 * S); // one of deltas
    assert_told(2, "n_per_s", 5, T0 + 40 * S);
    meter_close(m);
}

static void too_many_counters_are_refused_and_counted(void **state)
{
    (void)state;
    char name[16];
    struct meter *m = meter_new();
    for (int i = 0; i < METER_SERIES_MAX + 10; i++) {
        snprintf(name, sizeof name, "n%d", i);
        give(m, name, 1, T0, FORM_COUNTS, 0);
    }
    assert_int_equal(meter_stats(m).series, METER_SERIES_MAX);
    assert_int_equal(meter_stats(m).refused, 10);
    meter_close(m);
}

static uint32_t unfolded;
static double unfolded_sum;

static void take_value(void *self, double v)
{
    (void)self;
    unfolded++;
    unfolded_sum += v;
}

static void a_histogram_is_unfolded_into_at_most_so_many(void **state)
{
    (void)state;
    const double bounds[] = {1, 2, 3};
    const uint64_t few[] = {2, 1, 0, 1}, many[] = {1000000, 3000000, 1, 0};
    struct histogram_figures h = {
        .count = 4, .sum = NAN, .min = NAN, .max = 5, .bounds = bounds, .n_bounds = 3};
    h.counts = few;
    unfolded = 0;
    unfolded_sum = 0;
    unfold(&h, 200, take_value, NULL);
    assert_int_equal(unfolded, 4);
    assert_true(fabs(unfolded_sum - (0.5 + 0.5 + 1.5 + 4)) < 1e-9);
    h.counts = many;
    unfolded = 0;
    unfold(&h, 200, take_value, NULL);
    assert_in_range(unfolded, 200, 202);
}

static void page(struct rates *r, uint64_t t, double requests, double errors, double us)
{
    const struct {
        const char *name;
        double v;
    } samples[] = {{"requests_total", requests},
                   {"errors_total", errors},
                   {"duration_us_total", us},
                   {"in_flight", 3}};
    struct datum d[4];
    for (int i = 0; i < 4; i++)
        d[i] = (struct datum){.name = span_text(samples[i].name),
                              .side = SIDE_SIGNAL,
                              .kind = DATUM_NUMBER,
                              .number = samples[i].v};
    const struct observation o = {
        .model = span_text("m"), .t = t, .weight = 1, .value = d, .values = 4};
    struct observation_sink in = rates_sink(r);
    in.row(in.self, &o);
}

static void two_pages_tell_of_the_time_between_them(void **state)
{
    (void)state;
    struct rates *r;
    tells = 0;
    assert_int_equal(rates_open(&sink, span_text("v1"), &r), ST_OK);
    page(r, T0, 1000, 10, 5e6);
    assert_int_equal(tells, 1);
    assert_told(0, "in_flight", 3, T0);
    page(r, T0 + 10 * S, 1090, 20, 5.9e6);
    assert_told(1, "requests_per_s", 10, T0 + 10 * S);
    assert_told(2, "error_rate", 0.1, T0 + 10 * S);
    assert_told(3, "latency_ms", 10, T0 + 10 * S);
    page(r, T0 + 20 * S, 5, 0, 100); // began anew
    assert_int_equal(tells, 6);
    assert_int_equal(rates_resets(r), 1);
    page(r, T0 + 30 * S, 5, 0, 100); // nobody asked: no latency, no share of errors
    assert_int_equal(tells, 8);
    assert_told(6, "requests_per_s", 0, T0 + 30 * S);
    rates_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_become_rates_of_whole_periods),
        cmocka_unit_test(values_and_gauges_go_straight_on),
        cmocka_unit_test(totals_tell_what_came_on_top),
        cmocka_unit_test(too_many_counters_are_refused_and_counted),
        cmocka_unit_test(a_histogram_is_unfolded_into_at_most_so_many),
        cmocka_unit_test(two_pages_tell_of_the_time_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
