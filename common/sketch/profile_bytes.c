// Profile: its bytes, and the reader that believes none of them.
//
//   u8 version, u8 flags
//   with FLAG_CELLS: u64 grid id, u8 number of cells
//   one row of counts (counts.h): the counters, with FLAG_PAIRS n of pairs, the cells
//   numbers, when a row is valid: f64 mean, f64 m2, then min and max in the width
//   with FLAG_PAIRS: f64 mean_y, m2_y, c_xy; and mean_x, m2_x unless all rows are pairs
//   with FLAG_LONE: u64 hash of the only category
//   with FLAG_QUANTILE, FLAG_DISTINCT, FLAG_TOPK: u32 size, the sketch's own bytes
//
// All little-endian. What is one value has one form: encoding what was decoded gives
// the same bytes, but for sketches of other makers.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/sketch/counts.h"
#include "common/sketch/profile_inner.h"

#define PROFILE_VERSION 1
#define KIND_MASK 0x03
#define FLAG_FLOAT 0x04
#define FLAG_CELLS 0x08
#define FLAG_PAIRS 0x10
#define FLAG_LONE 0x20
#define FLAG_QUANTILE 0x40 // numeric
#define FLAG_DISTINCT 0x40 // categorical
#define FLAG_TOPK 0x80     // categorical
#define ROW_MAX (COUNTERS_FIELDS + 1 + GRID_CELLS_MAX)
#define ROUNDING 1e-6 // by which rounding may take a figure over a bound of theory

// The counters in the order of the bytes.
static void counters_to_row(const struct counters *c, uint64_t *row)
{
    const uint64_t fields[COUNTERS_FIELDS] = {
        c->rows, c->missing,  c->type_error, c->nan,   c->pos_inf,     c->neg_inf,
        c->zero, c->negative, c->below,      c->above, c->run_longest,
    };
    memcpy(row, fields, sizeof fields);
}

static struct counters counters_of_row(const uint64_t *row)
{
    return (struct counters){
        .rows = row[0],
        .missing = row[1],
        .type_error = row[2],
        .nan = row[3],
        .pos_inf = row[4],
        .neg_inf = row[5],
        .zero = row[6],
        .negative = row[7],
        .below = row[8],
        .above = row[9],
        .run_longest = row[10],
    };
}

static bool is_numeric(const struct profile *p)
{
    return p->kind != PROFILE_CATEGORICAL;
}

static double value_of(struct moments_sum s)
{
    return s.high + s.low;
}

static double squares_of(struct moments_sum s)
{
    double v = value_of(s);
    return v > 0 ? v : 0;
}

