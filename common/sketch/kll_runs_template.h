// Kll runs template: ascending runs merged, and made of lanes or of disorder.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: a part of kll_lanes_template.h.

// Runs are merged block by block. A block of two registers keeps the processor busier
// than one register does, whose comparators wait for each other; one is for short runs.
#define BLOCK_VECS 2
#define BLOCK_ITEMS (BLOCK_VECS * VEC_ITEMS)

// A run read block by block. The last block may be filled up with infinity.
struct feed {
    const ITEM *at;
    size_t whole; // blocks
    size_t left;  // items after these, and then
    ITEM tail[BLOCK_ITEMS];
};

KERNEL void feed_open(struct feed *f, const ITEM *run, size_t n, const uint32_t vecs)
{
    const size_t block = vecs * VEC_ITEMS;
    f->at = run;
    f->whole = n / block;
    f->left = n % block;
    if (f->left == 0)
        return;
    for (uint32_t i = 0; i < vecs; i++)
        vec_store(f->tail + i * VEC_ITEMS, vec_all(ITEM_MAX));
    memcpy(f->tail, run + f->whole * block, f->left * sizeof *run);
}

KERNEL bool feed_has(const struct feed *f)
{
    return f->whole + f->left > 0;
}

KERNEL const ITEM *feed_head(const struct feed *f)
{
    return f->whole ? f->at : f->tail;
}

KERNEL void load_block(vec *r, const ITEM *from, const uint32_t vecs)
{
    for (uint32_t i = 0; i < vecs; i++)
        r[i] = vec_load(from + i * VEC_ITEMS);
}

KERNEL void store_block(ITEM *to, const vec *r, const uint32_t vecs)
{
    for (uint32_t i = 0; i < vecs; i++)
        vec_store(to + i * VEC_ITEMS, r[i]);
}

KERNEL void feed_next(struct feed *f, vec *r, const uint32_t vecs)
{
    load_block(r, feed_head(f), vecs);
    if (f->whole == 0) {
        f->left = 0;
        return;
    }
    f->at += vecs * VEC_ITEMS;
    f->whole--;
}

// Sorts a block that first rises and then falls.
KERNEL void clean_block(vec *r, const uint32_t vecs)
{
    if (vecs == 2)
        order(r, r + 1);
    for (uint32_t i = 0; i < vecs; i++)
        r[i] = vec_clean(r[i]);
}

// Merges two ascending blocks: the lower half is stored, `held` becomes the upper.
KERNEL void merge_two(ITEM *to, vec *held, const vec *next, const uint32_t vecs)
{
    vec low[BLOCK_VECS];
    for (uint32_t i = 0; i < vecs; i++) {
        vec turned = vec_reverse(next[vecs - 1 - i]);
        low[i] = vec_min(held[i], turned);
        held[i] = vec_max(turned, held[i]);
    }
    clean_block(low, vecs);
    clean_block(held, vecs);
    store_block(to, low, vecs);
}

// What `held` and the rest of both runs give: `left` items. Few, as a rule.
KERNEL void merge_ends(ITEM *to, size_t left, vec *held, struct feed *a, struct feed *b,
                       const uint32_t vecs)
{
    const size_t block = vecs * VEC_ITEMS;
    ITEM last[BLOCK_ITEMS];
    vec next[BLOCK_VECS];
    while (feed_has(a) || feed_has(b)) {
        bool is_a = feed_has(a) && (!feed_has(b) || *feed_head(a) <= *feed_head(b));
        feed_next(is_a ? a : b, next, vecs);
        if (left < block) {
            merge_two(last, held, next, vecs);
            memcpy(to, last, left * sizeof *to);
            return;
        }
        merge_two(to, held, next, vecs);
        to += block;
        left -= block;
    }
    store_block(last, held, vecs);
    memcpy(to, last, left * sizeof *to);
}

