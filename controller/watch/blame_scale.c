// Blame: how much a signal moves on a day when nothing happens.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define MAD_TO_SD 1.4826
#define IQR_TO_SD 1.349
#define FLOOR_SHARE 0.02   // of the middle: less is no effect whatever the noise
#define FLOOR_OF_NAME 0.25 // of the usual relative noise of that statistic
#define SORT_SMALL 96u     // up to here insertion is quicker than qsort's calls
#define TRAFFIC_UNKNOWN 300.0
#define TRAFFIC_LEAST 10.0

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void sort(double *v, uint32_t n)
{
    if (n > SORT_SMALL) {
        qsort(v, n, sizeof *v, by_value);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        double x = v[i];
        uint32_t k = i;
        for (; k > 0 && v[k - 1] > x; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
}

static double middle_of_sorted(const double *v, uint32_t n)
{
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

// Moves the k-th least to v[k], smaller ones in front of it. Source: Hoare, Algorithm
// 65: Find (CACM 1961).
static void find_kth(double *v, uint32_t n, uint32_t k)
{
    int64_t low = 0, high = (int64_t)n - 1, at = k;
    while (low < high) {
        double pivot = v[at];
        int64_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i > j)
                break;
            double x = v[i];
            v[i++] = v[j];
            v[j--] = x;
        }
        if (j < at)
            low = i;
        if (at < i)
            high = j;
    }
}

double median_of(double *v, uint32_t n)
{
    uint32_t k = n / 2;
    find_kth(v, n, k);
    if (n % 2)
        return v[k];
    double below = v[0];
    for (uint32_t i = 1; i < k; i++)
        below = v[i] > below ? v[i] : below;
    return 0.5 * (below + v[k]);
}

// Linear between the closest ranks.
static double quantile_of_sorted(const double *v, uint32_t n, double q)
{
    double at = q * (n - 1);
    uint32_t i = (uint32_t)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

// The values before the search, sorted; gives their number.
static uint32_t baseline_of(const struct blame_case *c, const double *value,
                            double *out)
{
    uint32_t n = 0;
    for (uint32_t k = c->first; k < c->search; k++)
        if (!isnan(value[k]))
            out[n++] = value[k];
    sort(out, n);
    return n;
}

// The median of the distances from the middle: of sorted values they fall and then
// rise, so they are met in order by two fingers that start where they are least.
static double median_distance(const double *sorted, uint32_t n, double middle)
{
    uint32_t up = 0;
    while (up < n && sorted[up] < middle)
        up++;
    uint32_t down = up; // the next one below is down - 1
    double last = 0, before = 0;
    for (uint32_t i = 0; i <= n / 2; i++) {
        bool takes_up =
            up < n && (down == 0 || sorted[up] - middle <= middle - sorted[down - 1]);
        before = last;
        last = takes_up ? sorted[up] - middle : middle - sorted[down - 1];
        up += takes_up;
        down -= !takes_up;
    }
    return n % 2 ? last : 0.5 * (before + last);
}

static double spread_of(double *sorted, uint32_t n, double middle)
{
    double iqr =
        quantile_of_sorted(sorted, n, 0.75) - quantile_of_sorted(sorted, n, 0.25);
    return fmax(MAD_TO_SD * median_distance(sorted, n, middle), iqr / IQR_TO_SD);
}

// Per name of a statistic: its usual relative noise, and for errors the unit.
struct usual {
    double noise, largest;
    double *each; // relative noise of its signals, in rooms handed out beforehand
    uint32_t n;
};

static void note_signal(const struct blame_case *c, uint32_t i, double *room,
                        struct scale *out, struct usual *u)
{
    const struct blame_signal *s = &c->signal[i];
    uint32_t n = baseline_of(c, s->value, room);
    *out = (struct scale){.unit = 1};
    for (uint32_t k = c->first; k <= c->last; k++)
        u->largest = fabs(s->value[k]) > u->largest ? fabs(s->value[k]) : u->largest;
    if (n == 0)
        return;
    out->middle = middle_of_sorted(room, n);
    out->spread = out->noise = spread_of(room, n, out->middle);
    if (out->middle != 0)
        u->each[u->n++] = out->spread / fabs(out->middle);
}

// The middle of the entity's traffic before the search.
static double traffic_of(const struct blame_case *c, uint32_t entity,
                         const uint32_t *first_of, const struct scale *scale)
{
    for (uint32_t i = first_of[entity]; i < c->signals; i++) {
        if (c->signal[i].entity != entity)
            break;
        if (c->kind[c->signal[i].name].family == BLAME_TRAFFIC)
            return fmax(TRAFFIC_LEAST, scale[i].middle);
    }
    return TRAFFIC_UNKNOWN;
}

// Errors are counts of rare things: their noise follows from how many were asked.
static void scale_errors(const struct blame_case *c, uint32_t i, double n,
                         struct scale *s)
{
    bool is_good = c->kind[c->signal[i].name].is_good;
    const double *v = c->signal[i].value;
    double sum = 0, windows = 0;
    for (uint32_t k = c->first; k < c->search; k++) {
        if (isnan(v[k]))
            continue;
        sum += is_good ? 1 - v[k] / s->unit : v[k] / s->unit;
        windows++;
    }
    if (windows == 0)
        return;
    double p = fmin(1, fmax(sum / windows, fmax(0.5 / n / windows, 1e-4)));
    double floor = fmax(sqrt(p * (1 - p) / n), 5e-4) * s->unit;
    s->spread = fmax(fmin(s->spread, 3 * floor), floor);
}

static double largest_of(const struct blame_case *c, uint32_t i)
{
    double top = 0;
    for (uint32_t k = c->first; k <= c->last; k++)
        if (fabs(c->signal[i].value[k]) > top)
            top = fabs(c->signal[i].value[k]);
    return top;
}

static void finish(const struct blame_case *c, const uint32_t *first_of,
                   const struct usual *usual, struct scale *scale)
{
    for (uint32_t i = 0; i < c->signals; i++) {
        uint32_t name = c->signal[i].name;
        struct scale *s = &scale[i];
        if (c->kind[name].family == BLAME_ERRORS) {
            s->unit = usual[name].largest > 1 ? 100 : 1;
            scale_errors(c, i, traffic_of(c, c->signal[i].entity, first_of, scale), s);
        } else {
            double share = fmax(FLOOR_SHARE, FLOOR_OF_NAME * usual[name].noise);
            s->spread = fmax(s->spread, share * fabs(s->middle));
        }
        if (!(s->spread > 0)) {
            double top = largest_of(c, i);
            s->spread = top > 0 ? top / 10 : 1;
        }
    }
}

struct work {
    struct usual *usual;
    double *each, *room;
    uint32_t *first_of;
};

static void work_fini(struct work *w)
{
    mem_free(w->usual);
    mem_free(w->each);
    mem_free(w->room);
    mem_free(w->first_of);
}

static enum status work_init(struct work *w, const struct blame_case *c)
{
    *w = (struct work){.usual = mem_zero(c->names + 1, sizeof *w->usual),
                       .each = mem_zero(c->signals + 1, sizeof *w->each),
                       .room = mem_zero(c->windows, sizeof *w->room),
                       .first_of = mem_zero(c->entities + 1, sizeof *w->first_of)};
    if (!w->usual || !w->each || !w->room || !w->first_of) {
        work_fini(w);
        return ST_NOMEM;
    }
    for (uint32_t i = c->signals; i-- > 0;) {
        w->first_of[c->signal[i].entity] = i;
        w->usual[c->signal[i].name].n++;
    }
    double *next = w->each;
    for (uint32_t n = 0; n < c->names; n++) {
        w->usual[n].each = next;
        next += w->usual[n].n;
        w->usual[n].n = 0;
    }
    return ST_OK;
}

enum status scale_all(const struct blame_case *c, struct scale *out)
{
    struct work w;
    ST_TRY(work_init(&w, c));
    for (uint32_t i = 0; i < c->signals; i++)
        note_signal(c, i, w.room, &out[i], &w.usual[c->signal[i].name]);
    for (uint32_t n = 0; n < c->names; n++)
        if (w.usual[n].n)
            w.usual[n].noise = median_of(w.usual[n].each, w.usual[n].n);
    finish(c, w.first_of, w.usual, out);
    work_fini(&w);
    return ST_OK;
}
