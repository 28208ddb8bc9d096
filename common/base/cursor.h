// Cursor: a bounded reader over bytes from outside. It never reads past their end.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_CURSOR_H
#define KEDGE_COMMON_BASE_CURSOR_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

struct cursor {
    struct span left;
};

// All of these give ST_CORRUPT, and leave *out alone, when the bytes are not there.
MUST_USE enum status cursor_u8(struct cursor *c, uint8_t *out);
MUST_USE enum status cursor_le16(struct cursor *c, uint16_t *out);
MUST_USE enum status cursor_le32(struct cursor *c, uint32_t *out);
MUST_USE enum status cursor_le64(struct cursor *c, uint64_t *out);
MUST_USE enum status cursor_le_f64(struct cursor *c, double *out);
MUST_USE enum status cursor_be32(struct cursor *c, uint32_t *out);
MUST_USE enum status cursor_be64(struct cursor *c, uint64_t *out);
// LEB128 in its shortest form, at most 10 bytes.
MUST_USE enum status cursor_varint(struct cursor *c, uint64_t *out);
// The next `size` bytes, lent from the source.
MUST_USE enum status cursor_bytes(struct cursor *c, size_t size, struct span *out);
// ST_CORRUPT when bytes are left over.
MUST_USE enum status cursor_end(const struct cursor *c);

#endif
