// Incident: which alerts go back to one cause, and what becomes of it.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/incident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/drift/verdict.h"
#include "controller/log/incidents.h"
#include "controller/log/keys.h"
#include "controller/log/lineage.h"
#include "controller/log/memory.h"
#include "controller/log/names.h"

#define S NS_PER_S
#define MINUTE (60 * S)
#define T0 (UINT64_C(1790000000) * S)

struct world {
    struct memory *memory;
    struct shelf *s;
    struct incident_desk *desk;
    struct effects *effects;
    struct paper paper;
    uint64_t alerts;
    struct fold_moment now;
};

static int set_up(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    assert_int_equal(memory_open(64u << 20, &w.memory), ST_OK);
    w.s = memory_shelf(w.memory);
    memory_begin(w.memory);
    assert_int_equal(incident_desk_open(&w.desk), ST_OK);
    assert_int_equal(effects_open(&w.effects), ST_OK);
    assert_int_equal(paper_init(&w.paper), ST_OK);
    w.now.now_ns = T0;
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    incident_desk_close(w->desk);
    effects_close(w->effects);
    paper_fini(&w->paper);
    memory_close(w->memory);
    return 0;
}

static void lineage(struct world *w, const char *text)
{
    assert_int_equal(lineage_put(w->s, 0, 1, span_text(text)), ST_OK);
}

struct opened {
    uint64_t incident; // its number
    uint8_t alert[CASE_ID_BYTES];
    struct incident_place place;
};

// An alert of `model` with an onset `minute`s after T0 opens, as the desk of alerts
// does.
static struct opened alarm_of(struct world *w, const char *model, uint32_t minute,
                              bool is_own, uint8_t tier)
{
    struct opened o;
    uint32_t number;
    const struct incident_alert a = {.model = span_text(model),
                                     .version = span_text("v1"),
                                     .onset_ns = T0 + minute * MINUTE,
                                     .end_ns = T0 + (minute + 1) * MINUTE,
                                     .window_ns = MINUTE,
                                     .rows = 100,
                                     .is_own = is_own};
    w->now.now_ns = a.end_ns;
    assert_int_equal(names_model_new(w->s, a.model, &number), ST_OK);
    case_id(++w->alerts, o.alert);
    assert_int_equal(incident_place(w->desk, w->s, &a, &o.place), ST_OK);
    assert_int_equal(cases_set_open(w->s, number, o.alert), ST_OK);
    assert_int_equal(incident_join(w->desk, w->s, &a, &o.place, o.alert, tier, &w->now),
                     ST_OK);
    uint8_t id[CASE_ID_BYTES];
    assert_int_equal(incidents_of_alert(w->s, o.alert, id), ST_OK);
    o.incident = case_number(id);
    return o;
}

static struct opened alarm(struct world *w, const char *model, uint32_t minute)
{
    return alarm_of(w, model, minute, false, TIER_WARN);
}

static void clears(struct world *w, const struct opened *o, const char *model,
                   uint32_t minute)
{
    uint32_t number;
    w->now.now_ns = T0 + minute * MINUTE;
    assert_int_equal(names_model(w->s, span_text(model), &number), ST_OK);
    assert_int_equal(cases_set_open(w->s, number, NULL), ST_OK);
    assert_int_equal(incident_left(w->desk, w->s, o->alert, w->now.now_ns, &w->now),
                     ST_OK);
}

static struct record_incident record(struct world *w, uint64_t number)
{
    struct record_incident i;
    uint8_t id[CASE_ID_BYTES];
    case_id(number, id);
    assert_int_equal(incidents_read(&w->paper, w->s, id, &i), ST_OK);
    return i;
}

static uint32_t command(struct world *w, const char *verb, const char *incident,
                        const char *key, const char *value)
{
    struct entry_command c = {.verb = span_text(verb),
                              .actor = span_text("ann"),
                              .role = span_text("operator"),
                              .args = 2};
    c.arg[0] = (struct entry_arg){span_text("incident"), span_text(incident)};
    c.arg[1] = (struct entry_arg){span_text(key), span_text(value)};
    effects_clear(w->effects);
    assert_int_equal(incident_command(w->desk, w->s, &c, &w->now, w->effects), ST_OK);
    assert_int_equal(effects_len(w->effects), 1);
    return effects_at(w->effects, 0)->code;
}

