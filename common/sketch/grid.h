// Grid: the frozen cells of a baseline, in which every later window is counted exactly.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_GRID_H
#define KEDGE_COMMON_SKETCH_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define GRID_EDGES_MAX 63
#define GRID_CELLS_MAX 64
#define GRID_TOP_MAX 24    // categories with a cell of their own
#define GRID_KEPT_MAX 4096 // categories that are known, the top ones among them
#define GRID_BYTES_MAX (40u * 1024) // of one encoded grid

// The cells, in their order:
// edges       (-inf, e0] (e0, e1] ... (e_last, +inf): one more than edges.
// values      one for each known value, ascending, then `other` for all the rest.
// categories  one for each of the heaviest, then `rare` (known), then `unseen`.
enum grid_form { GRID_EDGES = 1, GRID_VALUES = 2, GRID_CATEGORIES = 3 };

// The width of the feature's own numbers. Values of the other width are counted by
// their exact real value.
enum grid_width { GRID_F32 = 4, GRID_F64 = 8 };

struct quantile;

// Immutable once made, so any number of threads and profiles may borrow one.
struct grid;

struct grid_point {
    double value;  // finite
    double weight; // rows; > 0 and finite
};

struct grid_category {
    uint64_t hash;   // keyed hash of the value
    uint64_t weight; // rows; > 0
};

// Makes the grid of `n` >= 1 weighted points in any order, which it borrows. Up to 63
// distinct values give the `values` form. Otherwise: the detector's 27 quantiles, then
// a cell for each value that holds at least 1 % of the weight, heaviest first, then the
// heaviest cells are halved at their medians until there are 63 edges. The least and
// the largest value are kept as the baseline's range. Errors: ST_RANGE (n = 0, a value
// not finite or, as GRID_F32, not a float; a weight not above 0), ST_NOMEM.
MUST_USE enum status grid_of_points(enum grid_width width,
                                    const struct grid_point *point, size_t n,
                                    struct grid **out);

// The same of `n` rows, in any order; those that are not finite are passed over.
MUST_USE enum status grid_of_rows(enum grid_width width, const double *row, size_t n,
                                  struct grid **out);

// The same of a quantile sketch (k >= 1000 is wise). `atom` are the values known to be
// heavy, with their exact rows; the sketch's own estimate for these values gives way.
MUST_USE enum status grid_of_quantile(struct quantile *q, const struct grid_point *atom,
                                      size_t n_atoms, struct grid **out);

// The grid of a ready-made histogram: 1..63 finite ascending edges and the range.
MUST_USE enum status grid_of_edges(enum grid_width width, const double *edge, size_t n,
                                   double min, double max, struct grid **out);

// The 24 heaviest become cells (ties: the smaller hash first), the next ones up to 4096
// are `rare`. n = 0 is legal: everything is unseen. Errors: ST_RANGE for a hash given
// twice, ST_NOMEM.
MUST_USE enum status grid_of_categories(const struct grid_category *category, size_t n,
                                        struct grid **out);

// NULL is fine.
void grid_close(struct grid *g);

// Appends the grid's bytes; a failure stays in `out`.
void grid_encode(const struct grid *g, struct buf *out);

// Reads exactly `bytes`; allocates at most 4 times their size and 4 KiB. Errors:
// ST_CORRUPT, ST_VERSION (written by a later Kedge), ST_NOMEM.
MUST_USE enum status grid_decode(struct span bytes, struct grid **out);

// A digest of the encoded bytes, never 0: counts of one id may be added.
uint64_t grid_id(const struct grid *g);

enum grid_form grid_form(const struct grid *g);
enum grid_width grid_width(const struct grid *g);
uint32_t grid_cells(const struct grid *g);

// The baseline's range; 0 and 0 for categories.
double grid_min(const struct grid *g);
double grid_max(const struct grid *g);

// edges: the cell's open lower and closed upper bound (infinite at the ends). values:
// both are the value, or -inf and +inf for `other`.
void grid_bounds(const struct grid *g, uint32_t cell, double *low, double *high);

// The category of the cell; 0 for `rare` and `unseen`.
uint64_t grid_category_hash(const struct grid *g, uint32_t cell);

// The cells whose growth is a tail: first and last, `other`, or `unseen`.
bool grid_is_tail(const struct grid *g, uint32_t cell);

// Whether the cell has a place in the order of values: not `other`, not a category.
bool grid_is_ranked(const struct grid *g, uint32_t cell);

// The cell of one value; `value` is finite. The hash form is for categories alone.
uint32_t grid_cell_of(const struct grid *g, double value);
uint32_t grid_cell_of_hash(const struct grid *g, uint64_t hash);

// Adds `n` values to `count`, which has grid_cells() numbers. Values are finite: the
// caller has counted the others apart. The counts are the same on every machine.
void grid_count_f32(const struct grid *g, const float *value, size_t n,
                    uint64_t *count);
void grid_count_f64(const struct grid *g, const double *value, size_t n,
                    uint64_t *count);
void grid_count_hash(const struct grid *g, const uint64_t *hash, size_t n,
                     uint64_t *count);

#endif
