// Quantile levels: insertion, compaction, and the way from the input to the top.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/quantile_levels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"

// The levels have the room of a sketch of so many, and of so many more than its large
// ones; in a longer one the low levels, of 8 items each, share it.
#define LEVELS_WITH_ROOM 16
#define SMALL_LEVELS_WITH_ROOM 2

// A tile halved lane by lane, each coin beside its opposite, errs as a level of this
// capacity does; and so do the four tiles of a tall one. Whatever has less is replaced.
#define CASCADE_CAPACITY (2 * KLL_ROWS)
#define LANES_CAPACITY (2 * KLL_TALL_TILES * KLL_ROWS)

// At least so many levels stay above the cascade, however small they are.
#define TOP_LEVELS_MIN 3

#define HALVES_BYTES ((KLL_CASCADE_MAX - 1) * KLL_HALF_BYTES)

static enum status take_buffer(struct quantile *q, uint32_t capacity,
                               uint32_t halves_bytes)
{
    size_t items_bytes = (size_t)capacity * q->ops->item_bytes;
    uint8_t *items = mem_zero(items_bytes + halves_bytes + 1, 1);
    if (!items)
        return ST_NOMEM;
    q->items = items;
    q->capacity = capacity;
    q->cascade.half = items + items_bytes;
    q->is_prepared = halves_bytes > 0;
    levels_clear(q);
    return ST_OK;
}

enum status levels_take_buffer(struct quantile *q)
{
    uint32_t levels = q->top_levels + SMALL_LEVELS_WITH_ROOM;
    levels = levels > LEVELS_WITH_ROOM ? levels : LEVELS_WITH_ROOM;
    uint32_t room = kll_total_capacity(q->k, levels);
    return take_buffer(q, room + LEVELS_SLACK + tile_len(q), HALVES_BYTES);
}

static struct quantile *make(enum quantile_type type, uint32_t k, uint64_t seed)
{
    struct quantile *q = MEM_NEW(struct quantile);
    if (!q)
        return NULL;
    q->ops = kll_items_for(type);
    q->lanes = kll_lanes_for(type, QUANTILE_PATH_BEST);
    q->type = type;
    q->k = (uint16_t)k;
    q->coins.source.state = seed;
    q->top_levels = 0;
    for (uint32_t depth = 0; depth < KLL_LEVELS_MAX; depth++) {
        q->depth_capacity[depth] = (uint16_t)kll_capacity(k, depth);
        q->top_levels += q->depth_capacity[depth] > CASCADE_CAPACITY;
    }
    if (q->top_levels < TOP_LEVELS_MIN)
        q->top_levels = TOP_LEVELS_MIN;
    return q;
}

enum status levels_open(enum quantile_type type, uint32_t k, uint64_t seed,
                        struct quantile **out)
{
    struct quantile *q = make(type, k, seed);
    if (!q || levels_take_buffer(q) != ST_OK) {
        quantile_close(q);
        return ST_NOMEM;
    }
    *out = q;
    return ST_OK;
}

enum status levels_open_for(enum quantile_type type, uint32_t k, uint64_t seed,
                            uint32_t levels_len, struct quantile **out)
{
    struct quantile *q = make(type, k, seed);
    if (!q || take_buffer(q, levels_len, 0) != ST_OK) {
        quantile_close(q);
        return ST_NOMEM;
    }
    *out = q;
    return ST_OK;
}

void levels_clear(struct quantile *q)
{
    q->n = 0;
    q->min_k = q->k;
    q->has_level0_unsorted = false;
    q->base = q->in = q->raw = 0;
    q->cascade.levels = q->cascade.pending = 0;
    q->range = (struct kll_range){INFINITY, -INFINITY};
    q->levels = 1;
    for (uint32_t h = 0; h <= KLL_LEVELS_MAX; h++)
        q->start[h] = q->capacity;
    levels_retune(q);
}

void levels_raise(struct quantile *q, uint32_t levels)
{
    assert(levels <= KLL_LEVELS_MAX);
    if (q->levels < levels)
        q->levels = levels;
}

static uint32_t level_capacity(const struct quantile *q, uint32_t h)
{
    return q->depth_capacity[q->levels - 1 - h];
}

static uint32_t total_capacity(const struct quantile *q)
{
    uint32_t total = 0;
    for (uint32_t depth = 0; depth < q->levels; depth++)
        total += q->depth_capacity[depth];
    return total;
}

static void move(struct quantile *q, uint32_t to, uint32_t from, uint32_t n)
{
    memmove(item_at(q, to), item_at(q, from), (size_t)n * q->ops->item_bytes);
}

static uint32_t *raw_len(struct quantile *q)
{
    return q->base == 0 ? &q->in : &q->raw;
}

