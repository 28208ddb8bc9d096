// Kll blob: every rule that bytes of a KLL sketch must keep.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_blob.h"

static const char *read_preamble(struct span bytes, struct kll_blob *b)
{
    if (bytes.size < KLL_SHORT_BYTES)
        return "shorter than a preamble";
    if (bytes.data[2] != KLL_FAMILY)
        return "not of the KLL family";
    if (bytes.data[6] != KLL_M)
        return "m is not 8";
    b->k = load_le16(bytes.data + 4);
    if (b->k < KLL_K_MIN)
        return "k below 8";
    b->is_level0_sorted = (bytes.data[3] & KLL_FLAG_SORTED) != 0;
    return NULL;
}

static const char *read_empty(struct span bytes, struct kll_blob *b)
{
    if (bytes.size != KLL_SHORT_BYTES)
        return "an empty sketch is 8 bytes long";
    b->n = 0;
    b->min = b->max = 0;
    b->min_k = b->k;
    b->levels = 1;
    b->start[0] = b->start[1] = 0;
    b->items = bytes.data + bytes.size;
    return NULL;
}

static const char *read_single(const struct kll_items *ops, struct span bytes,
                               struct kll_blob *b)
{
    if (bytes.size != KLL_SHORT_BYTES + ops->item_bytes)
        return "a single item is one item long";
    b->n = 1;
    b->min_k = b->k;
    b->levels = 1;
    b->start[0] = 0;
    b->start[1] = 1;
    b->items = bytes.data + KLL_SHORT_BYTES;
    b->min = b->max = ops->load_one(b->items);
    return b->min == b->max ? NULL : "the item is NaN";
}

// The starts count from the front of a buffer of the whole capacity, whose free part is
// not written: the first start says how many items are missing.
static const char *read_starts(const uint8_t *p, uint32_t capacity, struct kll_blob *b)
{
    uint32_t missing = load_le32(p);
    if (missing > capacity)
        return "a level starts beyond the capacity";
    for (uint32_t h = 0; h < b->levels; h++) {
        uint32_t at = load_le32(p + (size_t)4 * h);
        if (at > capacity)
            return "a level starts beyond the capacity";
        if (at < missing || (h > 0 && at - missing < b->start[h - 1]))
            return "levels out of order";
        b->start[h] = at - missing;
    }
    b->start[b->levels] = capacity - missing;
    return NULL;
}

static const char *check_weights(const struct kll_blob *b)
{
    uint64_t sum = 0;
    for (uint32_t h = 0; h < b->levels; h++) {
        uint64_t count = b->start[h + 1] - b->start[h];
        if (count > (UINT64_MAX - sum) >> h)
            return "the sum of weights overflows";
        sum += count << h;
    }
    return sum == b->n ? NULL : "n is not the sum of weights";
}

static const char *check_items(const struct kll_items *ops, const struct kll_blob *b)
{
    if (!(b->min <= b->max))
        return "min above max, or NaN";
    for (uint32_t h = b->is_level0_sorted ? 0 : 1; h < b->levels; h++) {
        const uint8_t *level = b->items + (size_t)b->start[h] * ops->item_bytes;
        uint32_t count = b->start[h + 1] - b->start[h];
        if (!ops->ascend(level, count))
            return "a level is not in ascending order, or has NaN";
        if (count > 0 &&
            !(ops->load_one(level) >= b->min &&
              ops->load_one(level + (size_t)(count - 1) * ops->item_bytes) <= b->max))
            return "an item outside min..max, or NaN";
    }
    if (!b->is_level0_sorted && !ops->within(b->items, b->start[1], b->min, b->max))
        return "an item outside min..max, or NaN";
    return NULL;
}

static const char *read_full(const struct kll_items *ops, struct span bytes,
                             bool is_updatable, struct kll_blob *b)
{
    if (bytes.size < KLL_FULL_BYTES)
        return "shorter than a full preamble";
    b->n = load_le64(bytes.data + 8);
    b->min_k = load_le16(bytes.data + 16);
    b->levels = bytes.data[18];
    if (b->n == 0)
        return "n is 0 in the full form";
    if (b->min_k < KLL_K_MIN || b->min_k > b->k)
        return "min_k outside 8..k";
    if (b->levels == 0 || b->levels > KLL_LEVELS_MAX)
        return "levels outside 1..61";

    size_t width = ops->item_bytes;
    size_t head = KLL_FULL_BYTES + 4 * (size_t)(b->levels + is_updatable) + 2 * width;
    if (bytes.size < head)
        return "shorter than its levels";
    const uint8_t *starts = bytes.data + KLL_FULL_BYTES;
    uint32_t capacity = kll_total_capacity(b->k, b->levels);
    const char *why = read_starts(starts, capacity, b);
    if (why)
        return why;
    if (is_updatable && load_le32(starts + (size_t)4 * b->levels) != capacity)
        return "the last level does not end at the capacity";
    uint32_t written = is_updatable ? capacity : b->start[b->levels];
    if (bytes.size != head + written * width)
        return "the length is not what the levels say";

    b->min = ops->load_one(bytes.data + head - 2 * width);
    b->max = ops->load_one(bytes.data + head - width);
    b->items = bytes.data + head + (written - b->start[b->levels]) * width;
    why = check_weights(b);
    return why ? why : check_items(ops, b);
}

const char *kll_blob_read(const struct kll_items *ops, struct span bytes,
                          struct kll_blob *out)
{
    const char *why = read_preamble(bytes, out);
    if (why)
        return why;
    unsigned ints = bytes.data[0], serial = bytes.data[1];
    unsigned flags = bytes.data[3] & (KLL_FLAG_EMPTY | KLL_FLAG_SINGLE);
    if (ints == KLL_INTS_SHORT && serial == KLL_SERIAL_FULL && flags == KLL_FLAG_EMPTY)
        return read_empty(bytes, out);
    if (ints == KLL_INTS_SHORT && serial == KLL_SERIAL_SINGLE &&
        flags == KLL_FLAG_SINGLE)
        return read_single(ops, bytes, out);
    if (ints == KLL_INTS_FULL && serial == KLL_SERIAL_FULL && flags == 0)
        return read_full(ops, bytes, false, out);
    if (ints == KLL_INTS_FULL && serial == KLL_SERIAL_UPDATABLE && flags == 0)
        return read_full(ops, bytes, true, out);
    return "an unknown form (preamble, serial version, flags)";
}
