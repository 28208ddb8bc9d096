// Rollup: the marks, what is due, and the writing of parts.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/rollup.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "controller/fold/blend.h"
#include "controller/log/blob.h"
#include "controller/log/names.h"
#include "controller/log/progress.h"

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (86400 * NS_PER_S)
// How far a series is beyond the end of a span when it is made: at least this, and at
// most as much more, by its number.
#define HOUR_DELAY_S 300u
#define HOUR_SPREAD_S 2400u
#define DAY_DELAY_S 3600u
#define DAY_SPREAD_S 21600u

#define MARK_FORMAT 1u
#define MARK_BYTES 17u

static struct shelf_key mark_key(uint32_t series)
{
    return key_state('u', series);
}

enum status rollup_mark_get(struct shelf *s, uint32_t series, struct rollup_mark *out)
{
    struct shelf_key k = mark_key(series);
    struct span v;
    enum status st = shelf_get(s, SHELF_STATE, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct rollup_mark){0};
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    if (v.size != MARK_BYTES || v.data[0] != MARK_FORMAT)
        return ST_CORRUPT;
    *out = (struct rollup_mark){load_be64(v.data + 1), load_be64(v.data + 9)};
    return ST_OK;
}

static enum status put_mark(struct shelf *s, uint32_t series,
                            const struct rollup_mark *m)
{
    uint8_t v[MARK_BYTES] = {MARK_FORMAT};
    store_be64(v + 1, m->hour_ns);
    store_be64(v + 9, m->day_ns);
    struct shelf_key k = mark_key(series);
    return shelf_put(s, SHELF_STATE, &k, span_of(v, sizeof v));
}

// --- One span of a series, being made

struct making {
    struct fold *f;
    struct shelf *s;
    const struct rollup_series *r;
    enum key_resolution res; // of what is made
    uint64_t start, length;
    uint64_t rows, end;
};