static void what_a_drifting_parent_feeds_joins_it(void **state)
{
    struct world *w = *state;
    lineage(w, "root -> a -> b -> kpi:shop\nroot -> c\nother -> d\n");
    uint64_t root = alarm(w, "root", 10).incident;
    assert_int_equal(alarm(w, "a", 11).incident, root);
    assert_int_equal(alarm(w, "b", 13).incident, root);
    assert_int_equal(alarm(w, "c", 11).incident, root);
    // Nothing leads from one to the other.
    assert_int_not_equal(alarm(w, "d", 11).incident, root);
    struct record_incident i = record(w, root);
    assert_true(span_is(i.cause, "root"));
    assert_int_equal(i.alerts, 4);
    assert_int_equal(i.open_alerts, 4);
}

static void siblings_name_what_feeds_them_both(void **state)
{
    struct world *w = *state;
    lineage(w, "feed:clicks -> feature:ctr -> a\nfeature:ctr -> b\nfeature:age -> c\n");
    uint64_t first = alarm(w, "a", 10).incident;
    assert_int_equal(alarm(w, "b", 12).incident, first);
    assert_int_not_equal(alarm(w, "c", 12).incident, first);
    struct record_incident i = record(w, first);
    assert_true(span_is(i.cause, "feature:ctr"));
    assert_true(span_is(i.kind, "upstream"));
}

static void a_root_that_alarms_last_becomes_the_cause(void **state)
{
    struct world *w = *state;
    lineage(w, "root -> a\nroot -> b\n");
    uint64_t first = alarm(w, "a", 10).incident;
    assert_int_equal(alarm(w, "b", 11).incident, first);
    assert_int_equal(alarm_of(w, "root", 9, true, TIER_WARN).incident, first);
    struct record_incident i = record(w, first);
    assert_true(span_is(i.cause, "root"));
    assert_true(i.onset == T0 + 9 * MINUTE);
}

static void a_second_cause_opens_another(void **state)
{
    struct world *w = *state;
    lineage(w, "root -> a -> b\n");
    struct opened root = alarm_of(w, "root", 10, false, TIER_PAGE);
    struct opened joined = alarm(w, "a", 11);
    assert_true(joined.place.has_paged);
    // Its own deployment did it, whatever happens above.
    struct opened own = alarm_of(w, "b", 12, true, TIER_PAGE);
    assert_int_not_equal(own.incident, root.incident);
    assert_false(own.place.has_paged);
    assert_true(span_is(record(w, own.incident).kind, "own"));
}

static void a_shift_long_after_is_another_cause(void **state)
{
    struct world *w = *state;
    lineage(w, "feature:x -> a\nfeature:x -> b\n");
    uint64_t first = alarm(w, "a", 10).incident;
    assert_int_not_equal(alarm(w, "b", 200).incident, first);
}

static void acknowledged_it_is_quiet_until_clear_and_armed_then(void **state)
{
    struct world *w = *state;
    lineage(w, "root -> a\n");
    struct opened root = alarm_of(w, "root", 10, false, TIER_PAGE);
    assert_int_equal(command(w, "incident.ack", "1", "why", "on it"), 0);
    struct opened a = alarm(w, "a", 12);
    assert_int_equal(a.incident, root.incident);
    assert_true(a.place.has_paged);
    assert_int_equal(record(w, 1).state, INCIDENT_ACKED);
    clears(w, &root, "root", 30);
    assert_int_equal(record(w, 1).state, INCIDENT_ACKED);
    clears(w, &a, "a", 31);
    assert_int_equal(record(w, 1).state, INCIDENT_CLEARED);
    assert_int_equal(command(w, "incident.ack", "1", "why", ""), 6);
    // The same cause, the same day: it calls again.
    struct opened again = alarm_of(w, "root", 60, false, TIER_PAGE);
    assert_int_equal(again.incident, root.incident);
    assert_true(again.place.is_reopened);
    assert_false(again.place.has_paged);
    assert_int_equal(record(w, 1).state, INCIDENT_OPEN);
    assert_int_equal(record(w, 1).reopened, 1);
}

static void days_later_it_is_a_new_one(void **state)
{
    struct world *w = *state;
    struct opened first = alarm(w, "root", 10);
    clears(w, &first, "root", 20);
    assert_int_not_equal(alarm(w, "root", 20 + 25 * 60).incident, first.incident);
}

