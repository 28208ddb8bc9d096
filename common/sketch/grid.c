// Grid: making one of its parts, asking it, and its bytes.
//
// The bytes: version, form; then numbers: width, count of edges, range and edges, each
// as wide as told; or categories: u8 top, u16 others, hashes. All little-endian.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/grid.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/grid_inner.h"

#define GRID_VERSION 1
#define GRID_ID_SEED UINT64_C(0x6b656467652d6772)

// An encoded grid needs no allocation but that of the buffer, which may fail.
static enum status set_id(struct grid *g)
{
    struct buf bytes;
    buf_init(&bytes, GRID_BYTES_MAX);
    grid_encode(g, &bytes);
    enum status st = bytes.failed;
    if (st == ST_OK) {
        uint64_t digest[2];
        hash_murmur3(buf_span(&bytes), GRID_ID_SEED, digest);
        g->id = digest[0] ? digest[0] : 1;
    }
    buf_fini(&bytes);
    return st;
}

static struct grid *grid_blank(enum grid_form form, enum grid_width width)
{
    struct grid *g = MEM_NEW(struct grid);
    if (!g)
        return NULL;
    size_t over = (uintptr_t)g->room % GRID_ALIGNMENT;
    uint8_t *aligned = g->room + (over ? GRID_ALIGNMENT - over : 0);
    g->edge = (double *)(void *)aligned;
    g->edge_down = (float *)(void *)(aligned + GRID_PADDED * sizeof(double));
    g->edge_near = g->edge_down + GRID_PADDED;
    g->form = form;
    g->width = width;
    return g;
}

static enum status grid_finish(struct grid *g, struct grid **out)
{
    enum status st = set_id(g);
    if (st != ST_OK) {
        grid_close(g);
        return st;
    }
    *out = g;
    return ST_OK;
}

static enum grid_rounding round_edges(struct grid *g)
{
    enum grid_rounding worst = ROUNDING_APART;
    for (size_t i = 0; i < GRID_PADDED; i++) {
        float near = (float)g->edge[i];
        bool is_above = (double)near > g->edge[i];
        g->edge_near[i] = near;
        g->edge_down[i] = is_above ? nextafterf(near, -INFINITY) : near;
    }
    for (size_t i = 1; i < g->edges; i++) {
        if (g->edge_near[i] != g->edge_near[i - 1])
            continue;
        bool is_third = i > 1 && g->edge_near[i] == g->edge_near[i - 2];
        if (worst < ROUNDING_JOINS)
            worst = is_third ? ROUNDING_JOINS : ROUNDING_PAIRS;
    }
    return worst;
}

