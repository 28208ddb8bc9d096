// Blame: the cause of a small fleet's trouble, and what must not change the answer.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "controller/watch/blame_report.h"

#define WINDOWS 60u
#define ONSET 40u
#define SECOND_NS UINT64_C(1000000000)
#define WINDOW_NS (300 * SECOND_NS)
#define START_NS (UINT64_C(1790000000) * SECOND_NS)
#define MODELS 12u

// src -> 0 -> 1 -> 2 -> kpi, and src -> 3, src -> 4; 5.. stand beside it, 5 -> 6 ->
// kpi.
static const struct {
    const char *up, *down;
} lineage[] = {{"src", "m00"}, {"m00", "m01"},      {"m01", "m02"}, {"m02", "kpi:shop"},
               {"src", "m03"}, {"src", "m04"},      {"m03", "m02"}, {"m04", "m02"},
               {"m05", "m06"}, {"m06", "kpi:shop"}, {"m07", "m08"}};

enum fault { QUIET, DEPLOY, SOURCE, LATENCY, ERRORS };

// How the case is built; all zero is the plain one.
struct maker {
    enum fault fault;
    const char *prefix; // before every name of a model: other names, other order
    double latency_unit;
    uint64_t clock_ns; // added to every time
    uint32_t idle;     // models that do nothing, beside the others
    bool backwards;    // entities arrive in the opposite order
    bool is_deleted;   // the cause's windows are gone from the onset on
    bool is_reversed;  // the edge from the cause points at it
    bool no_lineage;
    bool no_event;
};

static uint32_t entity_of(struct blame_case *c, const struct maker *m, const char *name)
{
    char text[64];
    uint32_t e;
    bool is_model = name[0] == 'm';
    snprintf(text, sizeof text, "%s%s", is_model && m->prefix ? m->prefix : "", name);
    assert_int_equal(blame_case_entity(c, span_text(text), &e), ST_OK);
    return e;
}

// Shift of model `i` in window `k` for the fault, by signal.
static double shift_of(const struct maker *m, uint32_t i, uint32_t k,
                       const char *signal)
{
    bool is_in = strcmp(signal, "in_drift") == 0,
         is_out = strcmp(signal, "out_drift") == 0;
    bool down1 = k > ONSET, on = k >= ONSET;
    switch (m->fault) {
    case DEPLOY:
        if (i == 1 && is_out && on)
            return 0.6;
        return i == 2 && down1 && (is_in || is_out) ? 0.35 : 0;
    case SOURCE:
        if ((i == 0 || i == 3 || i == 4) && on && is_in)
            return 0.5;
        if ((i == 0 || i == 3 || i == 4) && down1 && is_out)
            return 0.3;
        return (i == 1 || i == 2) && k > ONSET + 1 && (is_in || is_out) ? 0.2 : 0;
    case LATENCY:
        if (strcmp(signal, "p95") != 0)
            return 0;
        return (i == 1 && on) || (i == 2 && down1) ? 80 : 0;
    case ERRORS:
        if (strcmp(signal, "err") != 0)
            return 0;
        return (i == 1 && on) || (i == 2 && down1) ? 0.05 : 0;
    default:
        return 0;
    }
}

static void add_signal(struct blame_case *c, const struct maker *m, uint32_t i,
                       uint32_t entity, const char *signal, double base, double noise)
{
    double *value;
    // Noise depends on the model and the signal, not on the order of arrival.
    struct random r = {.state =
                           1000 + i * 31 + (uint64_t)signal[0] * 7 + strlen(signal)};
    assert_int_equal(blame_case_signal(c, entity, span_text(signal), &value), ST_OK);
    double unit = strcmp(signal, "p95") == 0 && m->latency_unit ? m->latency_unit : 1;
    for (uint32_t k = 0; k < WINDOWS; k++) {
        double v =
            fmax(0, base + noise * random_normal(&r)) + shift_of(m, i, k, signal);
        bool is_gone = m->is_deleted && i == 1 && k >= ONSET - 2;
        value[k] = is_gone ? NAN : v * unit;
    }
}

