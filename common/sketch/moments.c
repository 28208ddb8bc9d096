// Moments: blocks of values, merged by Chan's rule into compensated sums.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/moments.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "common/sketch/moments_block.h"

// A block's squares are taken about the running mean, in one pass. When the block's own
// mean lies further from it than this many of its standard deviations, cancellation
// would cost more than four digits, and the block is summed again about its own mean.
#define SHIFT_SD_MAX 100.0

static double value_of(struct moments_sum s)
{
    return s.high + s.low;
}

// Keeps what rounding takes from the sum (Neumaier).
static void sum_add(struct moments_sum *s, double v)
{
    double t = s->high + v;
    s->low += fabs(s->high) >= fabs(v) ? (s->high - t) + v : (v - t) + s->high;
    s->high = t;
}

static void sum_add_sum(struct moments_sum *s, struct moments_sum v)
{
    sum_add(s, v.high);
    sum_add(s, v.low);
}

// The difference of two means; the high parts cancel first.
static double sum_minus(struct moments_sum a, struct moments_sum b)
{
    return (a.high - b.high) + (a.low - b.low);
}

static double bounded(double v)
{
    return v > MOMENTS_BOUND ? MOMENTS_BOUND : v < -MOMENTS_BOUND ? -MOMENTS_BOUND : v;
}

// The block's values within the bound, in `room`.
static struct numbers bound_all(struct numbers x, size_t n, double *room)
{
    for (size_t i = 0; i < n; i++)
        room[i] = bounded(numbers_at(x, i));
    return (struct numbers){room, NULL};
}

static size_t block_of(size_t n)
{
    return n < MOMENTS_BLOCK ? n : MOMENTS_BLOCK;
}

static bool is_far(double offset, double squares, double n)
{
    return offset * offset * n > SHIFT_SD_MAX * SHIFT_SD_MAX * squares;
}

static struct moments of_sums(const struct moments_block *b, double shift, size_t n)
{
    double offset = b->sum / (double)n;
    double squares = b->squares - b->sum * offset;
    struct moments m = {.n = n, .min = b->min, .max = b->max};
    if (b->min == b->max) { // exactly, whatever rounding did
        m.mean.high = b->min;
        return m;
    }
    m.mean.high = shift;
    sum_add(&m.mean, offset);
    m.m2.high = squares > 0 ? squares : 0;
    return m;
}

static bool is_all_finite(struct numbers x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(numbers_at(x, i)))
            return false;
    return true;
}

bool moments_add_block(struct moments *m, struct numbers x, size_t n, double *least,
                       double *largest)
{
    double room[MOMENTS_BLOCK];
    struct moments_block b;
    double shift = m->n ? value_of(m->mean) : bounded(numbers_at(x, 0));
    moments_block(x, n, shift, &b);
    // What is not finite leaves a mark in the sum; huge values may do so too.
    if (!isfinite(b.sum) && !is_all_finite(x, n))
        return false;
    *least = b.min;
    *largest = b.max;
    if (b.min < -MOMENTS_BOUND || b.max > MOMENTS_BOUND) {
        x = bound_all(x, n, room);
        moments_block(x, n, shift, &b);
    }
    struct moments part = of_sums(&b, shift, n);
    if (is_far(value_of(part.mean) - shift, value_of(part.m2), (double)n)) {
        shift = value_of(part.mean);
        moments_block(x, n, shift, &b);
        part = of_sums(&b, shift, n);
    }
    part.min = *least;
    part.max = *largest;
    moments_merge(m, &part);
    return true;
}

static void add_all(struct moments *m, struct numbers x, size_t n)
{
    for (size_t block; n; x = numbers_skip(x, block), n -= block) {
        double least, largest;
        block = block_of(n);
        bool is_added = moments_add_block(m, x, block, &least, &largest);
        assert(is_added); // the caller's promise
        (void)is_added;
    }
}

void moments_add_f32(struct moments *m, const float *value, size_t n)
{
    add_all(m, (struct numbers){NULL, value}, n);
}

void moments_add_f64(struct moments *m, const double *value, size_t n)
{
    add_all(m, (struct numbers){value, NULL}, n);
}

