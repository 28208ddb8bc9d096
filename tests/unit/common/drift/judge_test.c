// Judge: quiet when nothing changes, and each kind of change told by its name.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/judge.h"

#include <stdlib.h>

#include "tests/unit/common/drift/world.h"

static const struct bend straight;

struct scene {
    struct world world;
    struct judge *judge;
};

static struct judge *judge_of(const struct baseline *b)
{
    struct judge *j;
    struct judge_settings s = judge_defaults();
    assert_int_equal(judge_open(b, &s, &j), ST_OK);
    return j;
}

static int set_up(void **state)
{
    struct scene *s = malloc(sizeof *s);
    assert_non_null(s);
    world_open(&s->world, 20261122, 21 * 24, 200);
    s->judge = judge_of(s->world.baseline);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    judge_close(s->judge);
    world_close(&s->world);
    free(s);
    return 0;
}

// First alarm of a changed world after a day of quiet; the window it came in, from 1.
static uint32_t first_alarm(struct scene *s, const struct bend *b, uint32_t most,
                            struct alarm *out)
{
    assert_int_equal(world_judge(&s->world, s->judge, &straight, 24, ALARM_OPEN, NULL),
                     0);
    for (uint32_t h = 1; h <= most; h++)
        if (world_judge(&s->world, s->judge, b, 1, ALARM_OPEN, out) > 0)
            return h;
    fail_msg("no alarm in %u windows", most);
    return 0;
}

static void six_weeks_without_a_change_are_quiet(void **state)
{
    struct scene *s = *state;
    assert_int_equal(
        world_judge(&s->world, s->judge, &straight, 42 * 24, ALARM_OPEN, NULL), 0);
    for (uint32_t i = 0; i < judge_subjects(s->judge); i++) {
        struct judge_view v;
        judge_view(s->judge, i, &v);
        assert_int_equal(v.verdict, VERDICT_QUIET);
        assert_true(v.weight >= 0 && v.weight <= 1);
    }
}

static void a_shift_is_a_location_up_or_down(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    uint32_t at = first_alarm(s, &(struct bend){.shift = 1}, 6, &a);
    assert_true(at <= 3);
    assert_int_equal(a.subject, world_subject(s->judge, SUBJECT_NUMERIC, "x"));
    assert_int_equal(a.signal, SIGNAL_LOCATION);
    assert_int_equal(a.direction, 1);
    assert_int_equal(a.tier, TIER_WARN);
    assert_true(a.effect >= a.gate && a.evidence >= 1e4);
    assert_true(a.since <= a.at - WORLD_HOUR);
}

static void a_shift_downwards_points_down(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    first_alarm(s, &(struct bend){.shift = -1}, 6, &a);
    assert_int_equal(a.signal, SIGNAL_LOCATION);
    assert_int_equal(a.direction, -1);
}

static void missing_values_are_told_as_missing(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    assert_true(first_alarm(s, &(struct bend){.missing = 0.15}, 6, &a) <= 4);
    assert_int_equal(a.signal, SIGNAL_MISSING);
    assert_int_equal(a.direction, 1);
}

static void unseen_categories_are_the_tail_of_a_category(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    assert_true(first_alarm(s, &(struct bend){.unseen = 0.1}, 6, &a) <= 4);
    assert_int_equal(a.subject, world_subject(s->judge, SUBJECT_CATEGORICAL, "c"));
    assert_int_equal(a.signal, SIGNAL_TAIL);
}

static void a_relation_that_turns_is_seen_though_margins_stand_still(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    assert_true(first_alarm(s, &(struct bend){.turn = 1.6}, 10, &a) <= 5);
    assert_int_equal(a.subject, world_subject(s->judge, SUBJECT_CONTRIBUTION, "x"));
    assert_int_equal(a.direction, -1);
    struct judge_view v;
    judge_view(s->judge, world_subject(s->judge, SUBJECT_NUMERIC, "prediction"), &v);
    assert_int_not_equal(v.verdict, VERDICT_DRIFT);
}

static void errors_are_loss_and_bias(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    assert_true(first_alarm(s, &(struct bend){.error = 1}, 10, &a) <= 5);
    world_judge(&s->world, s->judge, &(struct bend){.error = 1}, 10, ALARM_OPEN, NULL);
    struct judge_view loss, bias, label;
    judge_view(s->judge, world_subject(s->judge, SUBJECT_SCALAR, "loss"), &loss);
    judge_view(s->judge, world_subject(s->judge, SUBJECT_SCALAR, "bias"), &bias);
    judge_view(s->judge, world_subject(s->judge, SUBJECT_SCALAR, "label"), &label);
    assert_int_equal(loss.verdict, VERDICT_DRIFT);
    assert_int_equal(loss.direction, 1);
    assert_int_equal(bias.verdict, VERDICT_DRIFT);
    assert_int_equal(bias.direction, -1);
    assert_int_not_equal(label.verdict, VERDICT_DRIFT); // listed, never an alarm
    assert_true(label.evidence > 1e4);
}

