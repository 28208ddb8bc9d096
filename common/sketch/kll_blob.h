// Kll blob: hostile bytes of a KLL sketch, judged in place and read without a copy.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_KLL_BLOB_H
#define KEDGE_COMMON_SKETCH_KLL_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/sketch/kll.h"
#include "common/sketch/kll_items.h"

// Layout, little-endian: preamble ints u8, serial u8, family u8, flags u8, k u16, m u8,
// unused u8; then in the full form n u64, min_k u16, levels u8, unused u8, the start of
// each level u32, min, max, items from level 0 up. The single-item form has only the
// item after the first 8 bytes, the empty form nothing.
#define KLL_FAMILY 15
#define KLL_SHORT_BYTES 8
#define KLL_FULL_BYTES 20
#define KLL_INTS_SHORT 2
#define KLL_INTS_FULL 5
#define KLL_SERIAL_FULL 1
#define KLL_SERIAL_SINGLE 2
#define KLL_SERIAL_UPDATABLE 3
#define KLL_FLAG_EMPTY 1u
#define KLL_FLAG_SORTED 2u
#define KLL_FLAG_SINGLE 4u

// Everything the bytes say, all of it checked.
struct kll_blob {
    uint64_t n;
    double min, max; // 0 when n is 0
    uint16_t k, min_k;
    uint32_t levels;                    // 1..61
    uint32_t start[KLL_LEVELS_MAX + 1]; // of each level, in items from `items`
    const uint8_t *items;               // lent from the bytes; start[levels] of them
    bool is_level0_sorted;
};

// Reads `bytes` as items of the width of `ops`. NULL when they are good; else a phrase
// that names the broken rule, and *out is undefined. Allocates nothing; its time is
// bounded by the length.
const char *kll_blob_read(const struct kll_items *ops, struct span bytes,
                          struct kll_blob *out);

#endif
