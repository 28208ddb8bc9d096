// Counts: rows of integers as bytes, each as short as its value, zeros for a quarter.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_COUNTS_H
#define KEDGE_COMMON_SKETCH_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/status.h"

#define COUNTS_MAX 128 // numbers in one row

// Appends `n` <= COUNTS_MAX numbers. The reader must know n.
void counts_encode(const uint64_t *count, size_t n, struct buf *out);

// Reads `n` <= COUNTS_MAX numbers; refuses (ST_CORRUPT) all bytes that counts_encode
// would not have written. Allocates nothing.
MUST_USE enum status counts_decode(struct cursor *from, uint64_t *count, size_t n);

// Adds `b` to `a`, number by number. A sum beyond 64 bits stays at the largest number.
static inline uint64_t counts_sum(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}
void counts_add(uint64_t *a, const uint64_t *b, size_t n);

#endif
