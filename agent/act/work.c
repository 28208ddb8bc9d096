// One order's way from the probe to its outcome, and what a crash in between means.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/desk.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/trust/digest.h"

#define AGAIN_NS (100 * NS_PER_MS) // between two tries of a lock that somebody holds
#define PATIENCE_NS                                                                    \
    (15 * NS_PER_S) // for as long as that; a dying child may hold it too

static struct work *free_work(struct act *a)
{
    for (int i = 0; i < ACT_JOBS_MAX; i++)
        if (a->work[i].phase == WORK_FREE)
            return &a->work[i];
    return NULL;
}

void work_drop(struct work *w)
{
    job_close(w->job);
    buf_fini(&w->body);
    mem_free(w->memory);
    *w = (struct work){.phase = WORK_FREE};
}

static bool is_at(struct span version, const char *found)
{
    return version.size > 0 && span_is(version, found);
}

// --- Ends

static void put_end(struct work *w, enum receipt_state state, const char *code,
                    const char *detail)
{
    struct outcome *o = &w->outcome;
    o->state = state;
    (void)snprintf(o->code, sizeof o->code, "%s", code);
    if (detail)
        (void)snprintf(o->detail, sizeof o->detail, "%s", detail);
    w->phase = WORK_WRITE;
}

static void count_end(struct act *a, enum receipt_state state)
{
    if (state == RECEIPT_DONE)
        a->stats.done++;
    else if (state == RECEIPT_UNCERTAIN)
        a->stats.uncertain++;
    else if (state == RECEIPT_FAILED)
        a->stats.failed++;
    else
        a->stats.refused++;
}

// Writes the outcome down; until that has succeeded nobody hears of it.
static void write_end(struct act *a, struct work *w, struct instant now)
{
    struct outcome *o = &w->outcome;
    if (o->ended_ms == 0) {
        o->ended_ms = now.wall_ns / NS_PER_MS;
        o->mono_ms = now.boot_ns / NS_PER_MS;
    }
    desk_fault(a, ACT_FAULT_BEFORE_DONE);
    enum status st = deeds_finish(a->deeds, w->deed, o, now.wall_ns);
    if (st != ST_OK)
        return; // the disk; tried again each turn
    desk_fault(a, ACT_FAULT_AFTER_DONE);
    count_end(a, o->state);
    log_line(o->state == RECEIPT_DONE ? LOG_INFO : LOG_WARN, "order ended",
             "model=%s action=%.*s state=%s code=%s before=%s after=%s %s",
             w->deed->model, (int)w->order.action.size,
             (const char *)w->order.action.data, receipt_state_name(o->state), o->code,
             o->before, o->after, o->detail);
    if (w->place && o->after[0])
        serving_found(a, w->place, o->after, o->after_digest, "order", w->deed->order,
                      now);
    work_drop(w);
}

static void keep_answer(struct outcome *o, const struct job_answer *answer)
{
    memcpy(o->after, answer->version, sizeof o->after);
    memset(o->after_digest, 0, sizeof o->after_digest);
    if (answer->has_digest)
        memcpy(o->after_digest, answer->digest, sizeof o->after_digest);
    memcpy(o->detail, answer->detail, sizeof o->detail);
    o->is_probed = answer->version[0] != '\0';
}

static void keep_run(struct outcome *o, const struct job_answer *answer)
{
    o->has_run = true;
    o->exit_code = answer->exit_code;
    o->signal = answer->signal;
    o->is_timeout = answer->is_timeout;
    memcpy(o->output_digest, answer->output_digest, sizeof o->output_digest);
    memcpy(o->tail, answer->tail, answer->tail_size);
    o->tail_size = answer->tail_size;
}

// --- Beginning a child

static enum status start(struct act *a, struct work *w, const struct executor *e,
                         enum job_verb verb, struct instant now)
{
    struct job_ask ask = {
        .verb = verb,
        .path = span_text(e->path),
        .action = w->order.action,
        .model = w->deed ? w->order.model : span_text(w->place->model),
        .from = w->order.if_version,
        .to = w->order.to_version,
        .run_ms = w->deed ? w->order.run_ms : JOB_PROBE_MS,
    };
    if (ask.run_ms == 0 || ask.run_ms > e->timeout_ms)
        ask.run_ms = e->timeout_ms;
    memcpy(ask.executor_digest, w->deed ? w->order.exec_digest : e->digest, 32);
    if (w->deed) {
        memcpy(ask.order, w->order.order, 16);
        memcpy(ask.incident, w->order.incident, 16);
        memcpy(ask.digest, w->order.to_digest, 32);
        ask.has_digest = !digest_is_none(ask.digest);
    }
    job_close(w->job);
    w->job = NULL;
    w->verb = verb;
    return job_start(a->settings.program, &ask, now.mono_ns, &w->job);
}

