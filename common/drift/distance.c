// Distance: sums over cells, in their order. The baseline's shares are the smoothed
// ones that its scores rest on.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/distance.h"

#include <math.h>
#include <stddef.h>

#define SHARE_FLOOR 1e-4

struct shares {
    double then[COMPONENT_CELLS_MAX];
    double now[COMPONENT_CELLS_MAX];
};

static double total(const struct component_counts *c)
{
    double n = 0;
    for (uint32_t j = 0; j < c->cells; j++)
        n += (double)c->cell[j];
    return n;
}

static double psi_of(const struct component_scores *s, const struct shares *p)
{
    double then[COMPONENT_GROUPS_MAX] = {0}, now[COMPONENT_GROUPS_MAX] = {0};
    for (uint32_t j = 0; j < s->cells; j++) {
        then[s->group[j]] += p->then[j];
        now[s->group[j]] += p->now[j];
    }
    double psi = 0;
    for (uint32_t g = 0; g < s->groups; g++) {
        double a = fmax(then[g], SHARE_FLOOR), b = fmax(now[g], SHARE_FLOOR);
        psi += (b - a) * log(b / a);
    }
    return psi;
}

static double surprise(double p, double middle)
{
    return p > 0 ? p * log2(p / middle) : 0;
}

static double js_of(const struct component_scores *s, const struct shares *p)
{
    double sum = 0;
    for (uint32_t j = 0; j < s->cells; j++) {
        double middle = (p->then[j] + p->now[j]) / 2;
        sum += surprise(p->then[j], middle) + surprise(p->now[j], middle);
    }
    return sqrt(fmin(fmax(sum / 2, 0), 1));
}

static double ks_of(const struct component_scores *s, const struct shares *p)
{
    double gap = 0, most = 0;
    for (uint32_t j = 0; j < s->cells; j++) {
        gap += p->now[j] - p->then[j];
        most = fmax(most, fabs(gap));
    }
    return most;
}

static double auc_of(const struct component_scores *s, const struct shares *p)
{
    double below = 0, sum = 0;
    for (uint32_t j = 0; j < s->cells; j++) {
        sum += p->now[j] * (below + p->then[j] / 2);
        below += p->then[j];
    }
    return sum - 0.5;
}

static double w1_of(const struct component_scores *s, const struct shares *p,
                    const double *at, double sd)
{
    double gap = 0, sum = 0;
    if (at == NULL || !(sd > 0))
        return NAN;
    for (uint32_t j = 0; j + 1 < s->cells; j++) {
        gap += p->now[j] - p->then[j];
        sum += fabs(gap) * (at[j + 1] - at[j]);
    }
    return sum / sd;
}

void distance_of(const struct component_scores *scores,
                 const struct component_counts *baseline,
                 const struct component_counts *now, const double *at, double sd,
                 struct distance *out)
{
    double n = total(now), base = total(baseline), all = n + (double)now->missing;
    *out = (struct distance){NAN, NAN, NAN, NAN, NAN, NAN, n};
    if (all > 0)
        out->missing = (double)now->missing / all;
    if (n < 1 || base < 1)
        return;
    struct shares p;
    for (uint32_t j = 0; j < scores->cells; j++) {
        p.then[j] = ((double)baseline->cell[j] + 0.5) / (base + 0.5 * scores->cells);
        p.now[j] = (double)now->cell[j] / n;
    }
    out->psi = psi_of(scores, &p);
    out->js = js_of(scores, &p);
    if (scores->shape == SHAPE_CATEGORICAL)
        return;
    out->ks = ks_of(scores, &p);
    out->auc = auc_of(scores, &p);
    out->w1 = w1_of(scores, &p, at, sd);
}

double distance_psi_floor(const struct component_scores *scores, double rows)
{
    return (scores->groups - 1) * (1 / fmax(rows, 1) + 1 / fmax(scores->rows, 1));
}