static void add_model(struct blame_case *c, const struct maker *m, uint32_t i)
{
    char name[16];
    snprintf(name, sizeof name, "m%02u", i);
    uint32_t e = entity_of(c, m, name);
    add_signal(c, m, i, e, "in_drift", 0.05, 0.01);
    add_signal(c, m, i, e, "out_drift", 0.04, 0.01);
    add_signal(c, m, i, e, "err", 0.002, 0.0005);
    add_signal(c, m, i, e, "p95", 40, 2);
    add_signal(c, m, i, e, "vol", 1000, 50);
}

static void add_kpi(struct blame_case *c, const struct maker *m)
{
    struct random r = {.state = 77};
    double *value;
    uint32_t e = entity_of(c, m, "kpi:shop");
    assert_int_equal(blame_case_signal(c, e, span_text("kpi"), &value), ST_OK);
    for (uint32_t k = 0; k < WINDOWS; k++) {
        bool fell = m->fault != QUIET && k >= ONSET + 2;
        value[k] = 100 + random_normal(&r) - (fell ? 12 : 0);
    }
}

static void add_lineage(struct blame_case *c, const struct maker *m)
{
    for (size_t i = 0; i < sizeof lineage / sizeof *lineage && !m->no_lineage; i++) {
        uint32_t up = entity_of(c, m, lineage[i].up);
        uint32_t down = entity_of(c, m, lineage[i].down);
        bool turn = m->is_reversed && strcmp(lineage[i].up, "m01") == 0;
        assert_int_equal(blame_case_edge(c, turn ? down : up, turn ? up : down), ST_OK);
    }
}

static struct blame_case made(const struct maker *m)
{
    struct blame_case c;
    uint64_t start[WINDOWS];
    for (uint32_t k = 0; k < WINDOWS; k++)
        start[k] = START_NS + m->clock_ns + k * WINDOW_NS;
    assert_int_equal(blame_case_open(&c, start, WINDOWS, WINDOW_NS), ST_OK);
    for (uint32_t i = 0; i < MODELS; i++)
        add_model(&c, m, m->backwards ? MODELS - 1 - i : i);
    for (uint32_t i = 0; i < m->idle; i++) {
        char name[32];
        snprintf(name, sizeof name, "idle-%04u", i);
        add_signal(&c, m, 5000 + i, entity_of(&c, m, name), "out_drift", 0.04, 0.01);
    }
    add_kpi(&c, m);
    add_lineage(&c, m);
    uint64_t at = START_NS + m->clock_ns + ONSET * WINDOW_NS - 100 * SECOND_NS;
    if (m->fault == DEPLOY && !m->no_event)
        assert_int_equal(
            blame_case_event(&c, entity_of(&c, m, "m01"), at, span_text("deploy")),
            ST_OK);
    struct blame_question q = {.kpi = span_text("kpi:shop"),
                               .reported_ns =
                                   START_NS + m->clock_ns + (ONSET + 3) * WINDOW_NS};
    assert_int_equal(blame_case_seal(&c, &q), ST_OK);
    return c;
}

static struct blame_answer asked(const struct blame_case *c)
{
    struct blame_answer a;
    assert_int_equal(blame_run(c, NULL, &a), ST_OK);
    return a;
}

static bool is_named(const struct blame_case *c, uint32_t entity, const char *tail)
{
    struct span n = c->entity[entity].name;
    size_t size = strlen(tail);
    return n.size >= size && memcmp(n.data + n.size - size, tail, size) == 0;
}

static const struct blame_finding *found(const struct blame_case *c,
                                         const struct blame_answer *a, const char *name)
{
    for (uint32_t e = 0; e < c->entities; e++)
        if (is_named(c, e, name))
            return &a->finding[e];
    fail();
    return NULL;
}