static void go(struct act *a, struct work *w, enum work_phase phase, enum job_verb verb,
               struct instant now)
{
    const struct executor *e = executors_find(&a->executors, w->order.executor);
    if (!e)
        put_end(w, RECEIPT_REFUSED, "E_EXECUTOR", "the executor is gone");
    else if (start(a, w, e, verb, now) == ST_OK)
        w->phase = phase;
    else if (phase == WORK_PROBE ||
             (phase == WORK_APPLY && w->deed->stage != DEED_BEGUN))
        put_end(w, RECEIPT_FAILED, "E_EXECUTOR", "no child could be started");
    else
        put_end(w, RECEIPT_UNCERTAIN, "E_EXECUTOR", "no child could be started");
}

enum status work_look(struct act *a, struct serving *s, struct instant now)
{
    struct work *w = free_work(a);
    const struct executor *e = executors_find(&a->executors, span_text(s->executor));
    if (!w || !e)
        return ST_AGAIN;
    *w = (struct work){.phase = WORK_LOOK, .place = s};
    w->order.action = span_text("probe");
    enum status st = start(a, w, e, JOB_PROBE, now);
    if (st != ST_OK)
        work_drop(w);
    return st;
}

// --- Answers of the probe

static void apply(struct act *a, struct work *w, struct instant now)
{
    struct check_facts facts;
    struct verdict verdict;
    desk_facts(a, now, &facts);
    bool is_again = w->deed->stage == DEED_BEGUN;
    check_again(&w->order, w->deed->hb_boot_ns, &facts, &verdict);
    if (!is_again && verdict.code[0]) {
        put_end(w, verdict.state, verdict.code, verdict.detail);
        return;
    }
    if (!is_again) {
        desk_fault(a, ACT_FAULT_BEFORE_BEGUN);
        if (deeds_begin(a->deeds, w->deed, w->outcome.before, now.wall_ns) != ST_OK) {
            put_end(w, RECEIPT_REFUSED, "E_JOURNAL", "the journal cannot be written");
            return;
        }
        desk_fault(a, ACT_FAULT_AFTER_BEGUN);
    }
    go(a, w, WORK_APPLY, JOB_APPLY, now);
    desk_fault(a, ACT_FAULT_DURING_RUN);
}

// A crash came between the beginning and the end: what is there now decides.
static void recover(struct act *a, struct work *w, const struct job_answer *answer,
                    struct instant now)
{
    const struct executor *e = executors_find(&a->executors, w->order.executor);
    bool is_fresh = memcmp(w->deed->kernel, a->kernel, 16) == 0 &&
                    now.boot_ns - w->deed->hb_boot_ns <= w->order.ttl_ms * NS_PER_MS;
    if (is_at(w->order.to_version, answer->version))
        go(a, w, WORK_FINISH, JOB_FINISH, now);
    else if (!is_at(w->order.if_version, answer->version))
        put_end(w, RECEIPT_UNCERTAIN, "INTERRUPTED", NULL);
    else if (is_fresh && e && e->is_idempotent)
        apply(a, w, now);
    else
        put_end(w, RECEIPT_FAILED, "INTERRUPTED",
                "it was not switched before the crash");
}

static bool is_other_artifact(const struct order *o, const struct job_answer *answer)
{
    return !digest_is_none(o->if_digest) && answer->has_digest &&
           !digest_equal(o->if_digest, answer->digest);
}

