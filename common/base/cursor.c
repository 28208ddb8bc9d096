// Cursor: each step checks what is left before it looks.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/cursor.h"

enum status cursor_bytes(struct cursor *c, size_t size, struct span *out)
{
    if (size > c->left.size)
        return ST_CORRUPT;
    *out = span_of(c->left.data, size);
    if (size) {
        c->left.data += size;
        c->left.size -= size;
    }
    return ST_OK;
}

enum status cursor_u8(struct cursor *c, uint8_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 1, &s));
    *out = s.data[0];
    return ST_OK;
}

enum status cursor_le16(struct cursor *c, uint16_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 2, &s));
    *out = load_le16(s.data);
    return ST_OK;
}

enum status cursor_le32(struct cursor *c, uint32_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 4, &s));
    *out = load_le32(s.data);
    return ST_OK;
}

enum status cursor_le64(struct cursor *c, uint64_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 8, &s));
    *out = load_le64(s.data);
    return ST_OK;
}

enum status cursor_le_f64(struct cursor *c, double *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 8, &s));
    *out = load_le_f64(s.data);
    return ST_OK;
}

enum status cursor_be32(struct cursor *c, uint32_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 4, &s));
    *out = load_be32(s.data);
    return ST_OK;
}

enum status cursor_be64(struct cursor *c, uint64_t *out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, 8, &s));
    *out = load_be64(s.data);
    return ST_OK;
}

enum status cursor_varint(struct cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 10 && i < c->left.size; i++) {
        uint8_t byte = c->left.data[i];
        if (i == 9 && byte > 1) // the tenth byte holds bit 63 alone
            return ST_CORRUPT;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0) // a longer form than needed
            return ST_CORRUPT;
        struct span used;
        ST_TRY(cursor_bytes(c, i + 1, &used));
        *out = v;
        return ST_OK;
    }
    return ST_CORRUPT;
}

enum status cursor_end(const struct cursor *c)
{
    return c->left.size == 0 ? ST_OK : ST_CORRUPT;
}
