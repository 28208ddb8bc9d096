// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/group.h"

#include <string.h>

void group_put_entry(struct buf *out, const struct stock_entry *e, struct span body,
                     struct span sigs)
{
    size_t type_size = strlen(e->type);
    buf_put_u8(out, GROUP_ENTRY);
    buf_put_le64(out, e->start);
    buf_put(out, e->boot, sizeof e->boot);
    buf_put_le64(out, e->seq);
    buf_put_u8(out, (uint8_t)type_size);
    buf_put(out, e->type, type_size);
    buf_put_le32(out, (uint32_t)body.size);
    buf_put_le32(out, (uint32_t)sigs.size);
    buf_put_span(out, body);
    buf_put_span(out, sigs);
}

void group_put_gone(struct buf *out, const uint8_t boot[16], uint64_t seq)
{
    buf_put_u8(out, GROUP_GONE);
    buf_put(out, boot, 16);
    buf_put_le64(out, seq);
}

void group_put_state(struct buf *out, struct span key, struct span value)
{
    buf_put_u8(out, GROUP_STATE);
    buf_put_u8(out, (uint8_t)key.size);
    buf_put_span(out, key);
    buf_put_le32(out, (uint32_t)value.size);
    buf_put_span(out, value);
}

// Where in the segment a part of the payload stands.
static struct place place_of(struct place at, struct span payload, struct span part)
{
    return (struct place){at.segment, at.offset + (uint64_t)(part.data - payload.data)};
}

static enum status apply_entry(struct stock *s, struct place at, struct span payload,
                               struct cursor *c, struct pool *pool)
{
    struct stock_entry e = {0};
    struct span boot, type, body, sigs;
    uint8_t type_size;
    ST_TRY(cursor_le64(c, &e.start));
    ST_TRY(cursor_bytes(c, sizeof e.boot, &boot));
    ST_TRY(cursor_le64(c, &e.seq));
    ST_TRY(cursor_u8(c, &type_size));
    ST_TRY(cursor_bytes(c, type_size, &type));
    ST_TRY(cursor_le32(c, &e.body_size));
    ST_TRY(cursor_le32(c, &e.sigs_size));
    ST_TRY(cursor_bytes(c, e.body_size, &body));
    ST_TRY(cursor_bytes(c, e.sigs_size, &sigs));
    if (type.size > STOCK_TYPE_MAX)
        return ST_CORRUPT;
    memcpy(e.boot, boot.data, sizeof e.boot);
    memcpy(e.type, type.data, type.size);
    e.body = place_of(at, payload, body);
    stock_describe(&e, body, pool);
    return stock_put(s, &e);
}

static enum status apply_gone(struct stock *s, struct cursor *c)
{
    struct span boot;
    uint64_t seq;
    ST_TRY(cursor_bytes(c, 16, &boot));
    ST_TRY(cursor_le64(c, &seq));
    struct stock_entry *e = stock_find(s, boot.data, seq);
    if (e)
        stock_remove(s, (size_t)(e - s->entry));
    return ST_OK;
}

static enum status apply_state(struct stock *s, struct place at, struct span payload,
                               struct cursor *c)
{
    struct span key, value;
    uint8_t key_size;
    uint32_t size;
    ST_TRY(cursor_u8(c, &key_size));
    ST_TRY(cursor_bytes(c, key_size, &key));
    ST_TRY(cursor_le32(c, &size));
    ST_TRY(cursor_bytes(c, size, &value));
    return stock_put_state(s, key, place_of(at, payload, value), size);
}

enum status group_apply(struct stock *s, struct place at, struct span payload,
                        struct pool *pool)
{
    struct cursor c = {payload};
    while (c.left.size > 0) {
        uint8_t op;
        enum status st = cursor_u8(&c, &op);
        if (st == ST_OK && op == GROUP_ENTRY)
            st = apply_entry(s, at, payload, &c, pool);
        else if (st == ST_OK && op == GROUP_GONE)
            st = apply_gone(s, &c);
        else if (st == ST_OK && op == GROUP_STATE)
            st = apply_state(s, at, payload, &c);
        else
            st = ST_CORRUPT;
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}