static void see_probe(struct act *a, struct work *w, const struct job_answer *answer,
                      struct instant now)
{
    struct outcome *o = &w->outcome;
    memcpy(o->before, answer->version, sizeof o->before);
    keep_answer(o, answer);
    if (answer->code == JOB_EXECUTOR)
        put_end(w, RECEIPT_REFUSED, "E_EXECUTOR", NULL);
    else if (!answer->version[0])
        put_end(w, w->deed->stage == DEED_BEGUN ? RECEIPT_UNCERTAIN : RECEIPT_FAILED,
                "E_PROBE", NULL);
    else if (w->deed->stage == DEED_BEGUN)
        recover(a, w, answer, now);
    else if (span_is(w->order.action, "probe"))
        put_end(w, RECEIPT_DONE, "", NULL);
    else if (is_at(w->order.to_version, answer->version))
        put_end(w, RECEIPT_DONE, "ALREADY", NULL);
    else if (!is_at(w->order.if_version, answer->version))
        put_end(w, RECEIPT_REFUSED, "E_PRECOND", "another version is served");
    else if (is_other_artifact(&w->order, answer))
        put_end(w, RECEIPT_REFUSED, "E_PRECOND", "another artifact of it is served");
    else if (answer->code == JOB_TARGET)
        put_end(w, RECEIPT_REFUSED, "E_TARGET", NULL);
    else if (answer->code == JOB_DIGEST)
        put_end(w, RECEIPT_REFUSED, "E_DIGEST", NULL);
    else if (answer->code != JOB_DONE)
        put_end(w, RECEIPT_FAILED, "E_PROBE", NULL);
    else if (w->order.dry)
        put_end(w, RECEIPT_DONE, "DRY", "it would be switched");
    else
        apply(a, w, now);
}

// --- Answers of the effect

static const struct end_row {
    enum job_code code;
    enum receipt_state state;
    const char *word;
} ends[] = {
    {JOB_DONE, RECEIPT_DONE, ""},
    {JOB_ALREADY, RECEIPT_DONE, "ALREADY"},
    {JOB_PRECOND, RECEIPT_REFUSED, "E_PRECOND"},
    {JOB_TARGET, RECEIPT_REFUSED, "E_TARGET"},
    {JOB_DIGEST, RECEIPT_REFUSED, "E_DIGEST"},
    {JOB_REFUSED, RECEIPT_FAILED, "E_TOOL"},
    {JOB_LATER, RECEIPT_FAILED, "E_LATER"},
    {JOB_EXECUTOR, RECEIPT_REFUSED, "E_EXECUTOR"},
    {JOB_RELOAD, RECEIPT_FAILED, "E_RELOAD"},
    {JOB_FAILED, RECEIPT_FAILED, "E_FAILED"},
};

// The probe after the effect has the last word on where the host stands.
static void see_apply(struct act *a, struct work *w, const struct job_answer *answer,
                      struct instant now)
{
    desk_fault(a, ACT_FAULT_AFTER_RUN);
    keep_answer(&w->outcome, answer);
    keep_run(&w->outcome, answer);
    if (!answer->version[0]) {
        go(a, w, WORK_VERIFY, JOB_PROBE, now);
        return;
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i].code == answer->code)
            put_end(w, ends[i].state, ends[i].word, NULL);
    bool is_known = is_at(w->order.to_version, answer->version) ||
                    is_at(w->order.if_version, answer->version);
    if (!is_known && answer->code != JOB_PRECOND)
        put_end(w, RECEIPT_UNCERTAIN, "E_FAILED", NULL);
}

static void see_verify(struct work *w, const struct job_answer *answer)
{
    keep_answer(&w->outcome, answer);
    if (is_at(w->order.to_version, answer->version))
        put_end(w, RECEIPT_DONE, "RECOVERED", NULL);
    else if (is_at(w->order.if_version, answer->version))
        put_end(w, RECEIPT_FAILED, "E_FAILED", NULL);
    else
        put_end(w, RECEIPT_UNCERTAIN, "E_FAILED", NULL);
}

static void see_finish(struct work *w, const struct job_answer *answer)
{
    keep_answer(&w->outcome, answer);
    if (answer->code == JOB_DONE || answer->code == JOB_ALREADY)
        put_end(w, RECEIPT_DONE, "RECOVERED", NULL);
    else if (answer->code == JOB_RELOAD)
        put_end(w, RECEIPT_FAILED, "E_RELOAD", NULL);
    else
        put_end(w, RECEIPT_UNCERTAIN, "INTERRUPTED", NULL);
}

static void see_look(struct act *a, struct work *w, const struct job_answer *answer,
                     struct instant now)
{
    static const uint8_t none[32];
    struct serving *s = w->place;
    const char *cause = s->version[0] ? "switch" : "start";
    work_drop(w);
    if (answer->version[0])
        serving_found(a, s, answer->version, answer->has_digest ? answer->digest : none,
                      cause, NULL, now);
    else
        serving_lost(s, answer->detail, now);
}