static double bounded(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

// A sketch that holds nothing does not travel.
static uint8_t sketch_flags_of(const struct profile *p)
{
    bool has_quantile = p->quantile && quantile_n(p->quantile) > 0;
    bool has_distinct = p->distinct && !distinct_is_empty(p->distinct);
    bool has_topk = p->topk && topk_total(p->topk) > 0;
    return (uint8_t)((has_quantile ? FLAG_QUANTILE : 0) |
                     (has_distinct ? FLAG_DISTINCT : 0) | (has_topk ? FLAG_TOPK : 0));
}

static uint8_t flags_of(const struct profile *p, enum profile_sketches sketches)
{
    bool is_float = is_numeric(p) && p->width == GRID_F32;
    bool is_lone = !is_numeric(p) && profile_is_constant(p);
    return (uint8_t)((unsigned)p->kind | (is_float ? FLAG_FLOAT : 0) |
                     (p->cells ? FLAG_CELLS : 0) | (is_lone ? FLAG_LONE : 0) |
                     (p->comoments.n ? FLAG_PAIRS : 0) |
                     (sketches == PROFILE_WITH_SKETCHES ? sketch_flags_of(p) : 0));
}

static void put_row(const struct profile *p, struct buf *out)
{
    uint64_t row[ROW_MAX];
    size_t n = COUNTERS_FIELDS;
    counters_to_row(&p->counters, row);
    if (p->comoments.n)
        row[n++] = p->comoments.n;
    memcpy(row + n, p->cell, p->cells * sizeof *row);
    counts_encode(row, n + p->cells, out);
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

static void put_moments(const struct profile *p, struct buf *out)
{
    buf_put_le_f64(out, moments_mean(&p->moments));
    buf_put_le_f64(out, squares_of(p->moments.m2));
    put_number(out, p->width, p->moments.min);
    put_number(out, p->width, p->moments.max);
}

// When every valid row made a pair, the feature's own side is that of the moments.
static bool is_all_pairs(const struct profile *p)
{
    return p->comoments.n == counters_valid(&p->counters);
}

static void put_pairs(const struct profile *p, struct buf *out)
{
    const struct comoments *c = &p->comoments;
    double m2_x = squares_of(is_all_pairs(p) ? p->moments.m2 : c->m2_x);
    double m2_y = squares_of(c->m2_y);
    double most = sqrt(m2_x) * sqrt(m2_y);
    buf_put_le_f64(out, value_of(c->mean_y));
    buf_put_le_f64(out, m2_y);
    buf_put_le_f64(out, bounded(value_of(c->c_xy), -most, most));
    if (is_all_pairs(p))
        return;
    buf_put_le_f64(out, value_of(c->mean_x));
    buf_put_le_f64(out, m2_x);
}

// Leaves room for the size, which end_sketch writes.
static size_t begin_sketch(struct buf *out)
{
    buf_put_le32(out, 0);
    return out->size;
}

static void end_sketch(struct buf *out, size_t begin)
{
    if (!out->failed)
        store_le32(out->data + begin - 4, (uint32_t)(out->size - begin));
}

static void put_quantile(const struct profile *p, struct buf *out)
{
    size_t begin = begin_sketch(out);
    enum status st = quantile_serialize(p->quantile, out);
    if (st != ST_OK && !out->failed)
        out->failed = st;
    end_sketch(out, begin);
}

static void put_sketches(const struct profile *p, uint8_t flags, struct buf *out)
{
    if (is_numeric(p) && flags & FLAG_QUANTILE)
        put_quantile(p, out);
    if (!is_numeric(p) && flags & FLAG_DISTINCT) {
        size_t begin = begin_sketch(out);
        distinct_encode(p->distinct, DISTINCT_HLL_4, out);
        end_sketch(out, begin);
    }
    if (flags & FLAG_TOPK) {
        size_t begin = begin_sketch(out);
        topk_encode(p->topk, out);
        end_sketch(out, begin);
    }
}

void profile_encode(const struct profile *p, enum profile_sketches sketches,
                    struct buf *out)
{
    uint8_t flags = flags_of(p, sketches);
    buf_put_u8(out, PROFILE_VERSION);
    buf_put_u8(out, flags);
    if (flags & FLAG_CELLS) {
        buf_put_le64(out, p->grid_id);
        buf_put_u8(out, (uint8_t)p->cells);
    }
    put_row(p, out);
    if (is_numeric(p) && p->moments.n)
        put_moments(p, out);
    if (flags & FLAG_PAIRS)
        put_pairs(p, out);
    if (flags & FLAG_LONE)
        buf_put_le64(out, p->lone);
    put_sketches(p, flags, out);
}

// The counters' sums in their own order, so that no sum can overflow.
static bool is_counted(const struct counters *c, enum profile_kind kind)
{
    if (c->rows > PROFILE_ROWS_MAX)
        return false;
    uint64_t left = c->rows;
    const uint64_t classes[] = {c->missing, c->type_error, c->nan, c->pos_inf,
                                c->neg_inf};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (classes[i] > left)
            return false;
        left -= classes[i];
    }
    uint64_t numeric =
        c->nan | c->pos_inf | c->neg_inf | c->zero | c->negative | c->below | c->above;
    if (kind == PROFILE_CATEGORICAL && numeric)
        return false;
    return c->zero <= left && c->negative <= left - c->zero && c->below <= left &&
           c->above <= left - c->below && c->run_longest <= left &&
           (c->run_longest > 0) == (left > 0);
}

// Each row is in one cell. Where no cell has more than PROFILE_ROWS_MAX, the sum cannot
// overflow.
static bool is_cells_sum(const struct profile *p)
{
    uint64_t all = 0, sum = 0;
    for (uint32_t i = 0; i < p->cells; i++) {
        all |= p->cell[i];
        sum += p->cell[i];
    }
    return all < 2 * PROFILE_ROWS_MAX && sum == counters_valid(&p->counters);
}

static enum status take_row(struct cursor *from, uint8_t flags, struct profile *p)
{
    uint64_t row[ROW_MAX];
    bool has_pairs = flags & FLAG_PAIRS;
    size_t n = COUNTERS_FIELDS + (size_t)has_pairs;
    ST_TRY(counts_decode(from, row, n + p->cells));
    p->counters = counters_of_row(row);
    if (!is_counted(&p->counters, p->kind))
        return ST_CORRUPT;
    if (has_pairs)
        p->comoments.n = row[COUNTERS_FIELDS];
    if (has_pairs != (p->comoments.n > 0) ||
        p->comoments.n > counters_valid(&p->counters))
        return ST_CORRUPT;
    memcpy(p->cell, row + n, p->cells * sizeof *row);
    if (p->cells && !is_cells_sum(p))
        return ST_CORRUPT;
    p->run.longest = p->counters.run_longest;
    return ST_OK;
}

static enum status take_number(struct cursor *from, enum grid_width width, double *out)
{
    struct span bytes;
    ST_TRY(cursor_bytes(from, (size_t)width, &bytes));
    double v =
        width == GRID_F64 ? load_le_f64(bytes.data) : (double)load_le_f32(bytes.data);
    if (!isfinite(v))
        return ST_CORRUPT;
    *out = v;
    return ST_OK;
}

static enum status take_between(struct cursor *from, double low, double high,
                                struct moments_sum *out)
{
    double v;
    ST_TRY(take_number(from, GRID_F64, &v));
    if (v < low || v > high)
        return ST_CORRUPT;
    *out = (struct moments_sum){v, 0};
    return ST_OK;
}

static enum status take_moments(struct cursor *from, struct profile *p)
{
    struct moments *m = &p->moments;
    struct moments_sum mean, m2;
    m->n = counters_valid(&p->counters);
    ST_TRY(take_between(from, -MOMENTS_BOUND, MOMENTS_BOUND, &mean));
    ST_TRY(take_between(from, 0, INFINITY, &m2));
    ST_TRY(take_number(from, p->width, &m->min));
    ST_TRY(take_number(from, p->width, &m->max));
    double low = bounded(m->min, -MOMENTS_BOUND, MOMENTS_BOUND);
    double high = bounded(m->max, -MOMENTS_BOUND, MOMENTS_BOUND);
    double half = (high - low) / 2; // no sum of squares is larger than with two halves
    double most = (double)m->n * half * half * (1 + ROUNDING);
    if (m->min > m->max || mean.high < low || mean.high > high || m2.high > most)
        return ST_CORRUPT;
    m->mean = mean;
    m->m2 = m2;
    return ST_OK;
}

static enum status take_pairs(struct cursor *from, struct profile *p)
{
    struct comoments *c = &p->comoments;
    double squares = (double)c->n * MOMENTS_BOUND * MOMENTS_BOUND * (1 + ROUNDING);
    ST_TRY(take_between(from, -MOMENTS_BOUND, MOMENTS_BOUND, &c->mean_y));
    ST_TRY(take_between(from, 0, squares, &c->m2_y));
    ST_TRY(take_between(from, -squares, squares, &c->c_xy));
    c->mean_x = p->moments.mean;
    c->m2_x = p->moments.m2;
    if (!is_all_pairs(p)) {
        ST_TRY(take_between(from, -MOMENTS_BOUND, MOMENTS_BOUND, &c->mean_x));
        ST_TRY(take_between(from, 0, squares, &c->m2_x));
    }
    double most = sqrt(c->m2_x.high) * sqrt(c->m2_y.high) * (1 + ROUNDING);
    return fabs(c->c_xy.high) <= most ? ST_OK : ST_CORRUPT;
}

static enum status take_lone(struct cursor *from, uint8_t flags, struct profile *p)
{
    uint64_t valid = counters_valid(&p->counters);
    p->is_varied = !(flags & FLAG_LONE) && valid > 0;
    if (!(flags & FLAG_LONE))
        return p->counters.run_longest < valid || valid == 0 ? ST_OK : ST_CORRUPT;
    return valid ? cursor_le64(from, &p->lone) : ST_CORRUPT;
}

static enum status take_sketch(struct cursor *from, struct span *out)
{
    uint32_t size;
    ST_TRY(cursor_le32(from, &size));
    return cursor_bytes(from, size, out);
}

static enum status take_quantile(struct cursor *from, struct profile *p)
{
    struct span bytes;
    enum quantile_type type = p->width == GRID_F32 ? QUANTILE_FLOAT : QUANTILE_DOUBLE;
    ST_TRY(take_sketch(from, &bytes));
    return quantile_parse(type, bytes, p->seed, &p->quantile);
}

static enum status take_sketches(struct cursor *from, uint8_t flags, struct profile *p)
{
    struct span bytes;
    if (is_numeric(p) && flags & FLAG_QUANTILE)
        ST_TRY(take_quantile(from, p));
    if (!is_numeric(p) && flags & FLAG_DISTINCT) {
        ST_TRY(take_sketch(from, &bytes));
        ST_TRY(distinct_parse(bytes, &p->distinct));
    }
    if (flags & FLAG_TOPK) {
        ST_TRY(take_sketch(from, &bytes));
        ST_TRY(topk_parse(bytes, &p->topk));
    }
    return cursor_end(from);
}

// Which flags a kind may have.
static unsigned flags_allowed(enum profile_kind kind)
{
    switch (kind) {
    case PROFILE_NUMERIC:
        return KIND_MASK | FLAG_FLOAT | FLAG_CELLS | FLAG_PAIRS | FLAG_QUANTILE;
    case PROFILE_CATEGORICAL:
        return KIND_MASK | FLAG_CELLS | FLAG_LONE | FLAG_DISTINCT | FLAG_TOPK;
    case PROFILE_SIGNAL:
        return KIND_MASK | FLAG_FLOAT | FLAG_PAIRS;
    }
    return 0;
}

static enum status take_head(struct cursor *from, struct profile *p, uint8_t *flags)
{
    uint8_t version;
    ST_TRY(cursor_u8(from, &version));
    ST_TRY(cursor_u8(from, flags));
    if (version != PROFILE_VERSION)
        return version > PROFILE_VERSION ? ST_VERSION : ST_CORRUPT;
    unsigned kind = *flags & KIND_MASK;
    if (kind > PROFILE_SIGNAL || *flags & ~flags_allowed((enum profile_kind)kind))
        return ST_CORRUPT;
    p->kind = (enum profile_kind)kind;
    p->width = *flags & FLAG_FLOAT ? GRID_F32 : GRID_F64;
    if (!(*flags & FLAG_CELLS))
        return ST_OK;
    uint8_t cells;
    ST_TRY(cursor_le64(from, &p->grid_id));
    ST_TRY(cursor_u8(from, &cells));
    if (p->grid_id == 0 || cells < 2 || cells > GRID_CELLS_MAX)
        return ST_CORRUPT;
    p->cells = cells;
    return ST_OK;
}

// Their lengths must fit; what they hold is not looked at.
static enum status skip_sketches(struct cursor *from, uint8_t flags,
                                 const struct profile *p)
{
    struct span bytes;
    unsigned n = is_numeric(p) ? !!(flags & FLAG_QUANTILE) : !!(flags & FLAG_DISTINCT);
    n += !!(flags & FLAG_TOPK);
    for (; n > 0; n--)
        ST_TRY(take_sketch(from, &bytes));
    return cursor_end(from);
}

static enum status decode(struct cursor *from, bool counts_only, struct profile *p)
{
    uint8_t flags;
    ST_TRY(take_head(from, p, &flags));
    ST_TRY(take_row(from, flags, p));
    if (is_numeric(p) && counters_valid(&p->counters))
        ST_TRY(take_moments(from, p));
    if (flags & FLAG_PAIRS)
        ST_TRY(take_pairs(from, p));
    if (!is_numeric(p))
        ST_TRY(take_lone(from, flags, p));
    return counts_only ? skip_sketches(from, flags, p) : take_sketches(from, flags, p);
}

static enum status decode_all(struct profile *p, struct span bytes, bool counts_only)
{
    if (bytes.size > PROFILE_BYTES_MAX)
        return ST_CORRUPT;
    struct cursor from = {bytes};
    profile_blank(p);
    enum status st = decode(&from, counts_only, p);
    if (st != ST_OK)
        profile_blank(p);
    return st;
}

enum status profile_decode(struct profile *p, struct span bytes)
{
    return decode_all(p, bytes, false);
}

enum status profile_decode_counts(struct profile *p, struct span bytes)
{
    return decode_all(p, bytes, true);
}
