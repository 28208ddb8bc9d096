// A model's state as bytes, and back. The contracts stand in model.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/model/learn.h"
#include "agent/model/model.h"

// 1 had no columns.
#define SNAPSHOT_VERSION 2

static void put_short(struct buf *out, struct span s)
{
    buf_put_u8(out, (uint8_t)s.size);
    buf_put_span(out, s);
}

static enum status take_short(struct cursor *from, struct span *out)
{
    uint8_t size;
    ST_TRY(cursor_u8(from, &size));
    return cursor_bytes(from, size, out);
}

static void put_pane(struct pane *p, struct buf *out)
{
    struct buf bytes;
    buf_init(&bytes, 4u << 20);
    pane_save(p, &bytes);
    put_short(out, p->version);
    buf_put(out, p->yardstick ? yardstick_digest(p->yardstick) : (uint8_t[32]){0}, 32);
    buf_put_le64(out, p->rows);
    buf_put_le32(out, (uint32_t)bytes.size);
    buf_put_span(out, buf_span(&bytes));
    if (bytes.failed != ST_OK)
        out->failed = bytes.failed;
    buf_fini(&bytes);
}

void model_snapshot(struct model *m, uint64_t sealed_to, const struct account *account,
                    const struct account *told, struct span mark, struct buf *out)
{
    uint32_t panes = 0;
    for (uint32_t i = 0; i < m->panes; i++)
        panes += m->pane[i]->end > sealed_to;
    buf_put_u8(out, SNAPSHOT_VERSION);
    buf_put_le64(out, m->newest);
    buf_put_le64(out, m->watermark);
    buf_put_le64(out, sealed_to);
    buf_put_u8(out, m->is_live);
    buf_put_le64(out, m->streamed);
    buf_put(out, m->local_key, sizeof m->local_key);
    put_short(out, m->served);
    learn_save(&m->schema, out);
    changes_save(&m->changes, out);
    account_encode(account, out);
    account_encode(told, out);
    buf_put_le32(out, (uint32_t)mark.size);
    buf_put_span(out, mark);
    buf_put_le32(out, panes);
    for (uint32_t i = 0; i < m->panes; i++)
        if (m->pane[i]->end > sealed_to)
            put_pane(m->pane[i], out);
}

// --- Back

// What was declared since goes before what had been learned.
static enum status take_columns(struct model *m, struct cursor *c)
{
    struct schema learned = m->schema;
    bool is_declared = m->schema.is_frozen;
    if (is_declared) {
        schema_init(&learned);
        schema_reveal(&learned, m->schema.reveal, m->schema.reveals);
    }
    enum status st = learn_load(c, &learned);
    if (st == ST_OK)
        st = changes_load(c, &m->changes);
    if (is_declared)
        schema_fini(&learned);
    else
        m->schema = learned;
    if (st != ST_OK && !is_declared)
        learn_again(&m->schema);
    return st;
}

static enum status take_head(struct model *m, struct cursor *c)
{
    uint8_t version, is_live;
    struct span key, served;
    ST_TRY(cursor_u8(c, &version));
    if (version != 1 && version != SNAPSHOT_VERSION)
        return ST_VERSION;
    ST_TRY(cursor_le64(c, &m->newest));
    ST_TRY(cursor_le64(c, &m->watermark));
    ST_TRY(cursor_le64(c, &m->sealed_to));
    ST_TRY(cursor_u8(c, &is_live));
    ST_TRY(cursor_le64(c, &m->streamed));
    ST_TRY(cursor_bytes(c, sizeof m->local_key, &key));
    ST_TRY(take_short(c, &served));
    m->is_live = is_live != 0;
    memcpy(m->local_key, key.data, sizeof m->local_key);
    if (served.size > 0) {
        struct model_version *v = model_version(m, served);
        if (!v)
            return ST_NOMEM;
        m->served = v->name;
    }
    if (version > 1)
        ST_TRY(take_columns(m, c));
    ST_TRY(account_decode(c, &m->account));
    return account_decode(c, &m->told);
}

static struct yardstick *yardstick_by(const struct model *m, struct span digest)
{
    for (uint32_t i = 0; i < m->yardsticks.n; i++)
        if (memcmp(yardstick_digest(m->yardsticks.item[i]), digest.data, 32) == 0)
            return m->yardsticks.item[i];
    return NULL;
}

// A pane that cannot go on is lost, and its rows are told as such.
static enum status take_pane(struct model *m, struct cursor *c)
{
    struct span version, digest, bytes;
    uint64_t rows;
    uint32_t size;
    ST_TRY(take_short(c, &version));
    ST_TRY(cursor_bytes(c, 32, &digest));
    ST_TRY(cursor_le64(c, &rows));
    ST_TRY(cursor_le32(c, &size));
    ST_TRY(cursor_bytes(c, size, &bytes));
    struct model_version *v = model_version(m, version);
    struct cursor inside = {bytes};
    const struct pane_ground ground = model_ground(m);
    enum status st = ST_FULL;
    if (v && m->panes < REGISTRY_OPEN_WINDOWS_MAX)
        st = pane_load(&inside, &ground, v->name, yardstick_by(m, digest),
                       &m->pane[m->panes]);
    if (st == ST_OK)
        m->panes++;
    else
        m->account.dropped[DROP_CRASH] += rows;
    return ST_OK;
}

static enum status take_all(struct model *m, struct span state, struct span *mark)
{
    struct cursor c = {state};
    uint32_t mark_size, panes;
    ST_TRY(take_head(m, &c));
    ST_TRY(cursor_le32(&c, &mark_size));
    ST_TRY(cursor_bytes(&c, mark_size, mark));
    ST_TRY(cursor_le32(&c, &panes));
    for (uint32_t i = 0; i < panes; i++)
        ST_TRY(take_pane(m, &c));
    return cursor_end(&c);
}

static void forget(struct model *m)
{
    for (uint32_t i = 0; i < m->panes; i++)
        pane_close(m->pane[i]);
    m->panes = 0;
    m->newest = m->watermark = m->sealed_to = m->streamed = 0;
    m->account = m->told = (struct account){0};
    changes_clear(&m->changes);
}

// What stream doors were given behind the snapshot went down with the process. A page
// that is behind the snapshot is a new one.
static void count_lost(struct model *m)
{
    if (!m->streamed_page)
        return;
    if (*m->streamed_page > m->streamed) {
        m->lost = *m->streamed_page - m->streamed;
        m->account.observed += m->lost;
        m->account.dropped[DROP_CRASH] += m->lost;
        m->streamed = *m->streamed_page;
    }
    *m->streamed_page = m->streamed;
}

enum status model_restore(struct model *m, struct span state, struct span *mark)
{
    enum status st = take_all(m, state, mark);
    if (st != ST_OK) {
        *mark = (struct span){0};
        forget(m);
    }
    count_lost(m);
    return st;
}