static void leads_with(const struct maker *m, const char *name)
{
    struct blame_case c = made(m);
    struct blame_answer a = asked(&c);
    assert_int_equal(a.verdict, BLAME_CAUSE);
    assert_true(is_named(&c, a.rank[0], name));
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

static void finds_a_bad_deployment_and_its_event(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = DEPLOY});
    struct blame_answer a = asked(&c);
    const struct blame_finding *f = found(&c, &a, "m01");
    assert_int_equal(a.rank[0], f->entity);
    assert_int_equal(f->onset.best, ONSET);
    assert_int_not_equal(f->event, BLAME_NONE);
    assert_true(f->onset.low <= ONSET && f->onset.high >= ONSET);
    const struct blame_finding *child = found(&c, &a, "m02");
    assert_int_equal(child->explained_by, f->entity);
    assert_true(child->score < f->score / 3);
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

static void finds_every_kind(void **state)
{
    (void)state;
    leads_with(&(struct maker){.fault = LATENCY}, "m01");
    leads_with(&(struct maker){.fault = ERRORS}, "m01");
    leads_with(&(struct maker){.fault = SOURCE}, "src");
    leads_with(&(struct maker){.fault = DEPLOY, .no_event = true}, "m01");
}

static void a_quiet_hour_has_no_suspect(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = QUIET});
    struct blame_answer a = asked(&c);
    assert_int_equal(a.verdict, BLAME_NOTHING);
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

// The order and the shares must be those of the plain case, name for name.
static void same_ranking(const struct maker *m, bool exact)
{
    struct blame_case plain = made(&(struct maker){.fault = m->fault}), c = made(m);
    struct blame_answer a = asked(&plain), b = asked(&c);
    assert_int_equal(a.verdict, b.verdict);
    for (uint32_t i = 0; i < 4; i++) {
        char tail[64];
        struct span n = plain.entity[a.rank[i]].name;
        snprintf(tail, sizeof tail, "%.*s", (int)n.size, (const char *)n.data);
        assert_true(is_named(&c, b.rank[i], tail));
        double x = a.finding[a.rank[i]].share, y = b.finding[b.rank[i]].share;
        assert_true(exact ? x == y : fabs(x - y) < 1e-6);
    }
    blame_answer_fini(&a);
    blame_answer_fini(&b);
    blame_case_fini(&plain);
    blame_case_fini(&c);
}

static void names_clocks_and_order_decide_nothing(void **state)
{
    (void)state;
    for (enum fault f = DEPLOY; f <= ERRORS; f++) {
        same_ranking(&(struct maker){.fault = f, .prefix = "zz-"}, true);
        same_ranking(&(struct maker){.fault = f, .backwards = true}, true);
        same_ranking(&(struct maker){.fault = f, .clock_ns = 86400 * SECOND_NS}, true);
    }
}

static void units_and_idle_models_decide_nothing(void **state)
{
    (void)state;
    for (enum fault f = DEPLOY; f <= ERRORS; f++) {
        same_ranking(&(struct maker){.fault = f, .latency_unit = 1000}, false);
        struct maker idle = {.fault = f, .idle = 1000};
        struct blame_case c = made(&idle);
        struct blame_answer a = asked(&c);
        assert_true(is_named(&c, a.rank[0], f == SOURCE ? "src" : "m01"));
        blame_answer_fini(&a);
        blame_case_fini(&c);
    }
}

static void a_cause_without_windows_is_blind(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = LATENCY, .is_deleted = true});
    struct blame_answer a = asked(&c);
    assert_true(found(&c, &a, "m01")->is_blind);
    assert_int_equal(found(&c, &a, "m01")->reason, BLAME_BLIND);
    assert_false(found(&c, &a, "m05")->is_blind);
    assert_false(found(&c, &a, "kpi:shop")->is_blind);
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

