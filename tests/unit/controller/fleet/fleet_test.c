// The fleet's states and its wheel, with time as an argument.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fleet/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/hash.h"

#define T0 (UINT64_C(1772460000) * NS_PER_S)
#define A ((const uint8_t *)"agent-A.........")
#define B ((const uint8_t *)"agent-B.........")

struct world {
    struct fleet *f;
    uint64_t s; // seconds since the beginning
};

static void move_to(struct world *w, uint64_t s)
{
    w->s = s;
    fleet_now(w->f, T0 + s * NS_PER_S, (s + 1000) * NS_PER_S);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(fleet_open(NULL, &w->f), ST_OK);
    move_to(w, 0);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    fleet_close(w->f);
    free(w);
    return 0;
}

static bool say_hello(struct world *w, const uint8_t *agent, uint8_t boot,
                      const char *host, const char *address, int64_t skew_ms)
{
    struct hello h = {
        .host = span_text(host),
        .time_ms = (uint64_t)((int64_t)(T0 / NS_PER_MS + w->s * 1000) + skew_ms)};
    bool is_twin;
    memset(h.boot, boot, sizeof h.boot);
    assert_int_equal(fleet_hello(w->f, agent, &h, address, &is_twin), ST_OK);
    return is_twin;
}

static void breathe(struct world *w, const uint8_t *agent, int64_t skew_ms)
{
    struct beat b = {.hb = {1},
                     .time_ms =
                         (uint64_t)((int64_t)(T0 / NS_PER_MS + w->s * 1000) + skew_ms)};
    (void)fleet_beat(w->f, agent, &b);
}

static enum fleet_state state_of(const struct world *w, const uint8_t *agent)
{
    return fleet_get(w->f, agent)->state;
}

// Lets time go by second by second; how many changes there were.
static uint32_t live_until(struct world *w, uint64_t s, const uint8_t *breathing)
{
    uint32_t n = 0;
    while (w->s < s) {
        move_to(w, w->s + 1);
        if (breathing && w->s % 10 == 0)
            breathe(w, breathing, 0);
        struct fleet_change e;
        while (fleet_turn(w->f, &e))
            n++;
    }
    return n;
}

static void one_that_breathes_stays_alive(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    assert_int_equal(live_until(w, 3000, A), 0);
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
}

static void one_whose_connection_ended_is_dead_unless_it_comes_back(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    fleet_gone(w->f, A);
    assert_int_equal(live_until(w, 10, NULL), 0);
    (void)say_hello(w, A, 1, "a", "", 0); // within the grace
    assert_int_equal(live_until(w, 30, A), 0);
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
    fleet_gone(w->f, A);
    assert_int_equal(live_until(w, 60, NULL), 1);
    assert_int_equal(state_of(w, A), FLEET_DEAD);
    (void)say_hello(w, A, 2, "a", "", 0);
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
}

static void silence_without_an_end_is_the_link(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    assert_int_equal(live_until(w, 34, NULL), 0);
    assert_int_equal(live_until(w, 40, NULL), 1);
    assert_int_equal(state_of(w, A), FLEET_LINK_DOWN);
    // The system gives the connection up a while later: that is no news of the process.
    fleet_gone(w->f, A);
    (void)live_until(w, 100, NULL);
    assert_int_equal(state_of(w, A), FLEET_LINK_DOWN);
    breathe(w, A, 0);
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
}

static void a_wrong_clock_is_skew_and_nothing_else(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 3600 * 1000);
    assert_int_equal(state_of(w, A), FLEET_SKEWED);
    breathe(w, A, -3600 * 1000);
    assert_int_equal(state_of(w, A), FLEET_SKEWED);
    breathe(w, A, 100);
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
    assert_int_equal(live_until(w, 20, A), 0);
}

static void report(struct world *w, uint64_t rows)
{
    fleet_window(w->f, A, span_text("m"), 60 * NS_PER_S, rows);
}

static void a_model_without_rows_is_silent_though_its_agent_lives(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    report(w, 5);
    (void)live_until(w, 100, A);
    report(w, 5);
    report(w, 0); // an empty window is no row
    assert_int_equal(live_until(w, 279, A), 0);
    assert_int_equal(live_until(w, 290, A), 1);
    size_t at = 0;
    const struct fleet_model *m = fleet_next_model(w->f, &at);
    assert_true(m->is_silent);
    assert_string_equal(m->name, "m");
    assert_int_equal(state_of(w, A), FLEET_ALIVE);
    report(w, 1);
    assert_false(m->is_silent);
    assert_int_equal(live_until(w, 400, A), 0);
    assert_int_equal(live_until(w, 500, A), 1); // and again
}

