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

#define MERGE_RUN_MAX 16

// Entries of the stock, ascending, all windows of one model and version.
struct merge_run {
    size_t at[MERGE_RUN_MAX];
    uint32_t n;
};

// Chooses the oldest run of at least two windows of `model` behind (start, seq) that
// fall into the same ten windows, else the same hour's worth (sixty), day's worth
// (1,440), or into one at all. ST_EMPTY when there is none.
MUST_USE enum status merge_choose(const struct stock *s, const char *model,
                                  uint64_t start, uint64_t seq, struct merge_run *out);

// The sum of windows: their bodies in the order of time, the number of the last one.
// Counts add, the span grows over all, the flag "merged" is set. Sketches go where the
// cells of a grid remain, once the sum would be larger than MERGE_BYTES. ST_CONFLICT
// when two of them were counted on different grids, ST_CORRUPT, ST_FULL (too large),
// ST_NOMEM.
#define MERGE_BYTES (32u << 10)
MUST_USE enum status merge_bodies(const struct span *body, uint32_t bodies,
                                  struct buf *out);

#endif