void levels_insert(struct quantile *q, uint32_t h, const void *run, uint32_t n)
{
    assert(n <= levels_free(q));
    uint32_t below = q->start[h] - q->start[0];
    move(q, q->start[0] - n, q->start[0], below);
    for (uint32_t i = 0; i <= h; i++)
        q->start[i] -= n;
    uint32_t at = q->start[h];
    q->lanes->merge(item_at(q, at), run, n, item_at(q, at + n), level_len(q, h) - n);
}

// A fair coin. Every second one of a level is the opposite of the one before, so that
// the errors of two compactions, where they would add up, cancel. Source: Ivkin,
// Liberty, Lang, Karnin, Braverman, Streaming Quantiles Algorithms with Small Space and
// Update Time (2019).
static uint32_t toss(struct quantile *q, uint32_t h)
{
    uint64_t bit = UINT64_C(1) << h;
    if (!(q->is_coin_due & bit)) {
        q->coin_due &= ~bit;
        q->coin_due |= kll_coins_take(&q->coins, 1) ? bit : 0;
        q->is_coin_due |= bit;
        return !(q->coin_due & bit);
    }
    q->is_coin_due &= ~bit;
    return (q->coin_due & bit) != 0;
}

// Halves level h and merges the survivors into the next. An odd item, the least, stays:
// so the sum of weights does not change.
static void compact(struct quantile *q, uint32_t h)
{
    uint32_t odd = level_len(q, h) & 1;
    uint32_t pairs = level_len(q, h) / 2;
    uint32_t from = q->start[h] + odd;
    levels_raise(q, h + 2);
    q->lanes->halve(item_at(q, from), pairs, toss(q, h));
    q->lanes->merge(item_at(q, from + pairs), item_at(q, from), pairs,
                    item_at(q, q->start[h + 1]), level_len(q, h + 1));
    move(q, q->start[0] + pairs, q->start[0], from - q->start[0]);
    q->start[h + 1] = from + pairs;
    for (uint32_t i = 0; i <= h; i++)
        q->start[i] += pairs;
}

// The lowest level above its capacity; else the lowest that can be halved at all, which
// happens only when many low levels share less room than their capacities promise.
static uint32_t level_to_compact(const struct quantile *q)
{
    for (uint32_t h = 0; h < q->levels; h++) {
        if (level_len(q, h) > level_capacity(q, h))
            return h;
    }
    uint32_t h = 0;
    while (level_len(q, h) < 2)
        h++;
    return h;
}

void levels_make_room(struct quantile *q, uint32_t want)
{
    while (levels_free(q) < want)
        compact(q, level_to_compact(q));
}

// Half of the buffer stays free where a run is too long for the stack.
static uint32_t full_len(uint32_t room)
{
    if (room <= STACK_ITEMS)
        return room;
    return room / 2 > STACK_ITEMS ? room / 2 : STACK_ITEMS;
}

void levels_retune(struct quantile *q)
{
    uint32_t base = q->levels > q->top_levels ? q->levels - q->top_levels : 0;
    base = base > KLL_CASCADE_MAX ? KLL_CASCADE_MAX : base;
    if (base > q->base && q->is_prepared) {
        levels_settle_raw(q);
        q->base = q->cascade.levels = base;
        levels_make_room(q, LEVELS_SLACK);
    }
    q->raw_full = full_len(q->start[0] - raw_begin(q));
    q->in_full = q->base == 0 ? q->raw_full : tile_len(q);
}

static void note_range(struct quantile *q, const void *run, uint32_t n)
{
    double min = q->ops->at(run, 0), max = q->ops->at(run, n - 1);
    q->range.min = min < q->range.min ? min : q->range.min;
    q->range.max = max > q->range.max ? max : q->range.max;
}

// Empties raw, of n >= 1 items, and sorts it: on the stack, or where it lies.
static void *take_raw(struct quantile *q, uint64_t *stack, uint32_t n)
{
    uint64_t scratch[STACK_ITEMS];
    uint8_t *raw = item_at(q, raw_begin(q));
    *raw_len(q) = 0;
    if (n <= STACK_ITEMS) {
        memcpy(stack, raw, (size_t)n * q->ops->item_bytes);
        q->lanes->sort(stack, n, scratch);
        raw = (uint8_t *)stack;
    } else {
        q->lanes->sort(raw, n, raw + (size_t)n * q->ops->item_bytes);
    }
    note_range(q, raw, n);
    return raw;
}

// All of raw becomes one run, and half of it, chosen by one coin, climbs.
static void lift_all(struct quantile *q)
{
    uint64_t stack[STACK_ITEMS];
    uint32_t n = *raw_len(q), odd = n & 1, pairs = n / 2;
    uint8_t *run = take_raw(q, stack, n);
    uint8_t *survivors = run + (size_t)odd * q->ops->item_bytes;
    q->lanes->halve(survivors, pairs, toss(q, q->base));
    levels_insert(q, q->base + 1, survivors, pairs);
    if (odd) {
        memmove(item_at(q, raw_begin(q)), run, q->ops->item_bytes);
        *raw_len(q) = 1;
    }
}

