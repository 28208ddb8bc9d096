// SPDX-License-Identifier: Apache-2.0
#include "controller/act/plan.h"

#include <string.h>

#include "common/base/mem.h"
#include "controller/log/audit.h"
#include "controller/log/keys.h"

enum status plan_open(struct plan **out)
{
    struct plan *p = MEM_NEW(struct plan);
    if (!p)
        return ST_NOMEM;
    enum status st = paper_init(&p->paper);
    if (st != ST_OK) {
        plan_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void plan_close(struct plan *p)
{
    if (!p)
        return;
    paper_fini(&p->paper);
    mem_free(p);
}

// Copies the decoded lists into the writable ones, wave after wave.
static enum status unfold(struct plan *p)
{
    struct record_plan *r = &p->record;
    uint32_t hosts = 0;
    if (r->step_count > PLAN_STEPS_MAX)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < r->step_count; i++) {
        p->step[i] = r->steps[i];
        if (p->step[i].hosts > PLAN_HOSTS_ALL - hosts)
            return ST_CORRUPT;
        if (p->step[i].hosts)
            memcpy(p->host + hosts, p->step[i].host,
                   p->step[i].hosts * sizeof *p->host);
        p->step[i].host = p->host + hosts;
        hosts += p->step[i].hosts;
    }
    r->steps = p->step;
    return ST_OK;
}

enum status plan_load(struct plan *p, struct shelf *s, const uint8_t id[CASE_ID_BYTES])
{
    struct shelf_key key = key_plan(id);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_PLAN, &key, &bytes));
    ST_TRY(paper_read(&p->paper, &record_plan_message, bytes, &p->record));
    return unfold(p);
}

#define DETAIL_HOSTS_MAX 8u // named in one leaf

// "plan 1, v2 -> v1, host-1 host-2: loss is 50.9, was 241": which plan, what of it
// moved, and why.
static void put_detail(const struct plan *p, const char *event, struct buf *out)
{
    const struct record_plan *r = &p->record;
    const struct plan_step *step =
        r->step < r->step_count && r->steps ? &r->steps[r->step] : NULL;
    bool is_of_wave = step && step->started;
    bool is_proof = is_of_wave && strcmp(event, "plan.verified") == 0;
    buf_printf(out, "plan %llu, ", (unsigned long long)case_number(r->plan));
    buf_put_span(out, r->from_version);
    buf_put_text(out, " -> ");
    buf_put_span(out, r->to_version);
    for (uint32_t i = 0; is_of_wave && i < step->hosts && i < DETAIL_HOSTS_MAX; i++) {
        buf_put_text(out, i ? " " : ", ");
        buf_put_span(out, step->host[i].host);
    }
    if (is_of_wave && step->hosts > DETAIL_HOSTS_MAX)
        buf_printf(out, " and %u more", step->hosts - DETAIL_HOSTS_MAX);
    if (is_of_wave && step->attempt)
        buf_printf(out, ", try %u", step->attempt + 1u);
    buf_put_text(out, ": ");
    buf_put_span(out, is_proof ? step->why : r->why);
}

enum status plan_save(struct plan *p, struct shelf *s, const char *event,
                      const struct span *actor, const struct fold_moment *now)
{
    p->record.updated = now->now_ns;
    buf_clear(&p->paper.fresh);
    ST_TRY(message_encode(&record_plan_message, &p->record, &p->paper.fresh, NULL));
    struct shelf_key key = key_plan(p->record.plan);
    ST_TRY(shelf_put(s, SHELF_PLAN, &key, buf_span(&p->paper.fresh)));
    if (!event)
        return ST_OK;
    struct buf detail;
    buf_init(&detail, 16 * AUDIT_DETAIL_MAX);
    put_detail(p, event, &detail);
    const struct audit_change change = {
        .actor_kind = actor ? ACTOR_USER : ACTOR_SYSTEM,
        .actor = actor ? *actor : span_text(""),
        .event = event,
        .object = p->record.model,
        .before = buf_span(&p->paper.old),
        .after = buf_span(&p->paper.fresh),
        .detail = buf_span(&detail),
    };
    enum status st = detail.failed ? detail.failed : audit_append(s, now, &change);
    buf_fini(&detail);
    return st;
}

void plan_begin(struct plan *p, uint64_t number)
{
    buf_clear(&p->paper.old);
    p->record = (struct record_plan){.steps = p->step};
    case_id(number, p->record.plan);
}

static void add_host(struct plan *p, struct plan_step *step, uint32_t at,
                     const struct serving_host *h)
{
    struct plan_host *host = &p->host[at];
    *host = (struct plan_host){
        .host = span_text(h->host),
        .before = span_text(h->version),
        .state = ORDER_PLANNED,
    };
    memcpy(host->agent, h->agent, sizeof host->agent);
    step->hosts++;
}

