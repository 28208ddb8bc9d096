// Judging: windows of all hosts put together, and handed on when they are complete.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/inside.h"

#include <string.h>

#include "controller/fold/expire.h"
#include "controller/fold/pending.h"
#include "controller/log/progress.h"
#include "controller/log/blob.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "proto/messages/window.h"

// A part that is late by up to this many of its own lengths is judged with the next
// window; a later one is only stored.
#define LATE_WINDOWS 2u

static uint64_t salt_of(const struct fold *f)
{
    return f->moment.pos.seq * 0x9e3779b97f4a7c15u + f->moment.pos.generation;
}

// A window in waiting, found by its key.
struct due {
    struct shelf_key key;
    uint32_t model, version;
    uint64_t end, arrived_ns;
    struct pending p; // read when it is settled
};

enum status judging_told(struct fold *f, struct shelf *s, const uint8_t alert[16])
{
    static const uint8_t none[16];
    if (memcmp(alert, none, sizeof none) == 0 || !f->act.alert)
        return ST_OK;
    return f->act.alert(f->act.self, s, alert, &f->moment, f->o.effects);
}

static enum status carry(struct fold *f, struct shelf *s, uint32_t model,
                         uint32_t version, const struct window *w,
                         struct progress_model *m)
{
    struct shelf_key k = key_carry(model, version);
    struct pending_part part = {.window = w,
                                .late_rows = w->part == 0 ? w->rows : 0,
                                .now_ns = f->moment.now_ns,
                                .salt = salt_of(f)};
    m->carried += part.late_rows;
    return pending_add(s, &k, &part, &f->pool, &m->unmerged);
}

// The first window of this model that waits. ST_NOTFOUND when there is none.
static enum status first_due(struct shelf *s, uint32_t model, struct due *d)
{
    struct shelf_key prefix = key_pendings(model);
    struct shelf_walk w;
    shelf_walk_init(&w, s, SHELF_STATE, &prefix);
    enum status st = shelf_walk_next(&w, NULL, NULL);
    if (st != ST_OK)
        return st == ST_EMPTY ? ST_NOTFOUND : st;
    if (w.at.size != 1 + 4 + 8 + 4 + 8)
        return ST_CORRUPT;
    d->key = w.at;
    d->model = model;
    d->end = load_be64(w.at.bytes + 5);
    d->version = load_be32(w.at.bytes + 13);
    return pending_arrived(s, &d->key, &d->arrived_ns);
}

// Late parts join the window that is judged next, if there are any.
static enum status join_carry(struct fold *f, struct shelf *s, struct due *d,
                              struct progress_model *m)
{
    struct shelf_key k = key_carry(d->model, d->version);
    struct pending late;
    enum status st = pending_get(s, &k, &f->pool, &late);
    if (st == ST_NOTFOUND)
        return ST_OK;
    if (st != ST_OK)
        return st;
    struct pending_part part = {.window = &late.window,
                                .late_rows = late.late_rows,
                                .now_ns = f->moment.now_ns,
                                .salt = salt_of(f)};
    ST_TRY(pending_add(s, &d->key, &part, &f->pool, &m->unmerged));
    ST_TRY(shelf_del(s, SHELF_STATE, &k));
    return pending_get(s, &d->key, &f->pool, &d->p);
}

// The merge stays readable as a series of its own. f->blob holds it.
static enum status keep_merge(struct fold *f, struct shelf *s, uint32_t model,
                              uint32_t version, const struct window *w)
{
    struct rollup_series r = {.model = model, .version = version};
    if (f->blob.failed != ST_OK)
        return f->blob.failed;
    ST_TRY(names_series_new(s, model, version, NULL, &r.series));
    struct shelf_key k = key_window(r.series, KEY_RAW, w->start, 0);
    // A window may begin where a shorter one did: both are kept.
    struct span v;
    enum status st = shelf_get(s, SHELF_WINDOW, &k, &v);
    while (st == ST_OK && k.bytes[k.size - 1] < UINT8_MAX) {
        k.bytes[k.size - 1]++;
        st = shelf_get(s, SHELF_WINDOW, &k, &v);
    }
    if (st != ST_OK && st != ST_NOTFOUND)
        return st;
    ST_TRY(shelf_put(s, SHELF_WINDOW, &k, buf_span(&f->blob)));
    return expire_merged(f, s, &r, &k, w->start, w->end);
}

static enum status note_judged(const struct fold *f, struct shelf *s, uint32_t model,
                               uint64_t end, struct progress_model *m)
{
    if (end > m->judged_ns)
        m->judged_ns = end;
    m->seen_ns = f->moment.now_ns;
    return progress_put_model(s, model, m);
}

static enum status judge(struct fold *f, struct shelf *s, const struct judged_window *j)
{
    uint8_t alert[16] = {0};
    if (f->judge.window)
        ST_TRY(f->judge.window(f->judge.self, s, j, &f->moment, f->o.effects, alert));
    if (f->act.window)
        ST_TRY(f->act.window(f->act.self, s, j, &f->moment, f->o.effects));
    return judging_told(f, s, alert);
}

static struct judged_window shown(const struct window *w, const struct panel *panel)
{
    return (struct judged_window){.model = w->model,
                                  .version = w->version,
                                  .start_ns = w->start,
                                  .end_ns = w->end,
                                  .rows = w->rows,
                                  .feature = panel->feature,
                                  .features = panel->features};
}

