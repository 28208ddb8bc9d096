// Ledger: packs rows, finds bodies again, keeps heads.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/ledger.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "controller/log/keys.h"
#include "controller/log/retention.h"

#define ROW_FORMAT 1
#define HEAD_FORMAT 1
#define ROW_AT 12u   // where its time stands
#define ROW_HEAD 20u // bytes in front of body or place
#define DROPPED_AT_ONCE 2u

enum row_place { ROW_HERE = 0, ROW_ELSEWHERE = 1 };

enum status ledger_check(const struct tape_append *a, uint32_t partitions)
{
    if (a->partition >= partitions || a->entries == 0 || a->entries > TAPE_APPEND_MAX)
        return ST_RANGE;
    for (uint32_t i = 0; i < a->entries; i++) {
        if (a->entry[i].body.size > TAPE_BODY_MAX)
            return ST_RANGE;
    }
    return ST_OK;
}

static struct shelf_key head_key(uint32_t partition)
{
    struct shelf_key k = key_meta("head.");
    shelf_key_be32(&k, partition);
    return k;
}

enum status ledger_head(struct shelf *s, uint32_t partition, struct ledger_head *out)
{
    struct shelf_key k = head_key(partition);
    struct span v;
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct ledger_head){.last = {.generation = 1, .seq = 0}, .oldest = 1};
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    struct cursor c = {v};
    struct ledger_head h;
    uint8_t format;
    ST_TRY(cursor_u8(&c, &format));
    if (format != HEAD_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_be64(&c, &h.last.generation));
    ST_TRY(cursor_be64(&c, &h.last.seq));
    ST_TRY(cursor_be64(&c, &h.oldest));
    ST_TRY(cursor_end(&c));
    *out = h;
    return ST_OK;
}

static enum status put_head(struct shelf *s, uint32_t partition,
                            const struct ledger_head *h)
{
    uint8_t v[25] = {HEAD_FORMAT};
    store_be64(v + 1, h->last.generation);
    store_be64(v + 9, h->last.seq);
    store_be64(v + 17, h->oldest);
    struct shelf_key k = head_key(partition);
    return shelf_put(s, SHELF_META, &k, span_of(v, sizeof v));
}

// A row: u8 format, u8 place, u16 kind, be64 generation, be64 at; then the body, or
// u8 table, be32 offset, be32 size and the key.
static enum status put_row(struct shelf *s, uint32_t partition,
                           const struct tape_entry *e, const struct tape_home *home)
{
    struct buf row;
    buf_init(&row, TAPE_BODY_MAX + 64);
    buf_put_u8(&row, ROW_FORMAT);
    buf_put_u8(&row, home->kind == HOME_SHELF ? ROW_ELSEWHERE : ROW_HERE);
    buf_put_u8(&row, (uint8_t)(e->kind >> 8));
    buf_put_u8(&row, (uint8_t)e->kind);
    buf_put_be64(&row, e->pos.generation);
    buf_put_be64(&row, e->at_ns);
    if (home->kind == HOME_SHELF) {
        buf_put_u8(&row, (uint8_t)home->table);
        buf_put_be32(&row, home->offset);
        buf_put_be32(&row, home->size);
        buf_put_span(&row, shelf_key_span(&home->key));
    } else {
        bool is_cut = home->kind == HOME_CUT && home->size < e->body.size;
        buf_put(&row, e->body.data, is_cut ? home->size : e->body.size);
    }
    struct shelf_key k = key_log(partition, e->pos.seq);
    enum status st =
        row.failed != ST_OK ? row.failed : shelf_put(s, SHELF_LOG, &k, buf_span(&row));
    buf_fini(&row);
    return st;
}

// Rows that are older than the windows that they lead to go, a few with each entry.
// Which ones depends on the entries alone, not on how they were grouped.
static enum status drop_old(struct shelf *s, uint32_t partition, uint64_t now_ns,
                            struct ledger_head *head)
{
    struct retention keep;
    ST_TRY(retention_get(s, &keep));
    uint64_t keep_ns = retention_of(&keep, KEY_RAW);
    for (uint32_t i = 0; i < DROPPED_AT_ONCE && head->oldest < head->last.seq; i++) {
        struct shelf_key k = key_log(partition, head->oldest);
        struct span row;
        ST_TRY(shelf_get(s, SHELF_LOG, &k, &row));
        if (row.size < ROW_HEAD)
            return ST_CORRUPT;
        uint64_t at_ns = load_be64(row.data + ROW_AT);
        if (now_ns < keep_ns || at_ns >= now_ns - keep_ns)
            return ST_OK;
        ST_TRY(shelf_del(s, SHELF_LOG, &k));
        head->oldest++;
    }
    return ST_OK;
}

