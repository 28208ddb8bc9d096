// Quantile levels: the items of a sketch in one buffer, and how they move up in it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_QUANTILE_LEVELS_H
#define KEDGE_COMMON_SKETCH_QUANTILE_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/sketch/kll.h"
#include "common/sketch/kll_items.h"
#include "common/sketch/kll_lanes.h"
#include "common/sketch/quantile.h"

// Runs up to this many items are sorted and copied on the stack. Longer ones (k > 400
// or so) find their scratch in the free part of the buffer, of which they leave half.
#define STACK_ITEMS 1024

// Items that stay free in the buffer of a prepared sketch.
#define LEVELS_SLACK 128

// How a value climbs. While the sketch is small (`base` 0) it enters raw, and when raw
// is full one of two raw items enters level 1. Later it enters a stage of one tile,
// which the cascade halves `base` times, lane by lane; what comes out is raw, of weight
// 2^base, and when raw is full one of two raw items enters level base + 1.
//
// The buffer, from its front to its end:
//
//   stage       one tile; only while base > 0
//   raw         items in no order, each of weight 2^base
//   free
//   levels      level h in items [start[h], start[h + 1]), ascending, of weight 2^h;
//               the top level, `levels - 1`, ends at `capacity`
//
// Invariant: n is the sum of the weights in stage, cascade, raw and levels.
struct quantile {
    const struct kll_items *ops;
    const struct kll_lanes *lanes;
    uint8_t *items;      // capacity * ops->item_bytes, then the cascade's halves
    uint32_t capacity;   // items
    uint32_t base;       // 0..KLL_CASCADE_MAX
    uint32_t in;         // items in stage, or in raw while base is 0
    uint32_t in_full;    // they move on when they are so many
    uint32_t raw;        // items, while base > 0
    uint32_t raw_full;   // likewise
    uint32_t levels;     // 1..KLL_LEVELS_MAX
    uint32_t top_levels; // base leaves so many levels of larger capacity than a lane's
    uint32_t start[KLL_LEVELS_MAX + 1]; // above the top: capacity
    uint16_t depth_capacity[KLL_LEVELS_MAX];
    uint16_t k, min_k;
    enum quantile_type type;
    bool is_prepared;         // has room for values; a parsed sketch has none
    bool has_level0_unsorted; // parsed so from foreign bytes, and not touched since
    uint64_t n;
    struct kll_range range; // of all but what is in stage and raw
    struct kll_cascade cascade;
    struct kll_coins coins;
    uint64_t coin_due, is_coin_due; // bit h: the second coin of level h
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

// Items in all levels.
static inline uint32_t levels_len(const struct quantile *q)
{
    return q->capacity - q->start[0];
}

// Items in a tile.
static inline uint32_t tile_len(const struct quantile *q)
{
    return KLL_TILE_BYTES / q->ops->item_bytes;
}

static inline uint32_t raw_begin(const struct quantile *q)
{
    return q->base == 0 ? 0 : tile_len(q);
}

// Items that fit between raw and the levels.
static inline uint32_t levels_free(const struct quantile *q)
{
    return q->start[0] - raw_begin(q) - (q->base == 0 ? q->in : q->raw);
}

// An empty sketch with room for `levels_len` items in its levels, or for values too.
// Errors: ST_NOMEM.
MUST_USE enum status levels_open(enum quantile_type type, uint32_t k, uint64_t seed,
                                 struct quantile **out);
MUST_USE enum status levels_open_for(enum quantile_type type, uint32_t k, uint64_t seed,
                                     uint32_t levels_len, struct quantile **out);

// Gives an emptied sketch the buffer that values and merges need; the caller frees the
// old one. Errors: ST_NOMEM.
MUST_USE enum status levels_take_buffer(struct quantile *q);

// Forgets all values.
void levels_clear(struct quantile *q);

// At least `levels` levels, the new ones empty.
void levels_raise(struct quantile *q, uint32_t levels);

// Compacts levels, low ones first, until `want` <= LEVELS_SLACK items are free.
void levels_make_room(struct quantile *q, uint32_t want);

// Puts an ascending run of n <= levels_free items into level h < q->levels. It may not
// lie among the levels.
void levels_insert(struct quantile *q, uint32_t h, const void *run, uint32_t n);

// Moves on what has come in, `in` having reached `in_full`.
void levels_advance(struct quantile *q);

// Takes whole tiles past the stage; base > 0 and the stage is empty. Stops before a
// tile with NaN or infinity. Returns how many it took.
size_t levels_take_tiles(struct quantile *q, const uint8_t *values, size_t tiles);

// Puts everything in its level.
void levels_settle_raw(struct quantile *q);
void levels_settle(struct quantile *q);

// To be called when levels were raised from outside: says anew how often tiles are
// halved and how much fits in raw.
void levels_retune(struct quantile *q);

#endif
