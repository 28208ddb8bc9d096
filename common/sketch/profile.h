// Profile: all that is kept of one feature in one window, in place of its rows.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_PROFILE_H
#define KEDGE_COMMON_SKETCH_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/sketch/counters.h"
#include "common/sketch/distinct.h"
#include "common/sketch/grid.h"
#include "common/sketch/moments.h"
#include "common/sketch/topk.h"

// Without sketches; with them a numeric profile of k = 200 has about 5 KB more, a
// categorical one up to 17 KB.
#define PROFILE_PLAIN_BYTES_MAX 1024
#define PROFILE_BYTES_MAX (4u * 1024 * 1024)
#define PROFILE_ROWS_MAX (UINT64_C(1) << 48) // a merge beyond it is refused

enum profile_kind {
    PROFILE_NUMERIC = 0,     // counters, cells, moments, quantile sketch
    PROFILE_CATEGORICAL = 1, // counters, cells, distinct, topk
    PROFILE_SIGNAL = 2,      // counters and moments alone
};

enum profile_sketches { PROFILE_PLAIN, PROFILE_WITH_SKETCHES };

// Beside each value of a batch, one byte.
enum value_state { VALUE_PRESENT = 0, VALUE_MISSING = 1, VALUE_TYPE_ERROR = 2 };

struct profile_options {
    enum profile_kind kind;
    enum grid_width width; // of the feature's numbers; categorical: ignored
    enum profile_sketches sketches;
    uint32_t k;    // of the quantile sketch, 8..65535; 0 is 200
    uint64_t seed; // of its coins; random_os() in production
};

struct profile;

// `grid` (may be NULL: no cells) is kept until close or the next profile_set_grid; it
// must fit the kind. Errors: ST_RANGE, ST_NOMEM.
MUST_USE enum status profile_open(const struct profile_options *options,
                                  const struct grid *grid, struct profile **out);
void profile_close(struct profile *p); // NULL is fine

// Empties counters, moments and cells, and keeps the sketches, which may cover several
// windows. profile_reset_sketches empties those.
void profile_reset(struct profile *p);
void profile_reset_sketches(struct profile *p);

// As profile_reset, and counts on `grid` (NULL: no cells) from now on. ST_RANGE when it
// does not fit the kind.
MUST_USE enum status profile_set_grid(struct profile *p, const struct grid *grid);

// `n` rows of a numeric feature or signal, all borrowed for the call.
struct profile_column {
    const double *f64;        // the values; or NULL and
    const float *f32;         // these
    const uint8_t *state;     // enum value_state of each row; NULL: all present
    const double *prediction; // of the same rows, NaN where none; NULL: none
    size_t n;
};

// Counts a column in one pass; allocates nothing. A double given to a profile of floats
// is rounded to one (and is infinite beyond its range).
void profile_update(struct profile *p, const struct profile_column *column);

// `n` rows of a categorical feature.
struct profile_categories {
    const uint64_t *hash;    // the keyed hash of each value
    const struct span *text; // the clear values where they are revealed; NULL: never
    const uint8_t *state;    // as above
    size_t n;
};

// A value whose text finds no memory is kept by its hash.
void profile_update_hash(struct profile *p, const struct profile_categories *rows);

// Adds `from`, whose quantile sketch is settled by that. Counters and cells are the
// same in every order of merging, moments up to the last bits. An empty `into` takes
// the kind and the cells of `from`. ST_CONFLICT when kind, width or the grids differ;
// ST_FULL beyond PROFILE_ROWS_MAX; ST_NOMEM. After a failure nothing was changed.
MUST_USE enum status profile_merge(struct profile *into, const struct profile *from);

// Appends the bytes; PROFILE_PLAIN leaves the sketches out.
void profile_encode(const struct profile *p, enum profile_sketches sketches,
                    struct buf *out);

// Replaces what `p` holds by exactly `bytes`: kind, width, counts and sketches. The
// cells are then tied to a grid by its id alone; before more rows are counted on them,
// it takes profile_set_grid. On failure `p` is empty. Without sketches in the bytes it
// allocates nothing, with them at most 4 times their size and 4 KiB. Errors:
// ST_CORRUPT, ST_VERSION (written by a later Kedge), ST_UNSUPPORTED, ST_NOMEM.
MUST_USE enum status profile_decode(struct profile *p, struct span bytes);

// The same without the sketches, which are skipped and not even checked: what a judge
// needs, at a part of the price. Allocates nothing.
MUST_USE enum status profile_decode_counts(struct profile *p, struct span bytes);

enum profile_kind profile_kind(const struct profile *p);
enum grid_width profile_width(const struct profile *p);

// What follows is lent until `p` changes.
const struct counters *profile_counters(const struct profile *p);
const struct moments *profile_moments(const struct profile *p);
const struct comoments *profile_comoments(const struct profile *p);

// The counts of the cells, *n of them (0 and NULL: no grid), and the id of their grid
// (0: none). `n` may be NULL.
const uint64_t *profile_cells(const struct profile *p, uint32_t *n);
uint64_t profile_grid_id(const struct profile *p);

// The grid that was borrowed; NULL for none, and when the cells came from elsewhere.
const struct grid *profile_grid(const struct profile *p);

// Whether there are valid rows and all have the same value.
bool profile_is_constant(const struct profile *p);

// NULL where there is none.
struct quantile *profile_quantile(const struct profile *p);
const struct distinct *profile_distinct(const struct profile *p);
const struct topk *profile_topk(const struct profile *p);

#endif
