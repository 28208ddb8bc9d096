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
    return levels_open(type, k, seed, out);
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

static void take(struct quantile *q, const uint8_t *values, size_t n,
                 struct quantile_tally *t)
{
    uint32_t tile = tile_len(q);
    while (n > 0) {
        size_t used = 0;
        if (q->base > 0 && q->in == 0 && n >= tile) {
            used = levels_take_tiles(q, values, n / tile) * tile;
            t->taken += used;
            q->n += used;
        }
        values += used * q->ops->item_bytes;
        n -= used;

        // What is left is less than a tile, or stands before a tile with NaN or
        // infinity.
        size_t room = q->in_full - q->in;
        size_t some = n < room ? n : room;
        size_t taken = q->ops->sift(item_at(q, q->in), values, some, t);
        q->in += (uint32_t)taken;
        q->n += taken;
        if (q->in == q->in_full)
            levels_advance(q);
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

// The items lie as the machine has them, so that one value is one store.
static bool put_in(struct quantile *q, double value)
{
    if (q->type == QUANTILE_FLOAT) {
        float v = (float)value;
        ((float *)(void *)q->items)[q->in] = v + 0.0f;
        return v - v == 0;
    }
    ((double *)(void *)q->items)[q->in] = value + 0.0;
    return value - value == 0;
}

bool quantile_add(struct quantile *q, double value)
{
    if (!q->is_prepared || !put_in(q, value))
        return quantile_add_doubles(q, &value, 1).taken == 1;
    q->n++;
    q->offered.taken++;
    if (++q->in == q->in_full)
        levels_advance(q);
    return true;
}

void quantile_settle(struct quantile *q)
{
    levels_settle(q);
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

static void widen_range(const struct quantile *q, uint32_t from, uint32_t n,
                        double *min, double *max)
{
    double low, high;
    if (n == 0)
        return;
    q->ops->range(item_at(q, from), n, &low, &high);
    *min = low < *min ? low : *min;
    *max = high > *max ? high : *max;
}

// What waits in stage and raw has not been looked at yet.
static void range_of(const struct quantile *q, double *min, double *max)
{
    *min = q->range.min;
    *max = q->range.max;
    widen_range(q, 0, q->in, min, max);
    widen_range(q, tile_len(q), q->raw, min, max);
    if (q->n == 0)
        *min = *max = NAN;
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
    size_t halves = q->is_prepared ? (KLL_CASCADE_MAX - 1) * KLL_HALF_BYTES : 0;
    return sizeof *q + (size_t)q->capacity * q->ops->item_bytes + halves;
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
    const struct kll_lanes *lanes = kll_lanes_for(q->type, path);
    if (!lanes)
        return ST_UNSUPPORTED;
    q->lanes = lanes;
    return ST_OK;
}
