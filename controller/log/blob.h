// Blob: a stored window: a head, a directory of its features, then the window itself.
//
// With the directory one feature is found without reading the others. Integers are
// big-endian. Behind the payload a blob may be padded up to a size class.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_BLOB_H
#define KEDGE_CONTROLLER_LOG_BLOB_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "proto/messages/window.h"

#define BLOB_BYTES_MAX (8u << 20)

enum blob_kind {
    BLOB_REPORT = 0, // payload: what an agent sent (entry_report)
    BLOB_MERGED = 1, // payload: kedge.window.v1 over all hosts, boot of zeros
    BLOB_SAME = 2,   // payload: the key of the one report that is the whole merge
};

// The head, without touching the payload.
struct blob {
    enum blob_kind kind;
    uint64_t start, end; // event ns
    uint64_t rows;
    uint32_t features;
    struct span directory; // lent, as all the rest
    struct span payload;
    uint32_t payload_offset; // within the value
};

struct blob_feature {
    struct span name;
    uint8_t role;
    uint8_t kind;
    struct span profile;
};

// Appends a blob whose payload is `payload`. `w` was decoded from there: its names and
// profiles lie within it.
void blob_put(struct buf *out, enum blob_kind kind, struct span payload,
              const struct window *w);

// Appends a blob that stands for the one at `key`, a report. It has a payload and
// nothing else: read it with blob_get.
void blob_put_same(struct buf *out, const struct shelf_key *key);

// The blob at `key`; one that stands for another is followed. ST_NOTFOUND, and as
// blob_read. Lent by the shelf.
MUST_USE enum status blob_get(struct shelf *s, const struct shelf_key *key,
                              struct blob *out);

// The same of a value that a walk has brought.
MUST_USE enum status blob_follow(struct shelf *s, struct span value, struct blob *out);

// ST_CORRUPT, ST_VERSION.
MUST_USE enum status blob_read(struct span value, struct blob *out);

// Feature number `i` (< features; they rise by name), and the one of that name: binary
// search; ST_NOTFOUND.
MUST_USE enum status blob_feature(const struct blob *b, uint32_t i,
                                  struct blob_feature *out);
MUST_USE enum status blob_find(const struct blob *b, struct span name,
                               struct blob_feature *out);

// The window's message within the payload; ST_NOTFOUND in one that stands for another.
MUST_USE enum status blob_message(const struct blob *b, struct span *out);

#endif
