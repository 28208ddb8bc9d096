// What people tell plans: request, approve, reject, abort, resume, release.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/text.h"
#include "controller/act/decide.h"
#include "controller/act/dispatch.h"
#include "controller/act/inside.h"
#include "controller/log/audit.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"

// Exit codes of the operators' command.
enum {
    CODE_OK = 0,
    CODE_USAGE = 2,
    CODE_NOT_FOUND = 3,
    CODE_DENIED = 4,
    CODE_CONFLICT = 6
};

struct call {
    struct act *a;
    struct shelf *s;
    const struct entry_command *c;
    const struct fold_moment *now;
    struct effects *out;
};

static enum status answer(const struct call *k, uint32_t code, const char *text)
{
    const struct effect e = {.kind = EFFECT_ANSWER,
                             .number = k->c->request,
                             .code = code,
                             .text = span_text(text),
                             .bytes =
                                 span_text(code == CODE_OK ? "{\"done\":true}" : "")};
    return effects_add(k->out, &e);
}

static enum status answer_plan(const struct call *k)
{
    const struct record_plan *r = &k->a->plan->record;
    struct buf b;
    struct json j;
    buf_init(&b, 4096);
    json_init(&j, &b);
    json_object(&j);
    json_key_u64(&j, "plan", case_number(r->plan));
    json_key_cstr(&j, "state", plan_state_name(r->state));
    json_key_text(&j, "code", r->code);
    json_key_text(&j, "why", r->why);
    json_object_end(&j);
    const struct effect e = {.kind = EFFECT_ANSWER,
                             .number = k->c->request,
                             .code = CODE_OK,
                             .bytes = buf_span(&b)};
    enum status st = b.failed ? b.failed : effects_add(k->out, &e);
    buf_fini(&b);
    return st;
}

// A plan that came to nothing is kept for `rollback status`; the asker is told why.
static enum status answer_refused(const struct call *k)
{
    const struct record_plan *r = &k->a->plan->record;
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "plan %llu is refused, %.*s: %.*s",
               (unsigned long long)case_number(r->plan), (int)r->code.size,
               r->code.size ? (const char *)r->code.data : "", (int)r->why.size,
               r->why.size ? (const char *)r->why.data : "");
    enum status st = b.failed ? b.failed : answer(k, CODE_CONFLICT, buf_cstr(&b));
    buf_fini(&b);
    return st;
}

static bool may(const struct call *k, const char *least)
{
    static const char *const ranks[] = {"operator", "approver", "admin"};
    int wanted = 0, has = -1;
    for (int i = 0; i < 3; i++) {
        if (strcmp(least, ranks[i]) == 0)
            wanted = i;
        if (span_is(k->c->role, ranks[i]))
            has = i;
    }
    return has >= wanted;
}

// Loads the plan that the command names. Answers and gives ST_NOTFOUND when it cannot.
static enum status load_named(const struct call *k)
{
    uint64_t number;
    if (text_u64(entry_arg(k->c, "plan"), &number) != ST_OK) {
        ST_TRY(answer(k, CODE_USAGE,
                      "a plan is named by its number: kedge rollback status"));
        return ST_NOTFOUND;
    }
    uint8_t id[CASE_ID_BYTES];
    case_id(number, id);
    enum status st = plan_load(k->a->plan, k->s, id);
    if (st == ST_NOTFOUND)
        ST_TRY(answer(k, CODE_NOT_FOUND,
                      "no such plan: kedge rollback status lists them"));
    return st;
}

static enum status start(const struct call *k)
{
    struct record_alert alert;
    const struct policy_rule *rule;
    struct act *a = k->a;
    ST_TRY(cases_read(&a->paper, k->s, a->plan->record.alert, &alert));
    ST_TRY(act_rule(a, k->s, &alert, &rule));
    ST_TRY(act_begin_wave(a, k->s, rule, k->now, k->out));
    return answer_plan(k);
}

static enum status request(const struct call *k)
{
    if (!may(k, "operator"))
        return answer(k, CODE_DENIED, "requesting a rollback takes the role operator");
    struct record_plan *r = &k->a->plan->record;
    if (r->state == PLAN_AWAIT_APPROVAL)
        return answer(k, CODE_CONFLICT,
                      "the plan waits for approval: kedge rollback approve");
    if (r->state != PLAN_OPEN)
        return answer(k, CODE_CONFLICT, "the plan does not wait for anybody");
    return start(k);
}

