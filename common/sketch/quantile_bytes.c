// Quantile bytes: sketches written and read in the compact KLL form of DataSketches.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/sketch/kll_blob.h"
#include "common/sketch/quantile.h"
#include "common/sketch/quantile_levels.h"

static void put_short_preamble(uint8_t *p, const struct quantile *q, uint8_t ints,
                               uint8_t serial, uint8_t flags)
{
    p[0] = ints;
    p[1] = serial;
    p[2] = KLL_FAMILY;
    p[3] = flags;
    store_le16(p + 4, q->k);
    p[6] = KLL_M;
    p[7] = 0;
}

static enum status put_empty(const struct quantile *q, struct buf *out)
{
    uint8_t *p = buf_reserve(out, KLL_SHORT_BYTES);
    if (!p)
        return out->failed;
    put_short_preamble(p, q, KLL_INTS_SHORT, KLL_SERIAL_FULL, KLL_FLAG_EMPTY);
    return ST_OK;
}

static enum status put_single(const struct quantile *q, struct buf *out)
{
    uint8_t *p = buf_reserve(out, KLL_SHORT_BYTES + q->ops->item_bytes);
    if (!p)
        return out->failed;
    put_short_preamble(p, q, KLL_INTS_SHORT, KLL_SERIAL_SINGLE, KLL_FLAG_SINGLE);
    q->ops->store(p + KLL_SHORT_BYTES, item_at(q, q->start[0]), 1);
    return ST_OK;
}

static size_t full_bytes(const struct quantile *q)
{
    return KLL_FULL_BYTES + 4 * (size_t)q->levels +
           (size_t)(levels_len(q) + 2) * q->ops->item_bytes;
}

static enum status put_full(const struct quantile *q, struct buf *out)
{
    uint8_t *p = buf_reserve(out, full_bytes(q));
    if (!p)
        return out->failed;
    put_short_preamble(p, q, KLL_INTS_FULL, KLL_SERIAL_FULL,
                       q->has_level0_unsorted ? 0 : KLL_FLAG_SORTED);
    store_le64(p + 8, q->n);
    store_le16(p + 16, q->min_k);
    p[18] = (uint8_t)q->levels;
    p[19] = 0;
    p += KLL_FULL_BYTES;

    uint32_t missing = kll_total_capacity(q->k, q->levels) - levels_len(q);
    for (uint32_t h = 0; h < q->levels; h++, p += 4)
        store_le32(p, missing + q->start[h] - q->start[0]);
    q->ops->store_one(p, q->range.min);
    q->ops->store_one(p + q->ops->item_bytes, q->range.max);
    q->ops->store(p + 2 * (size_t)q->ops->item_bytes, item_at(q, q->start[0]),
                  levels_len(q));
    return ST_OK;
}

enum status quantile_serialize(struct quantile *q, struct buf *out)
{
    quantile_settle(q);
    if (out->failed)
        return out->failed;
    if (q->n == 0)
        return put_empty(q, out);
    if (q->n == 1)
        return put_single(q, out);
    return put_full(q, out);
}

size_t quantile_bytes_max(enum quantile_type type, uint32_t k)
{
    size_t width = kll_items_for(type)->item_bytes;
    return KLL_FULL_BYTES + 4 * (size_t)KLL_LEVELS_MAX +
           width * (2 + (size_t)kll_total_capacity(k, KLL_LEVELS_MAX));
}

enum status quantile_parse(enum quantile_type type, struct span bytes, uint64_t seed,
                           struct quantile **out)
{
    const struct kll_items *ops = kll_items_for(type);
    struct kll_blob blob;
    if (kll_blob_read(ops, bytes, &blob) != NULL)
        return ST_CORRUPT;
    struct quantile *q;
    ST_TRY(levels_open_for(type, blob.k, seed, blob.start[blob.levels], &q));
    q->levels = blob.levels;
    memcpy(q->start, blob.start, (blob.levels + 1) * sizeof blob.start[0]);
    ops->load(q->items, blob.items, blob.start[blob.levels]);
    q->n = blob.n;
    q->min_k = blob.min_k;
    q->has_level0_unsorted = !blob.is_level0_sorted;
    if (blob.n > 0) {
        q->range.min = blob.min;
        q->range.max = blob.max;
    }
    *out = q;
    return ST_OK;
}

enum status quantile_check(enum quantile_type type, struct span bytes, const char **why)
{
    struct kll_blob blob;
    const char *broken = kll_blob_read(kll_items_for(type), bytes, &blob);
    if (!broken)
        return ST_OK;
    if (why)
        *why = broken;
    return ST_CORRUPT;
}

enum status quantile_infer_type(struct span bytes, enum quantile_type *out)
{
    bool is_float = quantile_check(QUANTILE_FLOAT, bytes, NULL) == ST_OK;
    bool is_double = quantile_check(QUANTILE_DOUBLE, bytes, NULL) == ST_OK;
    if (is_float && is_double)
        return ST_CONFLICT;
    if (!is_float && !is_double)
        return ST_CORRUPT;
    *out = is_float ? QUANTILE_FLOAT : QUANTILE_DOUBLE;
    return ST_OK;
}
