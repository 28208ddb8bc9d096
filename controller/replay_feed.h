// Replay feed: cuts rows and late labels into the windows that an agent would send.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_FEED_H
#define KEDGE_CONTROLLER_REPLAY_FEED_H

#include "common/drift/window.h"
#include "controller/replay_rows.h"

#define REPLAY_BATCH 256
#define REPLAY_LABELS_MAX (16u * 1024 * 1024) // labels on their way

// One closed window, lent for the call.
struct replay_window {
    struct drift_window
        drift;         // inputs, the served version's prediction, label, signals
    uint64_t at_ns;    // its end for people
    uint64_t last_row; // last row that had come
    uint32_t version;  // the one that served
    bool has_rows;
    double loss[REPLAY_VERSIONS_MAX]; // mean of each version on the same rows that the
                                      // served version predicted; NaN for none
};

struct replay_feed;

// `baseline` (kept) gives the grids. `done` is called with each closed window.
MUST_USE enum status
replay_feed_open(const struct replay_plan *plan, const struct baseline *baseline,
                 uint64_t origin_ns,
                 enum status (*done)(void *self, const struct replay_window *w),
                 void *self, struct replay_feed **out);
void replay_feed_close(struct replay_feed *f); // NULL is fine

// The next row; closes the windows that lie before it.
MUST_USE enum status replay_feed_row(struct replay_feed *f,
                                     const struct replay_rows *r);

// Closes the window under way.
MUST_USE enum status replay_feed_end(struct replay_feed *f);

// The start of the window that holds `at_ns`, for windows cut by time.
uint64_t replay_feed_start(const struct replay_plan *plan, uint64_t origin_ns,
                           uint64_t at_ns);

// Names that the label and the served prediction have as features.
const char *replay_feed_output(const struct replay_plan *plan);

#endif
