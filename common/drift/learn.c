// Learn: level, season, memory, noise and tolerance, in this order, then one replay.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/drift/evidence.h"

#define SECOND_NS 1000000000ull
#define HOUR_NS (3600 * SECOND_NS)
#define DAY_NS (24 * HOUR_NS)
#define SEASON_PASSES 3
#define SHRINK 1.5 // an effect of few windows is drawn towards none
#define CLIP_SD 4.0

static const double kappas[] = {1, 1.2, 1.5, 2, 3, 4, 6, 8};
#define KAPPAS (sizeof kappas / sizeof kappas[0])

// What the steps hand on to each other.
struct lesson {
    const struct learn_series *series;
    double *residual; // of each window
    double *scratch;
    struct learn_profile profile;
};

uint32_t learn_hour(uint64_t ns)
{
    return (uint32_t)(ns / HOUR_NS % LEARN_HOURS);
}

uint32_t learn_day(uint64_t ns)
{
    return (uint32_t)((ns / DAY_NS + 4) % LEARN_DAYS); // 1970-01-01 was a Thursday
}

static double hold(double v, double least, double most)
{
    return v < least ? least : v > most ? most : v;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Linear between the two nearest of `n` sorted values.
static double quantile(const double *sorted, uint32_t n, double share)
{
    double at = share * (n - 1);
    uint32_t low = (uint32_t)at;
    uint32_t high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

// The mean of values held between their 1 % and 99 % quantiles; few: the median.
static double level_of(struct lesson *l)
{
    uint32_t n = l->series->windows;
    memcpy(l->scratch, l->series->value, n * sizeof *l->scratch);
    qsort(l->scratch, n, sizeof *l->scratch, by_value);
    if (n < 8)
        return quantile(l->scratch, n, 0.5);
    double least = quantile(l->scratch, n, 0.01), most = quantile(l->scratch, n, 0.99);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += hold(l->scratch[i], least, most);
    return sum / n;
}

// Hour effects on the residual of the day effects, drawn towards 0.
static void learn_hours(struct lesson *l)
{
    const struct learn_series *s = l->series;
    double sum[LEARN_HOURS] = {0}, count[LEARN_HOURS] = {0};
    for (uint32_t i = 0; i < s->windows; i++) {
        uint32_t h = learn_hour(s->start[i]);
        double day = l->profile.has_days ? l->profile.day[learn_day(s->start[i])] : 0;
        sum[h] += s->value[i] - l->profile.mu - day;
        count[h] += 1;
    }
    for (uint32_t h = 0; h < LEARN_HOURS; h++)
        l->profile.hour[h] = (float)(sum[h] / (count[h] + SHRINK));
}

// Day effects on the residual of the hour effects; `dates` counts the days of each
// weekday, for windows of one day are one observation.
static void learn_days(struct lesson *l)
{
    const struct learn_series *s = l->series;
    double sum[LEARN_DAYS] = {0}, count[LEARN_DAYS] = {0}, dates[LEARN_DAYS] = {0};
    uint64_t last = UINT64_MAX;
    for (uint32_t i = 0; i < s->windows; i++) {
        uint32_t d = learn_day(s->start[i]);
        double hour =
            l->profile.has_hours ? l->profile.hour[learn_hour(s->start[i])] : 0;
        sum[d] += s->value[i] - l->profile.mu - hour;
        count[d] += 1;
        if (s->start[i] / DAY_NS != last)
            dates[d] += 1;
        last = s->start[i] / DAY_NS;
    }
    for (uint32_t d = 0; d < LEARN_DAYS; d++)
        l->profile.day[d] =
            count[d] > 0 ? (float)(sum[d] / count[d] * dates[d] / (dates[d] + SHRINK))
                         : 0;
}

static void learn_season(struct lesson *l)
{
    const struct learn_series *s = l->series;
    uint64_t span = s->start[s->windows - 1] - s->start[0] + s->window_ns;
    bool hours = s->window_ns > 0 && s->window_ns < 12 * HOUR_NS && span >= 2 * DAY_NS;
    bool days = s->window_ns > 0 && s->window_ns <= DAY_NS && span >= 14 * DAY_NS;
    for (uint32_t pass = 0; pass < SEASON_PASSES; pass++) {
        if (hours) {
            l->profile.has_hours = true;
            learn_hours(l);
        }
        if (days) {
            l->profile.has_days = true;
            learn_days(l);
        }
    }
    for (uint32_t i = 0; i < s->windows; i++)
        l->residual[i] = learn_residual(&l->profile, s->value[i], s->start[i]);
}

// Lag-1 correlation of the residuals, held at 4 sd; small ones are none.
static void learn_memory(struct lesson *l)
{
    uint32_t n = l->series->windows;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += l->residual[i];
    double mean = sum / n;
    for (uint32_t i = 0; i < n; i++)
        squares += (l->residual[i] - mean) * (l->residual[i] - mean);
    double most = CLIP_SD * sqrt(squares / n);
    double lagged = 0, last = 0;
    squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        double r = hold(l->residual[i] - mean, -most, most);
        squares += r * r;
        lagged += i > 0 ? r * last : 0;
        last = r;
    }
    double raw = squares > 0 ? lagged / squares : 0;
    bool is_memory = n > 10 && raw > 2 / sqrt(n);
    l->profile.phi = is_memory ? hold(raw + 0.5 / sqrt(n), 0, 0.95) : 0;
}

// sd of the residual; a and b: how much of the innovation's variance rows explain.
static void learn_noise(struct lesson *l)
{
    struct learn_profile *p = &l->profile;
    uint32_t n = l->series->windows;
    double spent =
        (p->has_hours ? LEARN_HOURS : 0) + (p->has_days ? LEARN_DAYS : 0) + 2;
    double freedom = 1 - fmin(0.5, spent / n);
    double squares = 0, rows = 0, innovations = 0;
    for (uint32_t i = 0; i < n; i++) {
        squares += l->residual[i] * l->residual[i];
        rows += l->series->variance[i];
    }
    p->sd = sqrt(squares / n / freedom);
    double lag = 0;
    for (uint32_t i = 0; i < n; i++) {
        double u = learn_innovation(p, l->residual[i], lag);
        innovations += u * u;
        lag = l->residual[i];
    }
    double variance = innovations / n / freedom, iid = rows / n, few = 1 + 8.0 / n;
    p->noise = few * (iid > 0 ? hold(variance / iid, 0.9, 1) : 1);
    p->extra = few * fmax(0, variance - iid) * (1 + 3 / sqrt(n));
}

// The greatest M that the reference itself reaches under the profile's kappa.
static double replay(const struct lesson *l, enum learn_sides sides)
{
    const struct learn_profile *p = &l->profile;
    struct evidence up = {{0}}, down = {{0}};
    double lag = 0, most = 0, hold_back = p->tau * (1 - p->phi);
    uint32_t tests = sides == LEARN_BOTH ? 2 : 1;
    for (uint32_t i = 0; i < l->series->windows; i++) {
        double u = learn_innovation(p, l->residual[i], lag);
        double sigma = learn_sigma(p, l->series->variance[i]);
        if (sides & LEARN_UP)
            evidence_add(&up, (u - hold_back) / sigma);
        if (sides & LEARN_DOWN)
            evidence_add(&down, (-u - hold_back) / sigma);
        lag = l->residual[i];
        most = fmax(most, (evidence_of(&up) + evidence_of(&down)) / tests);
    }
    return most;
}

static void learn_kappa(struct lesson *l, enum learn_sides sides)
{
    double allowed = fmax(20, l->series->windows / 2.0);
    for (uint32_t i = 0; i < KAPPAS; i++) {
        l->profile.kappa = kappas[i];
        if (replay(l, sides) <= allowed)
            return;
    }
}

static bool is_sound(const struct learn_series *s)
{
    for (uint32_t i = 0; i < s->windows; i++) {
        if (!isfinite(s->value[i]) || !(s->variance[i] >= 0) || isinf(s->variance[i]))
            return false;
        if (i > 0 && s->start[i] < s->start[i - 1])
            return false;
    }
    return s->windows <= LEARN_WINDOWS_MAX;
}

static void learn_all(struct lesson *l, enum learn_sides sides, double tolerance,
                      double relative)
{
    struct learn_profile *p = &l->profile;
    double n = l->series->windows;
    p->mu = level_of(l);
    learn_season(l);
    learn_memory(l);
    learn_noise(l);
    p->tau = tolerance + relative * p->sd +
             2 * p->sd / sqrt(fmax(2, n * (1 - p->phi) / (1 + p->phi)));
    learn_kappa(l, sides);
}

enum status learn_profile_of(const struct learn_series *series, enum learn_sides sides,
                             double tolerance, double relative, double gate,
                             struct learn_profile *out)
{
    if (!is_sound(series) || (sides & LEARN_BOTH) == 0)
        return ST_RANGE;
    struct lesson l = {.series = series};
    l.profile = (struct learn_profile){.tau = tolerance,
                                       .gate = gate,
                                       .kappa = 1,
                                       .noise = 1,
                                       .windows = series->windows};
    if (series->windows >= LEARN_WINDOWS_MIN) {
        l.residual = mem_zero(series->windows, 2 * sizeof *l.residual);
        if (!l.residual)
            return ST_NOMEM;
        l.scratch = l.residual + series->windows;
        learn_all(&l, sides, tolerance, relative);
        mem_free(l.residual);
    }
    *out = l.profile;
    return ST_OK;
}

bool learn_is_usable(const struct learn_profile *p)
{
    return p->windows >= LEARN_WINDOWS_MIN;
}

double learn_residual(const struct learn_profile *p, double value, uint64_t start_ns)
{
    double season = p->has_hours ? (double)p->hour[learn_hour(start_ns)] : 0;
    season += p->has_days ? (double)p->day[learn_day(start_ns)] : 0;
    return value - p->mu - season;
}

double learn_innovation(const struct learn_profile *p, double residual, double lag)
{
    return residual - p->phi * hold(lag, -CLIP_SD * p->sd, CLIP_SD * p->sd);
}

double learn_sigma(const struct learn_profile *p, double variance)
{
    return p->kappa * sqrt(p->noise * variance + p->extra) + LEARN_SIGMA_LEAST;
}