enum status grid_make(enum grid_form form, enum grid_width width, const double *edge,
                      size_t n, double min, double max, struct grid **out)
{
    assert(n >= 1 && n <= GRID_EDGES_MAX);
    struct grid *g = grid_blank(form, width);
    if (!g)
        return ST_NOMEM;
    g->edges = (uint32_t)n;
    g->cells = (uint32_t)n + 1;
    g->min = min + 0.0; // -0.0 becomes 0.0
    g->max = max + 0.0;
    for (size_t i = 0; i < GRID_PADDED; i++)
        g->edge[i] = i < n ? edge[i] + 0.0 : INFINITY;
    g->rounding = round_edges(g);
    return grid_finish(g, out);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

// Index of `hash` among the kept ones; `kept` when it is not there.
static uint32_t find_kept(const struct grid_categories *c, uint64_t hash)
{
    if (c->kept == 0)
        return 0;
    size_t bucket = (size_t)(hash >> c->shift);
    uint32_t low = c->bucket[bucket], end = c->bucket[bucket + 1];
    while (end - low > 4) { // a stranger's grid may have all in one bucket
        uint32_t middle = low + (end - low) / 2;
        if (c->hash[middle] <= hash)
            low = middle;
        else
            end = middle;
    }
    for (; low < end; low++)
        if (c->hash[low] == hash)
            return low;
    return c->kept;
}

static bool categories_alloc(struct grid_categories *c)
{
    unsigned bits = 1;
    while (1u << bits < c->kept)
        bits++;
    c->shift = 64 - bits;
    c->hash = mem_zero(c->kept, sizeof *c->hash);
    c->cell = mem_zero(c->kept, sizeof *c->cell);
    c->bucket = mem_zero(((size_t)1 << bits) + 1, sizeof *c->bucket);
    return c->hash && c->cell && c->bucket;
}

// False when a hash is there twice.
static bool categories_index(struct grid_categories *c)
{
    for (uint32_t i = 1; i < c->kept; i++)
        if (c->hash[i] == c->hash[i - 1])
            return false;
    size_t buckets = (size_t)1 << (64 - c->shift);
    uint32_t at = 0;
    for (size_t b = 0; b < buckets; b++) {
        c->bucket[b] = (uint16_t)at;
        while (at < c->kept && c->hash[at] >> c->shift == b)
            at++;
    }
    c->bucket[buckets] = (uint16_t)at;
    memset(c->cell, (int)c->top, c->kept); // rare, unless it is one of the top
    for (uint32_t i = 0; i < c->top; i++)
        c->cell[find_kept(c, c->top_hash[i])] = (uint8_t)i;
    return true;
}

enum status grid_make_categories(const uint64_t *hash, uint32_t top, uint32_t kept,
                                 struct grid **out)
{
    assert(top <= GRID_TOP_MAX && top <= kept && kept <= GRID_KEPT_MAX);
    struct grid *g = grid_blank(GRID_CATEGORIES, GRID_F64);
    if (!g)
        return ST_NOMEM;
    g->cells = top + 2;
    g->known.top = top;
    g->known.kept = kept;
    if (kept) {
        if (!categories_alloc(&g->known)) {
            grid_close(g);
            return ST_NOMEM;
        }
        memcpy(g->known.top_hash, hash, top * sizeof *hash);
        memcpy(g->known.hash, hash, kept * sizeof *hash);
        qsort(g->known.hash, kept, sizeof *hash, compare_hashes);
        if (!categories_index(&g->known)) {
            grid_close(g);
            return ST_RANGE;
        }
    }
    return grid_finish(g, out);
}

void grid_close(struct grid *g)
{
    if (!g)
        return;
    mem_free(g->known.hash);
    mem_free(g->known.cell);
    mem_free(g->known.bucket);
    mem_free(g);
}

static void put_number(struct buf *out, enum grid_width width, double v)
{
    if (width == GRID_F64) {
        buf_put_le_f64(out, v);
        return;
    }
    uint8_t bytes[4];
    store_le_f32(bytes, (float)v);
    buf_put(out, bytes, sizeof bytes);
}

static void encode_categories(const struct grid_categories *c, struct buf *out)
{
    uint8_t others[2];
    store_le16(others, (uint16_t)(c->kept - c->top));
    buf_put_u8(out, (uint8_t)c->top);
    buf_put(out, others, sizeof others);
    for (uint32_t i = 0; i < c->top; i++)
        buf_put_le64(out, c->top_hash[i]);
    for (uint32_t i = 0; i < c->kept; i++)
        if (c->cell[i] == c->top)
            buf_put_le64(out, c->hash[i]);
}

void grid_encode(const struct grid *g, struct buf *out)
{
    buf_put_u8(out, GRID_VERSION);
    buf_put_u8(out, (uint8_t)g->form);
    if (g->form == GRID_CATEGORIES) {
        encode_categories(&g->known, out);
        return;
    }
    buf_put_u8(out, (uint8_t)g->width);
    buf_put_u8(out, (uint8_t)g->edges);
    put_number(out, g->width, g->min);
    put_number(out, g->width, g->max);
    for (uint32_t i = 0; i < g->edges; i++)
        put_number(out, g->width, g->edge[i]);
}

// A finite number, and no -0.0: a grid has one form only.
static enum status take_number(struct cursor *from, enum grid_width width, double *out)
{
    struct span bytes;
    ST_TRY(cursor_bytes(from, (size_t)width, &bytes));
    double v =
        width == GRID_F64 ? load_le_f64(bytes.data) : (double)load_le_f32(bytes.data);
    if (!isfinite(v) || (v == 0 && signbit(v)))
        return ST_CORRUPT;
    *out = v;
    return ST_OK;
}

static enum status decode_numbers(struct cursor *from, enum grid_form form,
                                  struct grid **out)
{
    uint8_t width, n;
    double min, max, edge[GRID_EDGES_MAX];
    ST_TRY(cursor_u8(from, &width));
    ST_TRY(cursor_u8(from, &n));
    if ((width != GRID_F32 && width != GRID_F64) || n < 1 || n > GRID_EDGES_MAX)
        return ST_CORRUPT;
    ST_TRY(take_number(from, (enum grid_width)width, &min));
    ST_TRY(take_number(from, (enum grid_width)width, &max));
    for (unsigned i = 0; i < n; i++) {
        ST_TRY(take_number(from, (enum grid_width)width, &edge[i]));
        if (i > 0 && edge[i] <= edge[i - 1])
            return ST_CORRUPT;
    }
    ST_TRY(cursor_end(from));
    if (min > max || (form == GRID_VALUES && (min != edge[0] || max != edge[n - 1])))
        return ST_CORRUPT;
    return grid_make(form, (enum grid_width)width, edge, n, min, max, out);
}

static enum status decode_categories(struct cursor *from, struct grid **out)
{
    uint8_t top;
    uint16_t others;
    struct span bytes;
    ST_TRY(cursor_u8(from, &top));
    ST_TRY(cursor_le16(from, &others));
    uint32_t kept = (uint32_t)top + others;
    if (top > GRID_TOP_MAX || kept > GRID_KEPT_MAX)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(from, (size_t)kept * 8, &bytes));
    ST_TRY(cursor_end(from));
    uint64_t hash[GRID_KEPT_MAX];
    for (uint32_t i = 0; i < kept; i++) {
        hash[i] = load_le64(bytes.data + (size_t)i * 8);
        if (i > top && hash[i] <= hash[i - 1])
            return ST_CORRUPT;
    }
    enum status st = grid_make_categories(hash, top, kept, out);
    return st == ST_RANGE ? ST_CORRUPT : st;
}

