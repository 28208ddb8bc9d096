// Peers: the statistics that other monitors put a fixed line on.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_DETECTION_PEERS_H
#define KEDGE_TESTS_BENCH_DETECTION_PEERS_H

#include "common/drift/baseline.h"

enum peer { PEER_PSI, PEER_KS, PEER_CHI2, PEER_JS, PEER_W1, PEER_MEAN, PEERS };

// A rule as people run it: the statistic against its usual line.
struct peer_rule {
    const char *name;
    enum peer peer;
    double line;
};
#define PEER_RULES 7
extern const struct peer_rule peer_rules[PEER_RULES];
extern const char *const peer_names[PEERS];

// The statistics of one window against the baseline: PSI on ten groups, -log10 of the p
// of KS and of chi-square, JS distance, W1 over the baseline's sd, and the distance of
// the window's mean from the reference windows' mean in their sd (no season, as it is
// done). What makes no sense for the kind is 0.
void peers_of(const struct baseline_feature *f, const struct profile *window,
              double out[PEERS]);

#endif
