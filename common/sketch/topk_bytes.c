// Topk: Apache DataSketches Frequent Items bytes (family 10) for strings.
//
//   0 longs of head: 1 empty, else 4    1 serial = 1    2 family = 10
//   3 lg_max    4 lg of the writer's slots    5 flags: 5 empty
//   8 u32 values    16 u64 total weight    24 u64 offset
//   32 u64 weights, then the values: u32 size, UTF-8
//
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/text.h"
#include "common/sketch/topk_inner.h"

#define SERIAL 1
#define FAMILY 10
#define HEAD 32
#define HEAD_EMPTY 8
#define LONGS_MASK 0x3f
#define FLAGS_EMPTY 5      // either bit says it
#define LG_FOREIGN_MOST 26 // what other writers may have; ours stay below
#define HEX_DIGITS 16

static void hex_of(uint64_t hash, uint8_t out[HEX_DIGITS])
{
    for (unsigned i = 0; i < HEX_DIGITS; i++)
        out[i] = (uint8_t) "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
}

void topk_put_name(const struct topk_item *item, struct buf *out)
{
    uint8_t digits[HEX_DIGITS];
    hex_of(item->hash, digits);
    buf_put_span(out, item->text.size ? item->text : span_of(digits, sizeof digits));
}

// What the order of two values needs; slots alone do not lead to their texts.
struct named {
    const struct topk_slot *slot;
    struct span text;
};

static int compare_names(const struct named *a, const struct named *b)
{
    uint8_t left[HEX_DIGITS], right[HEX_DIGITS];
    hex_of(a->slot->key, left);
    hex_of(b->slot->key, right);
    return span_compare(a->text.size ? a->text : span_of(left, sizeof left),
                        b->text.size ? b->text : span_of(right, sizeof right));
}

static int compare_heavier(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->slot->weight != y->slot->weight)
        return x->slot->weight < y->slot->weight ? 1 : -1;
    return compare_names(x, y);
}

uint32_t topk_sorted(const struct topk *t,
                     const struct topk_slot *sorted[TOPK_ACTIVE_MAX])
{
    struct named named[TOPK_ACTIVE_MAX];
    uint32_t n = 0;
    for (size_t i = 0; i < (size_t)1 << t->lg_slots; i++) {
        if (!t->slot[i].weight)
            continue;
        named[n].slot = &t->slot[i];
        named[n++].text = topk_text(t, &t->slot[i]);
    }
    qsort(named, n, sizeof *named, compare_heavier);
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = named[i].slot;
    return n;
}

static unsigned lg_written(uint32_t active)
{
    unsigned lg = TOPK_LG_LEAST;
    while (topk_active_max(lg) < active)
        lg++;
    return lg;
}

static void put_head(const struct topk *t, bool is_empty, struct buf *out)
{
    const uint8_t head[8] = {
        is_empty ? 1 : 4,
        SERIAL,
        FAMILY,
        (uint8_t)t->lg_max,
        (uint8_t)lg_written(t->active),
        is_empty ? FLAGS_EMPTY : 0,
    };
    buf_put(out, head, sizeof head);
}

void topk_encode(const struct topk *t, struct buf *out)
{
    put_head(t, t->total == 0, out);
    if (t->total == 0)
        return;
    const struct topk_slot *sorted[TOPK_ACTIVE_MAX];
    uint32_t n = topk_sorted(t, sorted);
    buf_put_le64(out, n);
    buf_put_le64(out, t->total);
    buf_put_le64(out, t->offset);
    for (uint32_t i = 0; i < n; i++)
        buf_put_le64(out, sorted[i]->weight);
    for (uint32_t i = 0; i < n; i++) {
        struct topk_item item = {topk_text(t, sorted[i]), sorted[i]->key, 0, 0};
        buf_put_le32(out, sorted[i]->size ? sorted[i]->size : HEX_DIGITS);
        topk_put_name(&item, out);
    }
}

struct head {
    uint8_t lg_max;
    uint32_t active;
    uint64_t total;
    uint64_t offset;
};

static enum status take_full_head(struct cursor *from, struct head *out)
{
    uint32_t padding;
    ST_TRY(cursor_le32(from, &out->active));
    ST_TRY(cursor_le32(from, &padding));
    ST_TRY(cursor_le64(from, &out->total));
    ST_TRY(cursor_le64(from, &out->offset));
    if (out->active > topk_active_max(out->lg_max) || out->total > TOPK_TOTAL_MAX ||
        out->offset > out->total || out->total == 0)
        return ST_CORRUPT;
    return ST_OK;
}

static enum status take_head(struct cursor *from, struct head *out)
{
    struct span bytes;
    *out = (struct head){0};
    ST_TRY(cursor_bytes(from, HEAD_EMPTY, &bytes));
    const uint8_t *b = bytes.data;
    unsigned longs = b[0] & LONGS_MASK;
    bool is_empty = b[5] & FLAGS_EMPTY;
    if (b[2] != FAMILY || longs != (is_empty ? 1 : 4))
        return ST_CORRUPT;
    if (b[1] != SERIAL)
        return b[1] > SERIAL ? ST_VERSION : ST_CORRUPT;
    if (b[3] < TOPK_LG_LEAST || b[3] > LG_FOREIGN_MOST || b[4] < TOPK_LG_LEAST ||
        b[4] > b[3])
        return ST_CORRUPT;
    if (b[3] > TOPK_LG_MOST)
        return ST_UNSUPPORTED;
    out->lg_max = b[3];
    return is_empty ? ST_OK : take_full_head(from, out);
}

// All weights, together no more than the total.
static enum status take_weights(struct cursor *from, const struct head *h,
                                struct span *out)
{
    ST_TRY(cursor_bytes(from, (size_t)h->active * 8, out));
    uint64_t left = h->total;
    for (uint32_t i = 0; i < h->active; i++) {
        uint64_t weight = load_le64(out->data + (size_t)i * 8);
        if (weight == 0 || weight > left)
            return ST_CORRUPT;
        left -= weight;
    }
    return ST_OK;
}

static enum status take_items(struct cursor *from, struct span weights, struct topk *t)
{
    for (size_t i = 0; i < weights.size; i += 8) {
        uint32_t size;
        struct span text;
        ST_TRY(cursor_le32(from, &size));
        if (size == 0 || size > TOPK_TEXT_MAX)
            return ST_CORRUPT;
        ST_TRY(cursor_bytes(from, size, &text));
        if (!text_is_utf8(text) ||
            topk_put_new(t, text, load_le64(weights.data + i)) != ST_OK)
            return ST_CORRUPT;
    }
    return cursor_end(from);
}

// The texts' bytes that the values claim, if they are all there: for each a size byte
// takes the place of four, so what is left in the cursor is room enough.
enum status topk_parse(struct span bytes, struct topk **out)
{
    struct cursor from = {bytes};
    struct head h;
    struct span weights = {NULL, 0};
    ST_TRY(take_head(&from, &h));
    ST_TRY(take_weights(&from, &h, &weights));
    if (from.left.size > (size_t)h.active * (4 + TOPK_TEXT_MAX))
        return ST_CORRUPT;
    struct topk *t;
    ST_TRY(topk_make(h.lg_max, h.active, from.left.size, &t));
    t->total = h.total;
    t->offset = h.offset;
    enum status st = take_items(&from, weights, t);
    if (st != ST_OK) {
        topk_close(t);
        return st;
    }
    *out = t;
    return ST_OK;
}
