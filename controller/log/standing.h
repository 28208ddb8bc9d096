// Standing: how a model's newest version does against the one before it, as watch last
// said.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_STANDING_H
#define KEDGE_CONTROLLER_LOG_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/contest.h"
#include "common/drift/deploy.h"
#include "controller/log/shelf.h"

#define STANDING_NAME_MAX 128u

struct standing {
    char version[STANDING_NAME_MAX + 1], against[STANDING_NAME_MAX + 1];
    uint64_t deployed_ns, judged_ns; // event time
    // The deploy watch.
    bool has_watch;
    bool is_over;
    bool withheld; // inputs moved as well: going back cannot be said to help
    enum deploy_verdict verdict;
    uint32_t windows; // judged since the deployment
    uint32_t beside;  // of them, judged against the other version's same window
    uint64_t rows_needed;
    char mover[STANDING_NAME_MAX + 1]; // what moved most
    int8_t direction;
    double effect, evidence;
    // Champion and challenger, on windows in which both have a loss. The champion is
    // the version before.
    struct contest contest;
    uint64_t rows;            // with a loss, of both
    double loss[2];           // sums over windows: champion, challenger
    double lead, lead_square; // sums of (champion - challenger) / (their sum)
};

// How the contest stands.
enum standing_contest {
    STANDING_NONE,         // never seen side by side with labels
    STANDING_INSUFFICIENT, // about standing_rows_needed more
    STANDING_BETTER,       // the newest version is better
    STANDING_WORSE,
    STANDING_NO_DIFFERENCE, // none beyond the margin
    STANDING_COUNT
};

// Adds a window's mean losses and rows to the contest.
void standing_add(struct standing *s, double champion_loss, double challenger_loss,
                  uint64_t rows);

enum standing_contest standing_contest(const struct standing *s);

// About how many more rows with labels would decide; 0: it is decided, or not known.
uint64_t standing_rows_needed(const struct standing *s);

// "none" "insufficient evidence" "better" "worse" "no difference beyond tolerance".
const char *standing_contest_name(enum standing_contest c);

// ST_NOTFOUND, ST_CORRUPT, the shelf's.
MUST_USE enum status standing_get(struct shelf *s, uint32_t model,
                                  struct standing *out);
MUST_USE enum status standing_put(struct shelf *s, uint32_t model,
                                  const struct standing *in);

#endif
