// Merge: puts neighbouring windows of one model and version into one, to the unit.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_MERGE_H
#define KEDGE_AGENT_SPOOL_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/spool/stock.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define MERGE_RUN_MAX 128    // entries
#define MERGE_WINDOWS_MAX 16 // that they may be

// Entries of the stock, ascending, all windows of one model and version, each with all
// of its parts.
struct merge_run {
    size_t at[MERGE_RUN_MAX];
    uint32_t n;
    uint32_t windows;
    uint32_t first; // entries of the first two windows
};

// Chooses the oldest run of at least two windows of `model` behind (start, seq) that
// fall into the same ten windows, else the same hour's worth (sixty), day's worth
// (1,440), or into one at all. ST_EMPTY when there is none.
MUST_USE enum status merge_choose(const struct stock *s, const char *model,
                                  uint64_t start, uint64_t seq, struct merge_run *out);

// What becomes of a run: bodies for its last entries, whose numbers they bear.
struct merge_result {
    struct buf bytes;
    size_t at[MERGE_RUN_MAX];
    size_t size[MERGE_RUN_MAX];
    uint32_t parts;
};
void merge_init(struct merge_result *r);
void merge_fini(struct merge_result *r);

// The sum of windows: their bodies in the order of time. Counts add, the span grows
// over all, the flag "merged" is set; a wide one is in parts again. Sketches go where
// the cells of a grid remain, once the sum would be larger than MERGE_BYTES.
// ST_CONFLICT when two of them were counted on different grids, ST_CORRUPT, ST_FULL
// (too large, or more parts than bodies), ST_NOMEM.
#define MERGE_BYTES (32u << 10)
MUST_USE enum status merge_bodies(const struct span *body, uint32_t bodies,
                                  struct merge_result *out);

#endif