// Alarms of x itself in `hours` windows; the prediction follows x and has its own.
static uint32_t alarms_of_x(struct scene *s, const struct bend *b, uint32_t hours,
                            enum alarm_kind kind)
{
    uint32_t n = 0, x = world_subject(s->judge, SUBJECT_NUMERIC, "x");
    struct judgement got;
    for (uint32_t h = 0; h < hours; h++) {
        assert_int_equal(judge_window(s->judge, world_window(&s->world, b), &got),
                         ST_OK);
        for (uint32_t i = 0; i < got.alarms; i++)
            n += got.alarm[i].kind == kind && got.alarm[i].subject == x;
    }
    return n;
}

static void an_alert_is_raised_once_escalated_and_cleared(void **state)
{
    struct scene *s = *state;
    const struct bend half = {.shift = 0.5}, two = {.shift = 2};
    assert_int_equal(alarms_of_x(s, &half, 40, ALARM_OPEN), 1);
    assert_int_equal(alarms_of_x(s, &half, 10, ALARM_ESCALATE), 0);
    assert_true(alarms_of_x(s, &two, 10, ALARM_ESCALATE) > 0);
    assert_int_equal(alarms_of_x(s, &straight, 4, ALARM_CLEAR), 0);
    assert_int_equal(alarms_of_x(s, &straight, 200, ALARM_CLEAR), 1);
    struct judge_view v;
    judge_view(s->judge, world_subject(s->judge, SUBJECT_NUMERIC, "x"), &v);
    assert_int_equal(v.tier, TIER_NONE);
    assert_int_equal(v.opened, 0);
}

static void a_further_change_is_seen_behind_an_open_alert(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    first_alarm(s, &(struct bend){.shift = 1}, 6, &a);
    // a day of the new regime is learned, and is quiet
    assert_int_equal(world_judge(&s->world, s->judge, &(struct bend){.shift = 1}, 120,
                                 ALARM_FURTHER, NULL),
                     0);
    assert_true(world_judge(&s->world, s->judge, &(struct bend){.shift = -1}, 12,
                            ALARM_FURTHER, &a) > 0);
    assert_int_equal(a.subject, world_subject(s->judge, SUBJECT_NUMERIC, "x"));
}

static void a_dead_feature_is_told_by_its_run_and_pages(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    first_alarm(s, &(struct bend){.dead = true}, 6, &a);
    assert_int_equal(a.signal, SIGNAL_MISSING); // evidence is quicker than the run
    assert_true(a.gross & GROSS_MISSING);
    assert_true(world_judge(&s->world, s->judge, &(struct bend){.dead = true}, 8,
                            ALARM_ESCALATE, &a) > 0);
    assert_int_equal(a.tier, TIER_PAGE); // missing and dead: two reasons
    assert_true(a.gross & GROSS_DEAD);
}

static void a_stuck_feature_is_gross(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    first_alarm(s, &(struct bend){.stuck = 0.1}, 6, &a);
    world_judge(&s->world, s->judge, &(struct bend){.stuck = 0.1}, 8, ALARM_OPEN, NULL);
    struct judge_view v;
    judge_view(s->judge, a.subject, &v);
    assert_true(v.gross & GROSS_STUCK);
}

static void evidence_on_the_capped_path_makes_a_page(void **state)
{
    struct scene *s = *state;
    struct judge *j;
    struct judge_settings settings = judge_defaults();
    settings.page_model = 1e3;
    assert_int_equal(judge_open(s->world.baseline, &settings, &j), ST_OK);
    struct alarm a = {0};
    assert_true(world_judge(&s->world, j, &(struct bend){.shift = 1}, 24 * 8,
                            ALARM_ESCALATE, &a) > 0);
    assert_int_equal(a.tier, TIER_PAGE);
    assert_true(a.capped >= 1e3 && a.capped < 1e7);
    judge_close(j);
}

