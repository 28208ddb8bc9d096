// SPDX-License-Identifier: Apache-2.0
#include "agent/act/act.h"

#include <stdio.h>

#include "agent/act/desk.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/sign.h"

#define IDLE_NS (250 * NS_PER_MS)
#define ANSWER_AGAIN_NS                                                                \
    (30 * NS_PER_S) // a known order is not answered twice within this

void desk_fault(struct act *a, enum act_fault point)
{
    if (a->hooks.fault)
        a->hooks.fault(a->hooks.self, point);
}

void desk_facts(struct act *a, struct instant now, struct check_facts *out)
{
    *out = (struct check_facts){
        .has_session = a->has_session,
        .beat = a->beat,
        .beats = a->beats < CHECK_BEATS_MAX ? a->beats : CHECK_BEATS_MAX,
        .ring = a->settings.ring,
        .model = a->settings.grant,
        .models = a->settings.grants,
        .policy = a->settings.policy,
        .executors = &a->executors,
        .deeds = a->deeds,
        .now = now,
    };
    memcpy(out->fleet, a->settings.fleet, 16);
    memcpy(out->agent, a->settings.agent, 16);
    memcpy(out->agent_key, a->agent_key, 8);
    memcpy(out->sess, a->sess, 16);
}

// The kernel's boot id tells whether CLOCK_BOOTTIME of then can be compared with now's.
static void read_kernel(uint8_t out[16])
{
    struct buf text;
    buf_init(&text, 256);
    memset(out, 0, 16);
    char digits[33];
    size_t n = 0;
    if (file_read("/proc/sys/kernel/random/boot_id", &text) == ST_OK)
        for (size_t i = 0; i < text.size && n < 32; i++)
            if (text.data[i] != '-')
                digits[n++] = (char)text.data[i];
    if (n < 32 || text_hex(span_of(digits, 32), out, 16) != ST_OK)
        memset(out, 0, 16);
    buf_fini(&text);
}

static enum status take_identity(struct act *a)
{
    ST_TRY(sign_public(a->settings.sign_seed, a->sign_pub));
    ST_TRY(sign_kid(a->sign_pub, a->agent_key));
    read_kernel(a->kernel);
    if (a->settings.issued.size == DESK_ISSUED_BYTES) {
        a->issued = load_le64(a->settings.issued.data);
        memcpy(a->tip, a->settings.issued.data + 8, sizeof a->tip);
    }
    a->settings.issued = span_text("");
    return ST_OK;
}

static void report_journal(const struct act *a, const struct journal_report *r)
{
    if (r->is_new)
        log_line(LOG_INFO, "a new journal was begun", "path=%s", a->settings.journal);
    if (r->cut > 0)
        log_line(r->is_damaged ? LOG_ERROR : LOG_WARN,
                 r->is_damaged ? "the journal was damaged; its end was cut off"
                               : "a torn record was cut off the journal",
                 "path=%s bytes=%llu kept=%s", a->settings.journal,
                 (unsigned long long)r->cut, r->is_kept ? "journal.cut" : "no");
}

static enum status open_parts(struct act *a, char *error, size_t error_size)
{
    struct journal_report report = {0};
    a->memory = mem_zero(1, DESK_POOL_BYTES);
    if (!a->memory)
        return ST_NOMEM;
    pool_init(&a->pool, a->memory, DESK_POOL_BYTES);
    ST_TRY(take_identity(a));
    ST_TRY(executors_open(a->settings.executors, &a->executors, error, error_size));
    ST_TRY(serving_fill(a, &a->settings, error, error_size));
    enum status st = deeds_open(a->settings.journal, &report, &a->deeds);
    if (st != ST_OK) {
        (void)snprintf(error, error_size, "%s: %s", a->settings.journal,
                       status_text(st));
        return st;
    }
    report_journal(a, &report);
    // A new journal counts receipts from one again.
    if (a->issued > deeds_last_number(a->deeds))
        a->issued = deeds_last_number(a->deeds);
    return ST_OK;
}

enum status act_open(const struct act_settings *settings, const struct act_hooks *hooks,
                     struct act **out, char *error, size_t error_size)
{
    struct act *a = MEM_NEW(struct act);
    if (!a)
        return ST_NOMEM;
    a->settings = *settings;
    a->hooks = *hooks;
    error[0] = '\0';
    enum status st = open_parts(a, error, error_size);
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
    for (int i = 0; i < ACT_JOBS_MAX; i++)
        if (a->work[i].phase != WORK_FREE)
            work_drop(&a->work[i]);
    deeds_close(a->deeds);
    executors_close(&a->executors);
    mem_free(a->memory);
    mem_free(a);
}

