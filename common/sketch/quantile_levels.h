// Quantile levels: the items of a sketch in one buffer, and how they move up in it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_QUANTILE_LEVELS_H
#define KEDGE_COMMON_SKETCH_QUANTILE_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/sketch/kll.h"
#include "common/sketch/kll_items.h"
#include "common/sketch/quantile.h"

// Runs up to this many items are sorted and copied on the stack. Longer ones (k > 400
// or so) find their scratch in the free part of the buffer, of which they leave half.
#define STACK_ITEMS 1024

// The buffer, from its front to its end:
//
//   raw         items as they came, in no order, each of weight 1
//   free
//   levels      level h in items [start[h], start[h + 1]), ascending, of weight 2^h;
//               the top level, `levels - 1`, ends at `capacity`
//
// Invariant: n = raw + sum of 2^h (start[h + 1] - start[h]), at every moment.
struct quantile {
    const struct kll_items *ops;
    uint8_t *items;    // capacity * ops->item_bytes
    uint32_t capacity; // items
    uint32_t raw;      // items
    uint32_t raw_full; // raw moves up when it reaches this
    uint32_t levels;
    uint32_t start[KLL_LEVELS_MAX + 1]; // above the top: capacity
    uint16_t depth_capacity[KLL_LEVELS_MAX];
    uint16_t k, min_k;
    enum quantile_type type;
    bool is_prepared;         // has room for values; a parsed sketch has none
    bool has_level0_unsorted; // parsed so from foreign bytes, and not touched since
    uint64_t n;
    double min, max; // of all but raw
    struct random coin;
    uint64_t coin_bits; // a 1 marks the end of those left
    struct quantile_tally offered;
};

static inline uint32_t level_len(const struct quantile *q, uint32_t h)
{
    return q->start[h + 1] - q->start[h];
}

static inline uint8_t *item_at(const struct quantile *q, uint32_t i)
{
    return q->items + (size_t)i * q->ops->item_bytes;
}

// All items but raw.
static inline uint32_t levels_len(const struct quantile *q)
{
    return q->capacity - q->start[0];
}

// Items that fit between raw and the levels.
static inline uint32_t levels_free(const struct quantile *q)
{
    return q->start[0] - q->raw;
}

// A sketch with a buffer of `capacity` items. Errors: ST_NOMEM.
MUST_USE enum status levels_open(enum quantile_type type, uint32_t k, uint64_t seed,
                                 uint32_t capacity, struct quantile **out);

// The buffer that lets a sketch of this k take values and merges.
uint32_t levels_prepared_capacity(uint32_t k);

// The least room that levels_make_room can promise then.
#define LEVELS_SLACK 128

// Empties the levels and raw, and forgets n, min and max.
void levels_clear(struct quantile *q);

// At least `levels` levels, the new ones empty.
void levels_raise(struct quantile *q, uint32_t levels);

// Puts an ascending run of n <= levels_free items into level h < q->levels. The run may
// not lie in the buffer.
void levels_insert(struct quantile *q, uint32_t h, const void *run, uint32_t n);

// Compacts levels, low ones first, until at least `want` <= LEVELS_SLACK items are free
// or, where raw has taken these, as many as can be.
void levels_make_room(struct quantile *q, uint32_t want);

// Moves the raw items up: half of them, chosen by the coin, to the next level.
void levels_lift_raw(struct quantile *q);

// Compacts until all fit the capacity that the bytes may have, raw being empty.
void levels_fit(struct quantile *q);

// Says anew how many items raw may have; to be called when levels have changed.
void levels_set_raw_full(struct quantile *q);

// Raw items, sorted, as a part of their level.
void levels_settle_raw(struct quantile *q);

#endif
