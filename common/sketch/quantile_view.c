// Quantile view: the sorted items of a sketch, and the questions they answer.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/quantile.h"
#include "common/sketch/quantile_levels.h"

// Items with their weights, each array of `capacity`.
struct weighted {
    double *item;
    uint64_t *weight;
};

struct quantile_view {
    uint32_t k;
    uint32_t len;
    uint32_t capacity;
    double *item_block; // two arrays of `capacity` in each block
    uint64_t *weight_block;
    struct weighted at; // ascending; the weights are running sums, the last one is n
    struct weighted spare;
};

size_t quantile_items_max(uint32_t k)
{
    return kll_total_capacity(k, KLL_LEVELS_MAX);
}

enum status quantile_view_open(uint32_t k, struct quantile_view **out)
{
    if (k < KLL_K_MIN || k > KLL_K_MAX)
        return ST_RANGE;
    struct quantile_view *v = MEM_NEW(struct quantile_view);
    if (!v)
        return ST_NOMEM;
    v->k = k;
    v->capacity = (uint32_t)quantile_items_max(k);
    v->item_block = mem_zero(v->capacity, 2 * sizeof *v->item_block);
    v->weight_block = mem_zero(v->capacity, 2 * sizeof *v->weight_block);
    if (!v->item_block || !v->weight_block) {
        quantile_view_close(v);
        return ST_NOMEM;
    }
    v->at = (struct weighted){v->item_block, v->weight_block};
    v->spare =
        (struct weighted){v->item_block + v->capacity, v->weight_block + v->capacity};
    *out = v;
    return ST_OK;
}

void quantile_view_close(struct quantile_view *v)
{
    if (!v)
        return;
    mem_free(v->item_block);
    mem_free(v->weight_block);
    mem_free(v);
}

static void load_level0(struct quantile_view *v, const struct quantile *q)
{
    v->len = level_len(q, 0);
    for (uint32_t i = 0; i < v->len; i++) {
        v->at.item[i] = q->ops->at(item_at(q, q->start[0]), i);
        v->at.weight[i] = 1;
    }
    if (q->has_level0_unsorted)
        kll_lanes_double_plain.sort(v->at.item, v->len, v->spare.item);
}

// Merges level h, all of one weight, with the lower levels that are already in the
// view.
static void merge_level(struct quantile_view *v, const struct quantile *q, uint32_t h)
{
    const uint8_t *level = item_at(q, q->start[h]);
    uint32_t count = level_len(q, h), i = 0, j = 0, n = v->len + count;
    for (uint32_t to = 0; to < n; to++) {
        double item = j < count ? q->ops->at(level, j) : INFINITY;
        bool is_low = j == count || (i < v->len && v->at.item[i] <= item);
        v->spare.item[to] = is_low ? v->at.item[i] : item;
        v->spare.weight[to] = is_low ? v->at.weight[i] : UINT64_C(1) << h;
        i += is_low;
        j += !is_low;
    }
    struct weighted swap = v->at;
    v->at = v->spare;
    v->spare = swap;
    v->len = n;
}

enum status quantile_view_load(struct quantile_view *v, struct quantile *q)
{
    v->len = 0;
    if (q->k > v->k)
        return ST_RANGE;
    if (q->n == 0)
        return ST_EMPTY;
    quantile_settle(q);
    load_level0(v, q);
    for (uint32_t h = 1; h < q->levels; h++) {
        if (level_len(q, h) > 0)
            merge_level(v, q, h);
    }
    for (uint32_t i = 1; i < v->len; i++)
        v->at.weight[i] += v->at.weight[i - 1];
    return ST_OK;
}

size_t quantile_view_len(const struct quantile_view *v)
{
    return v->len;
}

double quantile_view_item(const struct quantile_view *v, size_t i)
{
    return v->at.item[i];
}

uint64_t quantile_view_weight(const struct quantile_view *v, size_t i)
{
    return v->at.weight[i];
}

// How many items are <= x, or < x.
static uint32_t items_up_to(const struct quantile_view *v, double x,
                            enum quantile_rule rule)
{
    uint32_t low = 0, left = v->len;
    while (left > 0) {
        uint32_t half = left / 2;
        double item = v->at.item[low + half];
        bool is_below = rule == QUANTILE_INCLUSIVE ? item <= x : item < x;
        low = is_below ? low + half + 1 : low;
        left = is_below ? left - half - 1 : half;
    }
    return low;
}

static double total(const struct quantile_view *v)
{
    return (double)v->at.weight[v->len - 1];
}

double quantile_view_rank(const struct quantile_view *v, double x,
                          enum quantile_rule rule)
{
    if (v->len == 0 || isnan(x))
        return NAN;
    uint32_t count = items_up_to(v, x, rule);
    return count == 0 ? 0 : (double)v->at.weight[count - 1] / total(v);
}

double quantile_view_quantile(const struct quantile_view *v, double rank,
                              enum quantile_rule rule)
{
    if (v->len == 0 || !(rank >= 0 && rank <= 1))
        return NAN;
    double share = rank * total(v);
    // Inclusive: running weight >= ceil(share); exclusive: > floor(share). In integers
    // both ask for the first that reaches a least weight.
    uint64_t least =
        rule == QUANTILE_INCLUSIVE ? (uint64_t)ceil(share) : (uint64_t)floor(share) + 1;
    uint32_t low = 0, left = v->len;
    while (left > 0) {
        uint32_t half = left / 2;
        bool is_below = v->at.weight[low + half] < least;
        low = is_below ? low + half + 1 : low;
        left = is_below ? left - half - 1 : half;
    }
    return v->at.item[low < v->len ? low : v->len - 1];
}

enum status quantile_view_cdf(const struct quantile_view *v, const double *points,
                              size_t n, enum quantile_rule rule, double *out)
{
    if (v->len == 0)
        return ST_EMPTY;
    for (size_t i = 0; i < n; i++) {
        if (isnan(points[i]) || (i > 0 && !(points[i - 1] < points[i])))
            return ST_RANGE;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = quantile_view_rank(v, points[i], rule);
    out[n] = 1;
    return ST_OK;
}

enum status quantile_view_pmf(const struct quantile_view *v, const double *points,
                              size_t n, enum quantile_rule rule, double *out)
{
    ST_TRY(quantile_view_cdf(v, points, n, rule, out));
    for (size_t i = n; i > 0; i--)
        out[i] -= out[i - 1];
    return ST_OK;
}
