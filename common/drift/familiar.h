// Familiar: the statistics that other monitors put a fixed line on, from our counts.
//
// People bring such rules along. They are computed so that they can be shown beside
// Kedge's own verdicts, with the rate at which they cry wolf. No verdict uses them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_FAMILIAR_H
#define KEDGE_COMMON_DRIFT_FAMILIAR_H

#include <stdint.h>

#include "common/drift/baseline.h"

enum familiar_statistic {
    FAMILIAR_PSI,    // population stability index on the merged groups
    FAMILIAR_KS,     // largest gap of the distribution functions
    FAMILIAR_KS_P,   // -log10 of the p-value of that gap
    FAMILIAR_CHI2_P, // -log10 of the p-value of chi-square on the merged groups
    FAMILIAR_JS,     // Jensen-Shannon distance on the merged groups
    FAMILIAR_W1,     // Wasserstein-1 over the baseline's sd
    FAMILIAR_MEAN,   // the mean rank's distance from the reference windows, in their sd
    FAMILIAR_LINF,   // largest gap of two cells' shares
    FAMILIAR_MISSING, // share of missing rows
    FAMILIAR_COUNT
};

struct familiar {
    double value[FAMILIAR_COUNT]; // 0 where a statistic makes no sense for the feature
    double rows;                  // with a value
};

// Of one window against the baseline's feature. All zero when the window was counted on
// another grid, or has no rows.
void familiar_of(const struct baseline_feature *f, const struct profile *window,
                 struct familiar *out);

// "psi" "ks" "ks_p" "chi2_p" "js" "w1" "mean" "linf" "missing". Never NULL.
const char *familiar_name(enum familiar_statistic s);

#endif