static void a_reversed_edge_lowers_the_confidence(void **state)
{
    (void)state;
    for (enum fault f = DEPLOY; f <= ERRORS; f++) {
        if (f == SOURCE)
            continue;
        struct blame_case c = made(&(struct maker){.fault = f});
        struct blame_case r = made(&(struct maker){.fault = f, .is_reversed = true});
        struct blame_answer a = asked(&c), b = asked(&r);
        assert_true(b.confidence < a.confidence);
        assert_int_equal(b.verdict, BLAME_NOT_SURE);
        blame_answer_fini(&a);
        blame_answer_fini(&b);
        blame_case_fini(&c);
        blame_case_fini(&r);
    }
}

static void without_lineage_it_is_not_sure(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = DEPLOY, .no_lineage = true});
    struct blame_answer a = asked(&c);
    assert_int_equal(a.verdict, BLAME_NOT_SURE);
    assert_true(is_named(&c, a.rank[0], "m01"));
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

static void the_path_is_the_shortest(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = SOURCE});
    uint32_t src, step[8];
    assert_int_equal(blame_case_find(&c, span_text("src"), &src), ST_OK);
    assert_int_equal(blame_path(&c, src, step, 8), 4);
    assert_true(is_named(&c, step[1], "m03")); // as short as by m04; the name decides
    assert_true(is_named(&c, step[3], "kpi:shop"));
    assert_int_equal(blame_case_find(&c, span_text("m08"), &src), ST_OK);
    assert_int_equal(blame_path(&c, src, step, 8), 0);
    blame_case_fini(&c);
}

static void the_report_is_the_same_bytes_twice(void **state)
{
    (void)state;
    struct buf text[2];
    for (int i = 0; i < 2; i++) {
        struct blame_case c =
            made(&(struct maker){.fault = DEPLOY, .backwards = i == 1});
        struct blame_answer a = asked(&c);
        struct json j;
        buf_init(&text[i], 1 << 20);
        json_init(&j, &text[i]);
        json_object(&j);
        blame_report_json(&c, &a, BLAME_RFC3339, BLAME_NAMES, &j);
        json_object_end(&j);
        blame_report_table(&c, &a, -1, &text[i]);
        blame_answer_fini(&a);
        blame_case_fini(&c);
    }
    assert_int_equal(text[0].failed, ST_OK);
    assert_true(span_equal(buf_span(&text[0]), buf_span(&text[1])));
    buf_fini(&text[0]);
    buf_fini(&text[1]);
}

static void a_neutral_map_claims_little(void **state)
{
    (void)state;
    assert_true(blame_map_apply(NULL, 0.3) == 0.3);
    assert_true(blame_map_apply(NULL, 1) == BLAME_NEUTRAL_MAX);
    struct blame_map m;
    double share[] = {0.9};
    bool right[] = {true};
    assert_int_equal(blame_map_fit(share, right, 1, &m), ST_OK);
    assert_int_equal(m.points, 0);
}

static void a_map_rises_and_follows_what_was_right(void **state)
{
    (void)state;
    double share[400];
    bool right[400];
    struct random r = {.state = 5};
    for (int i = 0; i < 400; i++) {
        share[i] = random_unit(&r);
        right[i] = random_unit(&r) < share[i] * share[i]; // over-confident
    }
    struct blame_map m;
    assert_int_equal(blame_map_fit(share, right, 400, &m), ST_OK);
    assert_true(m.points > 2);
    for (uint32_t i = 1; i < m.points; i++)
        assert_true(m.share[i] > m.share[i - 1] && m.right[i] >= m.right[i - 1]);
    assert_true(fabs(blame_map_apply(&m, 0.5) - 0.25) < 0.15);
    assert_true(blame_map_apply(&m, 0.95) > 0.75);
    assert_true(blame_map_apply(&m, 1) < 1);
}

