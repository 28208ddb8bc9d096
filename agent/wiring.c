// The hooks by which the agent's rooms reach each other: calls passed on, no decisions.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <stdlib.h>

#include "agent/model/model.h"
#include "common/base/log.h"
#include "common/trust/digest.h"

#define SKEW_MS 5000 // clocks further apart are told

// --- Spool, for whoever writes

static void stamp(void *self, uint8_t boot[16], uint64_t *seq)
{
    struct agent *a = self;
    spool_stamp(a->spool, boot, seq);
}

static enum status plain_entry(void *self, const char *type, struct span body)
{
    struct agent *a = self;
    return spool_entry(a->spool, type, body, span_text(""));
}

static enum status sealed_entry(void *self, const char *type, struct span body,
                                struct span sigs)
{
    struct agent *a = self;
    return spool_entry(a->spool, type, body, sigs);
}

static enum status keep_state(void *self, struct span key, struct span value)
{
    struct agent *a = self;
    return spool_state(a->spool, key, value);
}

static enum status commit(void *self)
{
    struct agent *a = self;
    enum status st = spool_commit(a->spool);
    if (st != ST_OK && !a->is_full)
        log_line(LOG_ERROR, "the spool takes nothing more", "folder=%s: %s", a->folder,
                 status_text(st));
    a->is_full = st != ST_OK;
    return st;
}

static void abort_group(void *self)
{
    struct agent *a = self;
    spool_abort(a->spool);
}

// --- Models

static void mark(void *self, struct span model, struct buf *out)
{
    struct agent *a = self;
    if (a->doors)
        doors_mark(a->doors, model, out);
}

static bool view_of(const struct agent *a, struct span model, struct model_view *out)
{
    for (size_t at = 0; registry_next(a->registry, &at, out);)
        if (span_equal(out->name, model))
            return true;
    return false;
}

static uint64_t event_time(void *self, struct span model)
{
    struct agent *a = self;
    struct model_view view;
    return view_of(a, model, &view) ? view.watermark : 0;
}

static void serve(void *self, struct span model, struct span version)
{
    struct agent *a = self;
    enum status st = registry_serve(a->registry, model, version);
    if (st != ST_OK)
        log_line(LOG_WARN, "the version served was not noted", "model=%.*s: %s",
                 (int)model.size, (const char *)model.data, status_text(st));
}

struct registry_hooks agent_registry_hooks(struct agent *a)
{
    return (struct registry_hooks){
        .self = a,
        .stamp = stamp,
        .entry = plain_entry,
        .state = keep_state,
        .commit = commit,
        .abort = abort_group,
        .mark = mark,
    };
}

struct act_hooks agent_act_hooks(struct agent *a)
{
    return (struct act_hooks){
        .self = a,
        .stamp = stamp,
        .entry = sealed_entry,
        .state = keep_state,
        .commit = commit,
        .abort = abort_group,
        .event_time = event_time,
        .serve = serve,
    };
}

// --- Link

static enum status offer(void *self, struct link_cursor *at, struct link_item *out)
{
    struct agent *a = self;
    struct spool_cursor cursor = {at->start, at->seq};
    struct spool_item item;
    ST_TRY(spool_offer(a->spool, &cursor, &item));
    *at = (struct link_cursor){cursor.start, cursor.seq};
    *out = (struct link_item){
        .seq = item.seq, .type = item.type, .body = item.body, .sigs = item.sigs};
    memcpy(out->boot, item.boot, 16);
    return ST_OK;
}

static void done(void *self, const struct link_place *entry)
{
    struct agent *a = self;
    enum status st = spool_ack(a->spool, entry->boot, entry->seq);
    if (st != ST_OK && st != ST_NOTFOUND)
        log_line(LOG_WARN, "an acknowledged entry stays in the spool", "seq=%llu: %s",
                 (unsigned long long)entry->seq, status_text(st));
}

static void online(void *self, bool is_online)
{
    struct agent *a = self;
    spool_online(a->spool, is_online);
}

static void session(void *self, const uint8_t *sess)
{
    struct agent *a = self;
    act_session(a->act, sess);
}

