// What this host serves, and telling the controller when it changes.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/desk.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proto/messages/attest.h"

#define LINK_EVERY_NS NS_PER_S         // a link is read that often; it costs nothing
#define PROBE_EVERY_NS (60 * NS_PER_S) // a command is run that often
#define BLIND_NS (10 * NS_PER_S)       // after a probe that failed
#define ATTEST_BODY_MAX 4096

struct serving *serving_find(struct act *a, struct span model)
{
    for (uint32_t i = 0; i < a->servings; i++)
        if (span_is(model, a->serving[i].model))
            return &a->serving[i];
    return NULL;
}

enum status serving_fill(struct act *a, const struct act_settings *settings,
                         char *error, size_t error_size)
{
    static struct serving fresh[ACT_MODELS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < settings->models; i++) {
        const struct act_model *m = &settings->model[i];
        if (!m->executor || !m->executor[0])
            continue;
        if (!executors_find(&a->executors, span_text(m->executor)) ||
            count == ACT_MODELS_MAX) {
            (void)snprintf(error, error_size, "model %s: no executor %s in %s", m->name,
                           m->executor, settings->executors);
            return ST_RANGE;
        }
        const struct serving *old = serving_find(a, span_text(m->name));
        fresh[count] = old ? *old : (struct serving){.cause = "start"};
        (void)snprintf(fresh[count].model, sizeof fresh[count].model, "%s", m->name);
        (void)snprintf(fresh[count].executor, sizeof fresh[count].executor, "%s",
                       m->executor);
        fresh[count++].next_ns = 0;
    }
    memcpy(a->serving, fresh, count * sizeof fresh[0]);
    a->servings = count;
    return ST_OK;
}

static void say(struct act *a, struct serving *s, struct instant now)
{
    struct attest attest = {
        .model = span_text(s->model),
        .version = span_text(s->version),
        .at = a->hooks.event_time(a->hooks.self, span_text(s->model)),
        .wall = now.wall_ns,
        .cause = span_text(s->cause),
    };
    memcpy(attest.digest, s->digest, 32);
    memcpy(attest.order, s->order, 16);
    a->hooks.stamp(a->hooks.self, attest.boot, &attest.seq);
    struct buf body;
    buf_init(&body, ATTEST_BODY_MAX);
    enum status st = message_encode(&attest_message, &attest, &body, NULL);
    if (st == ST_OK)
        st = a->hooks.entry(a->hooks.self, "kedge.attest.v1", buf_span(&body),
                            span_text(""));
    if (st == ST_OK)
        st = a->hooks.commit(a->hooks.self);
    else
        a->hooks.abort(a->hooks.self);
    buf_fini(&body);
    s->is_unsaid = st != ST_OK;
}

void serving_found(struct act *a, struct serving *s, const char *version,
                   const uint8_t digest[32], const char *cause, const uint8_t *order,
                   struct instant now)
{
    bool is_news =
        strcmp(s->version, version) != 0 || memcmp(s->digest, digest, 32) != 0;
    if (!is_news && !order)
        return;
    log_line(LOG_INFO, "serving", "model=%s version=%s before=%s cause=%s", s->model,
             version, s->version[0] ? s->version : "-", cause);
    (void)snprintf(s->version, sizeof s->version, "%s", version);
    memcpy(s->digest, digest, 32);
    s->cause = cause;
    memset(s->order, 0, sizeof s->order);
    if (order)
        memcpy(s->order, order, 16);
    a->hooks.serve(a->hooks.self, span_text(s->model), span_text(s->version));
    say(a, s, now);
}

void serving_lost(struct serving *s, const char *why, struct instant now)
{
    s->next_ns = now.mono_ns + BLIND_NS;
    if (!s->is_blind)
        log_line(LOG_WARN, "it cannot be told which version is served",
                 "model=%s executor=%s: %s", s->model, s->executor, why);
    s->is_blind = true;
}

static bool is_switched(const struct serving *s, const struct executor *e)
{
    char now[JOB_NAME_MAX + 1];
    return symlink_version(e, now, sizeof now) == ST_OK && strcmp(now, s->version) != 0;
}

static bool is_worked_on(const struct act *a, const struct serving *s)
{
    for (int i = 0; i < ACT_JOBS_MAX; i++)
        if (a->work[i].phase != WORK_FREE && a->work[i].place == s)
            return true;
    return false;
}

void serving_turn(struct act *a, struct instant now)
{
    for (uint32_t i = 0; i < a->servings; i++) {
        struct serving *s = &a->serving[i];
        if (now.mono_ns < s->next_ns || is_worked_on(a, s))
            continue;
        const struct executor *e =
            executors_find(&a->executors, span_text(s->executor));
        if (!e)
            continue;
        bool is_link = e->kind == EXECUTOR_SYMLINK;
        s->next_ns = now.mono_ns + (is_link ? LINK_EVERY_NS : PROBE_EVERY_NS);
        if (s->is_unsaid)
            say(a, s, now);
        bool is_due = !s->version[0] || !is_link || is_switched(s, e);
        if (is_due && work_look(a, s, now) != ST_OK)
            s->next_ns = now.mono_ns + LINK_EVERY_NS;
    }
}
