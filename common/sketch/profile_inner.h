// Profile, inside: the struct that its counting and its bytes share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_PROFILE_INNER_H
#define KEDGE_COMMON_SKETCH_PROFILE_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/sketch/profile.h"
#include "common/sketch/quantile.h"
#include "common/sketch/scan.h"

struct profile {
    enum profile_kind kind;
    enum grid_width width;
    uint32_t k;
    uint64_t seed;
    const struct grid *grid; // borrowed; NULL with cells when these came from bytes
    uint64_t grid_id;        // 0: no cells
    uint32_t cells;
    uint64_t cell[GRID_CELLS_MAX];
    struct counters counters;
    struct moments moments;
    struct comoments comoments;
    struct scan_run run; // numbers; its longest is the counters'
    uint64_t lone;       // categories: the first value's hash
    bool is_varied;      // categories: there was another one
    uint64_t run_hash;   // categories: the sequence under way
    uint64_t run_length;
    struct quantile *quantile;
    struct distinct *distinct;
    struct topk *topk;
};

// Empties it, sketches too, and forgets the grid.
void profile_blank(struct profile *p);

#endif