enum status plan_spread(struct plan *p, const struct policy_rule *rule,
                        const struct serving *serving)
{
    const struct serving_host *found[PLAN_HOSTS_ALL];
    uint32_t all = 0, taken = 0;
    for (uint32_t i = 0; i < serving->hosts; i++) {
        if (!span_is(p->record.from_version, serving->host[i].version))
            continue;
        if (all == PLAN_HOSTS_ALL)
            return ST_FULL;
        found[all++] = &serving->host[i];
    }
    if (all == 0)
        return ST_EMPTY;
    p->record.step_count = 0;
    for (uint32_t i = 0; i < rule->wave_count && taken < all; i++) {
        uint32_t upto = policy_wave_hosts(&rule->wave[i], all);
        if (upto > taken + PLAN_HOSTS_MAX)
            upto = taken + PLAN_HOSTS_MAX;
        if (upto <= taken)
            continue;
        struct plan_step *step = &p->step[p->record.step_count];
        *step = (struct plan_step){.step = (uint16_t)p->record.step_count,
                                   .host = p->host + taken};
        p->record.step_count++;
        while (taken < upto) {
            add_host(p, step, taken, found[taken]);
            taken++;
        }
    }
    return taken == all ? ST_OK : ST_FULL;
}

enum status plan_turn_back(struct plan *p)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < p->record.step_count; i++)
        used += p->step[i].hosts;
    const struct plan_step *canary = plan_wave(p);
    if (!canary || p->record.step_count == PLAN_STEPS_MAX ||
        used + canary->hosts > PLAN_HOSTS_ALL)
        return ST_FULL;
    struct plan_step *step = &p->step[p->record.step_count];
    *step = (struct plan_step){.step = (uint16_t)p->record.step_count,
                               .back = true,
                               .host = p->host + used,
                               .hosts = canary->hosts};
    for (uint32_t i = 0; i < canary->hosts; i++) {
        p->host[used + i] = (struct plan_host){.host = canary->host[i].host,
                                               .before = p->record.to_version,
                                               .state = ORDER_PLANNED};
        memcpy(p->host[used + i].agent, canary->host[i].agent, 16);
    }
    p->record.step = (uint16_t)p->record.step_count++;
    return ST_OK;
}

struct plan_step *plan_wave(struct plan *p)
{
    if (p->record.step >= p->record.step_count)
        return NULL;
    return &p->step[p->record.step];
}

struct plan_host *plan_hosts(struct plan *p, const struct plan_step *step)
{
    return p->host + (step->host - p->host);
}

struct plan_host *plan_host_of(struct plan *p, const uint8_t agent[16])
{
    struct plan_step *step = plan_wave(p);
    for (uint32_t i = 0; step && i < step->hosts; i++)
        if (memcmp(plan_hosts(p, step)[i].agent, agent, 16) == 0)
            return &plan_hosts(p, step)[i];
    return NULL;
}

bool plan_is_running(uint8_t state)
{
    return (state >= PLAN_CANARY && state <= PLAN_VERIFY) || state == PLAN_RESTORE;
}

bool plan_is_ordering(uint8_t state)
{
    return state == PLAN_CANARY || state == PLAN_EXPAND || state == PLAN_RESTORE;
}

bool plan_is_waiting(uint8_t state)
{
    return state == PLAN_OPEN || state == PLAN_AWAIT_APPROVAL;
}

const char *plan_state_name(uint8_t state)
{
    static const char *const names[PLAN_STATES] = {
        "open",       "await_approval", "canary",  "verify_canary", "expand",
        "verify",     "done",           "halted",  "refused",       "recommend",
        "superseded", "expired",        "restore",
    };
    return state < PLAN_STATES ? names[state] : "unknown";
}

const char *plan_order_state_name(uint8_t state)
{
    static const char *const names[ORDER_STATES] = {
        "planned",     "intended", "sent",    "accepted", "applied",   "verified",
        "ineffective", "refused",  "expired", "vetoed",   "uncertain", "failed",
    };
    return state < ORDER_STATES ? names[state] : "unknown";
}

const char *plan_mode_name(uint8_t mode)
{
    static const char *const names[] = {"observe", "suggest", "approve", "auto"};
    return mode < sizeof names / sizeof *names ? names[mode] : "unknown";
}

enum status plan_of_model(struct shelf *s, uint32_t model, uint8_t id[CASE_ID_BYTES],
                          bool *has_plan)
{
    struct shelf_key key = key_state('q', model);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    *has_plan = st == ST_OK;
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    if (bytes.size != CASE_ID_BYTES)
        return ST_CORRUPT;
    memcpy(id, bytes.data, CASE_ID_BYTES);
    return ST_OK;
}

enum status plan_set_of_model(struct shelf *s, uint32_t model, const uint8_t *id)
{
    struct shelf_key key = key_state('q', model);
    if (id)
        return shelf_put(s, SHELF_STATE, &key, span_of(id, CASE_ID_BYTES));
    enum status st = shelf_del(s, SHELF_STATE, &key);
    return st == ST_NOTFOUND ? ST_OK : st;
}
