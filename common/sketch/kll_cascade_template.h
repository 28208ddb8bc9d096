// Kll cascade template: tiles halved again and again, as in binary counting.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: a part of kll_lanes_template.h.

// A column of lanes of one tile: VEC_ITEMS of them. False when it is not all finite,
// and then nothing has changed but `to`.
KERNEL bool halve_column(const ITEM *from, ITEM *to, uint32_t coins, vec *min, vec *max)
{
    vec r[KLL_ROWS];
    load_rows(r, from, KLL_ROWS);
    vec nan = vec_unordered(r[0], r[1]);
#pragma GCC unroll 8
    for (uint32_t i = 2; i < KLL_ROWS; i += 2)
        nan = vec_or(nan, vec_unordered(r[i], r[i + 1]));
#pragma GCC unroll 16
    for (uint32_t i = 0; i < KLL_ROWS; i++)
        r[i] = vec_plus_zero(r[i]);
    sort_rows(r);
    vec infinite = vec_or(vec_equal(r[0], vec_all(-ITEM_MAX)),
                          vec_equal(r[KLL_ROWS - 1], vec_all(ITEM_MAX)));
    if (vec_any(vec_or(nan, infinite)))
        return false;
    *min = vec_min(*min, r[0]);
    *max = vec_max(*max, r[KLL_ROWS - 1]);
    store_half(to, r, vec_coins(coins));
    return true;
}

KERNEL bool halve_tile(const ITEM *from, ITEM *to, uint32_t coins, vec *min, vec *max)
{
    for (uint32_t c = 0; c < LANES; c += VEC_ITEMS) {
        if (!halve_column(from + c, to + c, coins >> c, min, max))
            return false;
    }
    return true;
}

// Two half tiles become one of twice their weight, in place of the second.
KERNEL void halve_two(const ITEM *one, ITEM *other, uint32_t coins)
{
    for (uint32_t c = 0; c < LANES; c += VEC_ITEMS) {
        vec r[KLL_ROWS];
        load_rows(r, one + c, KLL_ROWS / 2);
        load_rows(r + KLL_ROWS / 2, other + c, KLL_ROWS / 2);
        merge_rows(r);
        store_half(other + c, r, vec_coins(coins >> c));
    }
}

// Carries a half tile of weight 2 up as in binary counting. Returns whether it left.
KERNEL bool carry_up(struct kll_cascade *c, struct kll_coins *coins, ITEM *half)
{
    uint32_t level = 1;
    for (; level < c->levels && c->pending >> level & 1; level++) {
        const void *waiting = c->half + (size_t)(level - 1) * KLL_HALF_BYTES;
        halve_two(waiting, half, kll_coins_lanes(coins, LANES));
        c->pending &= ~(1u << level);
    }
    if (level == c->levels)
        return true;
    memcpy(c->half + (size_t)(level - 1) * KLL_HALF_BYTES, half, KLL_HALF_BYTES);
    c->pending |= 1u << level;
    return false;
}

TARGET static size_t cascade(struct kll_cascade *c, struct kll_coins *coins,
                             const void *values, size_t tiles, void *out, bool *is_out,
                             struct kll_range *range)
{
    const ITEM *from = values;
    ITEM *half = out;
    vec min = vec_all((ITEM)range->min), max = vec_all((ITEM)range->max);
    size_t taken = 0;
    bool has_left = false;
    while (taken < tiles && !has_left) {
        struct kll_coins next = *coins;
        uint32_t tossed = kll_coins_lanes(&next, LANES);
        if (!halve_tile(from, half, tossed, &min, &max))
            break;
        *coins = next;
        has_left = carry_up(c, coins, half);
        from += TILE_ITEMS;
        taken++;
    }
    ITEM low[VEC_ITEMS], high[VEC_ITEMS];
    vec_store(low, min);
    vec_store(high, max);
    for (uint32_t i = 0; i < VEC_ITEMS; i++)
        widen(range, low[i], high[i]);
    *is_out = has_left;
    return taken;
}
