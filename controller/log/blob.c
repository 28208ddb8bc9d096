// Blob: writes and reads the head and the directory.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/blob.h"

#include <string.h>

#include "common/base/cursor.h"
#include "controller/log/entry.h"

#define BLOB_FORMAT 1
#define SAME_FORMAT 2 // u8 format, then the key: there are as many as windows
// u8 format, u8 kind, be32 features, be64 start, end, rows, be32 payload offset and
// size.
#define HEAD_BYTES 38u
// be32 offset and be32 size of name and of profile, u8 role, u8 kind.
#define ROW_BYTES 18u

#define PAGE_BYTES 4096u
#define PAGE_HEAD 16u // LMDB's own, in front of a value that has pages for itself
#define LEAF_VALUE_MAX 2000u

// Sizes in pages that a large value is padded to: few classes, so that what retention
// frees fits what comes next, and close ones, since padding is written too.
static const uint16_t classes[] = {
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,  13,  14,  15,  16,  18,  20,
    22, 24, 26, 28, 30, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512};

static size_t padded(size_t size)
{
    if (size <= LEAF_VALUE_MAX)
        return size;
    size_t pages = (size + PAGE_HEAD + PAGE_BYTES - 1) / PAGE_BYTES;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (pages <= classes[i])
            return classes[i] * (size_t)PAGE_BYTES - PAGE_HEAD;
    }
    return size;
}

static uint32_t place(struct span whole, struct span part)
{
    return part.size == 0 ? 0 : (uint32_t)(part.data - whole.data);
}

static void put_head(struct buf *out, enum blob_kind kind, size_t payload_size,
                     uint32_t features, const struct window *w)
{
    buf_put_u8(out, BLOB_FORMAT);
    buf_put_u8(out, (uint8_t)kind);
    buf_put_be32(out, features);
    buf_put_be64(out, w->start);
    buf_put_be64(out, w->end);
    buf_put_be64(out, w->rows);
    buf_put_be32(out, HEAD_BYTES + features * ROW_BYTES);
    buf_put_be32(out, (uint32_t)payload_size);
}

void blob_put(struct buf *out, enum blob_kind kind, struct span payload,
              const struct window *w)
{
    size_t before = out->size;
    put_head(out, kind, payload.size, w->features, w);
    for (uint32_t i = 0; i < w->features; i++) {
        const struct window_feature *f = &w->feature[i];
        buf_put_be32(out, place(payload, f->name));
        buf_put_be32(out, (uint32_t)f->name.size);
        buf_put_be32(out, place(payload, f->profile));
        buf_put_be32(out, (uint32_t)f->profile.size);
        buf_put_u8(out, f->role);
        buf_put_u8(out, f->kind);
    }
    buf_put_span(out, payload);
    size_t size = out->size - before;
    size_t fill = padded(size) - size;
    uint8_t *zeros = fill > 0 ? buf_reserve(out, fill) : NULL;
    if (zeros)
        memset(zeros, 0, fill);
}

void blob_put_same(struct buf *out, const struct shelf_key *key)
{
    buf_put_u8(out, SAME_FORMAT);
    buf_put_span(out, shelf_key_span(key));
}

enum status blob_get(struct shelf *s, const struct shelf_key *key, struct blob *out)
{
    struct span v;
    ST_TRY(shelf_get(s, SHELF_WINDOW, key, &v));
    return blob_follow(s, v, out);
}

enum status blob_follow(struct shelf *s, struct span v, struct blob *out)
{
    ST_TRY(blob_read(v, out));
    if (out->kind != BLOB_SAME)
        return ST_OK;
    ST_TRY(s->get(s->self, SHELF_WINDOW, out->payload, &v));
    ST_TRY(blob_read(v, out));
    return out->kind == BLOB_SAME ? ST_CORRUPT : ST_OK;
}

enum status blob_read(struct span value, struct blob *out)
{
    struct cursor c = {value};
    struct blob b = {0};
    uint8_t format, kind;
    uint32_t offset, size;
    ST_TRY(cursor_u8(&c, &format));
    if (format == SAME_FORMAT) {
        *out = (struct blob){.kind = BLOB_SAME, .payload = c.left, .payload_offset = 1};
        return ST_OK;
    }
    if (format != BLOB_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_u8(&c, &kind));
    ST_TRY(cursor_be32(&c, &b.features));
    ST_TRY(cursor_be64(&c, &b.start));
    ST_TRY(cursor_be64(&c, &b.end));
    ST_TRY(cursor_be64(&c, &b.rows));
    ST_TRY(cursor_be32(&c, &offset));
    ST_TRY(cursor_be32(&c, &size));
    if (kind > BLOB_SAME || b.features > WINDOW_FEATURES_MAX)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(&c, b.features * (size_t)ROW_BYTES, &b.directory));
    if (offset != HEAD_BYTES + b.features * ROW_BYTES)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(&c, size, &b.payload));
    b.kind = (enum blob_kind)kind;
    b.payload_offset = offset;
    *out = b;
    return ST_OK;
}

static enum status part_of(struct span payload, const uint8_t *row, struct span *out)
{
    uint32_t offset = load_be32(row), size = load_be32(row + 4);
    if (offset > payload.size || size > payload.size - offset)
        return ST_CORRUPT;
    *out = span_of(payload.data + offset, size);
    return ST_OK;
}

enum status blob_feature(const struct blob *b, uint32_t i, struct blob_feature *out)
{
    if (i >= b->features)
        return ST_NOTFOUND;
    const uint8_t *row = b->directory.data + i * (size_t)ROW_BYTES;
    struct blob_feature f;
    ST_TRY(part_of(b->payload, row, &f.name));
    ST_TRY(part_of(b->payload, row + 8, &f.profile));
    f.role = row[16];
    f.kind = row[17];
    *out = f;
    return ST_OK;
}

enum status blob_find(const struct blob *b, struct span name, struct blob_feature *out)
{
    uint32_t low = 0, high = b->features;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct blob_feature f;
        ST_TRY(blob_feature(b, middle, &f));
        int order = span_compare(f.name, name);
        if (order == 0) {
            *out = f;
            return ST_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return ST_NOTFOUND;
}

enum status blob_message(const struct blob *b, struct span *out)
{
    if (b->kind == BLOB_SAME)
        return ST_NOTFOUND;
    if (b->kind == BLOB_MERGED) {
        *out = b->payload;
        return ST_OK;
    }
    struct entry_report report;
    ST_TRY(entry_read_report(b->payload, &report));
    *out = report.body;
    return ST_OK;
}
