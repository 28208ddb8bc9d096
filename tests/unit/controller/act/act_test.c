// A plan's whole life over a shelf in memory: from an alert to a closed case, and every
// way in which it has to stop instead.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/act/act.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/drift/verdict.h"
#include "common/sketch/profile.h"
#include "common/trust/sign.h"
#include "controller/act/decide.h"
#include "controller/act/dispatch.h"
#include "controller/act/plan.h"
#include "controller/log/cases.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/log/tape.h"
#include "proto/messages/order.h"
#include "proto/messages/receipt.h"

#define DAY UINT64_C(86400000000000)
#define HOSTS 3

static const char auto_policy[] =
    "policy \"p\" { mode = \"auto\" executor = \"sw\" waves = {\"1 host\", \"100%\"} "
    "verify { min_samples = 16 max = \"14d\" } }";

struct world {
    struct memory *memory;
    struct shelf *shelf;
    struct act *act;
    struct effects *effects;
    struct fold_moment now;
    uint32_t model;
    uint8_t seed[HOSTS][32];
    uint8_t alert[16];
};

static void put_agent(struct world *w, uint8_t i)
{
    static const struct span glob = {(const uint8_t *)"*", 1};
    static const struct agent_executor executor = {
        .name = {(const uint8_t *)"sw", 2},
        .kind = {(const uint8_t *)"symlink", 7},
        .digest = {7}};
    char host[8];
    snprintf(host, sizeof host, "h%u", i);
    struct record_agent a = {.host = span_text(host),
                             .state = AGENT_ACTIVE,
                             .gen = 1,
                             .model = &glob,
                             .models = 1,
                             .executor = &executor,
                             .executors = 1};
    a.agent[0] = (uint8_t)(i + 1);
    assert_int_equal(sign_make(w->seed[i]), ST_OK);
    assert_int_equal(sign_public(w->seed[i], a.sign), ST_OK);
    struct shelf_key key = key_agent(a.agent);
    assert_int_equal(
        records_put(w->shelf, SHELF_AGENT, &key, &record_agent_message, &a), ST_OK);
    struct record_attest served = {.host = span_text(host),
                                   .model = span_text("m"),
                                   .version = span_text("v2"),
                                   .before = span_text("v1"),
                                   .cause = span_text("switch"),
                                   .at = 10 * DAY};
    memcpy(served.agent, a.agent, 16);
    key = key_served(w->model, a.agent, served.at);
    assert_int_equal(
        records_put(w->shelf, SHELF_AGENT, &key, &record_attest_message, &served),
        ST_OK);
}

static void put_version(struct world *w, const char *name)
{
    uint32_t number;
    struct record_version v = {
        .model = span_text("m"), .version = span_text(name), .artifact = {9}};
    assert_int_equal(names_version_new(w->shelf, w->model, span_text(name), &number),
                     ST_OK);
    struct shelf_key key = key_version(w->model, span_text(name));
    assert_int_equal(
        records_put(w->shelf, SHELF_CATALOG, &key, &record_version_message, &v), ST_OK);
}

static void put_policy(struct world *w, const char *text)
{
    struct shelf_key key = key_policy();
    assert_int_equal(shelf_put(w->shelf, SHELF_CATALOG, &key, span_text(text)), ST_OK);
}

static void put_alert(struct world *w, const char *decision)
{
    const struct record_finding loss = {.feature = span_text("loss"),
                                        .signal = span_text("level"),
                                        .tier = TIER_WARN,
                                        .direction = 1,
                                        .effect = 1,
                                        .evidence = 1e6,
                                        .before = 32,
                                        .now = 250};
    struct record_alert a = {.model = span_text("m"),
                             .version = span_text("v2"),
                             .opened_event = 12 * DAY,
                             .updated_event = 12 * DAY,
                             .tier = TIER_WARN,
                             .diagnosis = span_text("bad_version"),
                             .decision = span_text(decision),
                             .why = span_text("it began with this version"),
                             .finding = &loss,
                             .findings = 1};
    struct paper paper;
    case_id(1, w->alert);
    memcpy(a.alert, w->alert, 16);
    assert_int_equal(paper_init(&paper), ST_OK);
    assert_int_equal(
        cases_write(&paper, w->shelf, &a, "alert.open", NULL, &w->now, w->effects),
        ST_OK);
    assert_int_equal(cases_set_open(w->shelf, w->model, w->alert), ST_OK);
    paper_fini(&paper);
}