static enum status add_blob(struct making *x, const struct shelf_key *key,
                            bool counts_rows)
{
    struct blob b;
    enum status st = blob_get(x->s, key, &b);
    if (st == ST_NOTFOUND) { // it stood for a report that has expired
        x->f->blend->unmerged++;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    x->rows += counts_rows ? b.rows : 0;
    x->end = b.end > x->end ? b.end : x->end;
    return blend_add(x->f->blend, &b);
}

// All that starts in [start, start + length) at a resolution. The parts of a rollup
// repeat its rows; those of the raw windows of one start are windows of their own.
static enum status add_range(struct making *x, enum key_resolution from)
{
    struct shelf_key prefix = key_window_series(x->r->series, from);
    struct shelf_key at = key_window(x->r->series, from, x->start, 0);
    uint64_t end_s = (x->start + x->length) / NS_PER_S;
    for (;;) {
        struct span key;
        struct span value;
        enum status st =
            x->s->seek(x->s->self, SHELF_WINDOW, shelf_key_span(&at), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st != ST_OK)
            return st;
        if (key.size != at.size || memcmp(key.data, prefix.bytes, prefix.size) != 0 ||
            load_be32(key.data + prefix.size) >= end_s)
            return ST_OK;
        memcpy(at.bytes, key.data, key.size);
        ST_TRY(add_blob(x, &at, from == KEY_RAW || at.bytes[at.size - 1] == 0));
        if (at.bytes[at.size - 1] == UINT8_MAX) // the next key behind this one
            store_be32(at.bytes + prefix.size, load_be32(at.bytes + prefix.size) + 1);
        at.bytes[at.size - 1]++;
    }
}

// --- Writing

#define PARTS_MAX 256u
#define PARTS_BYTES_MAX (64u << 20)

// Parts are encoded all together before the first one is put: names and profiles are
// lent by the shelf until then.
struct parts {
    struct window w;
    struct window_feature feature[WINDOW_FEATURES_MAX];
    size_t offset[WINDOW_FEATURES_MAX]; // of the profile
    struct buf profiles, message;       // of the part under way
    struct buf blobs;
    size_t end[PARTS_MAX];
    unsigned n;
};

static enum status end_part(struct fold *f, struct parts *p)
{
    struct window *w = &p->w;
    if (p->n == PARTS_MAX)
        return ST_FULL;
    w->feature = p->feature;
    for (uint32_t i = 0; i < w->features; i++)
        p->feature[i].profile.data = p->profiles.data + p->offset[i];
    buf_clear(&p->message);
    ST_TRY(message_encode(&window_message, w, &p->message, NULL));
    // Its directory points into the message as it is read again.
    struct window read;
    size_t used = f->pool.used;
    ST_TRY(message_decode(&window_message, buf_span(&p->message), &f->pool, &read));
    blob_put(&p->blobs, BLOB_MERGED, buf_span(&p->message), &read);
    f->pool.used = used;
    p->end[p->n++] = p->blobs.size;
    buf_clear(&p->profiles);
    w->features = 0;
    return p->blobs.failed;
}

static enum status add_to_part(struct fold *f, struct parts *p,
                               const struct blend_feature *from)
{
    size_t before = p->profiles.size;
    profile_encode(from->profile, PROFILE_WITH_SKETCHES, &p->profiles);
    if (p->profiles.failed == ST_OK && p->profiles.size - before > WINDOW_PROFILE_MAX) {
        // A sketch that outgrew the wire: its counts are what must not be lost.
        p->profiles.size = before;
        profile_encode(from->profile, PROFILE_PLAIN, &p->profiles);
        f->blend->unmerged++;
    }
    uint32_t at = p->w.features++;
    p->offset[at] = before;
    p->feature[at] = (struct window_feature){.name = from->name,
                                             .role = from->role,
                                             .kind = from->kind,
                                             .profile.size = p->profiles.size - before};
    return p->profiles.failed;
}

static enum status encode_parts(struct fold *f, struct parts *p)
{
    const struct blend *b = f->blend;
    for (uint32_t set = 0; set < BLEND_SETS; set++) {
        for (uint32_t i = 0; i < b->features[set]; i++) {
            ST_TRY(add_to_part(f, p, &b->feature[set][i]));
            if (p->profiles.size >= ROLLUP_PART_BYTES)
                ST_TRY(end_part(f, p));
        }
        if (p->w.features > 0 || p->n == 0)
            ST_TRY(end_part(f, p));
    }
    return ST_OK;
}

static enum status put_parts(struct making *x, const struct parts *p)
{
    size_t at = 0;
    for (unsigned i = 0; i < p->n; i++) {
        struct shelf_key k = key_window(x->r->series, x->res, x->start, (uint8_t)i);
        struct span blob = span_of(p->blobs.data + at, p->end[i] - at);
        ST_TRY(shelf_put(x->s, SHELF_WINDOW, &k, blob));
        at = p->end[i];
    }
    // What is made anew may need fewer parts than before.
    for (unsigned i = p->n; i < PARTS_MAX; i++) {
        struct shelf_key k = key_window(x->r->series, x->res, x->start, (uint8_t)i);
        enum status st = shelf_del(x->s, SHELF_WINDOW, &k);
        if (st != ST_OK)
            return st == ST_NOTFOUND ? ST_OK : st;
    }
    return ST_OK;
}

static enum status write_with(struct making *x, struct parts *p)
{
    struct buf names;
    buf_init(&names, 2 * FIELD_NAME_MAX + 2);
    enum status st = names_of_model(x->s, x->r->model, &names);
    size_t model = names.size;
    if (st == ST_OK)
        st = names_of_version(x->s, x->r->model, x->r->version, &names);
    p->w = (struct window){.start = x->start,
                           .end = x->end,
                           .watermark = x->end,
                           .rows = x->rows,
                           .model = span_of(names.data, model),
                           .version = span_of(names.data + model, names.size - model)};
    if (st == ST_OK)
        st = encode_parts(x->f, p);
    if (st == ST_OK)
        st = put_parts(x, p);
    buf_fini(&names);
    return st;
}

static enum status write_all(struct making *x)
{
    struct parts *p = MEM_NEW(struct parts);
    if (!p)
        return ST_NOMEM;
    buf_init(&p->profiles, PARTS_BYTES_MAX);
    buf_init(&p->message, BLOB_BYTES_MAX);
    buf_init(&p->blobs, PARTS_BYTES_MAX);
    enum status st = write_with(x, p);
    buf_fini(&p->profiles);
    buf_fini(&p->message);
    buf_fini(&p->blobs);
    mem_free(p);
    return st;
}

// --- What is due

static enum status note_unmerged(struct making *x)
{
    struct progress_model m;
    if (x->f->blend->unmerged == 0)
        return ST_OK;
    ST_TRY(progress_get_model(x->s, x->r->model, &m));
    m.unmerged += x->f->blend->unmerged;
    return progress_put_model(x->s, x->r->model, &m);
}

static void begin(struct making *x, struct fold *f, struct shelf *s,
                  const struct rollup_series *r)
{
    x->f = f;
    x->s = s;
    x->r = r;
    blend_begin(f->blend, r->series * UINT64_C(0x9e3779b97f4a7c15) + x->start);
}

static enum status make(struct making *x, enum key_resolution from)
{
    ST_TRY(add_range(x, from));
    if (x->end > 0) // something was there
        ST_TRY(write_all(x));
    return note_unmerged(x);
}

// The start of the first blob at or behind `from_ns`; UINT64_MAX: there is none.
static enum status first_from(struct shelf *s, uint32_t series, enum key_resolution res,
                              uint64_t from_ns, uint64_t *start_ns)
{
    struct shelf_key at = key_window(series, res, from_ns, 0);
    struct span key, value;
    enum status st = s->seek(s->self, SHELF_WINDOW, shelf_key_span(&at), &key, &value);
    *start_ns = UINT64_MAX;
    if (st == ST_OK && key.size == at.size && memcmp(key.data, at.bytes, 5) == 0)
        *start_ns = load_be32(key.data + 5) * NS_PER_S;
    return st == ST_NOTFOUND ? ST_OK : st;
}

// A stage: what is merged into what, and when.
struct stage {
    enum key_resolution from, to;
    uint64_t length_ns, delay_ns;
};

static uint64_t spread_s(uint32_t series, uint32_t most_s)
{
    return (series * UINT32_C(2654435761)) % most_s;
}

// Moves `mark` over what is done and what is empty. Nothing behind `ready_ns` is looked
// at: what it is made of may still change.
static enum status advance(struct fold *f, struct shelf *s,
                           const struct rollup_series *r, const struct stage *g,
                           uint64_t ready_ns, uint64_t *mark, bool *made)
{
    if (*mark + g->length_ns + g->delay_ns > ready_ns)
        return ST_OK;
    uint64_t start;
    ST_TRY(first_from(s, r->series, g->from, *mark, &start));
    bool is_empty = start == UINT64_MAX; // a model that is silent gets older too
    if (is_empty)
        start = ready_ns - g->delay_ns;
    start -= start % g->length_ns;
    *mark = start;
    if (is_empty)
        return ST_OK;
    if (start + g->length_ns + g->delay_ns > ready_ns)
        return ST_OK;
    struct making x = {.res = g->to, .start = start, .length = g->length_ns};
    begin(&x, f, s, r);
    ST_TRY(make(&x, g->from));
    *mark = start + g->length_ns;
    *made = true;
    return ST_OK;
}

enum status rollup_due(struct fold *f, struct shelf *s, const struct rollup_series *r,
                       uint64_t horizon_ns, bool *made)
{
    struct stage hour = {KEY_RAW, KEY_HOUR, HOUR_NS,
                         (HOUR_DELAY_S + spread_s(r->series, HOUR_SPREAD_S)) *
                             NS_PER_S};
    struct stage day = {KEY_HOUR, KEY_DAY, DAY_NS,
                        (DAY_DELAY_S + spread_s(r->series, DAY_SPREAD_S)) * NS_PER_S};
    struct rollup_mark m, before;
    *made = false;
    ST_TRY(rollup_mark_get(s, r->series, &m));
    before = m;
    if (m.hour_ns == 0)
        return ST_OK;
    ST_TRY(advance(f, s, r, &hour, horizon_ns, &m.hour_ns, made));
    // A day is made of hours that are all made.
    uint64_t hours_ns = m.hour_ns + day.delay_ns;
    uint64_t ready_ns = hours_ns < horizon_ns ? hours_ns : horizon_ns;
    ST_TRY(advance(f, s, r, &day, ready_ns, &m.day_ns, made));
    if (m.hour_ns == before.hour_ns && m.day_ns == before.day_ns)
        return ST_OK;
    return put_mark(s, r->series, &m);
}

// A window that begins in a span that is made: a long one, that a spool has put
// together. It is added to what was made.
static enum status add_late(struct fold *f, struct shelf *s,
                            const struct rollup_series *r, const struct shelf_key *key,
                            struct making x)
{
    begin(&x, f, s, r);
    ST_TRY(add_range(&x, x.res));
    ST_TRY(add_blob(&x, key, true));
    ST_TRY(write_all(&x));
    return note_unmerged(&x);
}

enum status rollup_window(struct fold *f, struct shelf *s,
                          const struct rollup_series *r, const struct shelf_key *key,
                          uint64_t start_ns)
{
    uint64_t hour = start_ns - start_ns % HOUR_NS, day = start_ns - start_ns % DAY_NS;
    struct rollup_mark m;
    ST_TRY(rollup_mark_get(s, r->series, &m));
    if (m.hour_ns == 0)
        return put_mark(s, r->series, &(struct rollup_mark){hour, day});
    if (start_ns < m.hour_ns)
        ST_TRY(add_late(
            f, s, r, key,
            (struct making){.res = KEY_HOUR, .start = hour, .length = HOUR_NS}));
    if (start_ns < m.day_ns)
        ST_TRY(
            add_late(f, s, r, key,
                     (struct making){.res = KEY_DAY, .start = day, .length = DAY_NS}));
    return ST_OK;
}
