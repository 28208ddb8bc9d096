// SPDX-License-Identifier: Apache-2.0
#include "controller/act/act.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/drift/verdict.h"
#include "common/trust/sign.h"
#include "controller/act/decide.h"
#include "controller/act/dispatch.h"
#include "controller/act/inside.h"
#include "controller/log/audit.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "proto/messages/receipt.h"

#define SCRATCH_MAX (64u * 1024u)
#define WHY_MAX 1024u // as the record takes (RECORD_NOTE_MAX)

enum status act_open(struct act **out)
{
    struct act *a = MEM_NEW(struct act);
    if (!a)
        return ST_NOMEM;
    buf_init(&a->policy_text, POLICY_BYTES_MAX);
    buf_init(&a->why, WHY_MAX);
    buf_init(&a->scratch, SCRATCH_MAX);
    enum status st = plan_open(&a->plan);
    if (st == ST_OK)
        st = paper_init(&a->paper);
    if (st != ST_OK) {
        act_close(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void act_close(struct act *a)
{
    if (!a)
        return;
    plan_close(a->plan);
    paper_fini(&a->paper);
    policy_close(a->policy);
    buf_fini(&a->policy_text);
    buf_fini(&a->why);
    buf_fini(&a->scratch);
    mem_free(a);
}

void act_dropped(void *self)
{
    struct act *a = self;
    policy_close(a->policy);
    a->policy = NULL;
    buf_clear(&a->policy_text);
}

enum status act_policy(struct act *a, struct shelf *s, const struct policy **out)
{
    struct shelf_key key = key_policy();
    struct span text;
    enum status st = shelf_get(s, SHELF_CATALOG, &key, &text);
    if (st == ST_NOTFOUND)
        text = span_text("");
    else
        ST_TRY(st);
    if (!a->policy || !span_equal(text, buf_span(&a->policy_text))) {
        act_dropped(a);
        buf_put_span(&a->policy_text, text);
        ST_TRY(a->policy_text.failed);
        buf_clear(&a->why);
        st = policy_parse("policy", buf_span(&a->policy_text), &a->policy, &a->why);
        // It was checked when it was set; one that does not parse any more (written by
        // another version) allows nothing.
        if (st == ST_RANGE || st == ST_FULL)
            st = policy_parse("policy", span_text(""), &a->policy, &a->why);
        ST_TRY(st);
    }
    *out = a->policy;
    return ST_OK;
}

enum status act_rule(struct act *a, struct shelf *s, const struct record_alert *alert,
                     const struct policy_rule **out)
{
    const struct policy *policy;
    ST_TRY(act_policy(a, s, &policy));
    uint32_t model;
    struct serving serving;
    ST_TRY(names_model(s, alert->model, &model));
    ST_TRY(serving_read(s, model, &serving));
    const struct policy_facts facts = {
        .model = alert->model,
        .diagnosis = alert->diagnosis,
        .tier = span_text(tier_name(alert->tier)),
        .version = alert->version,
        .hosts = serving_count(&serving, alert->version),
        .is_automatic = span_is(alert->decision, "rollback"),
    };
    *out = policy_match(policy, &facts);
    serving_fini(&serving);
    return ST_OK;
}

// The plan's rule again, later in its life.
static enum status rule_of_plan(struct act *a, struct shelf *s,
                                const struct policy_rule **out)
{
    struct record_alert alert;
    ST_TRY(cases_read(&a->paper, s, a->plan->record.alert, &alert));
    return act_rule(a, s, &alert, out);
}

static bool has_plan(const struct record_alert *alert)
{
    static const uint8_t none[16];
    return memcmp(alert->plan, none, sizeof none) != 0;
}

// Binds plan and alert to each other, and begins at once where nobody need be asked.
static enum status adopt_plan(struct act *a, struct shelf *s,
                              struct record_alert *alert,
                              const struct policy_rule *rule,
                              const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, alert->model, &model));
    memcpy(alert->plan, p->record.plan, 16);
    ST_TRY(cases_write(&a->paper, s, alert, NULL, NULL, now, out));
    if (!plan_is_running(p->record.state) && !plan_is_waiting(p->record.state))
        return ST_OK;
    ST_TRY(plan_set_of_model(s, model, p->record.plan));
    if (p->record.state == PLAN_CANARY)
        return act_begin_wave(a, s, rule, now, out);
    return ST_OK;
}

// A plan for people that nobody has started dies with its alert.
static enum status supersede(struct act *a, struct shelf *s,
                             const struct record_alert *alert,
                             const struct fold_moment *now)
{
    if (!has_plan(alert))
        return ST_OK;
    enum status st = plan_load(a->plan, s, alert->plan);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    if (!plan_is_waiting(a->plan->record.state))
        return ST_OK;
    buf_clear(&a->why);
    buf_put_text(&a->why, "the alert closed before anybody started the plan");
    return act_halt(a, s, PLAN_SUPERSEDED, "", now);
}

enum status act_alert(void *self, struct shelf *s, const uint8_t *id,
                      const struct fold_moment *now, struct effects *out)
{
    struct act *a = self;
    struct record_alert alert;
    ST_TRY(cases_read(&a->paper, s, id, &alert));
    if (alert.state == ALERT_CLOSED)
        return supersede(a, s, &alert, now);
    bool is_rollback = span_is(alert.decision, "rollback") ||
                       span_is(alert.decision, "rollback_by_hand");
    if (!is_rollback || has_plan(&alert))
        return ST_OK;
    const struct policy_rule *rule;
    ST_TRY(act_rule(a, s, &alert, &rule));
    if (rule && rule->action != 0)
        return ST_OK;
    ST_TRY(decide_plan(a->plan, s, &alert, rule, span_text(""), span_text(""), now,
                       &a->why));
    return adopt_plan(a, s, &alert, rule, now, out);
}

enum status act_intent(void *self, struct shelf *s, struct span body,
                       const struct fold_moment *now, struct effects *out)
{
    struct act *a = self;
    struct record_intent intent;
    pool_clear(&a->paper.pool);
    enum status st =
        message_decode(&record_intent_message, body, &a->paper.pool, &intent);
    if (st != ST_OK)
        return st == ST_NOMEM ? st : ST_OK;
    st = plan_load(a->plan, s, intent.plan);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(dispatch_intent(a->plan, s, &intent, now, out));
    return plan_save(a->plan, s, "order.intent", NULL, now);
}

// The receipt's signature must be the agent's own; anything else is dropped, said aloud
// in the audit log.
static enum status check_receipt(struct act *a, struct shelf *s,
                                 const struct entry_report *r, struct span sigs,
                                 bool *is_good)
{
    *is_good = false;
    struct shelf_key key = key_agent(r->agent);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_AGENT, &key, &bytes);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    struct record_agent agent;
    pool_clear(&a->paper.pool);
    ST_TRY(message_decode(&record_agent_message, bytes, &a->paper.pool, &agent));
    const void *items;
    uint32_t count;
    st = message_decode_list(&signature_message, sigs, SIGNATURES_MAX, &a->paper.pool,
                             &items, &count);
    const struct signature *sig = items;
    for (uint32_t i = 0; st == ST_OK && i < count && !*is_good; i++)
        *is_good = sign_check(agent.sign, span_text(RECEIPT_TYPE), r->body,
                              sig[i].sig) == ST_OK;
    return st == ST_NOMEM ? st : ST_OK;
}