static int open_world(void **state)
{
    struct world *w = MEM_NEW(struct world);
    assert_non_null(w);
    w->now = (struct fold_moment){.now_ns = 100 * DAY, .pos = {1, 10}};
    assert_int_equal(memory_open(64u << 20, &w->memory), ST_OK);
    w->shelf = memory_shelf(w->memory);
    assert_int_equal(effects_open(&w->effects), ST_OK);
    assert_int_equal(act_open(&w->act), ST_OK);
    assert_int_equal(names_model_new(w->shelf, span_text("m"), &w->model), ST_OK);
    put_version(w, "v1");
    put_version(w, "v2");
    for (uint8_t i = 0; i < HOSTS; i++)
        put_agent(w, i);
    put_policy(w, auto_policy);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    act_close(w->act);
    effects_close(w->effects);
    memory_close(w->memory);
    mem_free(w);
    return 0;
}

static void tell_alert(struct world *w)
{
    assert_int_equal(act_alert(w->act, w->shelf, w->alert, &w->now, w->effects), ST_OK);
}

// Folds the INTENTs that were asked for; gives how many orders went out since.
static uint32_t read_back_intents(struct world *w)
{
    uint8_t body[4096];
    uint32_t orders = 0, before = effects_len(w->effects);
    for (uint32_t i = 0; i < before; i++) {
        const struct effect *e = effects_at(w->effects, i);
        if (e->kind != EFFECT_APPEND)
            continue;
        assert_int_equal(e->number, TAPE_INTENT);
        assert_true(e->bytes.size <= sizeof body);
        memcpy(body, e->bytes.data, e->bytes.size);
        w->now.pos.seq++;
        assert_int_equal(act_intent(w->act, w->shelf, span_of(body, e->bytes.size),
                                    &w->now, w->effects),
                         ST_OK);
    }
    for (uint32_t i = before; i < effects_len(w->effects); i++)
        orders += effects_at(w->effects, i)->kind == EFFECT_ORDER;
    return orders;
}

static void load(struct world *w, struct plan *p)
{
    uint8_t id[16];
    case_id(1, id);
    assert_int_equal(plan_load(p, w->shelf, id), ST_OK);
}

static uint8_t state_of_plan(struct world *w)
{
    struct plan *p;
    assert_int_equal(plan_open(&p), ST_OK);
    load(w, p);
    uint8_t state = p->record.state;
    plan_close(p);
    return state;
}

// The host's answer to the order of the running wave, signed by host `signer`.
static void answer(struct world *w, uint8_t host, uint8_t signer, const char *said,
                   const char *code)
{
    struct plan *p;
    assert_int_equal(plan_open(&p), ST_OK);
    load(w, p);
    struct receipt r = {.seq = 1,
                        .state = span_text(said),
                        .code = span_text(code),
                        .model = span_text("m"),
                        .before_version = span_text("v2"),
                        .after_version = span_text("v1")};
    r.agent[0] = (uint8_t)(host + 1);
    struct plan_host *h = plan_host_of(p, r.agent);
    if (h)
        memcpy(r.order, h->order, 16);
    plan_close(p);
    struct buf body, sigs;
    struct signature sig = {.alg = span_text("ed25519")};
    buf_init(&body, 8192);
    buf_init(&sigs, 1024);
    memset(r.boot, 1, sizeof r.boot);
    memset(r.sess, 1, sizeof r.sess);
    assert_int_equal(message_encode(&receipt_message, &r, &body, NULL), ST_OK);
    assert_int_equal(
        sign_body(w->seed[signer], span_text(RECEIPT_TYPE), buf_span(&body), sig.sig),
        ST_OK);
    sig.kid[0] = 1;
    assert_int_equal(message_encode_list(&signature_message, &sig, 1, &sigs, NULL),
                     ST_OK);
    const struct entry_report report = {
        .agent = r.agent, .body = buf_span(&body), .sigs = buf_span(&sigs)};
    assert_int_equal(act_receipt(w->act, w->shelf, &report, &w->now, w->effects),
                     ST_OK);
    buf_fini(&body);
    buf_fini(&sigs);
}