enum status ledger_append(struct shelf *s, const struct tape_fold *fold,
                          const struct tape_append *a, struct tape_pos *last)
{
    struct ledger_head head;
    ST_TRY(ledger_head(s, a->partition, &head));
    if (a->expect != TAPE_ANY && a->expect != head.last.seq)
        return ST_CONFLICT;
    if (a->generation != 0 && a->generation < head.last.generation)
        return ST_REGRESSED;
    if (a->generation != 0)
        head.last.generation = a->generation;
    for (uint32_t i = 0; i < a->entries; i++) {
        struct tape_entry e = a->entry[i];
        struct tape_home home = {0};
        head.last.seq++;
        e.pos = head.last;
        if (fold)
            ST_TRY(fold->entry(fold->self, s, &e, &home));
        ST_TRY(put_row(s, a->partition, &e, &home));
        if (fold)
            ST_TRY(drop_old(s, a->partition, e.at_ns, &head));
    }
    if (fold)
        ST_TRY(fold->flush(fold->self, s));
    ST_TRY(put_head(s, a->partition, &head));
    *last = head.last;
    return ST_OK;
}

static enum status find_body(struct shelf *s, struct cursor *c, struct span *out)
{
    uint8_t table;
    uint32_t offset, size;
    ST_TRY(cursor_u8(c, &table));
    ST_TRY(cursor_be32(c, &offset));
    ST_TRY(cursor_be32(c, &size));
    if (table >= SHELF_COUNT)
        return ST_CORRUPT;
    struct span v;
    ST_TRY(s->get(s->self, (enum shelf_table)table, c->left, &v));
    if (offset > v.size || size > v.size - offset)
        return ST_CORRUPT;
    *out = span_of(v.data + offset, size);
    return ST_OK;
}

static enum status read_row(struct shelf *s, struct span row, struct tape_entry *e)
{
    struct cursor c = {row};
    uint8_t format, place, high, low;
    ST_TRY(cursor_u8(&c, &format));
    if (format != ROW_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_u8(&c, &place));
    ST_TRY(cursor_u8(&c, &high));
    ST_TRY(cursor_u8(&c, &low));
    e->kind = (uint16_t)(high << 8 | low);
    ST_TRY(cursor_be64(&c, &e->pos.generation));
    ST_TRY(cursor_be64(&c, &e->at_ns));
    if (place == ROW_ELSEWHERE)
        return find_body(s, &c, &e->body);
    e->body = c.left;
    return ST_OK;
}

enum status ledger_read(struct shelf *s, uint32_t partition, struct tape_pos *after,
                        struct tape_reader *each, uint32_t limit)
{
    struct ledger_head head;
    ST_TRY(ledger_head(s, partition, &head));
    if (after->seq > head.last.seq)
        return ST_REGRESSED;
    if (after->seq + 1 < head.oldest)
        return ST_NOTFOUND;
    for (uint32_t i = 0; i < limit; i++) {
        if (after->seq == head.last.seq)
            return ST_EMPTY;
        struct shelf_key k = key_log(partition, after->seq + 1);
        struct tape_entry e = {.pos = {.seq = after->seq + 1}};
        struct span row;
        enum status st = shelf_get(s, SHELF_LOG, &k, &row);
        if (st != ST_OK)
            return st == ST_NOTFOUND ? ST_CORRUPT : st;
        ST_TRY(read_row(s, row, &e));
        ST_TRY(each->entry(each->keep, &e));
        *after = e.pos;
    }
    return ST_OK;
}

enum status ledger_trim(struct shelf *s, uint32_t partition, struct tape_pos upto,
                        uint32_t limit)
{
    struct ledger_head head;
    ST_TRY(ledger_head(s, partition, &head));
    if (upto.seq > head.last.seq)
        return ST_RANGE;
    uint32_t n = 0;
    while (head.oldest <= upto.seq && n++ < limit) {
        struct shelf_key k = key_log(partition, head.oldest);
        enum status st = shelf_del(s, SHELF_LOG, &k);
        if (st != ST_OK)
            return st == ST_NOTFOUND ? ST_CORRUPT : st;
        head.oldest++;
    }
    ST_TRY(put_head(s, partition, &head));
    return head.oldest <= upto.seq ? ST_AGAIN : ST_OK;
}
