// Distance: how far two distributions lie apart, in figures that people know.
//
// Nothing is decided by these; they go beside an alert, on counts pooled since the
// change.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_DISTANCE_H
#define KEDGE_COMMON_DRIFT_DISTANCE_H

#include <stdint.h>

#include "common/drift/component.h"

struct distance {
    double psi;     // on merged groups, shares floored at 1e-4
    double ks;      // largest gap of the two distribution functions at cell edges
    double js;      // Jensen-Shannon distance (root, base 2), 0..1, on the cells
    double auc;     // P(a now > a then) - 1/2 on mid-ranks: -0.5..0.5
    double w1;      // Wasserstein-1 over the baseline's sd; NaN without cell values
    double missing; // share of missing rows, 0..1
    double rows;    // rows behind it
};

// `baseline` and `now` have the same cells. `shape` decides what makes sense: a
// categorical feature has psi, js and missing only, the others are NaN. With no rows on
// either side every distance is NaN. `at` holds a typical value of each cell and `sd`
// the baseline's standard deviation, for w1; NULL leaves w1 at NaN.
void distance_of(const struct component_scores *scores,
                 const struct component_counts *baseline,
                 const struct component_counts *now, const double *at, double sd,
                 struct distance *out);

// PSI has a floor when nothing drifted: about (groups - 1)(1/n + 1/N).
double distance_psi_floor(const struct component_scores *scores, double rows);

#endif
