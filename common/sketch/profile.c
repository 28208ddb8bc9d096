// Profile: its life, and the counting of columns block by block.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/profile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/moments_block.h"
#include "common/sketch/profile_inner.h"

#define BLOCK                                                                          \
    SCAN_BLOCK // rows that all parts look at while they are in the first cache

// Rows of a block that were found fit: one value and its prediction each.
struct sifted {
    double f64[BLOCK];
    float f32[BLOCK];
    double prediction[BLOCK];
};

static bool fits(enum profile_kind kind, const struct grid *grid)
{
    if (!grid)
        return true;
    bool is_categorical = grid_form(grid) == GRID_CATEGORIES;
    return kind != PROFILE_SIGNAL && is_categorical == (kind == PROFILE_CATEGORICAL);
}

static void face(struct profile *p, const struct grid *grid)
{
    p->grid = grid;
    p->grid_id = grid ? grid_id(grid) : 0;
    p->cells = grid ? grid_cells(grid) : 0;
}

static enum status open_sketches(struct profile *p)
{
    enum quantile_type type = p->width == GRID_F32 ? QUANTILE_FLOAT : QUANTILE_DOUBLE;
    switch (p->kind) {
    case PROFILE_NUMERIC:
        return quantile_open(type, p->k, p->seed, &p->quantile);
    case PROFILE_CATEGORICAL:
        ST_TRY(distinct_open(DISTINCT_LG_K, &p->distinct));
        return topk_open(TOPK_LG_MAX, &p->topk);
    case PROFILE_SIGNAL:
        return ST_OK;
    }
    return ST_RANGE;
}

static void close_sketches(struct profile *p)
{
    quantile_close(p->quantile);
    distinct_close(p->distinct);
    topk_close(p->topk);
    p->quantile = NULL;
    p->distinct = NULL;
    p->topk = NULL;
}

enum status profile_open(const struct profile_options *options, const struct grid *grid,
                         struct profile **out)
{
    enum profile_kind kind = options->kind;
    bool is_known = kind == PROFILE_NUMERIC || kind == PROFILE_CATEGORICAL ||
                    kind == PROFILE_SIGNAL;
    if (!is_known || (options->width != GRID_F32 && options->width != GRID_F64))
        return ST_RANGE;
    uint32_t k = options->k ? options->k : QUANTILE_K_DEFAULT;
    if (k < QUANTILE_K_MIN || k > QUANTILE_K_MAX || !fits(kind, grid))
        return ST_RANGE;

