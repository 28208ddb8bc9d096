// Binary: tensor data behind the JSON of the open inference protocol.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_BINARY_H
#define KEDGE_AGENT_INTAKE_BINARY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/columns.h"
#include "common/base/span.h"
#include "common/base/status.h"

enum binary_type {
    BINARY_UNKNOWN,
    BINARY_BOOL,
    BINARY_UINT8,
    BINARY_UINT16,
    BINARY_UINT32,
    BINARY_UINT64,
    BINARY_INT8,
    BINARY_INT16,
    BINARY_INT32,
    BINARY_INT64,
    BINARY_FP16,
    BINARY_BF16,
    BINARY_FP32,
    BINARY_FP64,
    BINARY_BYTES,
};

enum binary_type binary_type_of(struct span name);

// One tensor's bytes, little-endian and unpadded, as they come.
struct binary {
    enum binary_type type;
    uint64_t left;   // bytes of the tensor
    uint8_t held[8]; // a value, or a length, that a boundary cut
    uint32_t held_size;
    uint32_t text_left; // bytes of the text under way
    bool in_text;
    struct buf text;
};

void binary_init(struct binary *b);
void binary_fini(struct binary *b);
void binary_begin(struct binary *b, enum binary_type type, uint64_t size);

// Takes what belongs to the tensor out of *bytes and puts its values into
// `column`. ST_CORRUPT: the size does not fit the values; ST_UNSUPPORTED: a type that
// is unknown; ST_FULL, ST_NOMEM.
MUST_USE enum status binary_take(struct binary *b, struct span *bytes,
                                 struct columns *c, uint32_t column);

#endif
