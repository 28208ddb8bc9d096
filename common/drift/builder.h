// Builder: makes a baseline from windows, or from rows in two passes.
//
// From windows that were counted on known grids (a model that is already watched):
//   builder_open, builder_feature..., builder_grid..., builder_window..., builder_seal.
// From rows (a training file): builder_open, builder_feature..., builder_row... over
// the whole file, builder_turn, builder_row... over it again, builder_seal.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_BUILDER_H
#define KEDGE_COMMON_DRIFT_BUILDER_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "common/drift/baseline.h"
#include "common/drift/window.h"
#include "common/sketch/grid.h"

#define BUILDER_SAMPLE 262144    // values of a feature kept in pass one (a fair sample)
#define BUILDER_CATEGORIES 65536 // distinct categories counted in pass one

struct builder_settings {
    uint64_t window_ns;      // length of a window, aligned to `window_origin`; or 0 and
    uint32_t window_rows;    // rows in a window
    uint64_t window_origin;  // ns; 0 aligns to the epoch
    uint64_t rows_expected;  // of pass one; categories first seen in the second half of
                             // them are not `known`. 0: all are known
    uint64_t label_delay_ns; // losses belong to the window this much after the row's
    enum baseline_performance performance;
    uint8_t key[BASELINE_KEY];       // categories are hashed with it
    uint8_t source[BASELINE_DIGEST]; // SHA-256 of the training file
    uint64_t seed;                   // of samples and sketches: same seed, same bytes
    uint32_t quantile_k;             // of the kept quantile sketch; 0: none is kept
};

struct builder;

MUST_USE enum status builder_open(const struct builder_settings *settings,
                                  struct builder **out);
void builder_close(struct builder *b); // NULL is fine

// Declares a feature; its number is the count of those before it. Width: of its
// numbers. The first ROLE_OUTPUT is the prediction, the first ROLE_LABEL the truth.
// Before the first row or window. ST_RANGE, ST_EXISTS, ST_FULL, ST_NOMEM.
MUST_USE enum status builder_feature(struct builder *b, struct span name,
                                     enum drift_role role, enum drift_kind kind,
                                     enum grid_width width);

// Weight in the model's statistic; 1 unless set.
MUST_USE enum status builder_importance(struct builder *b, uint32_t feature,
                                        double weight);

// Borrows `bytes` (grid_encode's) for the call. Only for building from windows.
MUST_USE enum status builder_grid(struct builder *b, uint32_t feature,
                                  struct span bytes);

// One value of a row, in the order of declaration.
struct builder_value {
    double number;    // numeric features
    struct span text; // categories; borrowed
    uint8_t state;    // enum value_state
};

// A row at event time `at_ns`, not before the one before it (ST_RANGE). Errors as
// above.
MUST_USE enum status builder_row(struct builder *b, uint64_t at_ns,
                                 const struct builder_value *value);

// Counts on the grids of an older baseline wherever it has the same feature, so that
// two versions of a model are seen on the same cells. Before builder_turn; copies what
// it needs then, so `older` must live until it.
void builder_reuse(struct builder *b, const struct baseline *older);

// Ends pass one: draws the grids. ST_EMPTY when there were no rows.
MUST_USE enum status builder_turn(struct builder *b);

// The grid of a feature after builder_turn or builder_grid; NULL for none. Lent.
const struct grid *builder_grid_of(const struct builder *b, uint32_t feature);

// A complete window in time order: totals grow, and its counts are kept for learning
// (the newest LEARN_WINDOWS_MAX). Features are found by name; unknown ones are ignored.
// Signals "loss" and "bias" are learned when they occur. ST_CONFLICT for a foreign
// grid.
MUST_USE enum status builder_window(struct builder *b, const struct drift_window *w);

// Learns and seals. `out` does not depend on `b` any more. ST_EMPTY without rows.
MUST_USE enum status builder_seal(struct builder *b, struct baseline **out);

#endif