// Children at work keep running: each has read its own file, and finds its place by
// name.
enum status act_reload(struct act *a, const struct act_settings *settings, char *error,
                       size_t error_size)
{
    struct executors fresh, old = a->executors;
    ST_TRY(executors_open(settings->executors, &fresh, error, error_size));
    a->executors = fresh;
    enum status st = serving_fill(a, settings, error, error_size);
    if (st != ST_OK) {
        a->executors = old;
        executors_close(&fresh);
        return st;
    }
    executors_close(&old);
    a->settings.policy = settings->policy;
    a->settings.model = settings->model;
    a->settings.models = settings->models;
    for (int i = 0; i < ACT_JOBS_MAX; i++) {
        struct work *w = &a->work[i];
        if (w->phase == WORK_LOOK)
            work_drop(w); // it is looked again
        else if (w->phase != WORK_FREE)
            w->place = serving_find(a, span_text(w->deed->model));
    }
    return ST_OK;
}

void act_session(struct act *a, const uint8_t *sess)
{
    a->has_session = sess != NULL;
    memset(a->sess, 0, sizeof a->sess);
    a->beats = 0;
    if (sess)
        memcpy(a->sess, sess, sizeof a->sess);
}

void act_beat(struct act *a, const uint8_t hb[16], uint64_t boot_ns)
{
    struct check_beat *b = &a->beat[a->beats++ % CHECK_BEATS_MAX];
    memcpy(b->hb, hb, 16);
    b->boot_ns = boot_ns;
}

// --- An order

static bool is_said_before(struct act *a, const struct order *order, const char *code)
{
    for (uint32_t i = 0; i < DESK_REFUSALS && i < a->refusals; i++) {
        const struct refusal *r = &a->refusal[i];
        if (memcmp(r->order, order->order, 16) == 0 &&
            memcmp(r->sess, order->sess, 16) == 0 && strcmp(r->code, code) == 0)
            return true;
    }
    struct refusal *r = &a->refusal[a->refusals++ % DESK_REFUSALS];
    memcpy(r->order, order->order, 16);
    memcpy(r->sess, order->sess, 16);
    (void)snprintf(r->code, sizeof r->code, "%s", code);
    return false;
}

static void refuse(struct act *a, const struct order *order, const struct verdict *v,
                   struct instant now)
{
    a->stats.refused++;
    log_line(LOG_WARN, "order refused", "model=%.*s action=%.*s code=%s %s",
             (int)order->model.size, (const char *)order->model.data,
             (int)order->action.size, (const char *)order->action.data, v->code,
             v->detail);
    if (is_said_before(a, order, v->code))
        return;
    struct outcome *o = &a->scratch;
    *o = (struct outcome){.state = v->state, .exit_code = -1};
    memcpy(o->code, v->code, sizeof o->code);
    memcpy(o->detail, v->detail, sizeof o->detail);
    const struct serving *s = serving_find(a, order->model);
    if (s)
        memcpy(o->before, s->version, sizeof o->before);
    memcpy(o->after, o->before, sizeof o->after);
    o->started_ms = o->ended_ms = now.wall_ns / NS_PER_MS;
    o->mono_ms = now.boot_ns / NS_PER_MS;
    receipt_catch_up(a, now);
    if (receipt_issue(a, order->order, order->sess, order->token, order->model, 0, o) !=
        ST_OK)
        a->refusals--; // not said: the next one is answered
}

// The stored receipt again, in case the first was lost with the controller's memory.
static void repeat(struct act *a, struct deed *deed, struct instant now)
{
    a->stats.repeated++;
    if (deed->stage != DEED_DONE || deed->number > a->issued)
        return;
    if (deed->answered_ns != 0 && now.mono_ns - deed->answered_ns < ANSWER_AGAIN_NS)
        return;
    deed->answered_ns = now.mono_ns;
    if (deeds_outcome(a->deeds, deed, &a->scratch) != ST_OK ||
        receipt_issue(a, deed->order, deed->sess, deed->token, span_text(deed->model),
                      0, &a->scratch) != ST_OK)
        deed->answered_ns = 0; // the next repetition is answered
}

