// Quantile view: the sorted items of a sketch, and the questions they answer.
//
// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/quantile.h"
#include "common/sketch/quantile_levels.h"

struct quantile_view {
    uint32_t k;
    uint32_t len;
    uint32_t capacity;
    double *block; // the four arrays below, of `capacity` each
    double *item;  // ascending
    double *level; // the items of level 0, then of level 1...
    double *spare;
    uint64_t *weight; // of all items up to and including this one; the last is n
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
    v->block = mem_zero(v->capacity, 4 * sizeof *v->block);
    if (!v->block) {
        quantile_view_close(v);
        return ST_NOMEM;
    }
    v->item = v->block;
    v->level = v->item + v->capacity;
    v->spare = v->level + v->capacity;
    v->weight = (uint64_t *)(void *)(v->spare + v->capacity);
    *out = v;
    return ST_OK;
}

void quantile_view_close(struct quantile_view *v)
{
    if (!v)
        return;
    mem_free(v->block);
    mem_free(v);
}

static const struct kll_lanes *double_lanes(void)
{
    return kll_lanes_for(QUANTILE_DOUBLE, QUANTILE_PATH_BEST);
}

static uint32_t level_begin(const struct quantile *q, uint32_t h)
{
    return q->start[h] - q->start[0];
}

// Of a double's 52 bits of fraction the low 6 hold the number of the level. A float
// needs only the high 23, so that what is left of it is the float.
#define TAG_BITS UINT64_C(63)

static double with_bits(double item, uint64_t kept, uint64_t added)
{
    uint64_t bits;
    memcpy(&bits, &item, sizeof bits);
    bits = (bits & kept) | added;
    memcpy(&item, &bits, sizeof bits);
    return item;
}

static double tag(double item, uint32_t h)
{
    item = item > DBL_MAX ? DBL_MAX : item < -DBL_MAX ? -DBL_MAX : item;
    return with_bits(item, ~TAG_BITS, h);
}

static uint32_t tag_of(double tagged)
{
    uint64_t bits;
    memcpy(&bits, &tagged, sizeof bits);
    return bits & TAG_BITS;
}

// The lowest levels often hold an item or two each: up to FEW are sorted together.
// Returns how many levels that were.
#define FEW 16

static uint32_t sort_low_levels(struct quantile_view *v, const struct quantile *q)
{
    uint32_t h = 1;
    if (level_len(q, 0) > FEW)
        return h;
    while (h < q->levels && level_begin(q, h) + level_len(q, h) <= FEW)
        h++;
    double_lanes()->sort(v->item, level_begin(q, h), v->spare);
    return h;
}

// Merges all levels by keys that carry their level along, so that the registers need to
// move no weights.
static void merge_tagged(struct quantile_view *v, const struct quantile *q)
{
    for (uint32_t h = 0; h < q->levels; h++) {
        for (uint32_t i = level_begin(q, h); i < level_begin(q, h + 1); i++)
            v->item[i] = tag(v->level[i], h);
    }
    const struct kll_lanes *lanes = double_lanes();
    for (uint32_t h = sort_low_levels(v, q); h < q->levels; h++) {
        uint32_t done = level_begin(q, h);
        memcpy(v->spare, v->item, done * sizeof *v->spare);
        lanes->merge(v->item, v->spare, done, v->item + done, level_len(q, h));
    }
}

// Keys become items and running weights: finite floats.
static void untag_floats(struct quantile_view *v)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < v->len; i++) {
        sum += UINT64_C(1) << tag_of(v->item[i]);
        v->weight[i] = sum;
        v->item[i] = with_bits(v->item[i], ~TAG_BITS, 0);
    }
}

// The same for any items: the first key of a level is that level's first item, and so
// on. False when the bits that gave way to the level would have told two of them apart.
static bool untag_any(struct quantile_view *v, const struct quantile *q)
{
    uint32_t next[KLL_LEVELS_MAX];
    for (uint32_t h = 0; h < q->levels; h++)
        next[h] = level_begin(q, h);
    uint64_t sum = 0;
    double last = -INFINITY;
    bool is_ascending = true;
    for (uint32_t i = 0; i < v->len; i++) {
        uint32_t h = tag_of(v->item[i]);
        double item = v->level[next[h]++];
        is_ascending &= last <= item;
        last = v->item[i] = item;
        v->weight[i] = sum += UINT64_C(1) << h;
    }
    return is_ascending;
}

