// Deploy: better, worse, different, the same, or not yet known.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/deploy.h"

#include <stdlib.h>

#include "tests/unit/common/drift/world.h"

static const struct bend straight;

struct scene {
    struct world world;
    struct judge *before;
    struct deploy *deploy;
};

static int set_up(void **state)
{
    struct scene *s = malloc(sizeof *s);
    struct judge_settings settings = judge_defaults();
    struct deploy_settings watch = deploy_defaults();
    assert_non_null(s);
    world_open(&s->world, 99, 14 * 24, 200);
    assert_int_equal(judge_open(s->world.baseline, &settings, &s->before), ST_OK);
    world_judge(&s->world, s->before, &straight, 72, ALARM_OPEN, NULL);
    assert_int_equal(deploy_open(s->before, &watch, &s->deploy), ST_OK);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    deploy_close(s->deploy);
    judge_close(s->before);
    world_close(&s->world);
    free(s);
    return 0;
}

static struct deploy_report watch(struct scene *s, const struct bend *b, uint32_t hours)
{
    struct deploy_report r;
    for (uint32_t h = 0; h < hours; h++)
        assert_int_equal(deploy_window(s->deploy, world_window(&s->world, b), NULL),
                         ST_OK);
    deploy_report(s->deploy, &r);
    return r;
}

static void nothing_is_known_before_the_first_window(void **state)
{
    struct deploy_report r;
    deploy_report(((struct scene *)*state)->deploy, &r);
    assert_int_equal(r.verdict, DEPLOY_INSUFFICIENT);
    assert_int_equal(r.inputs, MOVED_UNKNOWN);
    assert_false(r.is_over);
}

static void a_worse_version_is_told_by_its_loss(void **state)
{
    struct deploy_report r = watch(*state, &(struct bend){.error = 1.5}, 4);
    assert_int_equal(r.verdict, DEPLOY_WORSE);
    assert_int_equal(r.performance, MOVED_HIT);
    assert_int_equal(r.inputs, MOVED_CLEAN);
    assert_false(r.withheld);
    assert_int_equal(r.signal, SIGNAL_LEVEL);
}

static void a_version_that_broke_relations_is_different(void **state)
{
    struct deploy_report r = watch(*state, &(struct bend){.turn = 1.6}, 5);
    assert_int_equal(r.verdict, DEPLOY_DIFFERENT);
    assert_int_equal(r.contributions, MOVED_HIT);
    assert_int_equal(r.inputs, MOVED_CLEAN);
}

static void inputs_that_moved_as_well_withhold_the_verdict(void **state)
{
    struct deploy_report r = watch(*state, &(struct bend){.shift = 1, .error = 1.5}, 6);
    assert_true(r.withheld);
    assert_int_equal(r.inputs, MOVED_HIT);
}

static void the_same_is_the_same_after_windows_enough(void **state)
{
    struct scene *s = *state;
    struct deploy_report r = watch(s, &straight, 1);
    assert_int_equal(r.verdict, DEPLOY_INSUFFICIENT);
    assert_true(r.rows_needed > 0);
    r = watch(s, &straight, 59);
    assert_int_equal(r.verdict, DEPLOY_SAME);
    assert_int_equal(r.inputs, MOVED_CLEAN);
    assert_true(r.is_over);
}

static void a_verdict_once_reached_stays(void **state)
{
    struct scene *s = *state;
    watch(s, &(struct bend){.error = 1.5}, 6);
    assert_int_equal(watch(s, &straight, 40).verdict, DEPLOY_WORSE);
}

static void beside_the_old_version_common_shocks_cancel(void **state)
{
    struct scene *s = *state;
    struct deploy_report r;
    // both versions see the same storm
    for (uint32_t h = 0; h < 20; h++) {
        const struct bend storm = {.shift = 2};
        struct world *w = &s->world;
        struct drift_window now = *world_window(w, &storm);
        assert_int_equal(deploy_window(s->deploy, &now, &now), ST_OK);
    }
    deploy_report(s->deploy, &r);
    assert_int_not_equal(r.inputs, MOVED_HIT);
    assert_int_not_equal(r.verdict, DEPLOY_WORSE);
}

static void bytes_go_on_to_the_same_report(void **state)
{
    struct scene *s = *state;
    struct deploy *back;
    struct buf bytes, again;
    watch(s, &(struct bend){.error = 0.4}, 5);
    buf_init(&bytes, 1 << 20);
    buf_init(&again, 1 << 20);
    deploy_encode(s->deploy, &bytes);
    assert_int_equal(deploy_decode(s->world.baseline, buf_span(&bytes), &back), ST_OK);
    const struct drift_window *w = world_window(&s->world, &straight);
    assert_int_equal(deploy_window(s->deploy, w, NULL), ST_OK);
    assert_int_equal(deploy_window(back, w, NULL), ST_OK);
    struct deploy_report a, b;
    deploy_report(s->deploy, &a);
    deploy_report(back, &b);
    assert_true(a.verdict == b.verdict && a.evidence == b.evidence &&
                a.effect == b.effect && a.rows_needed == b.rows_needed);
    for (size_t cut = 0; cut < bytes.size; cut += 5) {
        struct deploy *none;
        assert_int_not_equal(
            deploy_decode(s->world.baseline, span_of(bytes.data, cut), &none), ST_OK);
    }
    deploy_close(back);
    buf_fini(&bytes);
    buf_fini(&again);
}

static void bounds_and_memory_are_checked(void **state)
{
    struct scene *s = *state;
    struct deploy *d;
    struct deploy_settings bad = {.windows = 0, .false_alarms = 0.1};
    assert_int_equal(deploy_open(s->before, &bad, &d), ST_RANGE);
    bad = (struct deploy_settings){.windows = 5, .false_alarms = 0};
    assert_int_equal(deploy_open(s->before, &bad, &d), ST_RANGE);
    struct deploy_settings good = deploy_defaults();
    for (uint64_t n = 1;; n++) {
        mem_fail_from(n);
        enum status st = deploy_open(s->before, &good, &d);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    deploy_close(d);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(nothing_is_known_before_the_first_window),
        SCENE(a_worse_version_is_told_by_its_loss),
        SCENE(a_version_that_broke_relations_is_different),
        SCENE(inputs_that_moved_as_well_withhold_the_verdict),
        SCENE(the_same_is_the_same_after_windows_enough),
        SCENE(a_verdict_once_reached_stays),
        SCENE(beside_the_old_version_common_shocks_cancel),
        SCENE(bytes_go_on_to_the_same_report),
        SCENE(bounds_and_memory_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
