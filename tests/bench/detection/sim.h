// Sim: streams with a known null, and the ways in which they may break.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_DETECTION_SIM_H
#define KEDGE_TESTS_BENCH_DETECTION_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/drift/builder.h"
#include "common/drift/judge.h"

#define SIM_WINDOW_NS (1800ull * 1000000000) // half an hour
#define SIM_REFERENCE (21 * 48)              // windows: three weeks
#define SIM_ROWS_MAX 10000

// What the stream does while nothing drifts.
enum sim_null {
    SIM_IID,    // rows are independent
    SIM_OVER,   // the level wanders (AR .7, sd .10), the scale breathes (sd .05)
    SIM_SEASON, // that, and swings of .4 sd over the day and .1 over the week
    SIM_NULLS
};

// What a row is.
enum sim_kind {
    SIM_NORMAL,
    SIM_LOGNORMAL,
    SIM_CLUSTERS, // one row in five belongs to a second hill at +3 sd
    SIM_CATEGORY, // nine categories
    SIM_PAIR,     // a normal and a prediction that follows it
    SIM_KINDS
};

// How it breaks. Each shape has the kind of row it is shown on.
enum sim_shape {
    SHAPE_MEAN_HALF,
    SHAPE_MEAN_THIRD,
    SHAPE_WIDER,
    SHAPE_TAIL_TENFOLD,
    SHAPE_RAMP,
    SHAPE_MISSING_TEN,
    SHAPE_ZEROS,
    SHAPE_UNIT,
    SHAPE_STUCK,
    SHAPE_SLICE,
    SHAPE_CLUSTER_LOST,
    SHAPE_UNSEEN,
    SHAPE_SWAP,
    SHAPE_FLIP,
    SHAPE_NARROWER,
    SIM_SHAPES
};

struct sim_shape_row {
    const char *name;
    enum sim_kind kind;
    bool is_extra; // not one of the twelve that the goal names
};
extern const struct sim_shape_row sim_shapes[SIM_SHAPES];
extern const char *const sim_nulls[SIM_NULLS];

// One stream and its window under way. `broken` counts windows since the break, 0
// before.
struct sim {
    struct random random;
    enum sim_null null;
    enum sim_kind kind;
    enum sim_shape shape;
    uint32_t rows;
    uint32_t broken;
    uint64_t window; // number of the next one
    double level;
    double missing_level;
    struct profile *profile;
    struct drift_feature feature[1];
    struct drift_window drift;
    double number[SIM_ROWS_MAX], prediction[SIM_ROWS_MAX];
    uint64_t hash[SIM_ROWS_MAX];
    uint8_t state[SIM_ROWS_MAX];
};

// A stream of that null; `grid` may be NULL until it is known.
void sim_open(struct sim *s, uint64_t seed, enum sim_null null, enum sim_kind kind,
              uint32_t rows, const struct grid *grid);
void sim_close(struct sim *s);

// Draws the next window, lent until the one after it.
const struct drift_window *sim_next(struct sim *s);

// The baseline of the first SIM_REFERENCE windows of such a stream, and the state of
// the stream after them in `s` (which must be closed).
struct baseline *sim_learn(struct sim *s, uint64_t seed, enum sim_null null,
                           enum sim_kind kind, uint32_t rows);

// Breaks the stream from the next window on.
void sim_break(struct sim *s, enum sim_shape shape);

#endif
