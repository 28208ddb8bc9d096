// Baseline: the sealed profile of one model version that its windows are judged
// against.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_BASELINE_H
#define KEDGE_COMMON_DRIFT_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/drift/component.h"
#include "common/drift/learn.h"
#include "common/drift/window.h"
#include "common/sketch/grid.h"
#include "common/sketch/profile.h"

#define BASELINE_BYTES_MAX (64u * 1024 * 1024) // of one encoded baseline
#define BASELINE_NAME_MAX 128
#define BASELINE_DIGEST 32
#define BASELINE_KEY 16

enum baseline_performance {
    PERFORMANCE_NONE,
    PERFORMANCE_REGRESSION, // loss |y - p| over sd(y), bias (p - y) over sd(y)
    PERFORMANCE_BINARY,     // loss |y - p| as it is, bias (p - y) over sd(y)
    PERFORMANCE_COUNT
};

// Everything known of one input, output or label. Lent by the baseline.
struct baseline_feature {
    char name[BASELINE_NAME_MAX + 1];
    uint8_t role;          // enum drift_role, not ROLE_SIGNAL
    uint8_t kind;          // enum drift_kind
    bool has_scores;       // counted on a grid, so the components below are good
    bool has_fci;          // numeric input that was seen together with the prediction
    double importance;     // weight in the model's statistic, >= 0
    struct grid *grid;     // NULL only for a feature that never had a value
    struct profile *total; // all reference rows: cells, counters, moments, co-moments,
                           // and the quantile sketch when it was kept
    struct component_scores scores;
    struct learn_profile learned[COMPONENT_COUNT];
    double fci; // atanh of its correlation with the prediction
    struct learn_profile fci_learned;
    uint32_t dead_run;  // longest run of windows in the reference with >= 99 % missing
    uint32_t stuck_run; // longest run of windows that held one value
    double heaviest;    // share of the heaviest cell
};

// A signal of one number a window: "loss", "bias", or the label's mean.
struct baseline_scalar {
    char name[BASELINE_NAME_MAX + 1];
    double scale;      // the window's mean is multiplied by this before it is judged
    uint64_t rows_min; // fewer rows than this wait for the next window
    double variance; // of single rows, scaled: divided by n, what n labels would wander
    uint8_t sides;   // enum learn_sides
    bool watch_only; // listed, never an alarm (labels)
    double importance;
    struct learn_profile learned;
};

// Immutable once sealed or decoded; any number of judges may borrow one.
struct baseline;

void baseline_close(struct baseline *b); // NULL is fine

uint32_t baseline_features(const struct baseline *b);
const struct baseline_feature *baseline_feature(const struct baseline *b, uint32_t i);
uint32_t baseline_scalars(const struct baseline *b);
const struct baseline_scalar *baseline_scalar(const struct baseline *b, uint32_t i);

// Index by name, or -1. `hint` is where to look first.
int32_t baseline_find_feature(const struct baseline *b, struct span name,
                              uint32_t hint);
int32_t baseline_find_scalar(const struct baseline *b, struct span name, uint32_t hint);

uint64_t baseline_rows(const struct baseline *b);      // reference rows
uint32_t baseline_windows(const struct baseline *b);   // reference windows
uint64_t baseline_window_ns(const struct baseline *b); // 0: cut by rows
uint64_t baseline_start(const struct baseline *b); // event time of the reference, ns
uint64_t baseline_end(const struct baseline *b);
enum baseline_performance baseline_performance(const struct baseline *b);
// SHA-256 of the training file; zeros when it was built from live windows.
const uint8_t *baseline_source(const struct baseline *b);
// The key that categories were hashed with.
const uint8_t *baseline_key(const struct baseline *b);

// Bytes and back. Decoding derives the scores again, bounds every count, and refuses
// leftovers: ST_CORRUPT, ST_VERSION, ST_NOMEM. Whoever stores the bytes names a
// baseline by their SHA-256.
void baseline_encode(const struct baseline *b, struct buf *out);
MUST_USE enum status baseline_decode(struct span bytes, struct baseline **out);

#endif