// The same item by item, from the back, each with its weight.
static void merge_weighed(struct quantile_view *v, const struct quantile *q)
{
    uint32_t done = 0;
    for (uint32_t h = 0; h < q->levels; h++) {
        const double *level = v->level + level_begin(q, h);
        uint32_t low = done, count = level_len(q, h);
        done += count;
        for (uint32_t to = done; count > 0; to--) {
            bool is_low = low > 0 && v->item[low - 1] > level[count - 1];
            v->item[to - 1] = is_low ? v->item[low - 1] : level[count - 1];
            v->weight[to - 1] = is_low ? v->weight[low - 1] : UINT64_C(1) << h;
            low -= is_low;
            count -= !is_low;
        }
    }
    for (uint32_t i = 1; i < done; i++)
        v->weight[i] += v->weight[i - 1];
}

enum status quantile_view_load(struct quantile_view *v, struct quantile *q)
{
    v->len = 0;
    if (q->k > v->k)
        return ST_RANGE;
    if (q->n == 0)
        return ST_EMPTY;
    quantile_settle(q);
    v->len = levels_len(q);
    q->ops->widen(item_at(q, q->start[0]), v->len, v->level);
    if (q->has_level0_unsorted)
        double_lanes()->sort(v->level, level_len(q, 0), v->spare);
    merge_tagged(v, q);
    if (q->type == QUANTILE_FLOAT && isfinite(q->range.min) && isfinite(q->range.max))
        untag_floats(v);
    else if (!untag_any(v, q))
        merge_weighed(v, q);
    return ST_OK;
}

size_t quantile_view_len(const struct quantile_view *v)
{
    return v->len;
}

double quantile_view_item(const struct quantile_view *v, size_t i)
{
    return v->item[i];
}

uint64_t quantile_view_weight(const struct quantile_view *v, size_t i)
{
    return v->weight[i];
}

// How many items are <= x. Each step is a comparison and no branch.
static size_t items_up_to(const struct quantile_view *v, double x)
{
    const double *at = v->item;
    for (uint32_t left = v->len; left > 1; left -= left / 2)
        at += left / 2 & -(uint32_t)(at[left / 2 - 1] <= x);
    return (size_t)(at - v->item) + (*at <= x);
}

// The same for four points. These ascend, so that the first steps of each are mostly
// those of the one before, and branches that the processor foresees cost nothing.
static void items_up_to_four(const struct quantile_view *v, const double *x,
                             size_t *count)
{
    const double *a = v->item, *b = a, *c = a, *d = a;
    for (uint32_t left = v->len; left > 1; left -= left / 2) {
        uint32_t half = left / 2;
        a += a[half - 1] <= x[0] ? half : 0;
        b += b[half - 1] <= x[1] ? half : 0;
        c += c[half - 1] <= x[2] ? half : 0;
        d += d[half - 1] <= x[3] ? half : 0;
    }
    count[0] = (size_t)(a - v->item) + (*a <= x[0]);
    count[1] = (size_t)(b - v->item) + (*b <= x[1]);
    count[2] = (size_t)(c - v->item) + (*c <= x[2]);
    count[3] = (size_t)(d - v->item) + (*d <= x[3]);
}

static double total(const struct quantile_view *v)
{
    return (double)v->weight[v->len - 1];
}

// Less than x is no more than the number before x; but nothing is less than -inf.
static double as_inclusive(double x, enum quantile_rule rule)
{
    if (rule == QUANTILE_INCLUSIVE)
        return x;
    return x == -INFINITY ? NAN : nextafter(x, -INFINITY);
}

static double rank_of(const struct quantile_view *v, size_t count)
{
    return count == 0 ? 0 : (double)v->weight[count - 1] / total(v);
}

double quantile_view_rank(const struct quantile_view *v, double x,
                          enum quantile_rule rule)
{
    if (v->len == 0 || isnan(x))
        return NAN;
    return rank_of(v, items_up_to(v, as_inclusive(x, rule)));
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
    const uint64_t *at = v->weight;
    for (uint32_t left = v->len; left > 1; left -= left / 2)
        at += left / 2 & -(uint32_t)(at[left / 2 - 1] < least);
    size_t reached = (size_t)(at - v->weight) + (*at < least);
    return v->item[reached < v->len ? reached : v->len - 1];
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
        out[i] = as_inclusive(points[i], rule);
    size_t i = 0, count[4];
    for (; i + 4 <= n; i += 4) {
        items_up_to_four(v, out + i, count);
        for (size_t j = 0; j < 4; j++)
            out[i + j] = rank_of(v, count[j]);
    }
    for (; i < n; i++)
        out[i] = rank_of(v, items_up_to(v, out[i]));
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
