// Buf: growing by doubling, up to the limit.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *b, size_t limit)
{
    // One byte above the limit is kept for the closing zero of buf_cstr.
    *b = (struct buf){.limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1};
}

void buf_fini(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.limit = b->limit};
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = ST_OK;
}

// Makes the block at least `want` bytes (<= limit + 1).
static bool grow(struct buf *b, size_t want)
{
    if (want <= b->capacity)
        return true;
    size_t most = b->limit + 1;
    size_t next = b->capacity > most / 2 ? most : b->capacity * 2;
    if (next < BUF_FIRST_BYTES)
        next = most < BUF_FIRST_BYTES ? most : BUF_FIRST_BYTES;
    if (next < want)
        next = want;
    uint8_t *data = mem_resize(b->data, next, 1);
    if (!data) {
        b->failed = ST_NOMEM;
        return false;
    }
    b->data = data;
    b->capacity = next;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t size)
{
    if (b->failed)
        return NULL;
    if (size > b->limit - b->size) {
        b->failed = ST_FULL;
        return NULL;
    }
    size_t want = b->size + size;
    if (!grow(b, want ? want : 1))
        return NULL;
    uint8_t *room = b->data + b->size;
    b->size = want;
    return room;
}

void buf_put(struct buf *b, const void *data, size_t size)
{
    uint8_t *room = buf_reserve(b, size);
    if (room && size)
        memcpy(room, data, size);
}

void buf_put_span(struct buf *b, struct span s)
{
    buf_put(b, s.data, s.size);
}

void buf_put_text(struct buf *b, const char *text)
{
    buf_put_span(b, span_text(text));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_put_le32(struct buf *b, uint32_t v)
{
    uint8_t *room = buf_reserve(b, 4);
    if (room)
        store_le32(room, v);
}

void buf_put_le64(struct buf *b, uint64_t v)
{
    uint8_t *room = buf_reserve(b, 8);
    if (room)
        store_le64(room, v);
}

void buf_put_le_f64(struct buf *b, double v)
{
    uint8_t *room = buf_reserve(b, 8);
    if (room)
        store_le_f64(room, v);
}

void buf_put_be32(struct buf *b, uint32_t v)
{
    uint8_t *room = buf_reserve(b, 4);
    if (room)
        store_be32(room, v);
}

void buf_put_be64(struct buf *b, uint64_t v)
{
    uint8_t *room = buf_reserve(b, 8);
    if (room)
        store_be64(room, v);
}

void buf_put_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    buf_put(b, bytes, n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char brief[256];
    va_list args;
    va_start(args, fmt);
    int size = vsnprintf(brief, sizeof brief, fmt, args);
    va_end(args);
    if (size < 0) {
        b->failed = b->failed ? b->failed : ST_RANGE;
        return;
    }
    if ((size_t)size < sizeof brief) {
        buf_put(b, brief, (size_t)size);
        return;
    }
    uint8_t *room = buf_reserve(b, (size_t)size);
    if (!room || !grow(b, b->size + 1)) // vsnprintf writes a closing zero
        return;
    room = b->data + b->size - (size_t)size;
    va_start(args, fmt);
    vsnprintf((char *)room, (size_t)size + 1, fmt, args);
    va_end(args);
}

void buf_shift(struct buf *b, size_t size)
{
    assert(size <= b->size);
    b->size -= size;
    if (size && b->size)
        memmove(b->data, b->data + size, b->size);
}

struct span buf_span(const struct buf *b)
{
    return span_of(b->data, b->size);
}

const char *buf_cstr(struct buf *b)
{
    if (b->failed || !grow(b, b->size + 1))
        return "";
    b->data[b->size] = '\0';
    return (const char *)b->data;
}