// One day of one host: `n` losses around `level`.
static void day(struct world *w, uint8_t host, const char *version, uint64_t number,
                double level)
{
    const struct profile_options options = {.kind = PROFILE_SIGNAL, .width = GRID_F64};
    struct profile *p = NULL;
    struct random r = {number * 31 + host};
    double value[12];
    assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
    for (size_t i = 0; i < 12; i++)
        value[i] = level + 10 * random_normal(&r);
    profile_update(p, &(struct profile_column){.f64 = value, .n = 12});
    uint8_t agent[16] = {(uint8_t)(host + 1)};
    const struct judged_feature f = {
        .name = span_text("loss"), .role = 3, .profile = p};
    const struct judged_window win = {.model = span_text("m"),
                                      .version = span_text(version),
                                      .model_no = w->model,
                                      .agent = agent,
                                      .start_ns = number * DAY,
                                      .end_ns = (number + 1) * DAY,
                                      .rows = 12,
                                      .feature = &f,
                                      .features = 1};
    assert_int_equal(act_instance_window(w->act, w->shelf, &win, &w->now, w->effects),
                     ST_OK);
    profile_close(p);
}

static bool alert_is_closed(struct world *w)
{
    struct paper paper;
    struct record_alert a;
    assert_int_equal(paper_init(&paper), ST_OK);
    assert_int_equal(cases_read(&paper, w->shelf, w->alert, &a), ST_OK);
    bool is_closed = a.state == ALERT_CLOSED;
    paper_fini(&paper);
    return is_closed;
}

static uint8_t canary_of(struct world *w)
{
    struct plan *p;
    assert_int_equal(plan_open(&p), ST_OK);
    load(w, p);
    uint8_t host = (uint8_t)(p->step[0].host[0].agent[0] - 1);
    plan_close(p);
    return host;
}

static void canary_then_the_rest_then_closed(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(state_of_plan(w), PLAN_CANARY);
    assert_int_equal(read_back_intents(w), 1);
    uint8_t canary = canary_of(w);
    answer(w, canary, canary, "done", "");
    assert_int_equal(state_of_plan(w), PLAN_VERIFY_CANARY);
    effects_clear(w->effects);
    for (uint64_t d = 13; d < 15; d++)
        for (uint8_t h = 0; h < HOSTS; h++)
            day(w, h, h == canary ? "v1" : "v2", d, h == canary ? 35 : 250);
    assert_int_equal(state_of_plan(w), PLAN_EXPAND);
    assert_int_equal(read_back_intents(w), 2);
    for (uint8_t h = 0; h < HOSTS; h++)
        if (h != canary)
            answer(w, h, h, "done", "");
    assert_int_equal(state_of_plan(w), PLAN_VERIFY);
    for (uint64_t d = 16; d < 18; d++)
        for (uint8_t h = 0; h < HOSTS; h++)
            day(w, h, "v1", d, 35);
    assert_int_equal(state_of_plan(w), PLAN_DONE);
    assert_true(alert_is_closed(w));
    bool is_held;
    assert_int_equal(decide_is_held(w->shelf, w->model, span_text("v2"), &is_held),
                     ST_OK);
    assert_true(is_held);
}

