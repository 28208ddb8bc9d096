// Topk, inside: the table of counted values.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_TOPK_INNER_H
#define KEDGE_COMMON_SKETCH_TOPK_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/sketch/topk.h"

#define TOPK_ACTIVE_MAX (3u << TOPK_LG_MOST >> 2)

// Weight 0 is free.
struct topk_slot {
    uint64_t key;    // the hash itself, or a hash of the text
    uint64_t weight; // since the value came, less all that was purged
    uint32_t text;   // where the text's size byte stands in `texts`
    uint32_t size;   // of the text; 0: the value is a hash
};

struct topk {
    unsigned lg_max;
    unsigned lg_slots; // lg_max, or less in a parsed one
    uint32_t active;
    uint64_t total;
    uint64_t offset;        // the sum of all purges
    uint64_t seed;          // of the texts' keys, so that nobody can prepare collisions
    struct topk_slot *slot; // open addressing
    struct buf texts;       // size byte and text, each; purged ones stay until a sweep
};

// The most values that are kept.
static inline uint32_t topk_active_max(unsigned lg_max)
{
    return UINT32_C(3) << lg_max >> 2;
}

struct span topk_text(const struct topk *t, const struct topk_slot *s);

// All slots in use, heaviest first, then by the text in the bytes; returns how many.
uint32_t topk_sorted(const struct topk *t,
                     const struct topk_slot *sorted[TOPK_ACTIVE_MAX]);

// One with room for `values` and `text_bytes` of text, and no more.
MUST_USE enum status topk_make(unsigned lg_max, uint32_t values, size_t text_bytes,
                               struct topk **out);

// Puts a value that must be new, for which there is room. ST_EXISTS when it is not.
MUST_USE enum status topk_put_new(struct topk *t, struct span text, uint64_t weight);

#endif