static enum status note_receipt(struct act *a, struct shelf *s,
                                const struct entry_report *r,
                                const struct receipt *receipt, const char *event,
                                const struct fold_moment *now)
{
    buf_clear(&a->scratch);
    buf_printf(&a->scratch, "%.*s%s%.*s", (int)receipt->state.size,
               (const char *)receipt->state.data, receipt->code.size ? " " : "",
               (int)receipt->code.size,
               receipt->code.size ? (const char *)receipt->code.data : "");
    char actor[33];
    for (int i = 0; i < 16; i++)
        snprintf(actor + 2 * i, 3, "%02x", r->agent[i]);
    const struct audit_change change = {
        .actor_kind = ACTOR_AGENT,
        .actor = span_text(actor),
        .event = event,
        .object = receipt->model,
        .after = r->body,
        .detail = buf_span(&a->scratch),
    };
    return audit_append(s, now, &change);
}

// All hosts of the wave serve the target: from here on their windows are watched.
static enum status begin_verify(struct act *a, struct shelf *s, uint32_t model)
{
    struct plan *p = a->plan;
    p->record.state = p->record.state == PLAN_CANARY ? PLAN_VERIFY_CANARY : PLAN_VERIFY;
    struct plan_step *step = plan_wave(p);
    step->state = p->record.state;
    struct shelf_key key = key_state('v', model);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_OK)
        st = verify_decode(bytes, &a->verify);
    ST_TRY(st);
    verify_begin(&a->verify, a->verify.latest_ns);
    step->started_event = a->verify.latest_ns;
    buf_clear(&a->scratch);
    verify_encode(&a->verify, &a->scratch);
    ST_TRY(a->scratch.failed);
    return shelf_put(s, SHELF_STATE, &key, buf_span(&a->scratch));
}

static enum status take_receipt(struct act *a, struct shelf *s,
                                const struct receipt *receipt,
                                const struct fold_moment *now)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    enum dispatch_result result;
    buf_clear(&a->why);
    ST_TRY(dispatch_receipt(p, receipt, &result, &a->why));
    if (p->record.state == PLAN_RESTORE && result != DISPATCH_PENDING)
        return act_restored(a, s, result == DISPATCH_APPLIED, now);
    if (result == DISPATCH_STOPPED)
        return act_halt(a, s, PLAN_HALTED, "E_RECEIPT", now);
    if (result == DISPATCH_APPLIED &&
        (p->record.state == PLAN_CANARY || p->record.state == PLAN_EXPAND)) {
        ST_TRY(begin_verify(a, s, model));
        return plan_save(p, s, "plan.applied", NULL, now);
    }
    return plan_save(p, s, NULL, NULL, now);
}

