// Kll runs template: ascending runs merged, and made of lanes or of disorder.
//
// SPDX-License-Identifier: Apache-2.0

// No ordinary header: a part of kll_lanes_template.h.

// A run read register by register. The last register may be filled up with infinity.
struct feed {
    const ITEM *at;
    size_t whole; // registers
    bool has_tail;
    ITEM tail[VEC_ITEMS];
};

KERNEL void feed_open(struct feed *f, const ITEM *run, size_t n)
{
    f->at = run;
    f->whole = n / VEC_ITEMS;
    f->has_tail = n % VEC_ITEMS > 0;
    if (!f->has_tail)
        return;
    vec_store(f->tail, vec_all(ITEM_MAX));
    for (size_t i = 0; i < n % VEC_ITEMS; i++)
        f->tail[i] = run[f->whole * VEC_ITEMS + i];
}

KERNEL vec feed_next(struct feed *f)
{
    if (f->whole == 0) {
        f->has_tail = false;
        return vec_load(f->tail);
    }
    vec next = vec_load(f->at);
    f->at += VEC_ITEMS;
    f->whole--;
    return next;
}

// Merges two ascending registers; the lower half is stored.
KERNEL vec merge_two(ITEM *to, vec held, vec next)
{
    vec turned = vec_reverse(next);
    vec_store(to, vec_clean(vec_min(held, turned)));
    return vec_clean(vec_max(turned, held));
}

// What `held` and the rest of both runs give: `left` items. Few, as a rule.
KERNEL void merge_ends(ITEM *to, size_t left, vec held, struct feed *a, struct feed *b)
{
    ITEM last[VEC_ITEMS];
    while (a->whole + a->has_tail + b->whole + b->has_tail > 0) {
        bool has_a = a->whole + a->has_tail > 0, has_b = b->whole + b->has_tail > 0;
        const ITEM *head_a = a->whole ? a->at : a->tail;
        const ITEM *head_b = b->whole ? b->at : b->tail;
        bool is_a = has_a && (!has_b || *head_a <= *head_b);
        vec next = feed_next(is_a ? a : b);
        if (left <= VEC_ITEMS) {
            held = merge_two(last, held, next);
            memcpy(to, last, left * sizeof *to);
            return;
        }
        held = merge_two(to, held, next);
        to += VEC_ITEMS;
        left -= VEC_ITEMS;
    }
    vec_store(last, held);
    memcpy(to, last, left * sizeof *to);
}

// Holds the larger half of what it has read in a register, and merges it with a
// register more from the run whose next item is smaller. What it writes never passes
// what it has read, so b's place may be written over.
TARGET static void merge(void *out, const void *run_a, size_t na, const void *run_b,
                         size_t nb)
{
    ITEM *to = out;
    struct feed a, b;
    if (na == 0 || nb == 0) {
        memmove(to, na ? run_a : run_b, (na + nb) * sizeof *to);
        return;
    }
    feed_open(&a, run_a, na);
    feed_open(&b, run_b, nb);
    vec held = *(a.whole ? a.at : a.tail) <= *(b.whole ? b.at : b.tail) ? feed_next(&a)
                                                                        : feed_next(&b);
    const ITEM *from_a = a.at, *from_b = b.at;
    const ITEM *a_end = a.at + a.whole * VEC_ITEMS, *b_end = b.at + b.whole * VEC_ITEMS;
    while (from_a < a_end && from_b < b_end) {
        bool is_a = *from_a <= *from_b;
        const ITEM *from = is_a ? from_a : from_b;
        from_a += is_a ? VEC_ITEMS : 0;
        from_b += is_a ? 0 : VEC_ITEMS;
        held = merge_two(to, held, vec_load(from));
        to += VEC_ITEMS;
    }
    a.at = from_a;
    a.whole = (size_t)(a_end - from_a) / VEC_ITEMS;
    b.at = from_b;
    b.whole = (size_t)(b_end - from_b) / VEC_ITEMS;
    merge_ends(to, na + nb - (size_t)(to - (ITEM *)out), held, &a, &b);
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
