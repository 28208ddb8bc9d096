// Blame: when a signal moved, by how much, and how sure that time is.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define BEFORE 6u // windows on either side of a split
#define AFTER 12u
#define GAIN_MAX 12.0
#define SCATTER 0.5 // of how far the windows lie from the middle of their side
#define Z_MAX 200.0
#define INTERVAL 0.95
#define RISEN 1.5 // scales above what was before

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

// The least run of splits around the best one that holds INTERVAL of the posterior,
// and one window on either side.
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
    // A window more on both sides: a shift begins inside a window, not at its edge.
    s->onset.low = search + (lo > 0 ? lo - 1 : 0);
    s->onset.high = search + (hi + 1 < s->count ? hi + 1 : hi);
}

// A slow rise begins before the split that divides it best: goes back over windows that
// already stand out, on the same side, from those before them.
static uint32_t rise_from(const struct blame_case *c, const double *z,
                          const struct blame_onset *o, uint32_t low)
{
    double room[BEFORE];
    uint32_t from = c->search > c->first + BEFORE ? c->search - BEFORE : c->first;
    uint32_t end = low > from + BEFORE ? low - BEFORE : from + 1;
    uint32_t start = end > from + BEFORE ? end - BEFORE : from;
    uint32_t n = gather(z, start, end - 1, room);
    if (n == 0)
        return low;
    double level = median_of(room, n);
    double side = o->effect < 0 ? -1 : 1;
    while (low > c->search && low > end && (z[low - 1] - level) * side > RISEN)
        low--;
    return low;
}

// From gains (negative: no split there) to a posterior. Gains beyond GAIN_MAX are
// scaled down together: clipped, they would make all splits near a great shift look
// alike.
static void weigh_splits(double *split, uint32_t count, double top)
{
    double total = 0, unit = top > GAIN_MAX ? GAIN_MAX / top : 1;
    for (uint32_t i = 0; i < count; i++) {
        double gain = split[i] * unit;
        split[i] = split[i] < 0 ? 0 : exp(gain * gain / 2);
        total += split[i];
    }
    for (uint32_t i = 0; i < count; i++)
        split[i] /= total;
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
    double top = -1;
    struct contrast best = {0};
    standardize(c, d, value, s);
    for (uint32_t i = 0; i < out->count; i++) {
        struct contrast x = contrast_at(c, d->z, c->search + i);
        d->posterior[i] = -1;
        if (x.n1 == 0 || x.n2 == 0)
            continue;
        double n1 = x.n1, n2 = x.n2;
        double gain = fmax(0, fabs(x.b - x.a) - SCATTER * x.rest);
        gain *= sqrt(n1 * n2 / (n1 + n2));
        d->posterior[i] = gain;
        if (gain > top) {
            top = gain;
            best = x;
            out->onset.best = c->search + i;
        }
    }
    if (top < 0)
        return;
    weigh_splits(d->posterior, out->count, top);
    out->onset.is_known = true;
    out->onset.gain = top;
    out->onset.effect = effect_of(&best);
    out->onset.before = s->middle + best.a * s->spread;
    out->onset.now = s->middle + best.b * s->spread;
    set_interval(out, c->search);
    out->onset.low = rise_from(c, d->z, &out->onset, out->onset.low);
}