    struct profile *p = MEM_NEW(struct profile);
    if (!p)
        return ST_NOMEM;
    p->kind = kind;
    p->width = kind == PROFILE_CATEGORICAL ? GRID_F64 : options->width;
    p->k = k;
    p->seed = options->seed;
    face(p, grid);
    enum status st = ST_OK;
    if (options->sketches == PROFILE_WITH_SKETCHES)
        st = open_sketches(p);
    if (st != ST_OK) {
        profile_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void profile_close(struct profile *p)
{
    if (!p)
        return;
    close_sketches(p);
    mem_free(p);
}

void profile_reset(struct profile *p)
{
    memset(p->cell, 0, sizeof p->cell);
    p->counters = (struct counters){0};
    p->moments = (struct moments){0};
    p->comoments = (struct comoments){0};
    p->run = (struct scan_run){0};
    p->lone = p->run_hash = p->run_length = 0;
    p->is_varied = false;
}

void profile_reset_sketches(struct profile *p)
{
    if (p->quantile)
        quantile_reset(p->quantile);
    if (p->distinct)
        distinct_reset(p->distinct);
    if (p->topk)
        topk_reset(p->topk);
}

void profile_blank(struct profile *p)
{
    profile_reset(p);
    face(p, NULL);
    close_sketches(p);
}

enum status profile_set_grid(struct profile *p, const struct grid *grid)
{
    if (!fits(p->kind, grid))
        return ST_RANGE;
    profile_reset(p);
    face(p, grid);
    return ST_OK;
}

static void add_cells(struct profile *p, struct numbers x, size_t n)
{
    if (x.f32)
        grid_count_f32(p->grid, x.f32, n, p->cell);
    else
        grid_count_f64(p->grid, x.f64, n, p->cell);
}

static void add_quantile(struct profile *p, struct numbers x, size_t n)
{
    if (x.f32)
        quantile_add_floats(p->quantile, x.f32, n);
    else
        quantile_add_doubles(p->quantile, x.f64, n);
}

static void add_pairs_all(struct profile *p, struct numbers x, const double *y,
                          size_t n)
{
    if (x.f32)
        comoments_add_f32(&p->comoments, x.f32, y, n);
    else
        comoments_add_f64(&p->comoments, x.f64, y, n);
}

// Only rows whose prediction is finite make a pair.
static void add_pairs(struct profile *p, struct numbers x, const double *y, size_t n)
{
    if (scan_is_finite((struct numbers){y, NULL}, n)) {
        add_pairs_all(p, x, y, n);
        return;
    }
    double left[BLOCK], right[BLOCK];
    size_t pairs = 0;
    for (size_t i = 0; i < n; i++) {
        left[pairs] = numbers_at(x, i);
        right[pairs] = y[i];
        pairs += isfinite(y[i]) != 0;
    }
    if (pairs)
        comoments_add_f64(&p->comoments, left, right, pairs);
}

// Adds a block of values of the profile's width. False, and nothing was added, when one
// of them is not finite.
static bool add_valid(struct profile *p, struct numbers x, const double *prediction,
                      size_t n)
{
    struct scan s = {0};
    struct scan_range extent, range = {-INFINITY, INFINITY};
    if (p->grid)
        range = (struct scan_range){grid_min(p->grid), grid_max(p->grid)};
    if (!moments_add_block(&p->moments, x, n, &extent.low, &extent.high))
        return false;
    scan_add(x, n, extent, range, &s, &p->run);
    p->counters.zero += s.zero;
    p->counters.negative += s.negative;
    p->counters.below += s.below;
    p->counters.above += s.above;
    p->counters.run_longest = p->run.longest;
    if (p->grid)
        add_cells(p, x, n);
    if (p->quantile)
        add_quantile(p, x, n);
    if (prediction)
        add_pairs(p, x, prediction, n);
    return true;
}

// Counts a row without a valid value.
static void count_odd(struct counters *c, uint8_t state, double v)
{
    if (state == VALUE_MISSING)
        c->missing++;
    else if (state != VALUE_PRESENT)
        c->type_error++;
    else if (isnan(v))
        c->nan++;
    else if (v > 0)
        c->pos_inf++;
    else
        c->neg_inf++;
}

// Takes the valid rows out of a block that has others, or values of another width.
static size_t sift(struct profile *p, struct numbers x, const uint8_t *state,
                   const double *prediction, size_t n, struct sifted *out)
{
    bool is_float = p->width == GRID_F32;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        double v = numbers_at(x, i);
        v = is_float ? (double)(float)v : v;
        uint8_t how = state ? state[i] : VALUE_PRESENT;
        if (how != VALUE_PRESENT || !isfinite(v)) {
            count_odd(&p->counters, how, v);
            continue;
        }
        if (is_float)
            out->f32[kept] = (float)v;
        else
            out->f64[kept] = v;
        if (prediction)
            out->prediction[kept] = prediction[i];
        kept++;
    }
    return kept;
}

// The first is 0 and each is like the one before it.
static bool is_all_present(const uint8_t *state, size_t n)
{
    return !state ||
           (state[0] == VALUE_PRESENT && memcmp(state, state + 1, n - 1) == 0);
}

static void update_block(struct profile *p, struct numbers x, const uint8_t *state,
                         const double *prediction, size_t n)
{
    bool is_fit = (x.f32 != NULL) == (p->width == GRID_F32);
    p->counters.rows += n;
    if (is_fit && is_all_present(state, n) && add_valid(p, x, prediction, n))
        return;
    struct sifted s;
    size_t kept = sift(p, x, state, prediction, n, &s);
    if (kept == 0)
        return;
    x = p->width == GRID_F32 ? (struct numbers){NULL, s.f32}
                             : (struct numbers){s.f64, NULL};
    bool is_added = add_valid(p, x, prediction ? s.prediction : NULL, kept);
    assert(is_added);
    (void)is_added;
}

void profile_update(struct profile *p, const struct profile_column *column)
{
    assert(p->kind != PROFILE_CATEGORICAL && (p->grid || p->cells == 0));
    struct numbers x = {column->f64, column->f32};
    const uint8_t *state = column->state;
    const double *prediction = column->prediction;
    for (size_t left = column->n, block; left; left -= block) {
        block = left < BLOCK ? left : BLOCK;
        update_block(p, x, state, prediction, block);
        x = numbers_skip(x, block);
        state = state ? state + block : NULL;
        prediction = prediction ? prediction + block : NULL;
    }
}

static void add_run_of_hash(struct profile *p, uint64_t hash)
{
    p->run_length = p->run_length && p->run_hash == hash ? p->run_length + 1 : 1;
    p->run_hash = hash;
    if (p->counters.run_longest < p->run_length)
        p->counters.run_longest = p->run_length;
}

static void add_topk(struct profile *p, uint64_t hash, struct span text)
{
    if (text.size == 0 || topk_add(p->topk, text, 1) != ST_OK)
        topk_add_hash(p->topk, hash, 1);
}

static void add_category(struct profile *p, uint64_t hash, struct span text)
{
    if (counters_valid(&p->counters) == 1)
        p->lone = hash;
    p->is_varied = p->is_varied || p->lone != hash;
    add_run_of_hash(p, hash);
    if (p->grid)
        p->cell[grid_cell_of_hash(p->grid, hash)]++;
    if (p->distinct)
        distinct_add_u64(p->distinct, hash);
    if (p->topk)
        add_topk(p, hash, text);
}

void profile_update_hash(struct profile *p, const struct profile_categories *rows)
{
    assert(p->kind == PROFILE_CATEGORICAL && (p->grid || p->cells == 0));
    const struct span hidden = {NULL, 0};
    for (size_t i = 0; i < rows->n; i++) {
        uint8_t state = rows->state ? rows->state[i] : VALUE_PRESENT;
        p->counters.rows++;
        if (state == VALUE_PRESENT)
            add_category(p, rows->hash[i], rows->text ? rows->text[i] : hidden);
        else
            count_odd(&p->counters, state, 0);
    }
}

enum profile_kind profile_kind(const struct profile *p)
{
    return p->kind;
}

enum grid_width profile_width(const struct profile *p)
{
    return p->width;
}

const struct counters *profile_counters(const struct profile *p)
{
    return &p->counters;
}

const struct moments *profile_moments(const struct profile *p)
{
    return &p->moments;
}

const struct comoments *profile_comoments(const struct profile *p)
{
    return &p->comoments;
}

const uint64_t *profile_cells(const struct profile *p, uint32_t *n)
{
    if (n)
        *n = p->cells;
    return p->cells ? p->cell : NULL;
}

uint64_t profile_grid_id(const struct profile *p)
{
    return p->grid_id;
}

const struct grid *profile_grid(const struct profile *p)
{
    return p->grid;
}

bool profile_is_constant(const struct profile *p)
{
    if (counters_valid(&p->counters) == 0)
        return false;
    if (p->kind == PROFILE_CATEGORICAL)
        return !p->is_varied;
    return p->moments.min == p->moments.max;
}

struct quantile *profile_quantile(const struct profile *p)
{
    return p->quantile;
}

const struct distinct *profile_distinct(const struct profile *p)
{
    return p->distinct;
}

const struct topk *profile_topk(const struct profile *p)
{
    return p->topk;
}
