// What becomes of a model as time goes on: windows end, snapshots are taken. The
// contracts stand in model.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "agent/model/model.h"
#include "agent/model/seal.h"
#include "proto/messages/attest.h"

// Silence is told window by window up to here; a longer one in a single window.
#define EMPTY_MAX 16

struct turn {
    struct model *model;
    const struct registry_hooks *hooks;
    uint64_t now_ns;
    uint64_t at; // told up to here
    struct seal_news news;
    uint64_t rows; // in what was sealed
};

static struct seal_news news_of(const struct model *m)
{
    struct seal_news n = {.late = m->account.late - m->told.late};
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        n.dropped[i] = m->account.dropped[i] - m->told.dropped[i];
    return n;
}

static enum status seal_empty(struct turn *t, uint64_t end, bool is_merged)
{
    struct model *m = t->model;
    const struct seal_window w = {.model = m,
                                  .version = model_version(m, m->served),
                                  .start = t->at,
                                  .end = end,
                                  .watermark = m->watermark,
                                  .now_ns = t->now_ns,
                                  .is_merged = is_merged};
    if (m->served.size > 0 && w.version)
        ST_TRY(seal_window(&w, t->hooks, &t->news));
    t->at = end;
    return ST_OK;
}

// Nothing came from t->at to `end`.
static enum status seal_silence(struct turn *t, uint64_t end)
{
    uint64_t step = t->model->window_ns;
    if (end <= t->at)
        return ST_OK;
    if ((end - t->at) / step > EMPTY_MAX)
        return seal_empty(t, end, true);
    while (t->at < end)
        ST_TRY(seal_empty(t, t->at + step < end ? t->at + step : end, false));
    return ST_OK;
}

// The start of the first pane at or behind `from` that is over at `to`; UINT64_MAX:
// none.
static uint64_t next_start(const struct model *m, uint64_t from, uint64_t to)
{
    uint64_t found = UINT64_MAX;
    for (uint32_t i = 0; i < m->panes; i++) {
        const struct pane *p = m->pane[i];
        if (p->end <= to && p->start >= from && p->start < found)
            found = p->start;
    }
    return found;
}

static enum status seal_pane(struct turn *t, struct pane *p)
{
    struct model *m = t->model;
    const struct seal_window w = {.model = m,
                                  .version = model_version(m, p->version),
                                  .pane = p,
                                  .start = p->start,
                                  .end = p->end,
                                  .watermark = m->watermark,
                                  .now_ns = t->now_ns,
                                  .is_merged = p->end - p->start > m->window_ns};
    if (!w.version)
        return ST_NOMEM;
    t->rows += p->rows;
    return seal_window(&w, t->hooks, &t->news);
}

// All panes of one start, and an empty window for the served version if it has none.
static enum status seal_start(struct turn *t, uint64_t start)
{
    struct model *m = t->model;
    uint64_t end = start + m->window_ns;
    bool has_served = false;
    for (uint32_t i = 0; i < m->panes; i++) {
        struct pane *p = m->pane[i];
        if (p->start != start)
            continue;
        has_served = has_served || span_equal(p->version, m->served);
        end = p->end;
        ST_TRY(seal_pane(t, p));
    }
    t->at = start;
    if (!has_served)
        ST_TRY(seal_empty(t, end, false));
    t->at = end;
    return ST_OK;
}

static enum status seal_all(struct turn *t, uint64_t to)
{
    for (;;) {
        uint64_t start = next_start(t->model, t->at, to);
        ST_TRY(seal_silence(t, start < to ? start : to));
        if (start == UINT64_MAX)
            return ST_OK;
        ST_TRY(seal_start(t, start));
    }
}

// The sums as they are once the group is committed.
static void account_then(const struct turn *t, struct account *account,
                         struct account *told)
{
    *account = t->model->account;
    account->merged += t->rows;
    *told = *account;
    // What found no window to travel in waits for the next.
    told->late -= t->news.late;
    for (uint32_t i = 0; i < DROP_REASONS; i++)
        told->dropped[i] -= t->news.dropped[i];
}

// Each change is told once, in the same group as the state that remembers it.
static enum status tell_changes(const struct turn *t)
{
    struct model *m = t->model;
    enum status st = ST_OK;
    for (uint32_t i = 0; st == ST_OK && i < m->changes.n; i++) {
        struct change *c = &m->changes.item[i];
        struct buf detail;
        if (c->is_told)
            continue;
        buf_init(&detail, 1024);
        change_describe(c, &detail);
        st = model_notice(t->hooks, m->name, c->at, change_notice(c->kind),
                          buf_span(&detail));
        c->is_told_then = st == ST_OK;
        buf_fini(&detail);
    }
    return st;
}

