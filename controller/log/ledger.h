// Ledger: a tape's rows inside a shelf. What the embedded and the memory driver share.
//
// SHELF_LOG holds a row for each entry: its kind, its time, and either its body or the
// place where the fold put it. SHELF_META holds each partition's head.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_LEDGER_H
#define KEDGE_CONTROLLER_LOG_LEDGER_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "controller/log/tape.h"

// Where a partition stands.
struct ledger_head {
    struct tape_pos last;
    uint64_t oldest; // sequence of the first entry that can still be read
};

// Refuses (ST_RANGE) an append that breaks the contract's limits.
MUST_USE enum status ledger_check(const struct tape_append *a, uint32_t partitions);

// Appends and folds, inside the caller's transaction. Any failure: abort it. With a
// fold, rows older than the raw retention (retention.h) go.
MUST_USE enum status ledger_append(struct shelf *s, const struct tape_fold *fold,
                                   const struct tape_append *a, struct tape_pos *last);

MUST_USE enum status ledger_head(struct shelf *s, uint32_t partition,
                                 struct ledger_head *out);

// Hands out at most `limit` entries behind `after`, and moves `after` along. ST_EMPTY
// when there are no more; ST_CLOSED when the reader wants none; else as
// tape_driver.read.
MUST_USE enum status ledger_read(struct shelf *s, uint32_t partition,
                                 struct tape_pos *after, struct tape_reader *each,
                                 uint32_t limit);

// Deletes at most `limit` rows up to and with `upto`. ST_AGAIN when more are left.
MUST_USE enum status ledger_trim(struct shelf *s, uint32_t partition,
                                 struct tape_pos upto, uint32_t limit);

#endif