enum status grid_decode(struct span bytes, struct grid **out)
{
    struct cursor from = {bytes};
    uint8_t version, form;
    ST_TRY(cursor_u8(&from, &version));
    ST_TRY(cursor_u8(&from, &form));
    if (version != GRID_VERSION)
        return version > GRID_VERSION ? ST_VERSION : ST_CORRUPT;
    if (form == GRID_CATEGORIES)
        return decode_categories(&from, out);
    if (form != GRID_EDGES && form != GRID_VALUES)
        return ST_CORRUPT;
    return decode_numbers(&from, (enum grid_form)form, out);
}

uint64_t grid_id(const struct grid *g)
{
    return g->id;
}

enum grid_form grid_form(const struct grid *g)
{
    return g->form;
}

enum grid_width grid_width(const struct grid *g)
{
    return g->width;
}

uint32_t grid_cells(const struct grid *g)
{
    return g->cells;
}

double grid_min(const struct grid *g)
{
    return g->min;
}

double grid_max(const struct grid *g)
{
    return g->max;
}

void grid_bounds(const struct grid *g, uint32_t cell, double *low, double *high)
{
    assert(cell < g->cells);
    bool is_value = g->form == GRID_VALUES && cell < g->edges;
    bool is_range = g->form == GRID_EDGES;
    *low = is_value               ? g->edge[cell]
           : is_range && cell > 0 ? g->edge[cell - 1]
                                  : -INFINITY;
    *high = is_value || (is_range && cell < g->edges) ? g->edge[cell] : INFINITY;
}

uint64_t grid_category_hash(const struct grid *g, uint32_t cell)
{
    return cell < g->known.top ? g->known.top_hash[cell] : 0;
}

bool grid_is_tail(const struct grid *g, uint32_t cell)
{
    return cell == g->cells - 1 || (cell == 0 && g->form == GRID_EDGES);
}

bool grid_is_ranked(const struct grid *g, uint32_t cell)
{
    return g->form == GRID_EDGES || (g->form == GRID_VALUES && cell < g->edges);
}

uint32_t grid_cell_of_hash(const struct grid *g, uint64_t hash)
{
    const struct grid_categories *c = &g->known;
    uint32_t at = find_kept(c, hash);
    return at < c->kept ? c->cell[at] : c->top + 1;
}

void grid_count_hash(const struct grid *g, const uint64_t *hash, size_t n,
                     uint64_t *count)
{
    assert(g->form == GRID_CATEGORIES);
    for (size_t i = 0; i < n; i++)
        count[grid_cell_of_hash(g, hash[i])]++;
}
