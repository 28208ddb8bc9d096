// Peers: re-implemented from their documentation, on the same exact counts as ours.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/detection/peers.h"

#include <math.h>

#include "common/drift/distance.h"
#include "common/drift/sealed.h"

#define LOG10_P_05 1.3010299956639813 // -log10(.05)

const char *const peer_names[PEERS] = {"PSI", "KS", "chi2", "JS", "W1", "mean z"};

const struct peer_rule peer_rules[PEER_RULES] = {
    {"PSI>.1", PEER_PSI, 0.1},         {"PSI>.25", PEER_PSI, 0.25},
    {"KS p<.05", PEER_KS, LOG10_P_05}, {"chi2 p<.05", PEER_CHI2, LOG10_P_05},
    {"JS>.1", PEER_JS, 0.1},           {"W1>.1", PEER_W1, 0.1},
    {"3-sigma mean", PEER_MEAN, 3},
};

// -log10 of the asymptotic two-sided p of a KS distance; far out by its first term.
static double ks_strength(double d, double n, double m)
{
    double e = sqrt(n * m / (n + m)), t = (e + 0.12 + 0.11 / e) * d, p = 0;
    if (t > 4)
        return (2 * t * t - log(2)) / log(10);
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
        return (z * z / 2 + log(z * sqrt(2 * M_PI))) / log(10);
    return -log10(0.5 * erfc(z / sqrt(2)));
}

static double chi2_of(const struct component_scores *s,
                      const struct component_counts *c, double n)
{
    double hits[COMPONENT_GROUPS_MAX] = {0}, sum = 0;
    for (uint32_t j = 0; j < c->cells; j++)
        hits[s->group[j]] += (double)c->cell[j];
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

// Jensen-Shannon distance on the merged groups; on 64 cells noise alone would be 0.1.
static double js_of(const struct component_scores *s, const struct component_counts *c,
                    double n)
{
    double hits[COMPONENT_GROUPS_MAX] = {0}, sum = 0;
    for (uint32_t j = 0; j < c->cells; j++)
        hits[s->group[j]] += (double)c->cell[j];
    for (uint32_t g = 0; g < s->groups; g++) {
        double p = (double)s->share[g], q = hits[g] / n;
        sum += surprise(p, (p + q) / 2) + surprise(q, (p + q) / 2);
    }
    return sqrt(fmax(sum / 2, 0));
}

void peers_of(const struct baseline_feature *f, const struct profile *window,
              double out[PEERS])
{
    struct component_counts now, then;
    double at[COMPONENT_CELLS_MAX];
    struct distance d;
    for (int i = 0; i < PEERS; i++)
        out[i] = 0;
    if (!sealed_counts(window, &now) || !sealed_counts(f->total, &then))
        return;
    for (uint32_t j = 0; j < now.cells; j++) {
        double low, high;
        grid_bounds(f->grid, j, &low, &high);
        at[j] = fmax(low, grid_min(f->grid)) / 2 + fmin(high, grid_max(f->grid)) / 2;
    }
    const struct moments *m = profile_moments(f->total);
    distance_of(&f->scores, &then, &now, at, moments_sd(m), &d);
    if (!(d.rows > 0))
        return;
    out[PEER_PSI] = d.psi;
    out[PEER_JS] = js_of(&f->scores, &now, d.rows);
    out[PEER_CHI2] =
        chi2_strength(chi2_of(&f->scores, &now, d.rows), f->scores.groups - 1);
    if (f->scores.shape == SHAPE_CATEGORICAL)
        return;
    out[PEER_KS] = ks_strength(d.ks, d.rows, f->scores.rows);
    out[PEER_W1] = d.w1;
    // The reference windows' own spread of the location, which is a mean of ranks.
    const struct learn_profile *p = &f->learned[COMPONENT_LOC];
    struct component_values v;
    component_of(&f->scores, &now, &v);
    double season = 0;
    for (uint32_t h = 0; p->has_hours && h < LEARN_HOURS; h++)
        season += (double)p->hour[h] * (double)p->hour[h] / LEARN_HOURS;
    out[PEER_MEAN] =
        fabs(v.value[COMPONENT_LOC] - p->mu) / sqrt(p->sd * p->sd + season + 1e-18);
}
