// The waves of a plan: one begins, is verified host by host, and the next one follows.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "common/drift/verdict.h"
#include "controller/act/decide.h"
#include "controller/act/dispatch.h"
#include "controller/act/inside.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"

// The signals that moved become what verification measures. Performance decides where
// there is any: a contribution may turn back before the loss does.
static void choose_signals(struct verify *v, const struct record_alert *alert)
{
    for (int pass = 0; pass < 2 && v->signals == 0; pass++)
        for (uint32_t i = 0; i < alert->findings; i++) {
            const struct record_finding *f = &alert->finding[i];
            bool is_scalar = span_is(f->signal, "level");
            bool is_contribution = span_is(f->signal, "contribution");
            if (f->tier >= TIER_WARN && (pass == 0 ? is_scalar : is_contribution))
                verify_add_signal(v, f->feature, is_contribution, f->before, f->now);
        }
}

static enum status store_verify(struct act *a, struct shelf *s, uint32_t model)
{
    buf_clear(&a->scratch);
    verify_encode(&a->verify, &a->scratch);
    ST_TRY(a->scratch.failed);
    struct shelf_key key = key_state('v', model);
    return shelf_put(s, SHELF_STATE, &key, buf_span(&a->scratch));
}

static enum status prepare_verify(struct act *a, struct shelf *s, uint32_t model)
{
    if (a->plan->record.step > 0)
        return ST_OK;
    struct record_alert alert;
    ST_TRY(cases_read(&a->paper, s, a->plan->record.alert, &alert));
    a->verify = (struct verify){.latest_ns = alert.updated_event};
    choose_signals(&a->verify, &alert);
    return store_verify(a, s, model);
}

enum status act_begin_wave(struct act *a, struct shelf *s,
                           const struct policy_rule *rule,
                           const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    ST_TRY(prepare_verify(a, s, model));
    struct plan_step *step = plan_wave(p);
    p->record.state = p->record.step == 0 ? PLAN_CANARY : PLAN_EXPAND;
    step->state = p->record.state;
    step->started = now->now_ns;
    step->started_event = a->verify.latest_ns;
    ST_TRY(dispatch_intend(p, s, rule, now, out));
    return plan_save(p, s, p->record.step == 0 ? "plan.canary" : "plan.expand", NULL,
                     now);
}

enum status act_halt(struct act *a, struct shelf *s, uint8_t state, const char *code,
                     const struct fold_moment *now)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    p->record.state = state;
    p->record.code = span_text(code);
    p->record.why = buf_span(&a->why);
    struct plan_step *step = plan_wave(p);
    if (step)
        step->ended = now->now_ns;
    ST_TRY(plan_set_of_model(s, model, NULL));
    char event[32];
    snprintf(event, sizeof event, "plan.%s", plan_state_name(state));
    return plan_save(p, s, event, NULL, now);
}

static enum status close_alert(struct act *a, struct shelf *s, uint32_t model,
                               const struct fold_moment *now, struct effects *out)
{
    struct record_alert alert;
    ST_TRY(cases_read(&a->paper, s, a->plan->record.alert, &alert));
    if (alert.state == ALERT_CLOSED)
        return ST_OK;
    buf_clear(&a->scratch);
    buf_printf(&a->scratch, "rolled back to %.*s and recovered: %s",
               (int)a->plan->record.to_version.size,
               (const char *)a->plan->record.to_version.data, buf_cstr(&a->why));
    alert.state = ALERT_CLOSED;
    alert.closed = now->now_ns;
    alert.closed_event = a->verify.latest_ns;
    alert.closed_why = buf_span(&a->scratch);
    if (alert.closed_why.size > RECORD_NOTE_MAX)
        alert.closed_why.size = RECORD_NOTE_MAX;
    ST_TRY(cases_set_open(s, model, NULL));
    return cases_write(&a->paper, s, &alert, "alert.close", NULL, now, out);
}

enum status act_finish(struct act *a, struct shelf *s, const struct fold_moment *now,
                       struct effects *out)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    p->record.state = PLAN_DONE;
    p->record.why = buf_span(&a->why);
    ST_TRY(close_alert(a, s, model, now, out));
    ST_TRY(plan_set_of_model(s, model, NULL));
    ST_TRY(decide_hold(s, model, p->record.from_version,
                       span_text("rolled back; kedge model release frees it"), now));
    ST_TRY(decide_note_effect(s, model, a->verify.latest_ns));
    return plan_save(p, s, "plan.done", NULL, now);
}

static bool was_switched(struct plan *p, const uint8_t *agent)
{
    for (uint32_t i = 0; i <= p->record.step && i < p->record.step_count; i++) {
        const struct plan_step *step = &p->step[i];
        for (uint32_t k = 0; k < step->hosts; k++)
            if (memcmp(step->host[k].agent, agent, 16) == 0)
                return step->host[k].state == ORDER_APPLIED ||
                       step->host[k].state == ORDER_VERIFIED;
    }
    return false;
}

static bool is_verifying(const struct plan *p)
{
    return p->record.state == PLAN_VERIFY_CANARY || p->record.state == PLAN_VERIFY;
}

// The rollback was useless: the canary alone goes back to where it was. The agents know
// such an order as the undoing of their own last one, and let it pass at once.
static enum status restore(struct act *a, struct shelf *s,
                           const struct policy_rule *rule,
                           const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    p->record.state = PLAN_RESTORE;
    p->record.code = span_text("E_INEFFECTIVE");
    p->record.why = buf_span(&a->why);
    struct plan_step *step = plan_wave(p);
    step->state = PLAN_RESTORE;
    step->started = now->now_ns;
    step->started_event = a->verify.latest_ns;
    ST_TRY(dispatch_intend(p, s, rule, now, out));
    return plan_save(p, s, "plan.restore", NULL, now);
}