static void nothing_is_sent_before_the_intent_is_read_back(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    for (uint32_t i = 0; i < effects_len(w->effects); i++)
        assert_int_not_equal(effects_at(w->effects, i)->kind, EFFECT_ORDER);
}

static void asking_twice_for_an_intent_sends_once(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(act_tick(w->act, w->shelf, &w->now, w->effects), ST_OK);
    assert_int_equal(read_back_intents(w), 1);
}

static uint32_t orders_of(struct world *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < effects_len(w->effects); i++)
        n += effects_at(w->effects, i)->kind == EFFECT_ORDER;
    return n;
}

static uint32_t tell_restored(struct world *w, const char *role)
{
    const struct entry_command c = {.verb = span_text("fleet.restored"),
                                    .actor = span_text("system"),
                                    .role = span_text(role)};
    assert_int_equal(act_command(w->act, w->shelf, &c, &w->now, w->effects), ST_OK);
    return effects_at(w->effects, effects_len(w->effects) - 1)->code;
}

// The order was out when the backup was taken; whether it was carried out since, a
// restored store cannot know.
static void what_was_restored_never_sends_an_order_of_before(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(read_back_intents(w), 1);
    uint8_t agent[16] = {(uint8_t)(canary_of(w) + 1)};
    effects_clear(w->effects);
    assert_int_equal(act_resend(w->act, w->shelf, agent, w->effects), ST_OK);
    assert_int_equal(orders_of(w), 1); // as it is after a mere restart
    assert_int_not_equal(tell_restored(w, "admin"), 0);
    assert_int_equal(tell_restored(w, "system"), 0);
    effects_clear(w->effects);
    assert_int_equal(act_resend(w->act, w->shelf, agent, w->effects), ST_OK);
    for (int i = 0; i < 30; i++) {
        w->now.now_ns += 30 * UINT64_C(1000000000);
        assert_int_equal(act_tick(w->act, w->shelf, &w->now, w->effects), ST_OK);
        assert_int_equal(read_back_intents(w), 0);
    }
    assert_int_equal(orders_of(w), 0);
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
    // Nor does the alert start a plan again by itself.
    tell_alert(w);
    assert_int_equal(read_back_intents(w), 0);
}

static void a_refused_order_halts(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w);
    answer(w, canary, canary, "refused", "E_PRECOND");
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
    assert_false(alert_is_closed(w));
}

// The order that stands for this host in the running wave.
static struct token order_of(struct world *w, uint8_t host, uint8_t id[16])
{
    struct plan *p;
    const uint8_t agent[16] = {(uint8_t)(host + 1)};
    assert_int_equal(plan_open(&p), ST_OK);
    load(w, p);
    const struct plan_host *h = plan_host_of(p, agent);
    assert_non_null(h);
    memcpy(id, h->order, 16);
    struct token token = {h->gen, h->seq};
    plan_close(p);
    return token;
}

// A tick after `s` seconds; gives how many orders went out with it.
static uint32_t tick_after(struct world *w, uint64_t s)
{
    effects_clear(w->effects);
    w->now.now_ns += s * UINT64_C(1000000000);
    assert_int_equal(act_tick(w->act, w->shelf, &w->now, w->effects), ST_OK);
    return read_back_intents(w);
}

static void an_order_that_expired_undone_is_given_anew(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w), first[16], second[16];
    struct token old = order_of(w, canary, first);
    answer(w, canary, canary, "expired", "E_EXPIRED");
    assert_int_equal(state_of_plan(w), PLAN_CANARY);
    assert_int_equal(tick_after(w, 2), 1);
    struct token fresh = order_of(w, canary, second);
    assert_memory_not_equal(first, second, 16);
    assert_true(fresh.gen == old.gen && fresh.seq > old.seq);
    answer(w, canary, canary, "done", "");
    assert_int_equal(state_of_plan(w), PLAN_VERIFY_CANARY);
}

