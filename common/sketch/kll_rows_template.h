// Kll rows template: lanes sorted, merged and halved down the rows of a tile.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: a part of kll_lanes_template.h.
//
// A comparator gives min(a, b) and max(b, a), whose operands are in this order because
// the instructions give their second one when both are equal: so of two zeros of
// unlike sign both stay.

KERNEL void order(vec *low, vec *high)
{
    vec a = *low, b = *high;
    *low = vec_min(a, b);
    *high = vec_max(b, a);
}

// 60 comparators, the fewest known for 16 items; a test shows with all 65536 patterns
// of 0 and 1 that they sort. Source: found by M. W. Green (1969), see Knuth, The Art of
// Computer Programming 3, 5.3.4; in an order of equal size with 10 layers.
KERNEL void sort_rows_first(vec *r)
{
    order(r + 0, r + 13), order(r + 1, r + 12), order(r + 2, r + 15);
    order(r + 3, r + 14), order(r + 4, r + 8), order(r + 5, r + 6);
    order(r + 7, r + 11), order(r + 9, r + 10);

    order(r + 0, r + 5), order(r + 1, r + 7), order(r + 2, r + 9);
    order(r + 3, r + 4), order(r + 6, r + 13), order(r + 8, r + 14);
    order(r + 10, r + 15), order(r + 11, r + 12);

    order(r + 0, r + 1), order(r + 2, r + 3), order(r + 4, r + 5);
    order(r + 6, r + 8), order(r + 7, r + 9), order(r + 10, r + 11);
    order(r + 12, r + 13), order(r + 14, r + 15);

    order(r + 0, r + 2), order(r + 1, r + 3), order(r + 4, r + 10);
    order(r + 5, r + 11), order(r + 6, r + 7), order(r + 8, r + 9);
    order(r + 12, r + 14), order(r + 13, r + 15);
}

KERNEL void sort_rows(vec *r)
{
    sort_rows_first(r);
    order(r + 1, r + 2), order(r + 3, r + 12), order(r + 4, r + 6);
    order(r + 5, r + 7), order(r + 8, r + 10), order(r + 9, r + 11);
    order(r + 13, r + 14);

    order(r + 1, r + 4), order(r + 2, r + 6), order(r + 5, r + 8);
    order(r + 7, r + 10), order(r + 9, r + 13), order(r + 11, r + 14);

    order(r + 2, r + 4), order(r + 3, r + 6), order(r + 9, r + 12);
    order(r + 11, r + 13);

    order(r + 3, r + 5), order(r + 6, r + 8), order(r + 7, r + 9);
    order(r + 10, r + 12);

    order(r + 3, r + 4), order(r + 5, r + 6), order(r + 7, r + 8);
    order(r + 9, r + 10), order(r + 11, r + 12);

    order(r + 6, r + 7), order(r + 8, r + 9);
}

// Rows 0..7 and rows 8..15 ascend; then all 16 do. Source: Batcher's odd-even merge.
KERNEL void merge_rows(vec *r)
{
    order(r + 0, r + 8), order(r + 4, r + 12), order(r + 4, r + 8);
    order(r + 2, r + 10), order(r + 6, r + 14), order(r + 6, r + 10);
    order(r + 2, r + 4), order(r + 6, r + 8), order(r + 10, r + 12);

    order(r + 1, r + 9), order(r + 5, r + 13), order(r + 5, r + 9);
    order(r + 3, r + 11), order(r + 7, r + 15), order(r + 7, r + 11);
    order(r + 3, r + 5), order(r + 7, r + 9), order(r + 11, r + 13);

    order(r + 1, r + 2), order(r + 3, r + 4), order(r + 5, r + 6);
    order(r + 7, r + 8), order(r + 9, r + 10), order(r + 11, r + 12);
    order(r + 13, r + 14);
}

KERNEL void order_in_memory(ITEM *column, uint32_t low, uint32_t high)
{
    vec a = vec_load(column + low * LANES), b = vec_load(column + high * LANES);
    vec_store(column + low * LANES, vec_min(a, b));
    vec_store(column + high * LANES, vec_max(b, a));
}

KERNEL void load_rows(vec *r, const ITEM *from, uint32_t rows)
{
#pragma GCC unroll 16
    for (uint32_t i = 0; i < rows; i++)
        r[i] = vec_load(from + i * LANES);
}

// Of each two neighbouring rows keeps, lane by lane, what the coin says.
KERNEL void store_half(ITEM *to, const vec *r, vec coin)
{
#pragma GCC unroll 8
    for (uint32_t i = 0; i < KLL_ROWS / 2; i++)
        vec_store(to + i * LANES, vec_pick(r[2 * i], r[2 * i + 1], coin));
}

// As merge_rows for any power of two of rows, in memory: rows 0..rows / 2 and the rest
// ascend, then all do.
KERNEL void merge_tall(ITEM *column, uint32_t rows)
{
    for (uint32_t i = 0; i < rows / 2; i++)
        order_in_memory(column, i, i + rows / 2);
    for (uint32_t apart = rows / 4; apart > 0; apart /= 2) {
        for (uint32_t i = apart; i + apart < rows; i += 2 * apart) {
            for (uint32_t j = i; j < i + apart; j++)
                order_in_memory(column, j, j + apart);
        }
    }
}