static void people_close_it_with_its_cause_and_reopen_it(void **state)
{
    struct world *w = *state;
    struct opened first = alarm(w, "root", 10);
    assert_int_equal(command(w, "incident.close", "1", "why", "no cause said"), 2);
    assert_int_equal(command(w, "incident.close", "9", "cause", "x"), 3);
    assert_int_equal(command(w, "incident.close", "1", "cause", "feed:clicks"), 0);
    assert_int_equal(command(w, "incident.close", "1", "cause", "feed:clicks"), 6);
    struct record_incident i = record(w, 1);
    assert_int_equal(i.state, INCIDENT_CLOSED);
    assert_true(span_is(i.true_cause, "feed:clicks"));
    assert_true(span_is(i.closed_by, "ann"));
    assert_int_equal(command(w, "incident.reopen", "1", "why", "not over"), 0);
    assert_int_equal(record(w, 1).state, INCIDENT_OPEN);
    assert_int_equal(record(w, 1).true_cause.size, 0);
    clears(w, &first, "root", 20);
    assert_int_equal(record(w, 1).state, INCIDENT_CLEARED);
}

static void a_viewer_only_looks(void **state)
{
    struct world *w = *state;
    (void)alarm(w, "root", 10);
    struct entry_command c = {
        .verb = span_text("incident.ack"), .role = span_text("viewer"), .args = 1};
    c.arg[0] = (struct entry_arg){span_text("incident"), span_text("1")};
    assert_int_equal(incident_command(w->desk, w->s, &c, &w->now, w->effects), ST_OK);
    assert_int_equal(effects_at(w->effects, 0)->code, 4);
    assert_int_equal(record(w, 1).state, INCIDENT_OPEN);
}

// A detector for each of `n` models, so that the desk knows how many there are.
static void detectors(struct world *w, uint32_t n)
{
    for (uint32_t m = 1; m <= n; m++) {
        struct shelf_key key = key_detector(m, 1);
        assert_int_equal(shelf_put(w->s, SHELF_STATE, &key, span_text("x")), ST_OK);
    }
}

static void when_most_models_move_the_cause_is_outside(void **state)
{
    struct world *w = *state;
    struct opened o = {.incident = 0};
    detectors(w, 30);
    uint64_t own = alarm_of(w, "deployed", 5, true, TIER_WARN).incident;
    for (uint32_t i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "m%u", i);
        o = alarm_of(w, name, 10 + i, false, TIER_PAGE);
        if (i < 5)
            assert_false(o.place.is_outside);
    }
    assert_true(o.place.is_outside);
    struct record_incident i = record(w, o.incident);
    assert_true(span_is(i.kind, "outside"));
    // Those from before the storm was known are in it, but not a cause of its own.
    assert_int_equal(i.alerts, 20);
    assert_int_equal(record(w, own).state, INCIDENT_OPEN);
    assert_int_equal(record(w, own + 1).state, INCIDENT_CLOSED);
    struct incident_ties ties;
    assert_int_equal(incident_ties(w->desk, w->s, o.alert, &ties), ST_OK);
    assert_true(ties.is_outside);
    assert_true(ties.has_paged);
}

static void what_was_served_while_bad_is_counted(void **state)
{
    struct world *w = *state;
    struct opened o = alarm(w, "root", 10);
    for (uint32_t k = 0; k < 5; k++)
        assert_int_equal(incident_heard(w->desk, w->s, o.alert, TIER_WARN, 40,
                                        T0 + (20 + k) * MINUTE, &w->now),
                         ST_OK);
    struct record_member m;
    uint8_t id[CASE_ID_BYTES];
    case_id(o.incident, id);
    assert_int_equal(incidents_member(&w->paper, w->s, id, o.alert, &m), ST_OK);
    assert_int_equal(m.rows, 300);
}

static void another_lineage_counts_from_its_import_on(void **state)
{
    struct world *w = *state;
    lineage(w, "root -> a\n");
    uint64_t first = alarm(w, "root", 10).incident;
    lineage(w, "root -> z\n");
    assert_int_not_equal(alarm(w, "a", 11).incident, first);
    assert_int_equal(alarm(w, "z", 11).incident, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_drifting_parent_feeds_joins_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(siblings_name_what_feeds_them_both, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_root_that_alarms_last_becomes_the_cause,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_cause_opens_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_shift_long_after_is_another_cause, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            acknowledged_it_is_quiet_until_clear_and_armed_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(days_later_it_is_a_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(people_close_it_with_its_cause_and_reopen_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_viewer_only_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_most_models_move_the_cause_is_outside,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_served_while_bad_is_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_lineage_counts_from_its_import_on,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