static void an_order_is_not_given_anew_for_ever(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w);
    for (uint32_t i = 1; i < DISPATCH_TRIES; i++) {
        answer(w, canary, canary, "expired", "E_EXPIRED");
        assert_int_equal(tick_after(w, 60), 1);
    }
    answer(w, canary, canary, "expired", "E_EXPIRED");
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
}

static void only_the_host_that_did_nothing_is_ordered_again(void **state)
{
    struct world *w = *state;
    put_policy(w, "policy \"p\" { mode = \"auto\" executor = \"sw\" waves = "
                  "{\"100%\"} }");
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(read_back_intents(w), HOSTS);
    uint8_t first[16], now[16];
    struct token old = order_of(w, 0, first);
    answer(w, 0, 0, "done", "");
    answer(w, 1, 1, "expired", "E_EXPIRED");
    assert_int_equal(tick_after(w, 2), 0); // one still owes its answer
    answer(w, 2, 2, "done", "");
    assert_int_equal(tick_after(w, 2), 1);
    assert_int_equal(order_of(w, 0, now).seq, old.seq);
    assert_memory_equal(first, now, 16);
    answer(w, 1, 1, "done", "ALREADY");
    assert_int_equal(state_of_plan(w), PLAN_VERIFY_CANARY);
}

static void what_was_done_is_not_undone_by_a_late_answer(void **state)
{
    struct world *w = *state;
    put_policy(w, "policy \"p\" { mode = \"auto\" executor = \"sw\" waves = "
                  "{\"100%\"} }");
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    answer(w, 0, 0, "done", "");
    answer(w, 0, 0, "expired", "E_EXPIRED");
    answer(w, 1, 1, "done", "");
    answer(w, 2, 2, "done", "");
    assert_int_equal(state_of_plan(w), PLAN_VERIFY_CANARY);
}

static void a_receipt_by_another_key_changes_nothing(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w);
    answer(w, canary, (uint8_t)((canary + 1) % HOSTS), "done", "");
    assert_int_equal(state_of_plan(w), PLAN_CANARY);
}

// Orders the canary and lets it stay as bad as it was.
static uint8_t useless_canary(struct world *w)
{
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w);
    answer(w, canary, canary, "done", "");
    effects_clear(w->effects);
    for (uint64_t d = 13; d < 15; d++)
        for (uint8_t h = 0; h < HOSTS; h++)
            day(w, h, h == canary ? "v1" : "v2", d, 250);
    return canary;
}

// The only order among the effects.
static void sent_order(struct world *w, struct order *out, struct pool *pool)
{
    for (uint32_t i = 0; i < effects_len(w->effects); i++) {
        const struct effect *e = effects_at(w->effects, i);
        if (e->kind == EFFECT_ORDER)
            assert_int_equal(message_decode(&order_message, e->bytes, pool, out),
                             ST_OK);
    }
}

static void a_canary_that_stays_bad_goes_back_and_the_alert_stays_open(void **state)
{
    struct world *w = *state;
    uint8_t canary = useless_canary(w);
    assert_int_equal(state_of_plan(w), PLAN_RESTORE);
    assert_int_equal(read_back_intents(w), 1);
    static uint8_t memory[16384];
    struct pool pool;
    struct order order = {0};
    pool_init(&pool, memory, sizeof memory);
    sent_order(w, &order, &pool);
    assert_true(span_is(order.if_version, "v1") && span_is(order.to_version, "v2"));
    assert_int_equal(order.agent[0], canary + 1);
    assert_int_equal(order.step, 2); // behind the canary and the rest
    answer(w, canary, canary, "done", "");
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
    assert_false(alert_is_closed(w));
    struct plan *p;
    assert_int_equal(plan_open(&p), ST_OK);
    load(w, p);
    assert_true(span_is(p->record.code, "E_INEFFECTIVE"));
    assert_int_equal(p->step[0].host[0].state, ORDER_INEFFECTIVE);
    plan_close(p);
}

static void a_canary_that_cannot_go_back_halts_too(void **state)
{
    struct world *w = *state;
    uint8_t canary = useless_canary(w);
    assert_int_equal(read_back_intents(w), 1);
    answer(w, canary, canary, "refused", "E_LOCAL");
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
}

