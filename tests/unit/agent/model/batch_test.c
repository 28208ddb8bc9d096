// Batch: rows of one shape count as they would one by one.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/model/stage.h"

#define INPUTS 5

// `value` of all inputs and then the prediction; NaN is missing.
static void feed(struct stage *s, uint64_t t, const double *value, uint64_t shape)
{
    static const char *const name[] = {"a", "b", "c", "d", "e", "prediction"};
    struct datum d[INPUTS + 1];
    for (int i = 0; i <= INPUTS; i++) {
        bool is_missing = isnan(value[i]);
        d[i] = (struct datum){.name = span_text(name[i]),
                              .side = i < INPUTS ? SIDE_INPUT : SIDE_OUTPUT,
                              .kind = is_missing ? DATUM_MISSING : DATUM_NUMBER,
                              .number = value[i]};
    }
    const struct observation o = {.model = span_text("m"),
                                  .t = t,
                                  .has_time = true,
                                  .weight = 1,
                                  .value = d,
                                  .values = INPUTS + 1,
                                  .shape = shape};
    s->stream.row(s->stream.self, &o);
    s->stream.settle(s->stream.self);
}

static void feed_window(struct stage *s, uint64_t t, int rows, uint64_t shape)
{
    struct random r = {7};
    for (int i = 0; i < rows; i++) {
        double value[INPUTS + 1];
        for (int k = 0; k <= INPUTS; k++)
            value[k] = random_normal(&r);
        if (i % 11 == 3)
            value[2] = NAN;
        if (i % 97 == 5)
            value[3] = INFINITY;
        value[INPUTS] = i % 13 == 4 ? NAN : value[0] * 2 + value[INPUTS];
        feed(s, t, value, shape);
    }
}

static void assert_alike(const struct kept_window *a, const struct kept_window *b,
                         const char *name)
{
    struct profile *x = profile_of(a, name), *y = profile_of(b, name);
    assert_memory_equal(profile_counters(x), profile_counters(y),
                        sizeof(struct counters));
    assert_float_equal(moments_mean(profile_moments(x)),
                       moments_mean(profile_moments(y)), 1e-12);
    assert_float_equal(comoments_correlation(profile_comoments(x)),
                       comoments_correlation(profile_comoments(y)), 1e-12);
    assert_int_equal(quantile_n(profile_quantile(x)), quantile_n(profile_quantile(y)));
    profile_close(x);
    profile_close(y);
}

static void rows_of_one_shape_count_as_one_by_one(void **state)
{
    struct stage *s = *state;
    feed_window(s, T0, 1000, 0); // the columns are learned
    feed_window(s, T0 + MINUTE, 1003, 0);
    feed_window(s, T0 + 2 * MINUTE, 1003, 99);
    give(s, T0 + 3 * MINUTE);
    assert_int_equal(s->windows, 3);
    const struct kept_window *a = &s->window[1], *b = &s->window[2];
    assert_int_equal(a->window.rows, b->window.rows);
    assert_int_equal(a->window.features, b->window.features);
    static const char *const name[] = {"a", "b", "c", "d", "e", "prediction"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        assert_alike(a, b, name[i]);
    assert_exact(s);
}

static void both_ways_mix_in_one_window_and_over_a_restart(void **state)
{
    struct stage *s = *state;
    feed_window(s, T0, 1000, 0);
    feed_window(s, T0 + MINUTE, 100, 99);
    feed_window(s, T0 + MINUTE, 100, 0);
    feed_window(s, T0 + MINUTE, 100, 98);
    registry_pause(s->registry, NOW);
    kill_and_restart(s);
    feed_window(s, T0 + MINUTE, 100, 99);
    give(s, T0 + 2 * MINUTE);
    struct profile *p = profile_of(&s->window[1], "a");
    assert_int_equal(profile_counters(p)->rows, 400);
    profile_close(p);
    assert_int_equal(s->window[1].window.rows, 400);
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 0);
    assert_exact(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_of_one_shape_count_as_one_by_one),
        TEST(both_ways_mix_in_one_window_and_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
