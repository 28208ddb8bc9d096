// Sealed: how a baseline lies in memory. For the files of this room alone.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_SEALED_H
#define KEDGE_COMMON_DRIFT_SEALED_H

#include "common/drift/baseline.h"

#define SEALED_SCALARS_MAX 64

struct baseline {
    uint64_t rows;
    uint64_t window_ns;
    uint64_t start, end;
    uint32_t windows;
    uint8_t performance;
    uint8_t source[BASELINE_DIGEST];
    uint8_t key[BASELINE_KEY];
    uint32_t features;
    uint32_t scalars;
    struct baseline_feature *feature;
    struct baseline_scalar *scalar;
};

// Fills scores and what else follows from grid, total and `tail_share` (negative: from
// the counts). A feature without a grid has no scores. ST_CORRUPT when total was not
// counted on the grid.
MUST_USE enum status sealed_derive(struct baseline_feature *f, double tail_share);

// How a grid's cells are scored.
enum component_shape sealed_shape(const struct grid *g);

// Rows of a profile as counts: what cannot be used as a value (null, NaN, infinite, of
// another type) is missing. False without a grid.
bool sealed_counts(const struct profile *p, struct component_counts *out);

// atanh of the feature's correlation with the prediction and the variance it has over
// independent rows. False with too few pairs, or when one side does not vary.
bool sealed_contribution(const struct profile *p, double *out, double *variance);

// Whether at least 99 % of the rows have no value.
bool sealed_is_dead(const struct component_counts *c, uint64_t valid);

// Whether all rows hold one value, and a number that names it.
bool sealed_is_constant(const struct profile *p, double *value);

#endif
