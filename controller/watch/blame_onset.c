// Blame: when a signal moved, by how much, and how sure that time is.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define BEFORE 6u // windows on either side of a split
#define AFTER 12u
#define GAIN_MAX 12.0
#ifndef REST
#define REST 0.5
#endif
#define Z_MAX 200.0
#define INTERVAL 0.95

enum status divider_init(struct divider *d, const struct blame_case *c)
{
    *d = (struct divider){.z = mem_zero(c->windows, sizeof *d->z),
                          .posterior = mem_zero(c->windows, sizeof *d->posterior)};
    if (d->z && d->posterior)
        return ST_OK;
    divider_fini(d);
    return ST_NOMEM;
}

void divider_fini(struct divider *d)
{
    mem_free(d->z);
    mem_free(d->posterior);
    *d = (struct divider){0};
}

// The values from `first` to `last` inclusive that are there; gives their number.
static uint32_t gather(const double *z, uint32_t first, uint32_t last, double *out)
{
    uint32_t n = 0;
    for (uint32_t k = first; k <= last; k++)
        if (!isnan(z[k]))
            out[n++] = z[k];
    return n;
}

struct contrast {
    uint32_t n1, n2;
    double a, b;
    double rest; // mean distance of the windows from the middle of their side
};

static double distances(const double *v, uint32_t n, double middle)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += fabs(v[i] - middle);
    return sum / n;
}

static struct contrast contrast_at(const struct blame_case *c, const double *z,
                                   uint32_t k)
{
    double room[AFTER];
    struct contrast x = {0};
    uint32_t from = k > c->first + BEFORE ? k - BEFORE : c->first;
    uint32_t to = k + AFTER - 1 < c->last ? k + AFTER - 1 : c->last;
    x.n1 = gather(z, from, k - 1, room);
    if (x.n1) {
        x.a = median_of(room, x.n1);
        x.rest += distances(room, x.n1, x.a);
    }
    x.n2 = gather(z, k, to, room);
    if (x.n2) {
        x.b = median_of(room, x.n2);
        x.rest += distances(room, x.n2, x.b);
    }
    return x;
}

static double effect_of(const struct contrast *x)
{
    double local = x->b - x->a;
    if ((x->b > 0) != (local > 0) || x->b == 0 || local == 0)
        return 0;
    double size = fmin(fabs(x->b), fabs(local));
    return x->b > 0 ? size : -size;
}

// The least run of splits around the best one that holds INTERVAL of the posterior.
static void set_interval(struct splits *s, uint32_t search)
{
    uint32_t lo = s->onset.best - search, hi = lo;
    double mass = s->posterior[lo];
    while (mass < INTERVAL && (lo > 0 || hi + 1 < s->count)) {
        double left = lo > 0 ? s->posterior[lo - 1] : -1;
        double right = hi + 1 < s->count ? s->posterior[hi + 1] : -1;
        if (left >= right)
            mass += s->posterior[--lo];
        else
            mass += s->posterior[++hi];
    }
    s->onset.low = search + lo;
    s->onset.high = search + hi;
}

static void standardize(const struct blame_case *c, struct divider *d,
                        const double *value, const struct scale *s)
{
    uint32_t from = c->search > c->first + BEFORE ? c->search - BEFORE : c->first;
    for (uint32_t k = from; k <= c->last; k++) {
        double z = (value[k] - s->middle) / s->spread;
        d->z[k] = isnan(z) ? NAN : fmax(-Z_MAX, fmin(Z_MAX, z));
    }
}

void divide(const struct blame_case *c, struct divider *d, const double *value,
            const struct scale *s, uint32_t last, struct splits *out)
{
    *out = (struct splits){.count = last - c->search + 1, .posterior = d->posterior};
    double total = 0, top = -1;
    struct contrast best = {0};
    standardize(c, d, value, s);
    for (uint32_t i = 0; i < out->count; i++) {
        struct contrast x = contrast_at(c, d->z, c->search + i);
        d->posterior[i] = 0;
        if (x.n1 == 0 || x.n2 == 0)
            continue;
        double n1 = x.n1, n2 = x.n2;
        double gain =
            fmax(0, fabs(x.b - x.a) - REST * x.rest) * sqrt(n1 * n2 / (n1 + n2));
        double capped = fmin(gain, GAIN_MAX);
        d->posterior[i] = exp(capped * capped / 2);
        total += d->posterior[i];
        if (gain > top) {
            top = gain;
            best = x;
            out->onset.best = c->search + i;
        }
    }
    if (!(total > 0))
        return;
    for (uint32_t i = 0; i < out->count; i++)
        d->posterior[i] /= total;
    out->onset.is_known = true;
    out->onset.gain = top;
    out->onset.effect = effect_of(&best);
    out->onset.before = s->middle + best.a * s->spread;
    out->onset.now = s->middle + best.b * s->spread;
    set_interval(out, c->search);
}
