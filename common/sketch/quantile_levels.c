// Quantile levels: insertion and compaction.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/quantile_levels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"

// The levels have the room of a sketch of this many; in a longer one (1e8 values at
// k = 200) the lowest levels, of 8 items each, share it.
#define LEVELS_WITH_ROOM 16

uint32_t levels_prepared_capacity(uint32_t k)
{
    return kll_total_capacity(k, LEVELS_WITH_ROOM) + LEVELS_SLACK;
}

enum status levels_open(enum quantile_type type, uint32_t k, uint64_t seed,
                        uint32_t capacity, struct quantile **out)
{
    struct quantile *q = MEM_NEW(struct quantile);
    if (!q)
        return ST_NOMEM;
    q->ops = kll_items_for(type, QUANTILE_PATH_BEST);
    q->type = type;
    q->k = (uint16_t)k;
    q->coin.state = seed;
    q->capacity = capacity;
    q->items = mem_zero(capacity ? capacity : 1, q->ops->item_bytes);
    if (!q->items) {
        quantile_close(q);
        return ST_NOMEM;
    }
    for (uint32_t depth = 0; depth < KLL_LEVELS_MAX; depth++)
        q->depth_capacity[depth] = (uint16_t)kll_capacity(k, depth);
    levels_clear(q);
    *out = q;
    return ST_OK;
}

static uint32_t toss(struct quantile *q)
{
    if (q->coin_bits <= 1)
        q->coin_bits = random_u64(&q->coin) | UINT64_C(1) << 63;
    uint32_t bit = q->coin_bits & 1;
    q->coin_bits >>= 1;
    return bit;
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

void levels_clear(struct quantile *q)
{
    q->n = 0;
    q->min = INFINITY;
    q->max = -INFINITY;
    q->min_k = q->k;
    q->has_level0_unsorted = false;
    q->raw = 0;
    q->levels = 1;
    for (uint32_t h = 0; h <= KLL_LEVELS_MAX; h++)
        q->start[h] = q->capacity;
    levels_set_raw_full(q);
}

void levels_raise(struct quantile *q, uint32_t levels)
{
    assert(levels <= KLL_LEVELS_MAX);
    if (q->levels < levels)
        q->levels = levels;
}

void levels_insert(struct quantile *q, uint32_t h, const void *run, uint32_t n)
{
    assert(n <= levels_free(q));
    uint32_t below = q->start[h] - q->start[0];
    move(q, q->start[0] - n, q->start[0], below);
    for (uint32_t i = 0; i <= h; i++)
        q->start[i] -= n;
    uint32_t at = q->start[h];
    q->ops->merge(item_at(q, at), run, n, item_at(q, at + n), level_len(q, h) - n);
}

// Halves level h and merges the survivors into the next. An odd item, the least, stays:
// so the sum of weights does not change.
static void compact(struct quantile *q, uint32_t h)
{
    uint32_t odd = level_len(q, h) & 1;
    uint32_t pairs = level_len(q, h) / 2;
    uint32_t from = q->start[h] + odd;
    levels_raise(q, h + 2);
    q->ops->halve(item_at(q, from), pairs, toss(q));
    q->ops->merge(item_at(q, from + pairs), item_at(q, from), pairs,
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

void levels_fit(struct quantile *q)
{
    while (levels_len(q) > total_capacity(q))
        compact(q, level_to_compact(q));
}

void levels_set_raw_full(struct quantile *q)
{
    uint32_t room = q->start[0];
    if (room > STACK_ITEMS)
        room = room / 2 > STACK_ITEMS ? room / 2 : STACK_ITEMS;
    q->raw_full = room;
}

static void note_range(struct quantile *q, const void *run, uint32_t n)
{
    if (n == 0)
        return;
    double min = q->ops->at(run, 0), max = q->ops->at(run, n - 1);
    q->min = q->min <= min ? q->min : min;
    q->max = q->max >= max ? q->max : max;
}

static void sort_raw(struct quantile *q)
{
    uint64_t stack[STACK_ITEMS];
    bool fits = q->raw <= STACK_ITEMS;
    q->ops->sort(q->items, q->raw, fits ? (void *)stack : item_at(q, q->raw));
    note_range(q, q->items, q->raw);
}

void levels_lift_raw(struct quantile *q)
{
    sort_raw(q);
    uint32_t odd = q->raw & 1, pairs = q->raw / 2;
    uint8_t *survivors = item_at(q, odd);
    q->ops->halve(survivors, pairs, toss(q));
    levels_raise(q, 2);
    uint64_t stack[STACK_ITEMS / 2];
    void *run = survivors;
    if (pairs <= STACK_ITEMS / 2) {
        memcpy(stack, survivors, (size_t)pairs * q->ops->item_bytes);
        run = stack;
    }
    // A longer run lies in raw's first half and is inserted behind raw's end.
    q->raw = odd;
    levels_insert(q, 1, run, pairs);
}

void levels_settle_raw(struct quantile *q)
{
    if (q->raw == 0)
        return;
    sort_raw(q);
    uint64_t stack[STACK_ITEMS];
    void *run = q->items;
    uint32_t n = q->raw;
    if (n <= STACK_ITEMS) {
        memcpy(stack, q->items, (size_t)n * q->ops->item_bytes);
        run = stack;
        q->raw = 0;
    }
    levels_insert(q, 0, run, n);
    q->raw = 0;
}
