// Contest: the worked example, both directions, and bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/hash.h"

#define ASSERT_NEAR(got, want) assert_true(fabs((got) - (want)) <= 1e-5 * fabs(want))

static void evidence_is_that_of_the_worked_example(void **state)
{
    (void)state;
    static const double champion[] = {.3, .3, .25, .4},
                        challenger[] = {.2, .22, .25, .2};
    static const double m[] = {1.2925, 2.81333, 3.67958, 6.92128};
    struct contest c = {.windows = 0};
    for (int t = 0; t < 4; t++) {
        contest_window(&c, champion[t], challenger[t], CONTEST_LEVEL);
        ASSERT_NEAR(contest_challenger_evidence(&c), m[t]);
    }
    assert_true(contest_champion_evidence(&c) < 2);
    assert_int_equal(c.windows, 4);
}

static void the_better_one_wins_once_and_the_bets_begin_again(void **state)
{
    (void)state;
    struct contest c = {.windows = 0};
    int wins = 0, at = 0;
    for (int t = 1; t <= 40; t++) {
        enum contest_verdict v = contest_window(&c, .1, .4, CONTEST_LEVEL);
        assert_int_not_equal(v, CONTEST_CHALLENGER_BETTER);
        if (v == CONTEST_CHAMPION_BETTER && wins++ == 0)
            at = t;
    }
    assert_true(at > 5 && at < 20);
    assert_true(wins >= 2);
    assert_int_equal(c.verdict, CONTEST_CHAMPION_BETTER);
}

static void equals_stay_undecided(void **state)
{
    (void)state;
    struct random r = {7};
    struct contest c = {.windows = 0};
    for (int t = 0; t < 5000; t++) {
        double shared = .2 + .1 * random_unit(&r);
        double a = shared * (.9 + .2 * random_unit(&r));
        double b = shared * (.9 + .2 * random_unit(&r));
        assert_int_equal(contest_window(&c, a, b, CONTEST_LEVEL), CONTEST_UNDECIDED);
    }
}

static void losses_that_are_no_losses_are_ignored(void **state)
{
    (void)state;
    struct contest c = {.windows = 0};
    contest_window(&c, NAN, .1, CONTEST_LEVEL);
    contest_window(&c, .1, INFINITY, CONTEST_LEVEL);
    contest_window(&c, -1, .1, CONTEST_LEVEL);
    assert_int_equal(c.windows, 0);
    contest_window(&c, 0, 0, CONTEST_LEVEL);
    assert_true(contest_champion_evidence(&c) < 1);
}

static void bytes_bring_the_same_contest_back(void **state)
{
    (void)state;
    struct contest c = {.windows = 0}, back;
    contest_window(&c, .1, .4, CONTEST_LEVEL);
    struct buf b;
    buf_init(&b, 1024);
    contest_encode(&c, &b);
    struct cursor in = {buf_span(&b)};
    assert_int_equal(contest_decode(&in, &back), ST_OK);
    assert_memory_equal(&c, &back, sizeof c);
    for (size_t cut = 0; cut < b.size; cut++) {
        struct cursor part = {span_of(b.data, cut)};
        assert_int_equal(contest_decode(&part, &back), ST_CORRUPT);
    }
    b.data[b.size - 1] = CONTEST_COUNT;
    in.left = buf_span(&b);
    assert_int_equal(contest_decode(&in, &back), ST_CORRUPT);
    store_le_f64(b.data, NAN);
    in.left = buf_span(&b);
    assert_int_equal(contest_decode(&in, &back), ST_CORRUPT);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_is_that_of_the_worked_example),
        cmocka_unit_test(the_better_one_wins_once_and_the_bets_begin_again),
        cmocka_unit_test(equals_stay_undecided),
        cmocka_unit_test(losses_that_are_no_losses_are_ignored),
        cmocka_unit_test(bytes_bring_the_same_contest_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