static enum status settle(struct fold *f, struct shelf *s, struct due *d)
{
    struct progress_model m;
    ST_TRY(pending_get(s, &d->key, &f->pool, &d->p));
    ST_TRY(progress_get_model(s, d->model, &m));
    ST_TRY(join_carry(f, s, d, &m));
    ST_TRY(shelf_del(s, SHELF_STATE, &d->key));
    ST_TRY(note_judged(f, s, d->model, d->end, &m));
    buf_clear(&f->blob);
    blob_put(&f->blob, BLOB_MERGED, d->p.message, &d->p.window);
    ST_TRY(keep_merge(f, s, d->model, d->version, &d->p.window));
    ST_TRY(panel_fill(f->whole, &d->p.window));
    struct judged_window j = shown(&d->p.window, f->whole);
    j.model_no = d->model;
    j.version_no = d->version;
    j.hosts = d->p.hosts;
    j.late_rows = d->p.late_rows > UINT32_MAX ? UINT32_MAX : (uint32_t)d->p.late_rows;
    return judge(f, s, &j);
}

static enum status is_due(const struct fold *f, struct shelf *s, const struct due *d,
                          bool *out)
{
    uint64_t now = f->moment.now_ns;
    *out = now - d->arrived_ns >= f->o.patience_ns;
    return *out ? ST_OK
                : progress_reached(s, d->model, now, f->o.patience_ns, d->end, out);
}

enum status judging_due(struct fold *f, struct shelf *s, uint32_t model)
{
    for (;;) {
        size_t used = f->pool.used;
        struct due d;
        bool due;
        enum status st = first_due(s, model, &d);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st != ST_OK)
            return st;
        ST_TRY(is_due(f, s, &d, &due));
        if (!due)
            return ST_OK;
        ST_TRY(settle(f, s, &d));
        f->pool.used = used;
    }
}

// --- A part arrives

static enum status is_there(struct shelf *s, const struct shelf_key *k, bool *found)
{
    struct span v;
    enum status st = shelf_get(s, SHELF_STATE, k, &v);
    *found = st == ST_OK;
    return st == ST_NOTFOUND ? ST_OK : st;
}

// Whether this part is the whole window and nothing else has to come first: most models
// live on one host.
static enum status is_alone(struct fold *f, struct shelf *s,
                            const struct judging_part *p, bool *alone)
{
    const struct window *w = p->window;
    struct shelf_key carried = key_carry(p->model, p->version);
    struct shelf_key prefix = key_pendings(p->model);
    struct shelf_walk walk;
    bool found, reached;
    *alone = false;
    if (!p->key || w->parts > 1 || (w->flags & WINDOW_FLASH))
        return ST_OK;
    ST_TRY(progress_reached(s, p->model, f->moment.now_ns, f->o.patience_ns, w->end,
                            &reached));
    if (!reached)
        return ST_OK;
    ST_TRY(is_there(s, &carried, &found));
    if (found)
        return ST_OK;
    shelf_walk_init(&walk, s, SHELF_STATE, &prefix);
    enum status st = shelf_walk_next(&walk, NULL, NULL);
    *alone = st == ST_EMPTY;
    return st == ST_EMPTY ? ST_OK : st;
}

// Without a merge there is nothing to store but where the report lies.
static enum status judge_alone(struct fold *f, struct shelf *s,
                               const struct judging_part *p, struct progress_model *m)
{
    const struct window *w = p->window;
    ST_TRY(note_judged(f, s, p->model, w->end, m));
    buf_clear(&f->blob);
    blob_put_same(&f->blob, p->key);
    ST_TRY(keep_merge(f, s, p->model, p->version, w));
    struct judged_window j = shown(w, f->part);
    j.model_no = p->model;
    j.version_no = p->version;
    j.hosts = 1;
    return judge(f, s, &j);
}

static enum status add_pending(struct fold *f, struct shelf *s,
                               const struct judging_part *p, struct progress_model *m)
{
    const struct window *w = p->window;
    struct shelf_key k = key_pending(p->model, w->end, p->version, w->start);
    struct pending_part part = {.window = w,
                                .hosts = p->is_new_host ? 1 : 0,
                                .now_ns = f->moment.now_ns,
                                .salt = salt_of(f)};
    return pending_add(s, &k, &part, &f->pool, &m->unmerged);
}

enum status judging_add(struct fold *f, struct shelf *s, const struct judging_part *p)
{
    const struct window *w = p->window;
    struct progress_model m, before;
    ST_TRY(progress_get_model(s, p->model, &m));
    before = m;
    if (w->end > m.judged_ns) {
        bool alone;
        ST_TRY(is_alone(f, s, p, &alone));
        if (alone)
            return judge_alone(f, s, p, &m);
        ST_TRY(add_pending(f, s, p, &m));
    } else if ((m.judged_ns - w->end) / LATE_WINDOWS <= w->end - w->start) {
        ST_TRY(carry(f, s, p->model, p->version, w, &m));
    } else {
        m.too_late += w->part == 0 ? w->rows : 0;
    }
    if (memcmp(&m, &before, sizeof m) == 0)
        return ST_OK;
    return progress_put_model(s, p->model, &m);
}

enum status judging_all(struct fold *f, struct shelf *s)
{
    // From model to model: the next key behind all windows of this one.
    uint32_t model = 0;
    for (;;) {
        struct shelf_key from = key_pendings(model), all = key_pendings_all();
        struct span key, v;
        enum status st = s->seek(s->self, SHELF_STATE, shelf_key_span(&from), &key, &v);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st != ST_OK)
            return st;
        if (key.size < 5 || key.data[0] != all.bytes[0])
            return ST_OK;
        model = load_be32(key.data + 1);
        ST_TRY(judging_due(f, s, model));
        if (model == UINT32_MAX)
            return ST_OK;
        model++;
    }
}