static enum status approve(const struct call *k)
{
    if (!may(k, "approver"))
        return answer(k, CODE_DENIED, "approving a rollback takes the role approver");
    struct plan *p = k->a->plan;
    struct record_plan *r = &p->record;
    if (!plan_is_waiting(r->state))
        return answer(k, CODE_CONFLICT, "the plan does not wait for approval");
    struct plan_approval all[8];
    uint32_t n = r->approvals < 7 ? r->approvals : 7;
    for (uint32_t i = 0; i < n; i++) {
        all[i] = r->approval[i];
        if (span_equal(all[i].actor, k->c->actor))
            return answer(k, CODE_CONFLICT, "you have approved this plan already");
    }
    all[n] = (struct plan_approval){.actor = k->c->actor, .at = k->now->now_ns};
    r->approval = all;
    r->approvals = n + 1;
    ST_TRY(plan_save(p, k->s, "plan.approve", &k->c->actor, k->now));
    if (r->approvals < r->approvals_needed)
        return answer_plan(k);
    uint8_t id[CASE_ID_BYTES];
    memcpy(id, r->plan, sizeof id);
    ST_TRY(plan_load(p, k->s, id));
    return start(k);
}

static enum status reject(const struct call *k)
{
    if (!may(k, "operator"))
        return answer(k, CODE_DENIED, "rejecting a plan takes the role operator");
    if (!plan_is_waiting(k->a->plan->record.state))
        return answer(k, CODE_CONFLICT, "the plan does not wait for anybody");
    buf_clear(&k->a->why);
    buf_printf(&k->a->why, "rejected by %.*s", (int)k->c->actor.size,
               (const char *)k->c->actor.data);
    ST_TRY(act_halt(k->a, k->s, PLAN_REFUSED, "E_REJECTED", k->now));
    return answer_plan(k);
}

static enum status abort_plan(const struct call *k)
{
    if (!may(k, "operator"))
        return answer(k, CODE_DENIED, "stopping automation takes the role operator");
    uint8_t state = k->a->plan->record.state;
    if (!plan_is_waiting(state) && !plan_is_running(state))
        return answer(k, CODE_CONFLICT, "the plan has ended already");
    buf_clear(&k->a->why);
    buf_printf(&k->a->why, "aborted by %.*s; hosts that were switched stay as they are",
               (int)k->c->actor.size, (const char *)k->c->actor.data);
    ST_TRY(act_halt(k->a, k->s, PLAN_HALTED, "E_ABORTED", k->now));
    return answer_plan(k);
}

static enum status note(const struct call *k, const char *event, const char *detail)
{
    const struct audit_change change = {.actor_kind = ACTOR_USER,
                                        .actor = k->c->actor,
                                        .event = event,
                                        .object = span_text("@fleet"),
                                        .detail = span_text(detail)};
    return audit_append(k->s, k->now, &change);
}

static enum status stop_all(const struct call *k)
{
    if (!may(k, "operator"))
        return answer(k, CODE_DENIED, "stopping automation takes the role operator");
    struct shelf_key key = key_state('S', 0);
    ST_TRY(shelf_put(k->s, SHELF_STATE, &key, k->c->actor));
    ST_TRY(note(k, "stop", "no automatic plan starts until an approver resumes"));
    return answer(k, CODE_OK, "");
}

static enum status resume(const struct call *k)
{
    if (!may(k, "approver"))
        return answer(k, CODE_DENIED, "resuming automation takes the role approver");
    struct shelf_key key = key_state('S', 0);
    enum status st = shelf_del(k->s, SHELF_STATE, &key);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    ST_TRY(note(k, "resume", "automation may start plans again"));
    return answer(k, CODE_OK, "");
}

// The store is an older one: what became of the orders behind it nobody here knows. So
// no plan of that time goes on, none starts by itself, and people look first.
static enum status restored(const struct call *k)
{
    struct shelf_walk walk;
    struct shelf_key prefix = key_plans(), stop = key_state('S', 0);
    struct span key;
    enum status st;
    if (!span_is(k->c->role, "system"))
        return answer(k, CODE_DENIED, "only a restore says that");
    ST_TRY(shelf_put(k->s, SHELF_STATE, &stop, k->c->actor));
    ST_TRY(note(k, "restored", "the store came from a backup; automation is stopped"));
    shelf_walk_init(&walk, k->s, SHELF_PLAN, &prefix);
    while ((st = shelf_walk_next(&walk, &key, NULL)) == ST_OK) {
        uint8_t id[CASE_ID_BYTES];
        if (key.size != prefix.size + sizeof id)
            continue;
        memcpy(id, key.data + prefix.size, sizeof id);
        ST_TRY(plan_load(k->a->plan, k->s, id));
        uint8_t state = k->a->plan->record.state;
        if (!plan_is_waiting(state) && !plan_is_running(state))
            continue;
        buf_clear(&k->a->why);
        buf_put_text(&k->a->why, "the store was restored from a backup: ask the hosts "
                                 "what they serve, then plan anew");
        ST_TRY(act_halt(k->a, k->s, PLAN_HALTED, "E_RESTORED", k->now));
    }
    return st == ST_EMPTY ? answer(k, CODE_OK, "") : st;
}