static void a_flash_window_is_judged_by_integrity_alone(void **state)
{
    struct scene *s = *state;
    struct judgement got;
    world_judge(&s->world, s->judge, &straight, 3, ALARM_OPEN, NULL);
    struct drift_window w = *world_window(&s->world, &(struct bend){.shift = 1});
    w.flags = DRIFT_FLASH;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_OK);
    assert_int_equal(got.alarms, 0);
    struct judge_view v;
    judge_view(s->judge, 0, &v);
    assert_int_equal(v.windows, 3); // nothing was fed
    w = *world_window(&s->world, &(struct bend){.missing = 0.5});
    w.flags = DRIFT_FLASH;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_OK);
    assert_int_equal(got.alarms, 1);
    assert_int_equal(got.alarm[0].signal, SIGNAL_FLASH);
    assert_int_equal(got.alarm[0].tier, TIER_WARN);
}

static void one_wild_value_changes_no_verdict(void **state)
{
    struct scene *s = *state;
    struct judgement got;
    static const double wild[] = {1e308, -1e308, INFINITY, -INFINITY, NAN, 5e-324};
    for (uint32_t h = 0; h < 240; h++) {
        const struct drift_window *w = world_window(&s->world, &straight);
        double v = wild[h % 6];
        struct profile_column one = {.f64 = &v, .n = 1};
        for (int f = 0; f < WORLD_FEATURES + 2; f++)
            if (f != WORLD_C &&
                f < WORLD_FEATURES) // signals are finite by their making
                profile_update(s->world.profile[f], &one);
        assert_int_equal(judge_window(s->judge, w, &got), ST_OK);
        assert_int_equal(got.alarms, 0);
    }
}

// Puts one wild record into every column and signal of the window: the pair as well.
static void spoil(struct world *w, uint32_t h)
{
    static const double wild[] = {1e308, -1e308, 1e6, -1e6, INFINITY, NAN};
    double v = wild[h % 6], p = wild[(h / 6) % 6];
    double loss = isfinite(v) ? fabs(v) : 1e300;
    for (int f = 0; f < WORLD_FEATURES; f++) {
        struct profile_column one = {.f64 = &v, .n = 1, .prediction = &p};
        if (f != WORLD_C)
            profile_update(w->profile[f], &one);
    }
    profile_update(w->profile[WORLD_FEATURES],
                   &(struct profile_column){.f64 = &loss, .n = 1});
    profile_update(w->profile[WORLD_FEATURES + 1],
                   &(struct profile_column){.f64 = &loss, .n = 1});
}

// The window in which each subject speaks first, 0 for never.
static void first_alarms(const struct bend *bend, bool wild, uint32_t *at)
{
    static struct world w;
    struct judgement got;
    struct judge *j;
    struct judge_settings settings = judge_defaults();
    world_open(&w, 31, 400, 400);
    assert_int_equal(judge_open(w.baseline, &settings, &j), ST_OK);
    for (uint32_t h = 1; h <= 72; h++) {
        const struct drift_window *now = world_window(&w, h > 36 ? bend : &straight);
        if (wild)
            spoil(&w, h);
        assert_int_equal(judge_window(j, now, &got), ST_OK);
        for (uint32_t i = 0; i < got.alarms; i++)
            if (got.alarm[i].kind == ALARM_OPEN && at[got.alarm[i].subject] == 0)
                at[got.alarm[i].subject] = h;
    }
    judge_close(j);
    world_close(&w);
}

// Neither does one record in each window raise an alarm, nor does it hide a drift: what
// speaks without them speaks with them, at most three windows later.
static void one_record_neither_makes_nor_hides_an_alarm(void **state)
{
    (void)state;
    static const struct bend bends[] = {{0}, {.shift = 0.6}, {.missing = 0.2}};
    for (size_t b = 0; b < sizeof bends / sizeof *bends; b++) {
        uint32_t plain[32] = {0}, spoilt[32] = {0};
        first_alarms(&bends[b], false, plain);
        first_alarms(&bends[b], true, spoilt);
        for (int i = 0; i < 32; i++) {
            assert_true(spoilt[i] == 0 || spoilt[i] > 36);
            if (plain[i] && i < WORLD_FEATURES)
                assert_in_range(spoilt[i], plain[i], plain[i] + 3);
            if (!plain[i])
                assert_int_equal(spoilt[i], 0);
        }
    }
}