static void changes_are_told(struct model *m, bool is_committed)
{
    for (uint32_t i = 0; i < m->changes.n; i++) {
        struct change *c = &m->changes.item[i];
        c->is_told = c->is_told || (c->is_told_then && is_committed);
        c->is_told_then = false;
    }
}

static enum status put_state(const struct turn *t, uint64_t sealed_to,
                             const struct account *account, const struct account *told)
{
    struct model *m = t->model;
    struct buf state, mark, key;
    buf_init(&state, 4u << 20);
    buf_init(&mark, 64u << 10);
    buf_init(&key, 256);
    if (t->hooks->mark)
        t->hooks->mark(t->hooks->self, m->name, &mark);
    model_snapshot(m, sealed_to, account, told, buf_span(&mark), &state);
    registry_state_key(m->name, &key);
    enum status st = state.failed != ST_OK ? state.failed : mark.failed;
    if (st == ST_OK)
        st = t->hooks->state(t->hooks->self, buf_span(&key), buf_span(&state));
    buf_fini(&state);
    buf_fini(&mark);
    buf_fini(&key);
    return st;
}

static void close_panes(struct model *m, uint64_t to)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->panes; i++) {
        if (m->pane[i]->end <= to)
            pane_close(m->pane[i]);
        else
            m->pane[kept++] = m->pane[i];
    }
    m->panes = kept;
}

enum status model_seal(struct model *m, const struct registry_hooks *hooks,
                       uint64_t now_ns)
{
    uint64_t to = model_sealable_to(m);
    struct turn t = {.model = m,
                     .hooks = hooks,
                     .now_ns = now_ns,
                     .at = m->sealed_to,
                     .news = news_of(m)};
    struct account account, told;
    enum status st = seal_all(&t, to);
    if (st == ST_OK) {
        account_then(&t, &account, &told);
        st = tell_changes(&t);
    }
    if (st == ST_OK)
        st = put_state(&t, to, &account, &told);
    if (st == ST_OK)
        st = hooks->commit(hooks->self);
    changes_are_told(m, st == ST_OK);
    if (st != ST_OK) {
        hooks->abort(hooks->self);
        return st;
    }
    m->account = account;
    m->told = told;
    m->sealed_to = to;
    m->is_dirty = false;
    m->saved_ns = now_ns;
    close_panes(m, to);
    return ST_OK;
}

enum status model_notice(const struct registry_hooks *hooks, struct span model,
                         uint64_t at, const char *kind, struct span detail)
{
    struct notice n = {
        .model = model, .at = at, .kind = span_text(kind), .detail = detail};
    struct buf body;
    hooks->stamp(hooks->self, n.boot, &n.seq);
    buf_init(&body, 4096);
    enum status st = message_encode(&notice_message, &n, &body, NULL);
    if (st == ST_OK)
        st = hooks->entry(hooks->self, notice_message.type, buf_span(&body));
    buf_fini(&body);
    return st;
}

static enum status tell_lost(const struct turn *t)
{
    const struct model *m = t->model;
    struct buf detail;
    if (m->lost == 0)
        return ST_OK;
    buf_init(&detail, 256);
    buf_printf(&detail,
               "%" PRIu64 " rows stood in open windows when the agent was killed",
               m->lost);
    enum status st =
        model_notice(t->hooks, m->name, m->watermark, "rows_lost", buf_span(&detail));
    buf_fini(&detail);
    return st;
}

enum status model_save(struct model *m, const struct registry_hooks *hooks,
                       uint64_t now_ns)
{
    const struct turn t = {.model = m, .hooks = hooks, .now_ns = now_ns};
    enum status st = tell_lost(&t);
    if (st == ST_OK)
        st = tell_changes(&t);
    if (st == ST_OK)
        st = put_state(&t, m->sealed_to, &m->account, &m->told);
    if (st == ST_OK)
        st = hooks->commit(hooks->self);
    changes_are_told(m, st == ST_OK);
    if (st != ST_OK) {
        hooks->abort(hooks->self);
        return st;
    }
    m->lost = 0;
    m->is_dirty = false;
    m->saved_ns = now_ns;
    return ST_OK;
}
