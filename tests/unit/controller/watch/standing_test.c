// Standing: two versions that serve side by side, through the whole watch.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/standing.h"

#include "tests/unit/controller/watch/stage.h"

static struct standing standing_of(struct stage *s)
{
    struct standing out;
    assert_int_equal(standing_get(s->shelf, s->model, &out), ST_OK);
    return out;
}

// Both see the same shocked inputs; only v2 errs.
static void the_worse_of_two_is_told_though_the_world_moves(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend world = {.shift = 1}, bad = {.shift = 1, .error = 2};
    for (int h = 0; h < 25; h++) {
        serve(s, 0, &world);
        serve(s, 1, &bad);
    }
    struct standing now = standing_of(s);
    assert_string_equal(now.version, "v2");
    assert_string_equal(now.against, "v1");
    assert_true(now.has_watch && now.windows >= 20 && now.beside == now.windows);
    assert_int_equal(now.verdict, DEPLOY_WORSE);
    assert_int_equal(standing_contest(&now), STANDING_WORSE);
    assert_false(now.withheld); // the inputs of both moved: that is no difference
    // The break is on the model's side, whatever the world does: it is rolled back.
    assert_string_equal(symbol(s, "cause"), "bad_version");
    stage_close(s);
}

static void a_bad_version_beside_a_good_one_is_the_version(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend straight = {0}, bad = {.error = 2};
    for (int h = 0; h < 12; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &bad);
    }
    assert_string_equal(symbol(s, "rung"), "concurrent");
    assert_string_equal(symbol(s, "Pv"), "clean");
    assert_string_equal(symbol(s, "cause"), "bad_version");
    stage_close(s);
}

static void two_that_are_alike_show_no_difference(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend straight = {0};
    for (int h = 0; h < 3; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &straight);
    }
    struct standing few = standing_of(s);
    assert_int_equal(standing_contest(&few), STANDING_INSUFFICIENT);
    for (int h = 0; h < 120; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &straight);
    }
    struct standing now = standing_of(s);
    assert_int_equal(now.contest.windows, 123);
    assert_int_equal(standing_contest(&now), STANDING_NO_DIFFERENCE);
    assert_int_equal(standing_rows_needed(&now), 0);
    assert_true(now.is_over && now.verdict != DEPLOY_WORSE);
    assert_string_equal(symbol(s, "cause"), "");
    stage_close(s);
}

static void insufficient_evidence_says_how_many_more_rows(void **state)
{
    (void)state;
    struct standing s = {.has_watch = false};
    assert_int_equal(standing_contest(&s), STANDING_NONE);
    for (int i = 0; i < 8; i++)
        standing_add(&s, 1 + 0.1 * (i % 3), 0.9 + 0.1 * (i % 2), 100);
    assert_int_equal(standing_contest(&s), STANDING_INSUFFICIENT);
    uint64_t more = standing_rows_needed(&s);
    assert_true(more >= 100 && more < 100000);
    standing_add(&s, NAN, 1, 100);
    standing_add(&s, -1, 1, 100);
    assert_int_equal(s.contest.windows, 8);
    assert_string_equal(standing_contest_name(STANDING_NO_DIFFERENCE),
                        "no difference beyond tolerance");
}

static void it_comes_back_from_its_bytes(void **state)
{
    (void)state;
    struct memory *m;
    struct standing out, in = {.version = "v2",
                               .against = "v1",
                               .deployed_ns = 5,
                               .judged_ns = 6,
                               .has_watch = true,
                               .withheld = true,
                               .verdict = DEPLOY_SAME,
                               .windows = 7,
                               .beside = 3,
                               .mover = "x",
                               .direction = -1,
                               .effect = 0.5,
                               .evidence = 12};
    standing_add(&in, 2, 1, 9);
    assert_int_equal(memory_open(1 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    assert_int_equal(standing_get(s, 1, &out), ST_NOTFOUND);
    assert_int_equal(standing_put(s, 1, &in), ST_OK);
    assert_int_equal(standing_get(s, 1, &out), ST_OK);
    assert_string_equal(out.mover, "x");
    assert_true(out.withheld && !out.is_over && out.verdict == DEPLOY_SAME);
    assert_true(out.direction == -1 && out.rows == 9 && out.contest.windows == 1);
    struct shelf_key key = key_state('g', 1);
    assert_int_equal(shelf_put(s, SHELF_STATE, &key, span_text("\x01\xff")), ST_OK);
    assert_int_equal(standing_get(s, 1, &out), ST_CORRUPT);
    memory_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worse_of_two_is_told_though_the_world_moves),
        cmocka_unit_test(a_bad_version_beside_a_good_one_is_the_version),
        cmocka_unit_test(two_that_are_alike_show_no_difference),
        cmocka_unit_test(insufficient_evidence_says_how_many_more_rows),
        cmocka_unit_test(it_comes_back_from_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
