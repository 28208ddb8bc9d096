// Quantile: opening, taking values, and what a sketch says of itself.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/quantile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/quantile_levels.h"

// Values converted at once when the caller's width is not the sketch's.
#define CONVERT 256

enum status quantile_open(enum quantile_type type, uint32_t k, uint64_t seed,
                          struct quantile **out)
{
    if ((type != QUANTILE_FLOAT && type != QUANTILE_DOUBLE) || k < KLL_K_MIN ||
        k > KLL_K_MAX)
        return ST_RANGE;
    struct quantile *q;
    ST_TRY(levels_open(type, k, seed, levels_prepared_capacity(k), &q));
    q->is_prepared = true;
    *out = q;
    return ST_OK;
}

void quantile_close(struct quantile *q)
{
    if (!q)
        return;
    mem_free(q->items);
    mem_free(q);
}

void quantile_reset(struct quantile *q)
{
    levels_clear(q);
    q->offered = (struct quantile_tally){0};
}

// Raw is full: moves half of it up, and leaves room for more.
static void make_raw_room(struct quantile *q)
{
    levels_lift_raw(q);
    levels_make_room(q, LEVELS_SLACK);
    levels_set_raw_full(q);
}

static void take(struct quantile *q, const uint8_t *values, size_t n,
                 struct quantile_tally *t)
{
    while (n > 0) {
        size_t room = q->raw_full - q->raw;
        size_t some = n < room ? n : room;
        size_t taken = q->ops->sift(item_at(q, q->raw), values, some, t);
        q->raw += (uint32_t)taken;
        q->n += taken;
        if (q->raw == q->raw_full)
            make_raw_room(q);
        values += some * q->ops->item_bytes;
        n -= some;
    }
}

static void add_up(struct quantile_tally *total, struct quantile_tally t)
{
    total->taken += t.taken;
    total->nan += t.nan;
    total->pos_inf += t.pos_inf;
    total->neg_inf += t.neg_inf;
    total->lost += t.lost;
}

struct quantile_tally quantile_add_floats(struct quantile *q, const float *values,
                                          size_t n)
{
    struct quantile_tally t = {0};
    if (quantile_prepare(q) != ST_OK) {
        t.lost = n;
    } else if (q->type == QUANTILE_FLOAT) {
        take(q, (const uint8_t *)values, n, &t);
    } else {
        for (size_t i = 0; i < n; i += CONVERT) {
            double wide[CONVERT];
            size_t some = n - i < CONVERT ? n - i : CONVERT;
            for (size_t j = 0; j < some; j++)
                wide[j] = (double)values[i + j];
            take(q, (const uint8_t *)wide, some, &t);
        }
    }
    add_up(&q->offered, t);
    return t;
}

struct quantile_tally quantile_add_doubles(struct quantile *q, const double *values,
                                           size_t n)
{
    struct quantile_tally t = {0};
    if (quantile_prepare(q) != ST_OK) {
        t.lost = n;
    } else if (q->type == QUANTILE_DOUBLE) {
        take(q, (const uint8_t *)values, n, &t);
    } else {
        for (size_t i = 0; i < n; i += CONVERT) {
            float narrow[CONVERT];
            size_t some = n - i < CONVERT ? n - i : CONVERT;
            for (size_t j = 0; j < some; j++)
                narrow[j] = (float)values[i + j];
            take(q, (const uint8_t *)narrow, some, &t);
        }
    }
    add_up(&q->offered, t);
    return t;
}

bool quantile_add(struct quantile *q, double value)
{
    return quantile_add_doubles(q, &value, 1).taken == 1;
}

void quantile_settle(struct quantile *q)
{
    levels_settle_raw(q);
    levels_fit(q);
    levels_set_raw_full(q);
}

struct quantile_tally quantile_offered(const struct quantile *q)
{
    return q->offered;
}

enum quantile_type quantile_type_of(const struct quantile *q)
{
    return q->type;
}

uint64_t quantile_n(const struct quantile *q)
{
    return q->n;
}

static void range_of(const struct quantile *q, double *min, double *max)
{
    *min = *max = NAN;
    if (q->n == 0)
        return;
    *min = q->min;
    *max = q->max;
    double raw_min, raw_max;
    if (q->raw > 0) {
        q->ops->range(q->items, q->raw, &raw_min, &raw_max);
        *min = *min <= raw_min ? *min : raw_min;
        *max = *max >= raw_max ? *max : raw_max;
    }
}

double quantile_min(const struct quantile *q)
{
    double min, max;
    range_of(q, &min, &max);
    return min;
}

double quantile_max(const struct quantile *q)
{
    double min, max;
    range_of(q, &min, &max);
    return max;
}

uint32_t quantile_k(const struct quantile *q)
{
    return q->k;
}

uint32_t quantile_min_k(const struct quantile *q)
{
    return q->min_k;
}

uint32_t quantile_levels(struct quantile *q)
{
    quantile_settle(q);
    return q->levels;
}

uint32_t quantile_retained(struct quantile *q)
{
    quantile_settle(q);
    return levels_len(q);
}

size_t quantile_memory(const struct quantile *q)
{
    return sizeof *q + (size_t)q->capacity * q->ops->item_bytes;
}

double quantile_rank_error(uint32_t min_k)
{
    return 2.296 / pow(min_k, 0.9723);
}

double quantile_pmf_error(uint32_t min_k)
{
    return 2.446 / pow(min_k, 0.9433);
}

enum status quantile_set_path(struct quantile *q, enum quantile_path path)
{
    const struct kll_items *ops = kll_items_for(q->type, path);
    if (!ops)
        return ST_UNSUPPORTED;
    q->ops = ops;
    return ST_OK;
}
