// Contest: which of two versions predicts better on the same windows, at any time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_CONTEST_H
#define KEDGE_COMMON_DRIFT_CONTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/status.h"

#define CONTEST_BETS 4      // lambda = 0.5, 1, 2, 3
#define CONTEST_LEVEL 1e4   // default level of a verdict
#define CONTEST_MARGIN 0.02 // a lead below this is a draw
#define CONTEST_CLIP 0.3

enum contest_verdict {
    CONTEST_UNDECIDED, // evidence is still open
    CONTEST_CHAMPION_BETTER,
    CONTEST_CHALLENGER_BETTER,
    CONTEST_COUNT
};

// The running bets of both directions. Zeroed is a fresh contest.
struct contest {
    double challenger[CONTEST_BETS]; // M that the challenger is better
    double champion[CONTEST_BETS];   // M that the champion is better
    uint64_t windows;                // windows both were seen in
    uint32_t verdict;                // enum contest_verdict; the last one reached
};

// One window in which both versions have a mean loss (>= 0) on comparable rows. When a
// direction reaches `level` its verdict is returned once, and its M begins again at 0;
// CONTEST_UNDECIDED otherwise. A loss that is negative, NaN or infinite is ignored.
// Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by
// betting (2024).
enum contest_verdict contest_window(struct contest *c, double champion_loss,
                                    double challenger_loss, double level);

// d of one window, clipped and less the margin: what a bet for `better` wins.
double contest_lead(double worse_loss, double better_loss);

// Mean over the bets: evidence that the champion (challenger) is the better one.
double contest_champion_evidence(const struct contest *c);
double contest_challenger_evidence(const struct contest *c);

void contest_encode(const struct contest *c, struct buf *out);
MUST_USE enum status contest_decode(struct cursor *in, struct contest *out);

// "undecided" "champion better" "challenger better". Never NULL.
const char *contest_name(enum contest_verdict v);

#endif
