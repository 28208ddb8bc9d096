// SPDX-License-Identifier: Apache-2.0
#include "controller/act/dispatch.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/trust/digest.h"
#include "common/trust/sign.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/tape.h"
#include "proto/messages/order.h"

#define INTENT_BYTES_MAX (128u * 1024u)
#define RESEND_AFTER_MS 10000u

// Which way a wave goes: the plan's, or back.
struct way {
    struct span from, to;
    const uint8_t *from_digest, *to_digest;
};

static struct way way_of(const struct plan *p, const struct plan_step *step)
{
    const struct record_plan *r = &p->record;
    if (step->back)
        return (struct way){r->to_version, r->from_version, r->to_digest,
                            r->from_digest};
    return (struct way){r->from_version, r->to_version, r->from_digest, r->to_digest};
}

static enum status read_fleet(struct shelf *s, uint8_t out[16])
{
    struct shelf_key key = key_meta("fleet");
    struct span bytes;
    memset(out, 0, 16);
    enum status st = shelf_get(s, SHELF_META, &key, &bytes);
    if (st == ST_OK && bytes.size == 16)
        memcpy(out, bytes.data, 16);
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status wave_order_id(struct shelf *s, const struct plan *p,
                                 const struct plan_step *step, uint8_t out[16])
{
    struct order_cause cause = {
        .model = p->record.model,
        .action = p->record.action,
        .step = step->step,
        .attempt = step->attempt,
    };
    ST_TRY(read_fleet(s, cause.fleet));
    memcpy(cause.incident, p->record.alert, 16);
    memcpy(cause.plan, p->record.plan, 16);
    return order_id(&cause, out);
}

// Reads an agent's record into `memory`; its lists are lent from there.
static enum status read_agent(struct shelf *s, const uint8_t *agent,
                              struct paper *paper, struct record_agent *out)
{
    struct shelf_key key = key_agent(agent);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_AGENT, &key, &bytes));
    return paper_read(paper, &record_agent_message, bytes, out);
}

static void find_executor(const struct record_agent *a, struct span name,
                          uint8_t digest[32])
{
    for (uint32_t i = 0; i < a->executors; i++)
        if (span_equal(a->executor[i].name, name))
            memcpy(digest, a->executor[i].digest, 32);
}

static enum status note_executors(struct plan *p, struct shelf *s,
                                  struct plan_step *step)
{
    struct paper paper;
    enum status st = paper_init(&paper);
    for (uint32_t i = 0; st == ST_OK && i < step->hosts; i++) {
        struct plan_host *h = &plan_hosts(p, step)[i];
        struct record_agent agent;
        st = read_agent(s, h->agent, &paper, &agent);
        if (st == ST_OK)
            find_executor(&agent, p->record.executor, h->exec_digest);
        else if (st == ST_NOTFOUND)
            st = ST_OK;
    }
    paper_fini(&paper);
    return st;
}

enum status dispatch_intend(struct plan *p, struct shelf *s,
                            const struct policy_rule *rule,
                            const struct fold_moment *now, struct effects *out)
{
    struct plan_step *step = plan_wave(p);
    if (!step)
        return ST_OK;
    ST_TRY(note_executors(p, s, step));
    struct intent_host *host = mem_zero(step->hosts, sizeof *host);
    if (!host)
        return ST_NOMEM;
    uint32_t hosts = 0;
    for (uint32_t i = 0; i < step->hosts; i++) {
        if (step->host[i].state != ORDER_PLANNED)
            continue;
        memcpy(host[hosts].agent, step->host[i].agent, 16);
        memcpy(host[hosts++].exec_digest, step->host[i].exec_digest, 32);
    }
    struct way way = way_of(p, step);
    struct record_intent intent = {
        .step = step->step,
        .attempt = step->attempt,
        .model = p->record.model,
        .action = p->record.action,
        .if_version = way.from,
        .to_version = way.to,
        .executor = p->record.executor,
        .run_ms = rule ? (uint32_t)(rule->run_ns / NS_PER_MS) : 60000,
        .ttl_ms = DISPATCH_TTL_MS,
        .host = host,
        .hosts = hosts,
    };
    memcpy(intent.plan, p->record.plan, 16);
    memcpy(intent.incident, p->record.alert, 16);
    memcpy(intent.if_digest, way.from_digest, 32);
    memcpy(intent.to_digest, way.to_digest, 32);
    struct buf body;
    buf_init(&body, INTENT_BYTES_MAX);
    enum status st = wave_order_id(s, p, step, intent.order);
    if (st == ST_OK)
        st = message_encode(&record_intent_message, &intent, &body, NULL);
    const struct effect effect = {
        .kind = EFFECT_APPEND, .number = TAPE_INTENT, .bytes = buf_span(&body)};
    if (st == ST_OK)
        st = effects_add(out, &effect);
    step->started = step->started ? step->started : now->now_ns;
    buf_fini(&body);
    mem_free(host);
    return st;
}