static void hello(void *self, struct hello *h)
{
    struct agent *a = self;
    const struct executors *all = act_executors(a->act);
    for (uint32_t i = 0; i < all->count; i++) {
        const struct executor *e = all->executor[i];
        struct hello_executor *told = &a->hello_executor[i];
        told->name = span_text(e->name);
        told->kind = span_text(executor_kind_name(e->kind));
        memcpy(told->digest, e->digest, sizeof told->digest);
    }
    h->executor = a->hello_executor;
    h->executors = all->count;
    h->ring = a->grant->ring.ring;
}

static int by_model(const void *x, const void *y)
{
    const struct beat_model *a = x, *b = y;
    return span_compare(a->model, b->model);
}

// What a probe found stands above what the rows say of themselves.
static void beat(void *self, struct beat *b, uint64_t boot_ns)
{
    struct agent *a = self;
    struct spool_stats stats = spool_stats(a->spool);
    struct model_view view;
    uint32_t n = 0;
    b->spool_entries = stats.entries;
    b->spool_bytes = stats.bytes;
    for (size_t at = 0;
         n < BEAT_MODELS_MAX && registry_next(a->registry, &at, &view);) {
        struct beat_model *m = &a->beat_model[n++];
        struct act_served served;
        *m = (struct beat_model){
            .model = view.name, .version = view.version, .watermark = view.watermark};
        if (act_served(a->act, view.name, &served)) {
            m->version = served.version;
            memcpy(m->digest, served.digest, sizeof m->digest);
        }
    }
    qsort(a->beat_model, n, sizeof a->beat_model[0], by_model);
    b->model = a->beat_model;
    b->models = n;
    act_beat(a->act, b->hb, boot_ns);
}

static void order(void *self, const struct envelope *e)
{
    struct agent *a = self;
    act_order(a->act, e, a->now);
}

static void reference(void *self, struct span body)
{
    struct agent *a = self;
    enum status st = registry_reference(a->registry, body);
    if (st != ST_OK)
        log_line(LOG_WARN, "a reference was not taken", "%s", status_text(st));
}

// Skew is told when it is there for certain, and again when it has become another one.
static bool is_skew_news(const struct agent *a, const struct link_stats *s)
{
    int64_t sure = SKEW_MS + (int64_t)s->offset_error_ms;
    int64_t change = s->offset_ms - a->skew_ms;
    bool is_there = s->offset_ms > sure || s->offset_ms < -sure;
    bool was_there = a->skew_ms != 0;
    return is_there ? change > sure || change < -sure : was_there;
}

static void welcome(void *self, const struct welcome *w)
{
    (void)w;
    struct agent *a = self;
    struct link_stats s = link_stats(a->link);
    struct registry_hooks hooks = agent_registry_hooks(a);
    if (!is_skew_news(a, &s))
        return;
    bool is_over = s.offset_ms < SKEW_MS && s.offset_ms > -SKEW_MS;
    struct buf detail;
    buf_init(&detail, 256);
    buf_printf(
        &detail, "the clock of this host is %.1f s %s the controller's, +- %.1f s",
        (double)(s.offset_ms < 0 ? -s.offset_ms : s.offset_ms) / 1000,
        s.offset_ms > 0 ? "behind" : "ahead of", (double)s.offset_error_ms / 1000);
    enum status st =
        model_notice(&hooks, span_text(""), a->now.wall_ns,
                     is_over ? "clock_skew_over" : "clock_skew", buf_span(&detail));
    if (st == ST_OK)
        st = commit(a);
    if (st == ST_OK)
        a->skew_ms = is_over ? 0 : s.offset_ms;
    else
        abort_group(a);
    buf_fini(&detail);
}

struct link_hooks agent_link_hooks(struct agent *a)
{
    return (struct link_hooks){
        .self = a,
        .offer = offer,
        .done = done,
        .online = online,
        .session = session,
        .welcome = welcome,
        .hello = hello,
        .beat = beat,
        .order = order,
        .reference = reference,
    };
}