static void receive(struct act *a, const struct order *order, struct span body,
                    struct verdict *v, struct instant now)
{
    struct deed *deed;
    desk_fault(a, ACT_FAULT_BEFORE_RECEIVED);
    enum status st = deeds_receive(a->deeds, order, body, a->kernel, v->hb_boot_ns,
                                   now.wall_ns, &deed);
    if (st != ST_OK) {
        v->state = RECEIPT_REFUSED;
        (void)snprintf(v->code, sizeof v->code, "E_JOURNAL");
        (void)snprintf(v->detail, sizeof v->detail, "%s", status_text(st));
        refuse(a, order, v, now);
        return;
    }
    desk_fault(a, ACT_FAULT_AFTER_RECEIVED);
    log_line(LOG_INFO, "order received", "model=%s action=%.*s from=%.*s to=%.*s",
             deed->model, (int)order->action.size, (const char *)order->action.data,
             (int)order->if_version.size, (const char *)order->if_version.data,
             (int)order->to_version.size, (const char *)order->to_version.data);
    work_turn(a, now);
}

void act_order(struct act *a, const struct envelope *e, struct instant now)
{
    struct check_signers signers;
    struct order order;
    a->stats.orders++;
    pool_clear(&a->pool);
    enum status st = check_seals(e, a->settings.ring, &a->pool, &signers);
    if (st == ST_OK)
        st = message_decode(&order_message, e->body, &a->pool, &order);
    if (st != ST_OK) {
        a->stats.forged++;
        log_line(LOG_WARN, "an order was dropped", "%s field=%s",
                 st == ST_DENIED ? "it is not signed by a key of the keyring"
                                 : status_text(st),
                 a->pool.fault ? a->pool.fault : "-");
        return;
    }
    struct check_facts facts;
    struct verdict verdict;
    desk_facts(a, now, &facts);
    check_order(&order, &signers, &facts, &verdict);
    if (verdict.known)
        repeat(a, verdict.known, now);
    else if (verdict.code[0])
        refuse(a, &order, &verdict, now);
    else
        receive(a, &order, e->body, &verdict, now);
}

void act_turn(struct act *a, struct instant now, uint64_t *next_ns)
{
    work_turn(a, now);
    receipt_catch_up(a, now);
    serving_turn(a, now);
    if (deeds_tidy(a->deeds, now.wall_ns) != ST_OK)
        log_line(LOG_WARN, "the journal could not be tidied", "path=%s",
                 a->settings.journal);
    *next_ns = now.mono_ns + IDLE_NS;
}

uint32_t act_fds(const struct act *a, int out[ACT_JOBS_MAX])
{
    uint32_t n = 0;
    for (int i = 0; i < ACT_JOBS_MAX; i++)
        if (a->work[i].job)
            out[n++] = job_fd(a->work[i].job);
    return n;
}

bool act_served(const struct act *a, struct span model, struct act_served *out)
{
    for (uint32_t i = 0; i < a->servings; i++) {
        const struct serving *s = &a->serving[i];
        if (!span_is(model, s->model) || !s->version[0])
            continue;
        out->version = span_text(s->version);
        memcpy(out->digest, s->digest, sizeof out->digest);
        return true;
    }
    return false;
}

const struct executors *act_executors(const struct act *a)
{
    return &a->executors;
}

enum status act_unlock(struct act *a, struct span model)
{
    struct deed_model *m = deeds_model(a->deeds, model);
    if (!m || !m->is_locked)
        return ST_NOTFOUND;
    return deeds_unlock(a->deeds, m);
}

struct act_stats act_stats(const struct act *a)
{
    return a->stats;
}

void act_status(const struct act *a, struct json *out)
{
    json_object(out);
    json_key_u64(out, "orders", a->stats.orders);
    json_key_u64(out, "forged", a->stats.forged);
    json_key_u64(out, "refused", a->stats.refused);
    json_key_u64(out, "repeated", a->stats.repeated);
    json_key_u64(out, "done", a->stats.done);
    json_key_u64(out, "failed", a->stats.failed);
    json_key_u64(out, "uncertain", a->stats.uncertain);
    json_key_u64(out, "receipts", a->stats.receipts);
    json_key_u64(out, "unspooled", a->stats.unspooled);
    json_key_u64(out, "waiting", deeds_waiting(a->deeds));
    json_key_u64(out, "journal_bytes", deeds_journal_bytes(a->deeds));
    json_key(out, "serving");
    json_array(out);
    for (uint32_t i = 0; i < a->servings; i++) {
        const struct serving *s = &a->serving[i];
        const struct deed_model *m = deeds_model(a->deeds, span_text(s->model));
        json_object(out);
        json_key_cstr(out, "model", s->model);
        json_key_cstr(out, "executor", s->executor);
        json_key_cstr(out, "version", s->version[0] ? s->version : NULL);
        json_key_bool(out, "locked", m && m->is_locked);
        json_object_end(out);
    }
    json_array_end(out);
    json_object_end(out);
}
