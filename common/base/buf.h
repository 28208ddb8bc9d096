// Buf: a byte buffer that grows up to a stated limit and remembers its first failure.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_BUF_H
#define KEDGE_COMMON_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

// Appending never fails loudly: after ST_NOMEM or ST_FULL further bytes are ignored and
// `failed` tells. So a writer appends freely and looks once, at the end.
struct buf {
    uint8_t *data;
    size_t size;     // bytes in use
    size_t capacity; // bytes allocated
    size_t limit;    // most bytes it may hold
    enum status failed;
};

// Prepares an empty buffer of at most `limit` bytes; allocates nothing yet.
void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);

// Forgets the content and the failure, keeps the memory.
void buf_clear(struct buf *b);

void buf_put(struct buf *b, const void *data, size_t size);
void buf_put_span(struct buf *b, struct span s);
void buf_put_text(struct buf *b, const char *text);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_le32(struct buf *b, uint32_t v);
void buf_put_le64(struct buf *b, uint64_t v);
void buf_put_le_f64(struct buf *b, double v);
void buf_put_be32(struct buf *b, uint32_t v);
void buf_put_be64(struct buf *b, uint64_t v);
// LEB128, 1..10 bytes.
void buf_put_varint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Room for `size` bytes at the end, already counted as used; NULL after a failure.
// Lends until the next call on it.
uint8_t *buf_reserve(struct buf *b, size_t size);

// Drops the first `size` bytes (<= b->size).
void buf_shift(struct buf *b, size_t size);

// Lends the content until the next call on it.
struct span buf_span(const struct buf *b);

// Lends the content as a C string; "" after a failure.
const char *buf_cstr(struct buf *b);

#endif