enum status act_restored(struct act *a, struct shelf *s, bool is_back,
                         const struct fold_moment *now)
{
    struct plan *p = a->plan;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    struct span why = p->record.why;
    buf_clear(&a->scratch);
    if (why.size > 600)
        why.size = 600;
    buf_put_span(&a->scratch, why);
    buf_put_text(&a->scratch, is_back ? "; the canary went back to "
                                      : "; the canary could not go back: ");
    buf_put_span(&a->scratch, is_back ? p->record.from_version : buf_span(&a->why));
    buf_clear(&a->why);
    buf_put_span(&a->why, buf_span(&a->scratch));
    ST_TRY(a->scratch.failed);
    struct plan_step *step = plan_wave(p);
    step->ended_event = step->started_event;
    ST_TRY(decide_note_effect(s, model, step->started_event));
    return act_halt(a, s, PLAN_HALTED, "E_INEFFECTIVE", now);
}

static enum status end_wave(struct act *a, struct shelf *s, enum verify_verdict verdict,
                            const struct policy_rule *rule,
                            const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    struct plan_step *step = plan_wave(p);
    step->verdict = span_text(verify_name(verdict));
    step->why = buf_span(&a->why);
    step->ended = now->now_ns;
    step->ended_event = a->verify.latest_ns;
    for (uint32_t i = 0; verdict == VERIFY_NOT_RECOVERED && i < step->hosts; i++)
        plan_hosts(p, step)[i].state = ORDER_INEFFECTIVE;
    bool is_useless = verdict == VERIFY_NOT_RECOVERED && p->record.step == 0;
    if (is_useless && rule && rule->verify.on_fail == 0 && plan_turn_back(p) == ST_OK)
        return restore(a, s, rule, now, out);
    if (verdict != VERIFY_RECOVERED)
        return act_halt(
            a, s, PLAN_HALTED,
            verdict == VERIFY_NOT_RECOVERED ? "E_INEFFECTIVE" : "E_INCONCLUSIVE", now);
    for (uint32_t i = 0; i < step->hosts; i++)
        plan_hosts(p, step)[i].state = ORDER_VERIFIED;
    step->state = PLAN_DONE;
    if (p->record.step + 1u == p->record.step_count)
        return act_finish(a, s, now, out);
    ST_TRY(plan_save(p, s, "plan.verified", NULL, now));
    p->record.step++;
    return act_begin_wave(a, s, rule, now, out);
}

static enum status look_at_verify(struct act *a, struct shelf *s, uint32_t model,
                                  const struct judged_window *w,
                                  const struct fold_moment *now, struct effects *out)
{
    struct plan *p = a->plan;
    struct record_alert alert;
    const struct policy_rule *rule;
    ST_TRY(cases_read(&a->paper, s, p->record.alert, &alert));
    ST_TRY(act_rule(a, s, &alert, &rule));
    uint64_t min_rows = rule ? rule->verify.min_samples : 2000;
    uint64_t min_time = rule ? rule->verify.min_time_ns : 0;
    uint64_t longest = rule ? rule->verify.max_ns : UINT64_C(2700000000000);
    const struct plan_step *step = plan_wave(p);
    enum verify_verdict verdict = verify_judge(&a->verify, min_rows, &a->why);
    uint64_t waited = a->verify.latest_ns - step->started_event;
    if (verdict != VERIFY_INCONCLUSIVE && waited >= min_time)
        return end_wave(a, s, verdict, rule, now, out);
    if (waited > longest + (w->end_ns - w->start_ns))
        return end_wave(a, s, VERIFY_INCONCLUSIVE, rule, now, out);
    (void)model;
    return ST_OK;
}

static enum status load_verify(struct act *a, struct shelf *s, uint32_t model)
{
    struct shelf_key key = key_state('v', model);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_STATE, &key, &bytes));
    return verify_decode(bytes, &a->verify);
}

enum status act_instance_window(void *self, struct shelf *s,
                                const struct judged_window *w,
                                const struct fold_moment *now, struct effects *out)
{
    struct act *a = self;
    uint8_t id[CASE_ID_BYTES];
    bool has;
    ST_TRY(plan_of_model(s, w->model_no, id, &has));
    if (!has || w->is_flash)
        return ST_OK;
    struct plan *p = a->plan;
    ST_TRY(plan_load(p, s, id));
    if (!plan_is_running(p->record.state))
        return ST_OK;
    ST_TRY(load_verify(a, s, w->model_no));
    bool is_target = span_equal(w->version, p->record.to_version);
    bool is_left = span_equal(w->version, p->record.from_version);
    if (is_verifying(p) && is_target && was_switched(p, w->agent))
        verify_window(&a->verify, VERIFY_SWITCHED, w);
    else if (is_verifying(p) && is_left && !was_switched(p, w->agent))
        verify_window(&a->verify, VERIFY_CONTROL, w);
    else if (w->end_ns > a->verify.latest_ns)
        a->verify.latest_ns = w->end_ns;
    ST_TRY(store_verify(a, s, w->model_no));
    if (!is_verifying(p))
        return ST_OK;
    return look_at_verify(a, s, w->model_no, w, now, out);
}
