// Familiar: re-implemented from the documentation of those who use them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/familiar.h"

#include <math.h>

#include "common/drift/distance.h"
#include "common/drift/sealed.h"

#define STRENGTH_MOST 300.0 // -log10 of a p that a double cannot hold

static double held(double strength)
{
    return strength < STRENGTH_MOST ? strength : STRENGTH_MOST;
}

// -log10 of the asymptotic two-sided p of a KS distance; far out by its first term.
static double ks_strength(double d, double n, double m)
{
    double e = sqrt(n * m / (n + m)), t = (e + 0.12 + 0.11 / e) * d, p = 0;
    if (t > 4)
        return held((2 * t * t - log(2)) / log(10));
    for (int k = 1; k <= 100; k++)
        p += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * t * t);
    return t < 0.2 ? 0 : -log10(fmin(p, 1));
}

// -log10 of the upper tail of chi-square, by Wilson and Hilferty; far out by Mills's
// ratio.
static double chi2_strength(double x, double freedom)
{
    double z = (cbrt(x / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
    if (z > 20)
        return held((z * z / 2 + log(z * sqrt(2 * M_PI))) / log(10));
    return -log10(0.5 * erfc(z / sqrt(2)));
}

static void group_rows(const struct component_scores *s,
                       const struct component_counts *c, double *hits)
{
    for (uint32_t g = 0; g < s->groups; g++)
        hits[g] = 0;
    for (uint32_t j = 0; j < c->cells; j++)
        hits[s->group[j]] += (double)c->cell[j];
}

static double chi2_of(const struct component_scores *s, const double *hits, double n)
{
    double sum = 0;
    for (uint32_t g = 0; g < s->groups; g++) {
        double expected = n * (double)s->share[g];
        sum += (hits[g] - expected) * (hits[g] - expected) / expected;
    }
    return sum / (1 + n / s->rows); // both sides are samples
}

static double surprise(double p, double middle)
{
    return p > 0 ? p * log2(p / middle) : 0;
}

// On the merged groups: on 64 cells noise alone would be 0.1.
static double js_of(const struct component_scores *s, const double *hits, double n)
{
    double sum = 0;
    for (uint32_t g = 0; g < s->groups; g++) {
        double p = (double)s->share[g], q = hits[g] / n;
        sum += surprise(p, (p + q) / 2) + surprise(q, (p + q) / 2);
    }
    return sqrt(fmax(sum / 2, 0));
}

static double linf_of(const struct component_scores *s, const double *hits, double n)
{
    double most = 0;
    for (uint32_t g = 0; g < s->groups; g++)
        most = fmax(most, fabs(hits[g] / n - (double)s->share[g]));
    return most;
}

// The distance of the window's mean rank from that of the reference windows in their
// sd; no season is taken out, as it is done.
static double mean_of(const struct baseline_feature *f,
                      const struct component_counts *now)
{
    const struct learn_profile *p = &f->learned[COMPONENT_LOC];
    struct component_values v;
    component_of(&f->scores, now, &v);
    double season = 0;
    for (uint32_t h = 0; p->has_hours && h < LEARN_HOURS; h++)
        season += (double)p->hour[h] * (double)p->hour[h] / LEARN_HOURS;
    return fabs(v.value[COMPONENT_LOC] - p->mu) / sqrt(p->sd * p->sd + season + 1e-18);
}

static void numeric_of(const struct baseline_feature *f,
                       const struct component_counts *now, const struct distance *d,
                       struct familiar *out)
{
    out->value[FAMILIAR_KS] = d->ks;
    out->value[FAMILIAR_KS_P] = ks_strength(d->ks, d->rows, f->scores.rows);
    out->value[FAMILIAR_W1] = isfinite(d->w1) ? d->w1 : 0;
    out->value[FAMILIAR_MEAN] = mean_of(f, now);
}

// A typical value of each cell.
static void cell_places(const struct baseline_feature *f, uint32_t cells, double *at)
{
    for (uint32_t j = 0; j < cells; j++) {
        double low, high;
        grid_bounds(f->grid, j, &low, &high);
        at[j] = fmax(low, grid_min(f->grid)) / 2 + fmin(high, grid_max(f->grid)) / 2;
    }
}

void familiar_of(const struct baseline_feature *f, const struct profile *window,
                 struct familiar *out)
{
    struct component_counts now, then;
    double at[COMPONENT_CELLS_MAX], hits[COMPONENT_GROUPS_MAX];
    struct distance d;
    *out = (struct familiar){.rows = 0};
    if (!f->has_scores || !sealed_counts(window, &now) ||
        !sealed_counts(f->total, &then) || now.cells != then.cells ||
        profile_grid_id(window) != profile_grid_id(f->total))
        return;
    bool is_numeric = f->scores.shape != SHAPE_CATEGORICAL;
    if (is_numeric)
        cell_places(f, now.cells, at);
    const struct moments *m = profile_moments(f->total);
    distance_of(&f->scores, &then, &now, is_numeric ? at : NULL, moments_sd(m), &d);
    out->value[FAMILIAR_MISSING] = isfinite(d.missing) ? d.missing : 0;
    if (!(d.rows > 0))
        return;
    out->rows = d.rows;
    group_rows(&f->scores, &now, hits);
    out->value[FAMILIAR_PSI] = d.psi;
    out->value[FAMILIAR_JS] = js_of(&f->scores, hits, d.rows);
    out->value[FAMILIAR_LINF] = linf_of(&f->scores, hits, d.rows);
    if (f->scores.groups > 1)
        out->value[FAMILIAR_CHI2_P] =
            chi2_strength(chi2_of(&f->scores, hits, d.rows), f->scores.groups - 1);
    if (is_numeric)
        numeric_of(f, &now, &d, out);
}

const char *familiar_name(enum familiar_statistic s)
{
    static const char *const names[FAMILIAR_COUNT] = {
        "psi", "ks", "ks_p", "chi2_p", "js", "w1", "mean", "linf", "missing"};
    return s < FAMILIAR_COUNT ? names[s] : "unknown";
}
