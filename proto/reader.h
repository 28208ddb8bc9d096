// Reader: pulls msgpack values out of hostile bytes, one at a time, and allocates
// nothing.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_READER_H
#define KEDGE_PROTO_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define READER_DEPTH_MAX 8       // maps and arrays inside each other
#define READER_OBJECTS_MAX 65536 // values in one message, keys among them

// Every count is checked against the bytes that are left before anybody acts on it, so
// a claim of 2^32 items costs nothing. Each call answers ST_CORRUPT, and leaves *out
// alone, when the next value is of another type, cut off, an ext type, or past a limit
// above.
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t objects; // values still allowed
    uint32_t depth;   // containers still allowed inside this one
};

enum reader_type {
    READER_NIL,
    READER_BOOL,
    READER_INT,
    READER_FLOAT,
    READER_TEXT,
    READER_BYTES,
    READER_ARRAY,
    READER_MAP,
    READER_OTHER, // ext, the unused byte, or nothing left
};

// Borrows `bytes` for as long as it is read; texts and bytes are lent from there.
void reader_init(struct reader *r, struct span bytes);

size_t reader_left(const struct reader *r);

// What comes next, without taking it.
enum reader_type reader_peek(const struct reader *r);

MUST_USE enum status reader_nil(struct reader *r);
MUST_USE enum status reader_bool(struct reader *r, bool *out);
// Any integer encoding whose value fits, shortest or not.
MUST_USE enum status reader_u64(struct reader *r, uint64_t *out);
MUST_USE enum status reader_i64(struct reader *r, int64_t *out);
// float 32, float 64, or an integer that a double holds exactly. May be NaN or
// infinite.
MUST_USE enum status reader_f64(struct reader *r, double *out);
// Well-formed UTF-8, lent.
MUST_USE enum status reader_text(struct reader *r, struct span *out);
// The same without a look at its bytes, for a caller who compares or checks them
// anyway.
MUST_USE enum status reader_raw_text(struct reader *r, struct span *out);
MUST_USE enum status reader_bytes(struct reader *r, struct span *out);

// Enters a container of *out items (pairs, for a map), which all fit in what is left.
// reader_leave goes back up; the caller has read every item.
MUST_USE enum status reader_array(struct reader *r, uint32_t *out);
MUST_USE enum status reader_map(struct reader *r, uint32_t *out);
void reader_leave(struct reader *r);

// Passes over one value of any type but ext, whatever is inside it.
MUST_USE enum status reader_skip(struct reader *r);

// ST_CORRUPT when bytes are left over.
MUST_USE enum status reader_end(const struct reader *r);

#endif
