// Grid, inside: what its four sources share, and no one else sees.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_GRID_INNER_H
#define KEDGE_COMMON_SKETCH_GRID_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/sketch/grid.h"

// Edges are padded with +inf, which is below no value: so all searches run over 64.
#define GRID_PADDED 64
#define GRID_ALIGNMENT 64 // of the edges: a vector of them must not straddle two lines

// A bucket holds the hashes with the same top bits, about one of them.
struct grid_categories {
    uint32_t top;                    // cells of their own
    uint32_t kept;                   // all known, top included
    uint64_t top_hash[GRID_TOP_MAX]; // in the order of cells
    uint64_t *hash;                  // kept ones, ascending
    uint8_t *cell;                   // of each
    uint16_t *bucket;                // start of each bucket in hash, and the end
    unsigned shift;                  // hash >> shift is the bucket
};

// What becomes of the edges when they are rounded to the nearest floats.
enum grid_rounding {
    ROUNDING_APART, // they stay apart
    ROUNDING_PAIRS, // at most two become the same
    ROUNDING_JOINS, // more do
};

struct grid {
    uint64_t id;
    enum grid_form form;
    enum grid_width width;
    uint32_t cells;
    uint32_t edges; // edges or values in use
    enum grid_rounding rounding;
    double min;
    double max;
    // GRID_PADDED each, aligned, in room.
    double *edge;
    float *edge_down; // the largest float not above: a float x is above both or neither
    float *edge_near; // the nearest float
    struct grid_categories known;
    uint8_t room[GRID_PADDED * (sizeof(double) + 2 * sizeof(float)) + GRID_ALIGNMENT];
};

// Makes a grid of checked parts. `edge`: n ascending numbers of this width. Sets the
// id.
MUST_USE enum status grid_make(enum grid_form form, enum grid_width width,
                               const double *edge, size_t n, double min, double max,
                               struct grid **out);

// `top` hashes in the order of cells, then the others ascending; none twice (ST_RANGE).
MUST_USE enum status grid_make_categories(const uint64_t *hash, uint32_t top,
                                          uint32_t kept, struct grid **out);

#endif