// The link to the previous order of this model to this agent; then this one is it.
static enum status read_link(struct shelf *s, uint32_t model, const uint8_t *agent,
                             uint8_t prev[32])
{
    struct shelf_key key = key_state('l', model);
    shelf_key_bytes(&key, span_of(agent, 16));
    struct span bytes;
    memset(prev, 0, 32);
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_OK && bytes.size >= 48)
        memcpy(prev, bytes.data + 16, 32);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// Kept as: this order's id, the link of the one before it, this order's own link.
static enum status write_link(struct shelf *s, uint32_t model,
                              const struct plan_host *h)
{
    struct shelf_key key = key_state('l', model);
    shelf_key_bytes(&key, span_of(h->agent, 16));
    struct span bytes;
    uint8_t row[80] = {0};
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    if (st == ST_OK && bytes.size == sizeof row) {
        if (memcmp(bytes.data, h->order, 16) == 0)
            return ST_OK;
        memcpy(row + 16, bytes.data + 48, 32);
    }
    memcpy(row, h->order, 16);
    ST_TRY(order_link(h->order, (struct token){h->gen, h->seq}, row + 48));
    return shelf_put(s, SHELF_STATE, &key, span_of(row, sizeof row));
}

static enum status fill_order(const struct plan *p, struct shelf *s,
                              const struct plan_step *step, const struct plan_host *h,
                              const struct record_agent *agent, struct order *o)
{
    struct way way = way_of(p, step);
    *o = (struct order){
        .token = {h->gen, h->seq},
        .ring = 1,
        .ttl_ms = DISPATCH_TTL_MS,
        .action = p->record.action,
        .model = p->record.model,
        .if_version = way.from,
        .to_version = way.to,
        .executor = p->record.executor,
        .run_ms = 60000,
        .step = step->step,
        .attempt = step->attempt,
    };
    ST_TRY(read_fleet(s, o->fleet));
    memcpy(o->agent, h->agent, 16);
    ST_TRY(sign_kid(agent->sign, o->agent_key));
    memcpy(o->order, h->order, 16);
    memcpy(o->if_digest, way.from_digest, 32);
    memcpy(o->to_digest, way.to_digest, 32);
    memcpy(o->exec_digest, h->exec_digest, 32);
    memcpy(o->plan, p->record.plan, 16);
    memcpy(o->incident, p->record.alert, 16);
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    return read_link(s, model, h->agent, o->prev);
}

static enum status send_order(const struct plan *p, struct shelf *s,
                              const struct plan_step *step, const struct plan_host *h,
                              struct effects *out)
{
    struct paper paper;
    struct record_agent agent;
    struct order order;
    enum status st = paper_init(&paper);
    if (st == ST_OK)
        st = read_agent(s, h->agent, &paper, &agent);
    if (st == ST_OK)
        st = fill_order(p, s, step, h, &agent, &order);
    if (st == ST_OK) {
        struct span why = p->record.why;
        if (why.size > 512)
            why.size = 512;
        const struct pair reason = {span_text("why"), why};
        order.reason = &reason;
        order.reasons = why.size ? 1 : 0;
        buf_clear(&paper.fresh);
        st = message_encode(&order_message, &order, &paper.fresh, NULL);
        // Session and heartbeat are known only at sending; until then they are absent.
        struct effect effect = {.kind = EFFECT_ORDER, .bytes = buf_span(&paper.fresh)};
        memcpy(effect.agent, h->agent, 16);
        if (st == ST_OK)
            st = effects_add(out, &effect);
    }
    paper_fini(&paper);
    return st == ST_NOTFOUND ? ST_OK : st;
}

enum status dispatch_intent(struct plan *p, struct shelf *s,
                            const struct record_intent *intent,
                            const struct fold_moment *now, struct effects *out)
{
    struct plan_step *step = plan_wave(p);
    uint8_t id[16];
    if (!step || !plan_is_running(p->record.state))
        return ST_OK;
    ST_TRY(wave_order_id(s, p, step, id));
    if (memcmp(id, intent->order, 16) != 0)
        return ST_OK;
    uint32_t model;
    ST_TRY(names_model(s, p->record.model, &model));
    for (uint32_t i = 0; i < step->hosts; i++) {
        struct plan_host *h = &plan_hosts(p, step)[i];
        if (h->state != ORDER_PLANNED)
            continue;
        memcpy(h->order, id, 16);
        h->gen = now->pos.generation;
        h->seq = now->pos.seq;
        h->state = ORDER_INTENDED;
        h->sent_ms = now->now_ns / NS_PER_MS;
        ST_TRY(write_link(s, model, h));
        ST_TRY(send_order(p, s, step, h, out));
    }
    return ST_OK;
}

static bool is_open(const struct plan_host *h)
{
    return h->state == ORDER_INTENDED || h->state == ORDER_SENT ||
           h->state == ORDER_ACCEPTED;
}

