// Component: a window's counts against a baseline's, as five numbers that tests can
// judge.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_COMPONENT_H
#define KEDGE_COMMON_DRIFT_COMPONENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define COMPONENT_CELLS_MAX 64
#define COMPONENT_GROUPS_MAX 26
#define COMPONENT_LIMIT 50.0 // a component is clipped to +- this; NaN becomes 0

enum component {
    COMPONENT_LOC,     // where the mass lies: Neyman's first smooth component
    COMPONENT_SCALE,   // how wide it lies: the second one
    COMPONENT_TAIL,    // share in the tail cells, by arcsine
    COMPONENT_DIST,    // chi-square distance over merged cells, less its own bias
    COMPONENT_MISSING, // share of missing rows, by arcsine
    COMPONENT_COUNT
};

enum component_shape {
    SHAPE_NUMERIC,     // cells by edges: first and last are the tails
    SHAPE_FEW_VALUES,  // a cell per value, the last one is `other`
    SHAPE_CATEGORICAL, // categories, `rare`, and `unseen` in the last cell
    SHAPE_COUNT
};

// Exact counts of one feature over some rows. Borrowed by every call below.
struct component_counts {
    const uint64_t *cell; // `cells` of them
    uint32_t cells;       // 1..COMPONENT_CELLS_MAX
    uint64_t missing;     // rows without a value; not part of any cell
};

// What a baseline's counts fix once and for all. Plain data, about 700 bytes.
struct component_scores {
    uint32_t cells;
    uint32_t groups; // merged cells; a distance needs two at least
    uint8_t shape;   // enum component_shape
    bool has_loc;    // false: all cells share one rank
    bool has_scale;
    bool has_tail;        // false: too few cells to have a tail
    double rows;          // N: rows with a value
    double tail_share;    // p_T, never 0
    double missing_share; // never 0
    double bias;          // max(groups - 1.5, 0.5)
    float loc[COMPONENT_CELLS_MAX];
    float scale[COMPONENT_CELLS_MAX];
    uint8_t group[COMPONENT_CELLS_MAX];
    uint8_t
        group_end[COMPONENT_GROUPS_MAX]; // one past the group's last cell, where groups
                                         // are runs of cells (not categories)
    float share[COMPONENT_GROUPS_MAX];   // baseline mass of each group
    float per_share[COMPONENT_GROUPS_MAX]; // 1 / share
};

// One window's components and how many rows stand behind them.
struct component_values {
    double value[COMPONENT_COUNT];
    double rows;     // n: rows with a value
    double all_rows; // n + missing
};

// Fills `out` from the baseline's counts. ST_RANGE when cells, shape or the sum of the
// counts (beyond 2^53) is out of bounds.
MUST_USE enum status component_scores_init(enum component_shape shape,
                                           const struct component_counts *baseline,
                                           struct component_scores *out);

// Replaces the share of the tail: for categories, `unseen` is measured on the half of
// the reference that the known ones were not taken from.
void component_set_tail(struct component_scores *scores, double share);

// The components of a window counted on the same cells. Without rows only MISSING
// moves; without anything all are 0. O(cells), allocates nothing. `window->cells` must
// equal `scores->cells`.
void component_of(const struct component_scores *scores,
                  const struct component_counts *window, struct component_values *out);

// Variance of a component over independent rows is this, divided by n (MISSING: by
// n + missing).
double component_variance(enum component c);

// False where this baseline cannot show the component at all (a categorical feature has
// no location; one merged cell has no distance).
bool component_exists(const struct component_scores *scores, enum component c);

// The practical tolerance (part of the null) and the least effect worth an alarm, in
// the component's own unit.
double component_tolerance(const struct component_scores *scores, enum component c);
double component_gate(const struct component_scores *scores, enum component c);

// asin sqrt(min(1, share + step)) - asin sqrt(share): a step of a share on that scale.
double component_arcsine_step(double share, double step);

// "location" "scale" "tail" "distance" "missing". Never NULL.
const char *component_name(enum component c);

#endif
