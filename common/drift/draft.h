// Draft: a baseline while it is being made. For the files of this room alone.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_DRAFT_H
#define KEDGE_COMMON_DRIFT_DRAFT_H

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/drift/builder.h"
#include "common/drift/sealed.h"

#define DRAFT_BATCH 128                       // rows that wait for one profile_update
#define DRAFT_COUNTS_MAX (256u * 1024 * 1024) // bytes of one feature's kept counts

// One window of one feature, its cells encoded at `offset` of the column's counts.
struct draft_point {
    uint64_t missing;
    uint64_t rows; // with a value; 0: no cells are kept
    size_t offset;
    double contribution, contribution_variance;
    double held; // the one value of a constant window
    bool has_contribution, is_dead, is_constant;
};

// Pass one: a fair sample of the numbers, or every category with its weight.
struct draft_sample {
    double *number;
    uint32_t held;
    uint64_t seen;
    struct grid_category *slot; // open addressing; weight 0 is free
    uint32_t slots, used;
};

// Rows that wait for the column's profile.
struct draft_batch {
    double *number;
    uint64_t *hash;
    uint8_t *state;
};

struct draft_column {
    struct baseline_feature f; // name, role, kind, importance, grid, total, runs
    enum grid_width width;
    struct draft_sample sample;
    struct draft_batch batch;
    struct profile *open; // pass two: the window under way
    struct buf counts;
    struct draft_point *point;     // as many as the builder's windows
    uint64_t late_tail, late_rows; // of categories, after the half that named them
};

// A scalar's series: windows in which it had rows.
struct draft_scalar {
    char name[BASELINE_NAME_MAX + 1];
    uint32_t windows, capacity;
    uint64_t *start;
    double *mean;
    double *rows;
    struct moments total; // of its rows, for the variance of single ones
};

struct builder {
    struct builder_settings settings;
    bool is_fed; // no feature may be declared any more
    bool turned; // pass two
    uint32_t columns, columns_capacity;
    struct draft_column *column;
    uint32_t scalars;
    struct draft_scalar *scalar[SEALED_SCALARS_MAX];
    uint32_t windows,
        windows_capacity; // kept; the newest LEARN_WINDOWS_MAX are learned
    uint64_t *start;      // of each kept window
    uint64_t windows_seen;
    uint64_t first_ns, last_ns; // event time of all windows
    uint64_t rows;
    struct random random;
    // rows
    uint64_t row_at;     // of the last row
    uint64_t rows_fed;   // in this pass
    uint64_t half_ns;    // from here on categories are judged, not named
    uint32_t batched;    // rows in every batch
    double *prediction;  // of the batched rows
    uint64_t open_start; // of the window under way
    uint64_t open_rows;
    struct profile *loss, *bias; // signals under way
    uint64_t signal_start;
    bool signal_is_open;
    struct drift_feature *view;   // scratch: one window's features
    const struct baseline *older; // whose grids are used again; may be NULL
};

// A signal's window, in time order. ST_FULL beyond SEALED_SCALARS_MAX names.
MUST_USE enum status draft_scalar_add(struct builder *b, struct span name,
                                      uint64_t start, const struct moments *m);

// Pass one of a column: keeps a fair sample of `seen` numbers, or counts a category (a
// new one only while `names` is true), and draws the grid from what was kept, even from
// nothing.
MUST_USE enum status draft_sample_number(struct draft_sample *s, struct random *r,
                                         double number);
MUST_USE enum status draft_sample_category(struct draft_sample *s, uint64_t hash,
                                           bool names);
MUST_USE enum status draft_sample_grid(const struct draft_sample *s,
                                       enum drift_kind kind, enum grid_width width,
                                       struct grid **out);
void draft_sample_fini(struct draft_sample *s);

// Learns from the kept windows and moves grids and totals into the baseline.
MUST_USE enum status draft_seal(struct builder *b, struct baseline **out);

// The index of the first numeric column of the role, or -1.
int32_t draft_find_role(const struct builder *b, enum drift_role role);

#endif