// Holds the larger half of what it has read, and merges it with one block more from the
// run whose next item is smaller. What it writes never passes what it has read, so b's
// place may be written over.
KERNEL void merge_blocks(ITEM *to, const ITEM *run_a, size_t na, const ITEM *run_b,
                         size_t nb, const uint32_t vecs)
{
    const size_t block = vecs * VEC_ITEMS;
    struct feed a, b;
    vec held[BLOCK_VECS], next[BLOCK_VECS];
    feed_open(&a, run_a, na, vecs);
    feed_open(&b, run_b, nb, vecs);
    feed_next(*feed_head(&a) <= *feed_head(&b) ? &a : &b, held, vecs);

    ITEM *from = to;
    const ITEM *at_a = a.at, *a_end = at_a + a.whole * block;
    const ITEM *at_b = b.at, *b_end = at_b + b.whole * block;
    while (at_a < a_end && at_b < b_end) {
        bool is_a = *at_a <= *at_b;
        load_block(next, is_a ? at_a : at_b, vecs);
        at_a += is_a ? block : 0;
        at_b += is_a ? 0 : block;
        merge_two(to, held, next, vecs);
        to += block;
    }
    a.at = at_a;
    a.whole = (size_t)(a_end - at_a) / block;
    b.at = at_b;
    b.whole = (size_t)(b_end - at_b) / block;
    merge_ends(to, na + nb - (size_t)(to - from), held, &a, &b, vecs);
}

TARGET static void merge(void *out, const void *a, size_t na, const void *b, size_t nb)
{
    if (na == 0 || nb == 0)
        memmove(out, na ? a : b, (na + nb) * sizeof(ITEM));
    else if (na < 2 * BLOCK_ITEMS || nb < 2 * BLOCK_ITEMS)
        merge_blocks(out, a, na, b, nb, 1);
    else
        merge_blocks(out, a, na, b, nb, BLOCK_VECS);
}

TARGET static void halve(void *run, size_t pairs, uint32_t coin)
{
    ITEM *items = run;
    size_t i = 0;
    for (; i + VEC_ITEMS <= pairs; i += VEC_ITEMS) {
        vec a = vec_load(items + 2 * i), b = vec_load(items + 2 * i + VEC_ITEMS);
        vec_store(items + i, vec_second(a, b, coin));
    }
    for (; i < pairs; i++)
        items[i] = items[2 * i + coin];
}

// Columns of one lane each become rows: LANES runs of `rows` items, one after another.
KERNEL void turn(const ITEM *columns, uint32_t rows, ITEM *runs)
{
    for (uint32_t c = 0; c < LANES; c += VEC_ITEMS) {
        for (uint32_t i = 0; i < rows; i += VEC_ITEMS) {
            vec r[VEC_ITEMS];
#pragma GCC unroll 8
            for (uint32_t j = 0; j < VEC_ITEMS; j++)
                r[j] = vec_load(columns + (i + j) * LANES + c);
            vec_transpose(r);
#pragma GCC unroll 8
            for (uint32_t j = 0; j < VEC_ITEMS; j++)
                vec_store(runs + (c + j) * rows + i, r[j]);
        }
    }
}