// --- Turning

// Takes a received order up again, from the journal's bytes.
static void take_up(struct act *a, struct deed *deed, struct instant now)
{
    struct work *w = free_work(a);
    if (!w)
        return;
    *w = (struct work){.phase = WORK_WRITE, .deed = deed};
    w->place = serving_find(a, span_text(deed->model));
    w->outcome.started_ms = now.wall_ns / NS_PER_MS;
    w->outcome.exit_code = -1;
    buf_init(&w->body, ORDER_BYTES_MAX);
    w->memory = mem_zero(1, DESK_POOL_BYTES);
    pool_init(&w->pool, w->memory, w->memory ? DESK_POOL_BYTES : 0);
    enum status st = deeds_order(a->deeds, deed, &w->body);
    if (st == ST_OK)
        st = message_decode(&order_message, buf_span(&w->body), &w->pool, &w->order);
    if (st != ST_OK)
        put_end(w, deed->stage == DEED_BEGUN ? RECEIPT_UNCERTAIN : RECEIPT_FAILED,
                "E_JOURNAL", status_text(st));
    else {
        memcpy(w->outcome.plan, w->order.plan, 16);
        go(a, w, WORK_PROBE, JOB_PROBE, now);
    }
}

static bool is_busy(const struct act *a, const char *model)
{
    for (int i = 0; i < ACT_JOBS_MAX; i++) {
        const struct work *w = &a->work[i];
        if (w->phase != WORK_FREE &&
            strcmp(w->deed ? w->deed->model : w->place->model, model) == 0)
            return true;
    }
    return false;
}

// One at a time for each model, in the order in which they came.
static void take_up_waiting(struct act *a, struct instant now)
{
    const struct deed_model *m;
    for (size_t at = 0;
         deeds_waiting(a->deeds) > 0 && (m = deeds_each_model(a->deeds, &at));) {
        struct deed *deed =
            is_busy(a, m->name) ? NULL : deeds_next(a->deeds, span_text(m->name));
        if (deed)
            take_up(a, deed, now);
    }
}

// Nothing was done because the lock is held: the same is asked again for a while.
static bool is_asked_again(struct work *w, const struct job_answer *answer,
                           struct instant now)
{
    if (answer->code != JOB_LATER || answer->version[0])
        return false;
    if (w->patient_until_ns == 0)
        w->patient_until_ns = now.mono_ns + PATIENCE_NS;
    w->again_ns = now.mono_ns + AGAIN_NS;
    return now.mono_ns < w->patient_until_ns;
}

static void ask_again(struct act *a, struct work *w, struct instant now)
{
    struct span name = w->deed ? w->order.executor : span_text(w->place->executor);
    const struct executor *e = executors_find(&a->executors, name);
    w->again_ns = now.mono_ns + AGAIN_NS;
    if (e && start(a, w, e, w->verb, now) == ST_OK)
        w->again_ns = 0;
}

static void turn_one(struct act *a, struct work *w, struct instant now)
{
    static struct job_answer answer;
    if (w->again_ns != 0 && now.mono_ns >= w->again_ns)
        ask_again(a, w, now);
    if (w->job && job_turn(w->job, now.mono_ns, &answer) == ST_OK) {
        job_close(w->job);
        w->job = NULL;
        if (is_asked_again(w, &answer, now))
            return;
        w->again_ns = w->patient_until_ns = 0;
        switch (w->phase) {
        case WORK_PROBE:
            see_probe(a, w, &answer, now);
            break;
        case WORK_APPLY:
            see_apply(a, w, &answer, now);
            break;
        case WORK_FINISH:
            see_finish(w, &answer);
            break;
        case WORK_VERIFY:
            see_verify(w, &answer);
            break;
        case WORK_LOOK:
            see_look(a, w, &answer, now);
            break;
        case WORK_FREE:
        case WORK_WRITE:
            break;
        }
    }
    if (w->phase == WORK_WRITE)
        write_end(a, w, now);
}

void work_turn(struct act *a, struct instant now)
{
    for (int i = 0; i < ACT_JOBS_MAX; i++)
        if (a->work[i].phase != WORK_FREE)
            turn_one(a, &a->work[i], now);
    take_up_waiting(a, now);
}