static void kinds_are_told_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum blame_family family;
        bool is_good, is_outer;
    } rows[] = {{"out_drift", BLAME_DRIFT, false, false},
                {"latency.Average", BLAME_LATENCY, false, false},
                {"Server_LAT_p95", BLAME_LATENCY, false, false},
                {"availability.Average", BLAME_ERRORS, true, false},
                {"err", BLAME_ERRORS, false, false},
                {"requests.Sum", BLAME_TRAFFIC, false, false},
                {"syscall_read", BLAME_SELF, false, true},
                {"network_rx", BLAME_SELF, false, true},
                {"cpu_m", BLAME_SELF, false, false},
                {"kpi", BLAME_KPI, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct blame_kind k = blame_kind_of(span_text(rows[i].name));
        assert_int_equal(k.family, rows[i].family);
        assert_int_equal(k.is_good, rows[i].is_good);
        assert_int_equal(k.is_outer, rows[i].is_outer);
    }
    assert_true(blame_kind_of(span_text("in_drift")).is_input);
}

static void refuses_what_it_cannot_search(void **state)
{
    (void)state;
    struct blame_case c;
    struct blame_answer a;
    uint64_t start[8], twice[2] = {5, 5};
    for (uint32_t k = 0; k < 8; k++)
        start[k] = k * WINDOW_NS;
    assert_int_equal(blame_case_open(&c, twice, 2, 1), ST_RANGE);
    assert_int_equal(blame_case_open(&c, start, 0, 1), ST_RANGE);
    assert_int_equal(blame_case_open(&c, start, 5, WINDOW_NS), ST_OK);
    assert_int_equal(blame_run(&c, NULL, &a), ST_RANGE); // not sealed
    struct blame_question q = {.reported_ns = start[4]};
    assert_int_equal(blame_case_seal(&c, &q), ST_RANGE); // five windows are too few
    blame_case_fini(&c);
    assert_int_equal(blame_case_open(&c, start, 8, WINDOW_NS), ST_OK);
    uint32_t e;
    double *v, *w;
    assert_int_equal(blame_case_entity(&c, span_text(""), &e), ST_RANGE);
    assert_int_equal(blame_case_entity(&c, span_text("a"), &e), ST_OK);
    assert_int_equal(blame_case_signal(&c, e, span_text("err"), &v), ST_OK);
    assert_int_equal(blame_case_signal(&c, e, span_text("err"), &w), ST_EXISTS);
    assert_ptr_equal(v, w);
    assert_int_equal(blame_case_edge(&c, e, 7), ST_RANGE);
    q.reported_ns = start[7];
    assert_int_equal(blame_case_seal(&c, &q), ST_OK);
    assert_int_equal(blame_run(&c, NULL, &a), ST_OK); // nothing at all: nobody
    assert_int_equal(a.verdict, BLAME_NOTHING);
    blame_answer_fini(&a);
    blame_case_fini(&c);
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    struct blame_case c = made(&(struct maker){.fault = DEPLOY});
    struct blame_answer a;
    for (uint64_t n = 1; n < 1000; n++) {
        (void)mem_fail_from(n);
        enum status st = blame_run(&c, NULL, &a);
        (void)mem_fail_from(0);
        if (st == ST_OK) {
            blame_answer_fini(&a);
            break;
        }
        assert_int_equal(st, ST_NOMEM);
    }
    blame_case_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_bad_deployment_and_its_event),
        cmocka_unit_test(finds_every_kind),
        cmocka_unit_test(a_quiet_hour_has_no_suspect),
        cmocka_unit_test(names_clocks_and_order_decide_nothing),
        cmocka_unit_test(units_and_idle_models_decide_nothing),
        cmocka_unit_test(a_cause_without_windows_is_blind),
        cmocka_unit_test(a_reversed_edge_lowers_the_confidence),
        cmocka_unit_test(without_lineage_it_is_not_sure),
        cmocka_unit_test(the_path_is_the_shortest),
        cmocka_unit_test(the_report_is_the_same_bytes_twice),
        cmocka_unit_test(a_neutral_map_claims_little),
        cmocka_unit_test(a_map_rises_and_follows_what_was_right),
        cmocka_unit_test(kinds_are_told_by_name),
        cmocka_unit_test(refuses_what_it_cannot_search),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