static void a_foreign_grid_and_a_foreign_name_are_counted_not_judged(void **state)
{
    struct scene *s = *state;
    struct judgement got;
    struct drift_window w = *world_window(&s->world, &straight);
    struct profile *bare = world_profile(PROFILE_NUMERIC, NULL);
    struct drift_feature feature[3] = {
        {span_text("x"), ROLE_INPUT, KIND_NUMERIC, bare},
        {span_text("nobody"), ROLE_INPUT, KIND_NUMERIC, bare},
        {span_text("f"), ROLE_INPUT, KIND_CATEGORICAL, bare}};
    w.feature = feature;
    w.features = 3;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_OK);
    assert_int_equal(got.foreign, 3);
    assert_int_equal(got.judged, 0);
    w.features = DRIFT_FEATURES_MAX + 1;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_RANGE);
    profile_close(bare);
}

static void windows_come_in_the_order_of_their_ends(void **state)
{
    struct scene *s = *state;
    struct judgement got;
    struct drift_window w = *world_window(&s->world, &straight);
    assert_int_equal(judge_window(s->judge, &w, &got), ST_OK);
    w.end -= 1;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_RANGE);
    w.start = w.end;
    assert_int_equal(judge_window(s->judge, &w, &got), ST_RANGE);
}

static void an_empty_window_moves_nothing(void **state)
{
    struct scene *s = *state;
    struct judgement got;
    struct drift_window w = *world_window(&s->world, &straight);
    for (int f = 0; f < WORLD_FEATURES + 2; f++)
        profile_reset(s->world.profile[f]);
    struct buf before, after;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    judge_encode(s->judge, &before);
    assert_int_equal(judge_window(s->judge, &w, &got), ST_OK);
    assert_int_equal(got.judged, 0);
    judge_encode(s->judge, &after);
    // all but the head, which counts the window and its end
    size_t head = 1 + 8 + 1 + 8;
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data + head, after.data + head, before.size - head);
    buf_fini(&before);
    buf_fini(&after);
}

static void state_as_bytes_goes_on_to_the_same_bits(void **state)
{
    struct scene *s = *state;
    struct judge_settings settings = judge_defaults();
    struct judge *other;
    struct buf bytes, again;
    buf_init(&bytes, 1 << 20);
    buf_init(&again, 1 << 20);
    world_judge(&s->world, s->judge, &straight, 30, ALARM_OPEN, NULL);
    world_judge(&s->world, s->judge, &(struct bend){.shift = 1, .error = 1}, 30,
                ALARM_OPEN, NULL);
    judge_encode(s->judge, &bytes);
    assert_true(bytes.size <= (size_t)judge_subjects(s->judge) * JUDGE_SUBJECT_BYTES);
    assert_int_equal(
        judge_decode(s->world.baseline, &settings, buf_span(&bytes), &other), ST_OK);
    for (uint32_t h = 0; h < 60; h++) {
        struct judgement a, b;
        const struct drift_window *w = world_window(&s->world, &straight);
        assert_int_equal(judge_window(s->judge, w, &a), ST_OK);
        assert_int_equal(judge_window(other, w, &b), ST_OK);
        assert_true(a.evidence == b.evidence && a.capped == b.capped);
        assert_true(a.alarms == b.alarms && a.judged == b.judged);
        for (uint32_t i = 0; i < a.alarms; i++)
            assert_true(a.alarm[i].subject == b.alarm[i].subject &&
                        a.alarm[i].effect == b.alarm[i].effect);
    }
    buf_clear(&bytes);
    judge_encode(s->judge, &bytes);
    judge_encode(other, &again);
    assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
    judge_close(other);
    buf_fini(&bytes);
    buf_fini(&again);
}

static void broken_state_is_refused(void **state)
{
    struct scene *s = *state;
    struct judge_settings settings = judge_defaults();
    struct judge *other;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    world_judge(&s->world, s->judge, &(struct bend){.shift = 1}, 30, ALARM_OPEN, NULL);
    judge_encode(s->judge, &bytes);
    for (size_t cut = 0; cut < bytes.size; cut += 7)
        assert_int_not_equal(judge_decode(s->world.baseline, &settings,
                                          span_of(bytes.data, cut), &other),
                             ST_OK);
    buf_put_u8(&bytes, 0);
    assert_int_equal(
        judge_decode(s->world.baseline, &settings, buf_span(&bytes), &other),
        ST_CORRUPT);
    bytes.data[0]++;
    assert_int_equal(
        judge_decode(s->world.baseline, &settings, buf_span(&bytes), &other),
        ST_VERSION);
    bytes.data[0]--;
    bytes.data[1]++;
    assert_int_equal(
        judge_decode(s->world.baseline, &settings, buf_span(&bytes), &other),
        ST_CONFLICT);
    buf_fini(&bytes);
}