static void of_an_agent_that_is_away_the_agent_is_told(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    report(w, 5);
    fleet_gone(w->f, A);
    assert_int_equal(live_until(w, 1000, NULL), 1);
    assert_int_equal(state_of(w, A), FLEET_DEAD);
}

static void a_long_window_may_be_silent_longer(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    fleet_window(w->f, A, span_text("daily"), 86400 * NS_PER_S, 9);
    assert_int_equal(live_until(w, 2 * 86400, A), 0);
}

static void two_machines_with_one_key_are_both_named(void **state)
{
    struct world *w = *state;
    assert_false(say_hello(w, A, 1, "web-1", "10.0.0.1", 0));
    assert_false(say_hello(w, A, 2, "web-2", "10.0.0.2", 0)); // a restart looks so
    assert_true(say_hello(w, A, 1, "web-1", "10.0.0.1", 0));  // this does not
    const struct fleet_agent *a = fleet_get(w->f, A);
    assert_string_equal(a->known[0].host, "web-1");
    assert_string_equal(a->twin.host, "web-2");
    assert_string_equal(a->twin.address, "10.0.0.2");
    assert_false(say_hello(w, A, 2, "web-2", "10.0.0.2", 0)); // told already
    move_to(w, 7200);
    assert_true(say_hello(w, A, 1, "web-1", "10.0.0.1", 0));
    // Restarts and lost connections of one machine are no twins.
    for (uint8_t boot = 1; boot < 20; boot++)
        for (int again = 0; again < 3; again++)
            assert_false(say_hello(w, B, boot, "web-3", "10.0.0.3", 0));
    assert_true(fleet_get(w->f, B)->twin_ns == 0);
}

static void one_that_is_forgotten_takes_its_models_along(void **state)
{
    struct world *w = *state;
    (void)say_hello(w, A, 1, "a", "", 0);
    (void)say_hello(w, B, 1, "b", "", 0);
    report(w, 5);
    fleet_window(w->f, B, span_text("m"), 60 * NS_PER_S, 5);
    fleet_forget(w->f, A);
    size_t at = 0;
    assert_non_null(fleet_next_model(w->f, &at));
    assert_null(fleet_next_model(w->f, &at));
    assert_int_equal(live_until(w, 1000, B), 1);
}

// --- The wheel

static void every_deadline_is_met_once_and_in_time(void **state)
{
    enum { N = 5000 };
    static struct wheel_timer timer[N];
    static uint64_t at[N], met[N];
    struct wheel w;
    struct random r = {7};
    uint64_t now = 1000 * NS_PER_S;
    (void)state;
    wheel_init(&w, now);
    for (int i = 0; i < N; i++) {
        at[i] = now + random_u64(&r) % (400 * NS_PER_S); // three turns of the wheel
        wheel_set(&w, &timer[i], at[i]);
    }
    for (int i = 0; i < N; i += 3) { // moved
        at[i] = now + random_u64(&r) % (400 * NS_PER_S);
        wheel_set(&w, &timer[i], at[i]);
    }
    for (int i = 1; i < N; i += 3) // given up
        wheel_cancel(&timer[i]);
    for (uint64_t end = now + 500 * NS_PER_S; now < end; now += NS_PER_S / 10) {
        struct wheel_timer *t;
        while ((t = wheel_next(&w, now))) {
            int i = (int)(t - timer);
            assert_true(met[i] == 0 && now >= at[i]);
            assert_true(now - at[i] <= 2 * WHEEL_STEP_NS);
            met[i] = now;
        }
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(met[i] != 0, i % 3 != 1);
}

static void a_long_pause_loses_no_deadline(void **state)
{
    static struct wheel_timer timer[100];
    struct wheel w;
    uint64_t now = 1000 * NS_PER_S, n = 0;
    (void)state;
    wheel_init(&w, now);
    for (uint64_t i = 0; i < 100; i++)
        wheel_set(&w, &timer[i], now + i * 7 * NS_PER_S);
    now += 86400 * NS_PER_S;
    while (wheel_next(&w, now))
        n++;
    assert_int_equal(n, 100);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(one_that_breathes_stays_alive),
        WORLD(one_whose_connection_ended_is_dead_unless_it_comes_back),
        WORLD(silence_without_an_end_is_the_link),
        WORLD(a_wrong_clock_is_skew_and_nothing_else),
        WORLD(a_model_without_rows_is_silent_though_its_agent_lives),
        WORLD(of_an_agent_that_is_away_the_agent_is_told),
        WORLD(a_long_window_may_be_silent_longer),
        WORLD(two_machines_with_one_key_are_both_named),
        WORLD(one_that_is_forgotten_takes_its_models_along),
        cmocka_unit_test(every_deadline_is_met_once_and_in_time),
        cmocka_unit_test(a_long_pause_loses_no_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