enum status dispatch_resend(const struct plan *p, struct shelf *s, const uint8_t *agent,
                            const struct fold_moment *now, struct effects *out)
{
    if (p->record.step >= p->record.step_count)
        return ST_OK;
    const struct plan_step *step = &p->step[p->record.step];
    uint64_t now_ms = now ? now->now_ns / NS_PER_MS : 0;
    for (uint32_t i = 0; i < step->hosts; i++) {
        const struct plan_host *h = &step->host[i];
        if (!is_open(h) || (agent && memcmp(agent, h->agent, 16) != 0))
            continue;
        if (!agent && now_ms < h->sent_ms + RESEND_AFTER_MS)
            continue;
        ST_TRY(send_order(p, s, step, h, out));
    }
    return ST_OK;
}

static uint8_t state_of_receipt(const struct receipt *r)
{
    static const struct {
        const char *word;
        uint8_t state;
    } all[] = {{"accepted", ORDER_ACCEPTED}, {"started", ORDER_ACCEPTED},
               {"done", ORDER_APPLIED},      {"refused", ORDER_REFUSED},
               {"expired", ORDER_EXPIRED},   {"vetoed", ORDER_VETOED},
               {"failed", ORDER_FAILED},     {"uncertain", ORDER_UNCERTAIN},
               {"reverted", ORDER_UNCERTAIN}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (span_is(r->state, all[i].word))
            return all[i].state;
    return ORDER_UNCERTAIN;
}

// Refusals that only say "this copy came too late": a fresh copy follows.
static bool is_passing(const struct receipt *r)
{
    return span_is(r->state, "refused") &&
           (span_is(r->code, "E_STALE_SESSION") || span_is(r->code, "E_BUSY"));
}

// The host says that this order did nothing: it came too late, or it could not even
// look, or was cut off before the switch. The same decision may be ordered again; the
// new order is compare-and-set like every one.
static bool is_undone(const struct plan *p, const struct plan_step *step,
                      const struct receipt *r)
{
    static const char *const codes[] = {"E_PROBE", "E_LATER", "INTERRUPTED"};
    if (span_is(r->state, "expired"))
        return true;
    bool is_as_before = r->after_version.size == 0 ||
                        span_equal(r->after_version, way_of(p, step).from);
    if (!span_is(r->state, "failed") || !is_as_before)
        return false;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (span_is(r->code, codes[i]))
            return true;
    return false;
}

static bool is_for_retry(const struct plan_host *h)
{
    return h->state == ORDER_EXPIRED || h->state == ORDER_FAILED;
}

bool dispatch_wants_retry(struct plan *p, const struct fold_moment *now)
{
    const struct plan_step *step = plan_wave(p);
    uint64_t sent_ms = 0;
    uint32_t some = 0;
    for (uint32_t i = 0; step && i < step->hosts; i++) {
        const struct plan_host *h = &step->host[i];
        if (h->state == ORDER_PLANNED || is_open(h))
            return false;
        some += is_for_retry(h);
        sent_ms = h->sent_ms > sent_ms ? h->sent_ms : sent_ms;
    }
    return some > 0 && now->now_ns / NS_PER_MS >= sent_ms + (1000u << step->attempt);
}

void dispatch_retry(struct plan *p)
{
    struct plan_step *step = plan_wave(p);
    step->attempt++;
    for (uint32_t i = 0; i < step->hosts; i++) {
        struct plan_host *h = &plan_hosts(p, step)[i];
        if (!is_for_retry(h))
            continue;
        h->state = ORDER_PLANNED;
        h->code = span_text("");
        memset(h->order, 0, sizeof h->order);
    }
}

enum status dispatch_receipt(struct plan *p, const struct receipt *r,
                             enum dispatch_result *result, struct buf *why)
{
    *result = DISPATCH_PENDING;
    struct plan_step *step = plan_wave(p);
    struct plan_host *h = plan_host_of(p, r->agent);
    if (!step || !h || memcmp(h->order, r->order, 16) != 0 || is_passing(r))
        return ST_OK;
    if (h->state == ORDER_APPLIED || h->state == ORDER_VERIFIED)
        return ST_OK;
    h->state = state_of_receipt(r);
    h->code = r->code;
    if (r->before_version.size)
        h->before = r->before_version;
    h->after = r->after_version;
    h->ended_ms = r->ended_ms;
    uint32_t applied = 0;
    for (uint32_t i = 0; i < step->hosts; i++)
        applied += step->host[i].state == ORDER_APPLIED;
    if (applied == step->hosts)
        *result = DISPATCH_APPLIED;
    bool may_try = is_undone(p, step, r) && step->attempt + 1u < DISPATCH_TRIES;
    if (h->state >= ORDER_REFUSED && !may_try) {
        *result = DISPATCH_STOPPED;
        buf_printf(why, "%.*s answered %.*s %.*s", (int)h->host.size,
                   (const char *)h->host.data, (int)r->state.size,
                   (const char *)r->state.data, (int)r->code.size,
                   r->code.size ? (const char *)r->code.data : "");
    }
    return ST_OK;
}