static void where_the_policy_says_halt_nothing_goes_back(void **state)
{
    struct world *w = *state;
    put_policy(w,
               "policy \"p\" { mode = \"auto\" executor = \"sw\" waves = {\"1 host\", "
               "\"100%\"} verify { min_samples = 16 max = \"14d\" on_fail = \"halt\" } "
               "}");
    (void)useless_canary(w);
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
    assert_int_equal(read_back_intents(w), 0);
}

static void a_silent_canary_is_inconclusive_and_halts_in_the_end(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback");
    tell_alert(w);
    (void)read_back_intents(w);
    uint8_t canary = canary_of(w);
    answer(w, canary, canary, "done", "");
    for (uint64_t d = 13; d < 25; d++)
        day(w, (uint8_t)((canary + 1) % HOSTS), "v2", d, 250);
    assert_int_equal(state_of_plan(w), PLAN_VERIFY_CANARY);
    for (uint64_t d = 25; d < 32; d++)
        day(w, (uint8_t)((canary + 1) % HOSTS), "v2", d, 250);
    assert_int_equal(state_of_plan(w), PLAN_HALTED);
}

static void without_a_policy_it_only_suggests(void **state)
{
    struct world *w = *state;
    put_policy(w, "");
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(effects_len(w->effects), 1);     // the alert itself
    assert_int_equal(state_of_plan(w), PLAN_REFUSED); // no executor is named
}

static void what_only_a_person_may_start_waits_in_mode_auto(void **state)
{
    struct world *w = *state;
    put_alert(w, "rollback_by_hand");
    tell_alert(w);
    assert_int_equal(state_of_plan(w), PLAN_OPEN);
    assert_int_equal(read_back_intents(w), 0);
}

static void observe_plans_and_does_nothing(void **state)
{
    struct world *w = *state;
    put_policy(w, "policy \"p\" { mode = \"observe\" executor = \"sw\" }");
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(state_of_plan(w), PLAN_RECOMMEND);
    assert_int_equal(read_back_intents(w), 0);
}

static void a_held_version_is_no_target(void **state)
{
    struct world *w = *state;
    assert_int_equal(
        decide_hold(w->shelf, w->model, span_text("v1"), span_text("x"), &w->now),
        ST_OK);
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(state_of_plan(w), PLAN_REFUSED);
}

static void a_model_that_was_just_changed_rests(void **state)
{
    struct world *w = *state;
    assert_int_equal(decide_note_effect(w->shelf, w->model, 12 * DAY - 1), ST_OK);
    put_alert(w, "rollback");
    tell_alert(w);
    assert_int_equal(state_of_plan(w), PLAN_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(canary_then_the_rest_then_closed),
        TEST(nothing_is_sent_before_the_intent_is_read_back),
        TEST(asking_twice_for_an_intent_sends_once),
        TEST(what_was_restored_never_sends_an_order_of_before),
        TEST(a_refused_order_halts),
        TEST(an_order_that_expired_undone_is_given_anew),
        TEST(an_order_is_not_given_anew_for_ever),
        TEST(only_the_host_that_did_nothing_is_ordered_again),
        TEST(what_was_done_is_not_undone_by_a_late_answer),
        TEST(a_receipt_by_another_key_changes_nothing),
        TEST(a_canary_that_stays_bad_goes_back_and_the_alert_stays_open),
        TEST(a_canary_that_cannot_go_back_halts_too),
        TEST(where_the_policy_says_halt_nothing_goes_back),
        TEST(a_silent_canary_is_inconclusive_and_halts_in_the_end),
        TEST(without_a_policy_it_only_suggests),
        TEST(what_only_a_person_may_start_waits_in_mode_auto),
        TEST(observe_plans_and_does_nothing),
        TEST(a_held_version_is_no_target),
        TEST(a_model_that_was_just_changed_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