void moments_merge(struct moments *into, const struct moments *from)
{
    if (from->n == 0)
        return;
    if (into->n == 0) {
        *into = *from;
        return;
    }
    double a = (double)into->n, b = (double)from->n;
    double share = b / (a + b);
    double delta = sum_minus(from->mean, into->mean);
    sum_add(&into->mean, delta * share);
    sum_add_sum(&into->m2, from->m2);
    sum_add(&into->m2, delta * delta * (a * share));
    into->n += from->n;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

double moments_mean(const struct moments *m)
{
    double mean = value_of(m->mean);
    double low = bounded(m->min), high = bounded(m->max);
    if (m->n == 0)
        return 0;
    return mean < low ? low : mean > high ? high : mean;
}

double moments_total(const struct moments *m)
{
    return moments_mean(m) * (double)m->n;
}

double moments_variance(const struct moments *m)
{
    return m->n < 2 ? 0 : value_of(m->m2) / (double)(m->n - 1);
}

double moments_sd(const struct moments *m)
{
    return sqrt(moments_variance(m));
}

static struct comoments of_cosums(const struct comoments_block *b,
                                  const double shift[2], size_t n)
{
    double x = b->sum_x / (double)n, y = b->sum_y / (double)n;
    double squares_x = b->squares_x - b->sum_x * x;
    double squares_y = b->squares_y - b->sum_y * y;
    struct comoments c = {.n = n};
    c.mean_x.high = shift[0];
    c.mean_y.high = shift[1];
    sum_add(&c.mean_x, x);
    sum_add(&c.mean_y, y);
    c.m2_x.high = squares_x > 0 ? squares_x : 0;
    c.m2_y.high = squares_y > 0 ? squares_y : 0;
    c.c_xy.high = b->products - b->sum_x * y;
    return c;
}

static bool is_cofar(const struct comoments *c, const double shift[2])
{
    return is_far(value_of(c->mean_x) - shift[0], value_of(c->m2_x), (double)c->n) ||
           is_far(value_of(c->mean_y) - shift[1], value_of(c->m2_y), (double)c->n);
}

// Also when a sum is NaN.
static bool is_huge(const struct comoments_block *b)
{
    const double most = MOMENTS_BOUND * MOMENTS_BOUND;
    return !(b->squares_x < most && b->squares_y < most);
}

static void add_coblock(struct comoments *c, struct numbers x, const double *y,
                        size_t n)
{
    double room_x[MOMENTS_BLOCK], room_y[MOMENTS_BLOCK];
    struct comoments_block b;
    double shift[2] = {bounded(numbers_at(x, 0)), bounded(y[0])};
    if (c->n) {
        shift[0] = value_of(c->mean_x);
        shift[1] = value_of(c->mean_y);
    }
    comoments_block(x, y, n, shift, &b);
    if (is_huge(&b)) {
        x = bound_all(x, n, room_x);
        y = bound_all((struct numbers){y, NULL}, n, room_y).f64;
        comoments_block(x, y, n, shift, &b);
    }
    struct comoments part = of_cosums(&b, shift, n);
    if (is_cofar(&part, shift)) {
        shift[0] = value_of(part.mean_x);
        shift[1] = value_of(part.mean_y);
        comoments_block(x, y, n, shift, &b);
        part = of_cosums(&b, shift, n);
    }
    comoments_merge(c, &part);
}

static void add_pairs(struct comoments *c, struct numbers x, const double *y, size_t n)
{
    for (size_t block; n; x = numbers_skip(x, block), y += block, n -= block) {
        block = block_of(n);
        add_coblock(c, x, y, block);
    }
}

void comoments_add_f32(struct comoments *c, const float *x, const double *y, size_t n)
{
    add_pairs(c, (struct numbers){NULL, x}, y, n);
}

void comoments_add_f64(struct comoments *c, const double *x, const double *y, size_t n)
{
    add_pairs(c, (struct numbers){x, NULL}, y, n);
}

void comoments_merge(struct comoments *into, const struct comoments *from)
{
    if (from->n == 0)
        return;
    if (into->n == 0) {
        *into = *from;
        return;
    }
    double a = (double)into->n, b = (double)from->n;
    double share = b / (a + b);
    double dx = sum_minus(from->mean_x, into->mean_x);
    double dy = sum_minus(from->mean_y, into->mean_y);
    sum_add(&into->mean_x, dx * share);
    sum_add(&into->mean_y, dy * share);
    sum_add_sum(&into->m2_x, from->m2_x);
    sum_add_sum(&into->m2_y, from->m2_y);
    sum_add_sum(&into->c_xy, from->c_xy);
    sum_add(&into->m2_x, dx * dx * (a * share));
    sum_add(&into->m2_y, dy * dy * (a * share));
    sum_add(&into->c_xy, dx * dy * (a * share));
    into->n += from->n;
}

double comoments_correlation(const struct comoments *c)
{
    double x = value_of(c->m2_x), y = value_of(c->m2_y);
    if (c->n < 2 || !(x > 0) || !(y > 0))
        return 0;
    double r = value_of(c->c_xy) / (sqrt(x) * sqrt(y));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}