TARGET static void *flatten(void *columns, uint32_t rows, void *scratch)
{
    ITEM *from = scratch, *to = columns;
    turn(columns, rows, from);
    for (uint32_t width = rows; width < rows * LANES; width *= 2) {
        for (uint32_t i = 0; i < rows * LANES; i += 2 * width)
            merge(to + i, from + i, width, from + i + width, width);
        ITEM *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

// Sorts each lane of so many tiles, all down.
KERNEL void sort_columns(ITEM *columns, uint32_t tiles)
{
    for (uint32_t c = 0; c < LANES; c += VEC_ITEMS) {
        for (uint32_t tile = 0; tile < tiles; tile++) {
            ITEM *column = columns + tile * TILE_ITEMS + c;
            vec r[KLL_ROWS];
            load_rows(r, column, KLL_ROWS);
            sort_rows(r);
#pragma GCC unroll 16
            for (uint32_t i = 0; i < KLL_ROWS; i++)
                vec_store(column + i * LANES, r[i]);
        }
        for (uint32_t wide = 2; wide <= tiles; wide *= 2) {
            for (uint32_t tile = 0; tile < tiles; tile += wide)
                merge_tall(columns + tile * TILE_ITEMS + c, wide * KLL_ROWS);
        }
    }
}

TARGET static void *thin(void *run, uint32_t tiles, uint32_t coins, void *scratch,
                         struct kll_range *range)
{
    ITEM *columns = run;
    uint32_t rows = tiles * KLL_ROWS;
    sort_columns(columns, tiles);
    for (uint32_t i = 0; i < LANES; i++)
        widen(range, columns[i], columns[(rows - 1) * LANES + i]);
    for (uint32_t c = 0; c < LANES; c += VEC_ITEMS) {
        vec coin = vec_coins(coins >> c);
        for (uint32_t i = 0; i < rows / 2; i++) {
            vec zero = vec_load(columns + 2 * i * LANES + c);
            vec one = vec_load(columns + (2 * i + 1) * LANES + c);
            vec_store(columns + i * LANES + c, vec_pick(zero, one, coin));
        }
    }
    return flatten(run, rows / 2, scratch);
}

#define SORT_FEW 16

static void sort_few(ITEM *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        ITEM v = run[i];
        size_t j = i;
        for (; j > 0 && run[j - 1] > v; j--)
            run[j] = run[j - 1];
        run[j] = v;
    }
}

TARGET static void sort_tiles(ITEM *run, uint32_t tiles, ITEM *scratch)
{
    sort_columns(run, tiles);
    ITEM *sorted = flatten(run, tiles * KLL_ROWS, scratch);
    if (sorted != run)
        memcpy(run, sorted, tiles * TILE_ITEMS * sizeof *run);
}

// Less than a tile: filled up with infinity, which stays last.
TARGET static void sort_part(ITEM *run, size_t n)
{
    ITEM tile[TILE_ITEMS], scratch[TILE_ITEMS];
    if (n <= SORT_FEW) {
        sort_few(run, n);
        return;
    }
    memcpy(tile, run, n * sizeof *run);
    for (size_t i = n; i < TILE_ITEMS; i++)
        tile[i] = ITEM_MAX;
    sort_tiles(tile, 1, scratch);
    memcpy(run, tile, n * sizeof *run);
}

// Two runs side by side become one.
static void merge_beside(ITEM *run, size_t na, size_t nb, ITEM *scratch)
{
    memcpy(scratch, run, na * sizeof *run);
    merge(run, scratch, na, run + na, nb);
}

// At most KLL_TALL_TILES tiles: the largest powers of two of them first, what is left
// of them last, then merged from the back.
static void sort_block(ITEM *run, size_t n, ITEM *scratch)
{
    size_t tiles = n / TILE_ITEMS, left = n % TILE_ITEMS, at = tiles * TILE_ITEMS;
    sort_part(run + at, left);
    for (size_t few = 1; few <= tiles; few *= 2) {
        if (!(tiles & few))
            continue;
        at -= few * TILE_ITEMS;
        sort_tiles(run + at, (uint32_t)few, scratch);
        merge_beside(run + at, few * TILE_ITEMS, left, scratch);
        left += few * TILE_ITEMS;
    }
}

static void sort(void *items, size_t n, void *scratch)
{
    const size_t block = KLL_TALL_TILES * TILE_ITEMS;
    ITEM *run = items;
    for (size_t i = 0; i < n; i += block)
        sort_block(run + i, n - i < block ? n - i : block, scratch);
    for (size_t width = block; width < n; width *= 2) {
        for (size_t i = 0; i + width < n; i += 2 * width) {
            size_t nb = n - i - width < width ? n - i - width : width;
            merge_beside(run + i, width, nb, scratch);
        }
    }
}
