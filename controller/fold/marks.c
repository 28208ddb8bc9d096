// Marks: a high-water mark and a bitmap of what came early.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/marks.h"

#include "controller/log/keys.h"

#define MARK_BYTES 40u

// Moves the mark over everything that was taken right behind it.
static void settle(struct mark *m)
{
    while (m->ahead & 1) {
        m->mark++;
        m->ahead >>= 1;
    }
}

bool mark_take(struct mark *m, uint64_t seq)
{
    if (seq <= m->mark) {
        m->repeated++;
        return false;
    }
    uint64_t ahead = seq - m->mark; // 1: the next one
    if (ahead > MARKS_WIDTH) {
        // What falls out of the bitmap below counts as taken: it was never sent.
        uint64_t shift = ahead - MARKS_WIDTH;
        m->ahead = shift < MARKS_WIDTH ? m->ahead >> shift : 0;
        m->mark += shift;
        ahead = MARKS_WIDTH;
    }
    uint64_t bit = UINT64_C(1) << (ahead - 1);
    if (m->ahead & bit) {
        m->repeated++;
        return false;
    }
    m->ahead |= bit;
    m->taken++;
    settle(m);
    return true;
}

static enum status read_mark(struct span v, struct mark *out)
{
    if (v.size != MARK_BYTES)
        return ST_CORRUPT;
    *out = (struct mark){.mark = load_be64(v.data),
                         .ahead = load_be64(v.data + 8),
                         .taken = load_be64(v.data + 16),
                         .repeated = load_be64(v.data + 24),
                         .seen_ns = load_be64(v.data + 32)};
    return ST_OK;
}

static enum status put_mark(struct shelf *s, const struct shelf_key *k,
                            const struct mark *m)
{
    uint8_t v[MARK_BYTES];
    store_be64(v, m->mark);
    store_be64(v + 8, m->ahead);
    store_be64(v + 16, m->taken);
    store_be64(v + 24, m->repeated);
    store_be64(v + 32, m->seen_ns);
    return shelf_put(s, SHELF_AGENT, k, span_of(v, sizeof v));
}

// Before a new boot is kept: forgets the one silent for longest if there are too many.
static enum status make_room(struct shelf *s, const uint8_t *agent)
{
    struct shelf_key prefix = key_marks(agent), oldest = prefix;
    uint64_t least = UINT64_MAX;
    uint32_t n = 0;
    struct shelf_walk w;
    struct span v;
    enum status st;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while ((st = shelf_walk_next(&w, NULL, &v)) == ST_OK) {
        struct mark m;
        ST_TRY(read_mark(v, &m));
        if (m.seen_ns < least) {
            least = m.seen_ns;
            oldest = w.at;
        }
        n++;
    }
    if (st != ST_EMPTY)
        return st;
    return n < MARKS_BOOTS_MAX ? ST_OK : shelf_del(s, SHELF_AGENT, &oldest);
}

enum status marks_get(struct shelf *s, const uint8_t *agent, const uint8_t *boot,
                      struct mark *out)
{
    struct shelf_key k = key_mark(agent, boot);
    struct span v;
    enum status st = shelf_get(s, SHELF_AGENT, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct mark){0};
        return ST_OK;
    }
    return st == ST_OK ? read_mark(v, out) : st;
}

enum status marks_fold(struct shelf *s, const uint8_t *agent, const uint8_t *boot,
                       uint64_t seq, uint64_t now_ns, bool *is_new)
{
    struct mark m;
    ST_TRY(marks_get(s, agent, boot, &m));
    if (m.taken == 0)
        ST_TRY(make_room(s, agent));
    bool taken = mark_take(&m, seq);
    m.seen_ns = now_ns;
    struct shelf_key k = key_mark(agent, boot);
    ST_TRY(put_mark(s, &k, &m));
    *is_new = taken;
    return ST_OK;
}