// The tiles at the end of raw are halved lane by lane.
static void lift_tiles(struct quantile *q, uint32_t tiles)
{
    uint8_t stack[KLL_TALL_TILES * KLL_TILE_BYTES];
    uint8_t scratch[KLL_TALL_TILES * KLL_TILE_BYTES];
    *raw_len(q) -= tiles * tile_len(q);
    memcpy(stack, item_at(q, raw_begin(q) + *raw_len(q)), tiles * KLL_TILE_BYTES);
    uint32_t coins = kll_coins_lanes(&q->coins, q->lanes->lanes);
    void *run = q->lanes->thin(stack, tiles, coins, scratch, &q->range);
    levels_insert(q, q->base + 1, run, tiles * tile_len(q) / 2);
}

// Half of raw, or of the larger part of it, enters the level above. Lanes do it at half
// the price of a whole sort, and in a level of this capacity no worse.
static void lift_raw(struct quantile *q)
{
    uint32_t tiles = *raw_len(q) / tile_len(q);
    assert(tiles > 0);
    levels_raise(q, q->base + 2);
    if (level_capacity(q, q->base) > LANES_CAPACITY)
        lift_all(q);
    else
        lift_tiles(q, tiles >= 4 ? 4 : tiles >= 2 ? 2 : 1);
    levels_make_room(q, LEVELS_SLACK);
    levels_retune(q);
}

size_t levels_take_tiles(struct quantile *q, const uint8_t *values, size_t tiles)
{
    uint32_t half = tile_len(q) / 2;
    size_t taken = 0;
    bool is_out = true;
    while (taken < tiles && is_out) {
        taken += q->lanes->cascade(
            &q->cascade, &q->coins, values + taken * KLL_TILE_BYTES, tiles - taken,
            item_at(q, raw_begin(q) + q->raw), &is_out, &q->range);
        if (is_out) {
            q->raw += half;
            if (q->raw + half > q->raw_full)
                lift_raw(q);
        }
    }
    return taken;
}

void levels_advance(struct quantile *q)
{
    if (q->base == 0) {
        lift_raw(q);
        return;
    }
    levels_take_tiles(q, q->items, 1);
    q->in = 0;
}

void levels_settle_raw(struct quantile *q)
{
    uint64_t stack[STACK_ITEMS];
    uint32_t n = *raw_len(q);
    if (n == 0)
        return;
    void *run = take_raw(q, stack, n);
    levels_raise(q, q->base + 1);
    levels_insert(q, q->base, run, n);
}

// An ascending run of weight 2^h becomes half as long; an odd item enters level h.
static uint32_t halve_run(struct quantile *q, uint32_t h, uint8_t *run, uint32_t n)
{
    uint32_t odd = n & 1, pairs = n / 2;
    uint8_t *rest = run + (size_t)odd * q->ops->item_bytes;
    if (odd) {
        levels_make_room(q, 1);
        levels_insert(q, h, run, 1);
    }
    q->lanes->halve(rest, pairs, toss(q, h));
    memmove(run, rest, (size_t)pairs * q->ops->item_bytes);
    return pairs;
}

// Stage and cascade climb together: what is halved of one weight meets what waits of
// the next. Only odd items stay behind. The run is never longer than a tile.
static void settle_cascade(struct quantile *q)
{
    uint8_t run[KLL_TILE_BYTES], both[KLL_TILE_BYTES], scratch[KLL_TILE_BYTES];
    uint32_t n = q->in, half = tile_len(q) / 2;
    memcpy(run, q->items, (size_t)n * q->ops->item_bytes);
    q->in = 0;
    if (n > 0) {
        q->lanes->sort(run, n, scratch);
        note_range(q, run, n);
    }
    for (uint32_t h = 0; h < q->base; h++) {
        if (q->cascade.pending >> h & 1) {
            uint8_t *waiting = q->cascade.half + (size_t)(h - 1) * KLL_HALF_BYTES;
            void *more = q->lanes->flatten(waiting, KLL_ROWS / 2, scratch);
            q->lanes->merge(both, more, half, run, n);
            n += half;
            memcpy(run, both, (size_t)n * q->ops->item_bytes);
        }
        n = halve_run(q, h, run, n);
    }
    q->cascade.pending = 0;
    levels_make_room(q, n);
    levels_insert(q, q->base, run, n);
}

void levels_settle(struct quantile *q)
{
    levels_settle_raw(q);
    if (q->base > 0 && (q->in > 0 || q->cascade.pending))
        settle_cascade(q);
    while (levels_len(q) > total_capacity(q))
        compact(q, level_to_compact(q));
    levels_retune(q);
}