static enum status release(const struct call *k)
{
    if (!may(k, "approver"))
        return answer(k, CODE_DENIED, "releasing a version takes the role approver");
    uint32_t model;
    enum status st = names_model(k->s, entry_arg(k->c, "model"), &model);
    if (st == ST_OK)
        st = decide_release(k->s, model, entry_arg(k->c, "version"));
    if (st == ST_NOTFOUND)
        return answer(k, CODE_NOT_FOUND, "that version is not held: kedge model show");
    ST_TRY(st);
    ST_TRY(note(k, "release", "a held version may serve again"));
    return answer(k, CODE_OK, "");
}

// A plan that a person wants: from an open alert, to a version that may be named.
static enum status plan_it(const struct call *k)
{
    if (!may(k, "operator"))
        return answer(k, CODE_DENIED, "planning a rollback takes the role operator");
    uint32_t model;
    uint8_t id[CASE_ID_BYTES];
    bool is_open = false;
    enum status st = names_model(k->s, entry_arg(k->c, "model"), &model);
    if (st == ST_OK)
        st = cases_open_of(k->s, model, id, &is_open);
    if (st == ST_NOTFOUND || (st == ST_OK && !is_open))
        return answer(k, CODE_NOT_FOUND, "that model has no open alert to plan for");
    ST_TRY(st);
    struct record_alert alert;
    const struct policy_rule *rule;
    ST_TRY(cases_read(&k->a->paper, k->s, id, &alert));
    ST_TRY(act_rule(k->a, k->s, &alert, &rule));
    struct policy_rule by_hand;
    if (rule) {
        by_hand = *rule;
        by_hand.mode = by_hand.mode == POLICY_APPROVE ? POLICY_APPROVE : POLICY_SUGGEST;
        rule = &by_hand;
    }
    ST_TRY(decide_plan(k->a->plan, k->s, &alert, rule, entry_arg(k->c, "to"),
                       k->c->actor, k->now, &k->a->why));
    if (plan_is_waiting(k->a->plan->record.state)) {
        memcpy(alert.plan, k->a->plan->record.plan, 16);
        ST_TRY(cases_write(&k->a->paper, k->s, &alert, NULL, NULL, k->now, k->out));
        ST_TRY(plan_set_of_model(k->s, model, alert.plan));
    }
    if (k->a->plan->record.state == PLAN_REFUSED)
        return answer_refused(k);
    return answer_plan(k);
}

static enum status answer_policy(const struct call *k, const struct policy *p)
{
    struct buf b;
    struct json j;
    buf_init(&b, 64u << 10);
    json_init(&j, &b);
    json_object(&j);
    json_key(&j, "policies");
    json_array(&j);
    for (uint32_t i = 0; i < policy_rules(p); i++) {
        const struct policy_rule *r = policy_rule(p, i);
        json_object(&j);
        json_key_cstr(&j, "policy", r->name);
        json_key_cstr(&j, "mode", plan_mode_name((uint8_t)r->mode));
        json_key_cstr(&j, "when", r->when);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    const struct effect e = {.kind = EFFECT_ANSWER,
                             .number = k->c->request,
                             .code = CODE_OK,
                             .bytes = buf_span(&b)};
    enum status st = b.failed ? b.failed : effects_add(k->out, &e);
    buf_fini(&b);
    return st;
}

// Reads a policy that is about to be set, or only asked about. A bad one is refused
// with file, line and reason; a good one that is to be set goes on to whoever keeps it.
static enum status policy_verb(const struct call *k)
{
    struct policy *p = NULL;
    buf_clear(&k->a->why);
    enum status st = policy_parse("policy", k->c->blob, &p, &k->a->why);
    if (st == ST_RANGE || st == ST_FULL)
        return answer(k, CODE_USAGE, buf_cstr(&k->a->why));
    ST_TRY(st);
    st = span_is(k->c->verb, "policy.set") ? ST_UNSUPPORTED : answer_policy(k, p);
    policy_close(p);
    return st;
}

static const struct verb {
    const char *name;
    bool wants_plan;
    enum status (*call)(const struct call *k);
} verbs[] = {
    {"rollback.request", true, request}, {"rollback.approve", true, approve},
    {"rollback.reject", true, reject},   {"rollback.abort", true, abort_plan},
    {"rollback.stop", false, stop_all},  {"rollback.resume", false, resume},
    {"rollback.plan", false, plan_it},   {"policy.check", false, policy_verb},
    {"policy.set", false, policy_verb},  {"model.release", false, release},
    {"fleet.restored", false, restored},
};

enum status act_command(void *self, struct shelf *s, const struct entry_command *c,
                        const struct fold_moment *now, struct effects *out)
{
    const struct call k = {self, s, c, now, out};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!span_is(c->verb, verbs[i].name))
            continue;
        enum status st = verbs[i].wants_plan ? load_named(&k) : ST_OK;
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        return verbs[i].call(&k);
    }
    return ST_UNSUPPORTED;
}
