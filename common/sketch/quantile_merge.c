// Quantile merge: other sketches, and bytes of them, poured into one.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/kll_blob.h"
#include "common/sketch/quantile.h"
#include "common/sketch/quantile_levels.h"

// So the highest level that there can be, 60, never has two items to compact.
#define N_MAX (UINT64_C(1) << 60)

// As many items as a sketch of k = 200 keeps are brought into order and alignment at
// once, those of larger ones level by level.
#define COPY_ITEMS 704u

enum item_order { ITEMS_NATIVE, ITEMS_LITTLE_ENDIAN };

// The levels of some sketch, wherever they lie.
struct source {
    const uint8_t *items; // level h at start[h] - start[0]
    const uint32_t *start;
    uint32_t levels;
    enum item_order order;
    bool is_level0_sorted;
    uint64_t n;
    double min, max;
    uint16_t min_k;
};

static struct source source_of_blob(const struct kll_blob *b)
{
    return (struct source){
        .items = b->items,
        .start = b->start,
        .levels = b->levels,
        .order = ITEMS_LITTLE_ENDIAN,
        .is_level0_sorted = b->is_level0_sorted,
        .n = b->n,
        .min = b->min,
        .max = b->max,
        .min_k = b->min_k,
    };
}

static struct source source_of_sketch(const struct quantile *q)
{
    return (struct source){
        .items = item_at(q, q->start[0]),
        .start = q->start,
        .levels = q->levels,
        .order = ITEMS_NATIVE,
        .is_level0_sorted = !q->has_level0_unsorted,
        .n = q->n,
        .min = q->range.min,
        .max = q->range.max,
        .min_k = q->min_k,
    };
}

static void copy_items(const struct quantile *q, const struct source *s, void *run,
                       const uint8_t *from, uint32_t n)
{
    if (s->order == ITEMS_NATIVE)
        memcpy(run, from, (size_t)n * q->ops->item_bytes);
    else
        q->ops->load(run, from, n);
}

// One level enters in pieces that fit the free room; each piece of an ascending run
// ascends.
static void pour_level(struct quantile *q, const struct source *s, uint32_t h)
{
    uint64_t piece[STACK_ITEMS], scratch[STACK_ITEMS];
    bool is_ready = s->order == ITEMS_NATIVE && (h > 0 || s->is_level0_sorted);
    uint32_t width = q->ops->item_bytes, left = s->start[h + 1] - s->start[h];
    const uint8_t *from = s->items + (size_t)(s->start[h] - s->start[0]) * width;
    while (left > 0) {
        levels_make_room(q, left < LEVELS_SLACK ? left : LEVELS_SLACK);
        uint32_t room = levels_free(q) < STACK_ITEMS ? levels_free(q) : STACK_ITEMS;
        uint32_t n = left < room ? left : room;
        const void *run = from;
        if (!is_ready) {
            copy_items(q, s, piece, from, n);
            if (h == 0 && !s->is_level0_sorted)
                q->lanes->sort(piece, n, scratch);
            run = piece;
        }
        levels_insert(q, h, run, n);
        from += (size_t)n * width;
        left -= n;
    }
}

static void pour(struct quantile *q, const struct source *s)
{
    if (s->n == 0)
        return;
    levels_settle_raw(q);
    levels_raise(q, s->levels);
    for (uint32_t h = 0; h < s->levels; h++)
        pour_level(q, s, h);
    q->n += s->n;
    q->range.min = s->min < q->range.min ? s->min : q->range.min;
    q->range.max = s->max > q->range.max ? s->max : q->range.max;
    if (s->levels > 1 && s->min_k < q->min_k)
        q->min_k = s->min_k;
    levels_make_room(q, LEVELS_SLACK);
    levels_retune(q);
}

enum status quantile_merge(struct quantile *into, struct quantile *from)
{
    assert(into != from);
    if (into->type != from->type)
        return ST_RANGE;
    if (from->n > N_MAX || into->n > N_MAX - from->n)
        return ST_FULL;
    ST_TRY(quantile_prepare(into));
    quantile_settle(from);
    struct source s = source_of_sketch(from);
    pour(into, &s);
    return ST_OK;
}

enum status quantile_merge_bytes(struct quantile *into, struct span bytes)
{
    struct kll_blob blob;
    if (kll_blob_read(into->ops, bytes, &blob) != NULL)
        return ST_CORRUPT;
    if (blob.n > N_MAX || into->n > N_MAX - blob.n)
        return ST_FULL;
    ST_TRY(quantile_prepare(into));
    struct source s = source_of_blob(&blob);
    uint64_t copy[COPY_ITEMS];
    uint32_t len = blob.start[blob.levels];
    if (len <= COPY_ITEMS) {
        into->ops->load(copy, blob.items, len);
        s.items = (const uint8_t *)copy;
        s.order = ITEMS_NATIVE;
    }
    pour(into, &s);
    return ST_OK;
}

enum status quantile_prepare(struct quantile *q)
{
    if (q->is_prepared)
        return ST_OK;
    if (q->n > N_MAX)
        return ST_FULL;
    struct quantile old = *q;
    struct source s = source_of_sketch(&old);
    ST_TRY(levels_take_buffer(q));
    pour(q, &s);
    q->min_k = old.min_k;
    mem_free(old.items);
    return ST_OK;
}
