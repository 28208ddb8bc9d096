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

// The windows on one side of a split, in order. They move on with the split, one in and
// one out, which is much cheaper than sorting them anew at each.
struct run {
    double v[AFTER];
    uint32_t n;
};

static void run_add(struct run *r, double x)
{
    if (isnan(x))
        return;
    uint32_t at = r->n++;
    for (; at > 0 && r->v[at - 1] > x; at--)
        r->v[at] = r->v[at - 1];
    r->v[at] = x;
}

static void run_drop(struct run *r, double x)
{
    uint32_t at = 0;
    while (at < r->n && r->v[at] != x)
        at++;
    if (at == r->n) // it was missing
        return;
    r->n--;
    for (; at < r->n; at++)
        r->v[at] = r->v[at + 1];
}

static double run_middle(const struct run *r)
{
    return r->n % 2 ? r->v[r->n / 2] : 0.5 * (r->v[r->n / 2 - 1] + r->v[r->n / 2]);
}

struct sides {
    struct run before, after;
};

static void sides_begin(const struct blame_case *c, const double *z, struct sides *s)
{
    uint32_t k = c->search;
    uint32_t from = k > c->first + BEFORE ? k - BEFORE : c->first;
    uint32_t to = k + AFTER - 1 < c->last ? k + AFTER - 1 : c->last;
    s->before.n = s->after.n = 0;
    for (uint32_t i = from; i < k; i++)
        run_add(&s->before, z[i]);
    for (uint32_t i = k; i <= to; i++)
        run_add(&s->after, z[i]);
}

// From the split at k to the one behind it.
static void sides_move(const struct blame_case *c, const double *z, uint32_t k,
                       struct sides *s)
{
    if (k >= c->first + BEFORE)
        run_drop(&s->before, z[k - BEFORE]);
    run_add(&s->before, z[k]);
    run_drop(&s->after, z[k]);
    if (k + AFTER <= c->last)
        run_add(&s->after, z[k + AFTER]);
}

static struct contrast contrast_of(const struct sides *s)
{
    struct contrast x = {.n1 = s->before.n, .n2 = s->after.n};
    if (x.n1) {
        x.a = run_middle(&s->before);
        x.rest += distances(s->before.v, x.n1, x.a);
    }
    if (x.n2) {
        x.b = run_middle(&s->after);
        x.rest += distances(s->after.v, x.n2, x.b);
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
    struct sides sides;
    standardize(c, d, value, s);
    sides_begin(c, d->z, &sides);
    for (uint32_t i = 0; i < out->count; i++) {
        if (i)
            sides_move(c, d->z, c->search + i - 1, &sides);
        struct contrast x = contrast_of(&sides);
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
