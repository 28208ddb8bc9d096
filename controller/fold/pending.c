// Pending: figures, then the merged window as a message.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/pending.h"

#include <string.h>

#include "common/base/cursor.h"
#include "common/sketch/profile.h"
#include "controller/log/blob.h"
#include "controller/log/records.h"

#define PENDING_FORMAT 1

static enum status read_pending(struct span value, struct pool *pool,
                                struct pending *out)
{
    struct cursor c = {value};
    struct pending p;
    uint8_t format;
    ST_TRY(cursor_u8(&c, &format));
    if (format != PENDING_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_be32(&c, &p.hosts));
    ST_TRY(cursor_be64(&c, &p.arrived_ns));
    ST_TRY(cursor_be64(&c, &p.late_rows));
    p.message = c.left;
    ST_TRY(message_decode(&window_message, c.left, pool, &p.window));
    *out = p;
    return ST_OK;
}

enum status pending_get(struct shelf *s, const struct shelf_key *key, struct pool *pool,
                        struct pending *out)
{
    struct span v;
    ST_TRY(shelf_get(s, SHELF_STATE, key, &v));
    uint8_t *copy = pool_take(pool, v.size + 1, 1);
    if (!copy)
        return ST_FULL;
    memcpy(copy, v.data, v.size);
    return read_pending(span_of(copy, v.size), pool, out);
}

enum status pending_arrived(struct shelf *s, const struct shelf_key *key,
                            uint64_t *arrived_ns)
{
    struct span v;
    uint8_t format;
    uint32_t hosts;
    ST_TRY(shelf_get(s, SHELF_STATE, key, &v));
    struct cursor c = {v};
    ST_TRY(cursor_u8(&c, &format));
    ST_TRY(cursor_be32(&c, &hosts));
    return format == PENDING_FORMAT ? cursor_be64(&c, arrived_ns) : ST_VERSION;
}

static enum status put_pending(struct shelf *s, const struct shelf_key *key,
                               const struct pending *p)
{
    struct buf b;
    buf_init(&b, BLOB_BYTES_MAX);
    buf_put_u8(&b, PENDING_FORMAT);
    buf_put_be32(&b, p->hosts);
    buf_put_be64(&b, p->arrived_ns);
    buf_put_be64(&b, p->late_rows);
    enum status st = message_encode(&window_message, &p->window, &b, NULL);
    if (st == ST_OK)
        st = shelf_put(s, SHELF_STATE, key, buf_span(&b));
    buf_fini(&b);
    return st;
}

enum status pending_decode(struct profile *p, struct span bytes)
{
    enum status st = profile_decode(p, bytes);
    return st == ST_OK || st == ST_NOMEM ? st : profile_decode_counts(p, bytes);
}

enum status pending_merge(struct span into, struct span from, uint8_t kind,
                          uint64_t salt, struct buf *out)
{
    struct profile_options o = {
        .kind = kind == FEATURE_CATEGORICAL ? PROFILE_CATEGORICAL : PROFILE_NUMERIC,
        .width = GRID_F64,
        .seed = salt};
    struct profile *a = NULL, *b = NULL;
    // Fresh ones each time: their coins depend on the salt alone, not on what this
    // process has merged before.
    enum status st = profile_open(&o, NULL, &a);
    if (st == ST_OK)
        st = profile_open(&o, NULL, &b);
    if (st == ST_OK)
        st = pending_decode(a, into);
    if (st == ST_OK)
        st = pending_decode(b, from);
    if (st == ST_OK)
        st = profile_merge(a, b);
    if (st == ST_OK) {
        profile_encode(a, PROFILE_WITH_SKETCHES, out);
        st = out->failed;
    }
    profile_close(a);
    profile_close(b);
    return st;
}

// Both lists rise by name: one walk over the two.
struct join {
    const struct window_feature *a, *b;
    uint32_t an, bn;
    struct window_feature *out;
    uint32_t n;
    uint64_t salt;
    struct pool *pool;
    uint64_t unmerged;
};

static enum status join_same(struct join *j, const struct window_feature *a,
                             const struct window_feature *b)
{
    struct window_feature f = *a;
    struct buf merged;
    buf_init(&merged, WINDOW_PROFILE_MAX);
    enum status st = a->kind == b->kind
                         ? pending_merge(a->profile, b->profile, a->kind,
                                         j->salt * 1000003u + j->n, &merged)
                         : ST_CONFLICT;
    if (st == ST_OK) {
        uint8_t *copy = pool_take(j->pool, merged.size + 1, 1);
        if (!copy)
            st = ST_FULL;
        else
            memcpy(copy, merged.data, merged.size);
        f.profile = span_of(copy, merged.size);
    } else if (st == ST_CONFLICT || st == ST_FULL) {
        // Another grid, or a sketch that outgrew the wire: the first one stays.
        j->unmerged++;
        st = ST_OK;
    }
    buf_fini(&merged);
    if (st == ST_OK)
        j->out[j->n++] = f;
    return st;
}

static enum status join_features(struct join *j)
{
    uint32_t i = 0, k = 0;
    while (i < j->an || k < j->bn) {
        int order = i == j->an   ? 1
                    : k == j->bn ? -1
                                 : span_compare(j->a[i].name, j->b[k].name);
        if (j->n == WINDOW_FEATURES_MAX) {
            j->unmerged++;
            i += order <= 0;
            k += order >= 0;
        } else if (order < 0) {
            j->out[j->n++] = j->a[i++];
        } else if (order > 0) {
            j->out[j->n++] = j->b[k++];
        } else {
            ST_TRY(join_same(j, &j->a[i++], &j->b[k++]));
        }
    }
    return ST_OK;
}

static enum status start(struct shelf *s, const struct shelf_key *key,
                         const struct pending_part *part)
{
    struct pending p = {.hosts = part->hosts,
                        .arrived_ns = part->now_ns,
                        .late_rows = part->late_rows,
                        .window = *part->window};
    struct window *w = &p.window;
    memset(w->boot, 0, sizeof w->boot);
    w->seq = 0;
    w->flags = 0;
    w->part = w->parts = 0;
    w->observed = w->late = 0;
    w->dropped = NULL;
    w->drops = 0;
    if (part->window->part > 0)
        w->rows = 0;
    return put_pending(s, key, &p);
}

enum status pending_add(struct shelf *s, const struct shelf_key *key,
                        const struct pending_part *part, struct pool *pool,
                        uint64_t *unmerged)
{
    struct pending p;
    enum status st = pending_get(s, key, pool, &p);
    if (st == ST_NOTFOUND)
        return start(s, key, part);
    if (st != ST_OK)
        return st;
    const struct window *w = part->window;
    struct join j = {.a = p.window.feature,
                     .an = p.window.features,
                     .b = w->feature,
                     .bn = w->features,
                     .salt = part->salt,
                     .pool = pool};
    j.out = pool_take(pool, WINDOW_FEATURES_MAX, sizeof *j.out);
    if (!j.out)
        return ST_FULL;
    ST_TRY(join_features(&j));
    p.window.feature = j.out;
    p.window.features = j.n;
    p.window.rows += w->part == 0 ? w->rows : 0; // rows stand in every part of a window
    if (w->watermark > p.window.watermark)
        p.window.watermark = w->watermark;
    p.hosts += part->hosts;
    p.late_rows += part->late_rows;
    *unmerged += j.unmerged;
    return put_pending(s, key, &p);
}
