// Plans: what was decided, on which hosts it ran, what they answered, what it proved.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/log/cases.h"
#include "controller/query/inside.h"

static const char *const plan_states[PLAN_STATES] = {
    "open",       "await_approval", "canary", "verify_canary", "expand",
    "verify",     "done",           "halted", "refused",       "recommend",
    "superseded", "expired",        "restore"};
static const char *const order_states[ORDER_STATES] = {
    "planned",     "intended", "sent",    "accepted", "applied",   "verified",
    "ineffective", "refused",  "expired", "vetoed",   "uncertain", "failed"};
static const char *const modes[] = {"observe", "suggest", "approve", "auto"};

static const char *plan_state(uint8_t state)
{
    return state < PLAN_STATES ? plan_states[state] : "unknown";
}

static const char *order_state(uint8_t state)
{
    return state < ORDER_STATES ? order_states[state] : "unknown";
}

// What the host's receipt said, or nothing yet.
static const char *receipt_of(const struct plan_host *h)
{
    if (h->state >= ORDER_APPLIED && h->state <= ORDER_INEFFECTIVE)
        return "done";
    return h->state >= ORDER_REFUSED ? order_state(h->state) : NULL;
}

static void write_plan_host(struct call *c, const struct plan_host *h)
{
    json_object(c->j);
    json_key_text(c->j, "host", h->host);
    json_key_cstr(c->j, "state", order_state(h->state));
    json_key_cstr(c->j, "receipt", receipt_of(h));
    json_key_text(c->j, "code", h->code);
    json_key_text(c->j, "before", h->before);
    json_key_text(c->j, "after", h->after);
    json_key_hex(c->j, "order", span_of(h->order, 16));
    json_key_u64(c->j, "token", h->seq);
    json_object_end(c->j);
}

static void write_wave(struct call *c, const struct plan_step *step)
{
    json_object(c->j);
    json_key_cstr(c->j, "state", plan_state(step->state));
    json_key_bool(c->j, "back", step->back);
    json_key_text(c->j, "verdict", step->verdict);
    json_key_text(c->j, "why", step->why);
    json_key_time(c->j, "started", step->started_event);
    json_key_time(c->j, "ended", step->ended_event);
    json_key(c->j, "hosts");
    json_array(c->j);
    for (uint32_t i = 0; i < step->hosts; i++)
        write_plan_host(c, &step->host[i]);
    json_array_end(c->j);
    json_object_end(c->j);
}

static void say(struct call *c, uint64_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct call *c, uint64_t at, const char *fmt, ...)
{
    struct buf b;
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_init(&b, sizeof line);
    buf_put_text(&b, line);
    json_object(c->j);
    json_key_time(c->j, "at", at);
    json_key_text(c->j, "what", buf_span(&b));
    json_object_end(c->j);
    buf_fini(&b);
}

static void say_wave(struct call *c, const struct plan_step *step)
{
    if (!step->started)
        return;
    const char *which = step->back ? "back" : step->step == 0 ? "canary" : "next wave";
    for (uint32_t i = 0; i < step->hosts; i++) {
        const struct plan_host *h = &step->host[i];
        const char *receipt = receipt_of(h);
        if (receipt)
            say(c, step->started_event, "%s: order to %.*s, signed receipt: %s%s%.*s",
                which, (int)h->host.size, (const char *)h->host.data, receipt,
                h->code.size ? " " : "", (int)h->code.size,
                h->code.size ? (const char *)h->code.data : "");
    }
    if (step->attempt)
        say(c, step->started_event,
            "%s: ordered again, try %u: an order before was not "
            "carried out",
            which, step->attempt + 1u);
    if (step->verdict.size)
        say(c, step->ended_event, "%s %.*s: %.*s", which, (int)step->verdict.size,
            (const char *)step->verdict.data, (int)step->why.size,
            step->why.size ? (const char *)step->why.data : "");
}

static void write_timeline(struct call *c, const struct record_plan *p)
{
    json_key(c->j, "timeline");
    json_array(c->j);
    bool is_advice = p->state == PLAN_RECOMMEND || p->state == PLAN_REFUSED;
    say(c, p->created_event, "plan %llu: %s %.*s back to %.*s, mode %s",
        (unsigned long long)case_number(p->plan), is_advice ? "would roll" : "roll",
        (int)p->from_version.size, (const char *)p->from_version.data,
        (int)p->to_version.size,
        p->to_version.size ? (const char *)p->to_version.data : "", modes[p->mode & 3]);
    for (uint32_t i = 0; i < p->step_count; i++)
        say_wave(c, &p->steps[i]);
    bool has_ended = p->state >= PLAN_DONE && p->state != PLAN_RESTORE;
    uint64_t at = p->step_count ? p->steps[p->step_count - 1].ended_event : 0;
    if (p->state == PLAN_RECOMMEND)
        say(c, p->created_event,
            "plan %llu is advice only: by mode observe Kedge does not act",
            (unsigned long long)case_number(p->plan));
    else if (p->state == PLAN_REFUSED)
        say(c, p->created_event, "plan %llu refused, %.*s: %.*s",
            (unsigned long long)case_number(p->plan), (int)p->code.size,
            p->code.size ? (const char *)p->code.data : "", (int)p->why.size,
            p->why.size ? (const char *)p->why.data : "");
    else if (has_ended)
        say(c, at ? at : p->created_event, "plan %llu %s%s%.*s",
            (unsigned long long)case_number(p->plan), plan_state(p->state),
            p->code.size ? " " : "", (int)p->code.size,
            p->code.size ? (const char *)p->code.data : "");
    json_array_end(c->j);
}

static enum status write_plan(struct call *c, struct span rest, struct span value,
                              void *with)
{
    struct record_plan p;
    (void)rest;
    (void)with;
    ST_TRY(records_read(value, &record_plan_message, c->pool, &p));
    struct span model = call_arg(c, "model");
    if (model.size && !span_equal(model, p.model))
        return ST_OK;
    json_object(c->j);
    json_key_u64(c->j, "plan", case_number(p.plan));
    json_key_u64(c->j, "alert", case_number(p.alert));
    json_key_text(c->j, "model", p.model);
    json_key_text(c->j, "action", p.action);
    json_key_text(c->j, "from", p.from_version);
    json_key_text(c->j, "to", p.to_version);
    json_key_cstr(c->j, "mode", modes[p.mode & 3]);
    json_key_cstr(c->j, "state", plan_state(p.state));
    json_key_text(c->j, "code", p.code);
    json_key_text(c->j, "why", p.why);
    json_key_text(c->j, "executor", p.executor);
    json_key_time(c->j, "created", p.created_event);
    json_key_text(c->j, "by", p.created_by);
    json_key(c->j, "waves");
    json_array(c->j);
    for (uint32_t i = 0; i < p.step_count; i++)
        write_wave(c, &p.steps[i]);
    json_array_end(c->j);
    write_timeline(c, &p);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_rollback_status(struct call *c)
{
    enum status known = call_model_filter(c);
    if (known != ST_OK)
        return known == ST_NOTFOUND ? ST_OK : known;
    struct shelf_key prefix = key_plans();
    json_key(c->j, "plans");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_PLAN, &prefix, write_plan, NULL));
    json_array_end(c->j);
    return ST_OK;
}
