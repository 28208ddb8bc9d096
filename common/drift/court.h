// Court: how a judge lies in memory. For the files of this room alone.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_COURT_H
#define KEDGE_COMMON_DRIFT_COURT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/drift/judge.h"
#include "common/drift/sealed.h"
#include "common/drift/subject.h"

// No pool holds more rows than this; so an encoded one takes 7 bytes at most.
#define COURT_POOL_MAX ((1ull << 49) - 1)

// Counts of one feature since M last grew from about 1, or since its alert began. Empty
// while M is about 1: the next window would clear it anyway.
struct court_pool {
    uint64_t *cell; // as many as its baseline has; NULL for scalars and contributions
    uint32_t cells;
    uint64_t missing;
    uint64_t rows; // all of it; at COURT_POOL_MAX the pool takes no more
};

#define COURT_NOWHERE UINT32_MAX

// The subjects that a feature or scalar of the baseline feeds.
struct court_place {
    uint32_t subject;
    uint32_t contribution;
};

struct judge {
    const struct baseline *baseline;
    struct judge_settings settings;
    uint64_t fingerprint; // of the baseline's layout
    uint32_t subjects;
    uint32_t output; // the subject of the prediction, or COURT_NOWHERE
    struct subject *subject;
    struct subject_state *state;
    struct court_pool *pool;
    uint64_t *cells;   // all pools' cells in one block
    uint64_t *grid_id; // of each feature
    struct court_place *feature_at, *scalar_at;
    const struct profile **shown; // scratch: the window's profile of each subject
    uint64_t last_end;
    uint64_t windows;
};

// Finds each subject's profile in the window; the last one of a name counts. Counts the
// features that have no place in the baseline or another grid.
void court_show(struct judge *j, const struct drift_window *w, uint32_t *foreign);

// The shown window's values for a subject; `counts` are its cells (none for scalars and
// contributions). False when nothing can be said.
bool court_values(const struct judge *j, uint32_t subject, struct subject_window *w,
                  struct component_counts *counts);

#endif