static void memory_that_runs_out_is_told(void **state)
{
    struct scene *s = *state;
    struct judge_settings settings = judge_defaults();
    for (uint64_t n = 1;; n++) {
        struct judge *j = NULL;
        mem_fail_from(n);
        enum status st = judge_open(s->world.baseline, &settings, &j);
        mem_fail_from(0);
        if (st == ST_OK) {
            judge_close(j);
            assert_true(n > 5);
            return;
        }
        assert_int_equal(st, ST_NOMEM);
    }
}

static void settings_out_of_bounds_are_refused(void **state)
{
    struct scene *s = *state;
    struct judge *j;
    struct judge_settings bad[] = {judge_defaults(), judge_defaults(), judge_defaults(),
                                   judge_defaults()};
    bad[0].warn_feature = 0;
    bad[1].warn_model = NAN;
    bad[2].page_model = -1;
    bad[3].gate_factor = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(judge_open(s->world.baseline, &bad[i], &j), ST_RANGE);
}

static void distances_are_pooled_since_the_change(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    struct distance d;
    first_alarm(s, &(struct bend){.shift = 1}, 6, &a);
    world_judge(&s->world, s->judge, &(struct bend){.shift = 1}, 20, ALARM_OPEN, NULL);
    assert_true(judge_distance(s->judge, a.subject, &d));
    assert_true(d.rows >= 20 * 190 && d.rows <= 25 * 200);
    assert_true(d.psi > 0.5 && d.ks > 0.3 && d.auc > 0.2);
    assert_true(d.w1 > 0.8 && d.w1 < 1.2);
    assert_false(
        judge_distance(s->judge, world_subject(s->judge, SUBJECT_SCALAR, "loss"), &d));
}

static void a_restart_forgets_evidence_and_alerts(void **state)
{
    struct scene *s = *state;
    struct alarm a;
    first_alarm(s, &(struct bend){.shift = 1}, 6, &a);
    judge_restart(s->judge);
    for (uint32_t i = 0; i < judge_subjects(s->judge); i++) {
        struct judge_view v;
        judge_view(s->judge, i, &v);
        assert_int_equal(v.verdict, VERDICT_INSUFFICIENT);
        assert_true(v.evidence == 0 && v.capped == 0 && v.opened == 0);
    }
    assert_true(world_judge(&s->world, s->judge, &(struct bend){.shift = 1}, 6,
                            ALARM_OPEN, NULL) > 0);
}

static void few_rows_are_insufficient_and_say_how_many_more(void **state)
{
    struct scene *s = *state;
    struct judge_view v;
    world_judge(&s->world, s->judge, &straight, 1, ALARM_OPEN, NULL);
    uint32_t x = world_subject(s->judge, SUBJECT_NUMERIC, "x");
    judge_view(s->judge, x, &v);
    assert_int_equal(v.verdict, VERDICT_INSUFFICIENT);
    assert_true(v.rows_needed >= 100 && v.rows_needed <= 30 * 200);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(six_weeks_without_a_change_are_quiet),
        SCENE(a_shift_is_a_location_up_or_down),
        SCENE(a_shift_downwards_points_down),
        SCENE(missing_values_are_told_as_missing),
        SCENE(unseen_categories_are_the_tail_of_a_category),
        SCENE(a_relation_that_turns_is_seen_though_margins_stand_still),
        SCENE(errors_are_loss_and_bias),
        SCENE(an_alert_is_raised_once_escalated_and_cleared),
        SCENE(a_further_change_is_seen_behind_an_open_alert),
        SCENE(a_dead_feature_is_told_by_its_run_and_pages),
        SCENE(a_stuck_feature_is_gross),
        SCENE(evidence_on_the_capped_path_makes_a_page),
        SCENE(a_flash_window_is_judged_by_integrity_alone),
        SCENE(one_wild_value_changes_no_verdict),
        SCENE(a_foreign_grid_and_a_foreign_name_are_counted_not_judged),
        SCENE(windows_come_in_the_order_of_their_ends),
        SCENE(an_empty_window_moves_nothing),
        SCENE(state_as_bytes_goes_on_to_the_same_bits),
        SCENE(broken_state_is_refused),
        SCENE(memory_that_runs_out_is_told),
        SCENE(settings_out_of_bounds_are_refused),
        SCENE(distances_are_pooled_since_the_change),
        SCENE(a_restart_forgets_evidence_and_alerts),
        SCENE(few_rows_are_insufficient_and_say_how_many_more),
        cmocka_unit_test(one_record_neither_makes_nor_hides_an_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
