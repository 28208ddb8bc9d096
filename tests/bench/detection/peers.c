// Peers: common/drift/familiar.h's statistics with the lines that people put on them.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/detection/peers.h"

#include "common/drift/familiar.h"

#define LOG10_P_05 1.3010299956639813 // -log10(.05)

const char *const peer_names[PEERS] = {"PSI", "KS", "chi2", "JS", "W1", "mean z"};

const struct peer_rule peer_rules[PEER_RULES] = {
    {"PSI>.1", PEER_PSI, 0.1},         {"PSI>.25", PEER_PSI, 0.25},
    {"KS p<.05", PEER_KS, LOG10_P_05}, {"chi2 p<.05", PEER_CHI2, LOG10_P_05},
    {"JS>.1", PEER_JS, 0.1},           {"W1>.1", PEER_W1, 0.1},
    {"3-sigma mean", PEER_MEAN, 3},
};

void peers_of(const struct baseline_feature *f, const struct profile *window,
              double out[PEERS])
{
    static const enum familiar_statistic of[PEERS] = {
        [PEER_PSI] = FAMILIAR_PSI,     [PEER_KS] = FAMILIAR_KS_P,
        [PEER_CHI2] = FAMILIAR_CHI2_P, [PEER_JS] = FAMILIAR_JS,
        [PEER_W1] = FAMILIAR_W1,       [PEER_MEAN] = FAMILIAR_MEAN,
    };
    struct familiar all;
    familiar_of(f, window, &all);
    for (int i = 0; i < PEERS; i++)
        out[i] = all.value[of[i]];
}