enum status act_receipt(void *self, struct shelf *s, const struct entry_report *r,
                        const struct fold_moment *now, struct effects *out)
{
    (void)out;
    struct act *a = self;
    bool is_good;
    ST_TRY(check_receipt(a, s, r, r->sigs, &is_good));
    struct receipt receipt;
    pool_clear(&a->paper.pool);
    enum status st =
        message_decode(&receipt_message, r->body, &a->paper.pool, &receipt);
    if (st != ST_OK)
        return st == ST_NOMEM ? st : ST_OK;
    bool is_own = memcmp(receipt.agent, r->agent, 16) == 0;
    if (!is_good || !is_own)
        return note_receipt(a, s, r, &receipt, "receipt.forged", now);
    ST_TRY(note_receipt(a, s, r, &receipt, "receipt", now));
    uint32_t model;
    uint8_t plan[CASE_ID_BYTES];
    bool has;
    st = names_model(s, receipt.model, &model);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(plan_of_model(s, model, plan, &has));
    if (!has)
        return ST_OK;
    ST_TRY(plan_load(a->plan, s, plan));
    return take_receipt(a, s, &receipt, now);
}

enum status act_resend(void *self, struct shelf *s, const uint8_t *agent,
                       struct effects *out)
{
    struct act *a = self;
    struct shelf_walk walk;
    struct shelf_key prefix = key_plans();
    shelf_walk_init(&walk, s, SHELF_PLAN, &prefix);
    struct span key, value;
    enum status st;
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK) {
        if (key.size != prefix.size + 16u)
            continue;
        uint8_t id[CASE_ID_BYTES];
        memcpy(id, key.data + prefix.size, sizeof id);
        ST_TRY(plan_load(a->plan, s, id));
        if (plan_is_running(a->plan->record.state))
            ST_TRY(dispatch_resend(a->plan, s, agent, NULL, out));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static enum status intend(struct act *a, struct shelf *s, const struct fold_moment *now,
                          struct effects *out)
{
    const struct policy_rule *rule;
    ST_TRY(rule_of_plan(a, s, &rule));
    return dispatch_intend(a->plan, s, rule, now, out);
}

// Hosts that answered without having done anything get a fresh order.
static enum status order_again(struct act *a, struct shelf *s,
                               const struct fold_moment *now, struct effects *out)
{
    dispatch_retry(a->plan);
    ST_TRY(plan_save(a->plan, s, "plan.retry", NULL, now));
    return intend(a, s, now, out);
}

// A wave that runs: ask for its INTENT again while it has none, send again what has no
// receipt, and end what nobody answered in time.
static enum status tick_plan(struct act *a, struct shelf *s,
                             const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    if (plan_is_waiting(p->record.state) && now->now_ns > p->record.expires) {
        buf_clear(&a->why);
        buf_put_text(&a->why, "nobody started the plan in seven days");
        return act_halt(a, s, PLAN_EXPIRED, "E_EXPIRED", now);
    }
    if (!plan_is_ordering(p->record.state))
        return ST_OK;
    const struct plan_step *step = plan_wave(p);
    for (uint32_t i = 0; step && i < step->hosts; i++)
        if (step->host[i].state == ORDER_PLANNED)
            return intend(a, s, now, out);
    if (step && now->now_ns > step->started + DISPATCH_TTL_MS * UINT64_C(1000000)) {
        buf_clear(&a->why);
        buf_put_text(&a->why, "a host did not answer its order in ten minutes");
        return act_halt(a, s, PLAN_HALTED, "E_TIMEOUT", now);
    }
    if (dispatch_wants_retry(p, now))
        return order_again(a, s, now, out);
    return dispatch_resend(p, s, NULL, now, out);
}

enum status act_tick(void *self, struct shelf *s, const struct fold_moment *now,
                     struct effects *out)
{
    struct act *a = self;
    struct shelf_walk walk;
    struct shelf_key prefix = key_plans();
    shelf_walk_init(&walk, s, SHELF_PLAN, &prefix);
    struct span key, value;
    enum status st;
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK) {
        if (key.size != prefix.size + 16u)
            continue;
        uint8_t id[CASE_ID_BYTES];
        memcpy(id, key.data + prefix.size, sizeof id);
        ST_TRY(plan_load(a->plan, s, id));
        ST_TRY(tick_plan(a, s, now, out));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

bool act_waits(void *self, struct shelf *s)
{
    struct act *a = self;
    struct shelf_walk walk;
    struct shelf_key prefix = key_plans();
    shelf_walk_init(&walk, s, SHELF_PLAN, &prefix);
    struct span key, value;
    while (shelf_walk_next(&walk, &key, &value) == ST_OK) {
        if (key.size != prefix.size + 16u)
            continue;
        uint8_t id[CASE_ID_BYTES];
        memcpy(id, key.data + prefix.size, sizeof id);
        if (plan_load(a->plan, s, id) == ST_OK &&
            plan_is_ordering(a->plan->record.state))
            return true;
    }
    return false;
}
