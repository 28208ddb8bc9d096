// Store: the tables on disk, in one LMDB environment. The only room that sees lmdb.h.
//
// Every commit is synced before it returns. A transaction that fails leaves no trace; a
// full or broken disk never breaks what is stored already.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_STORE_STORE_H
#define KEDGE_CONTROLLER_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

#define STORE_MAP_BYTES (UINT64_C(1) << 40) // 1 TiB: sparse, costs nothing
#define STORE_READERS 126u
#define STORE_SCHEMA 2u // of all tables together; stored, checked when opened
// A read transaction that lasts longer pins pages and makes the file grow.
#define STORE_READ_NS_MAX UINT64_C(100000000)

struct store;
struct store_txn;

enum store_access { STORE_READ_WRITE, STORE_READ_ONLY };

struct store_options {
    const char *folder; // made (0700) when it is not there, unless read-only
    uint64_t map_bytes; // 0 = STORE_MAP_BYTES; less where address space is limited
    enum store_access access;
};

// One process opens a folder once. ST_IO, ST_NOMEM, ST_NOTFOUND (read-only and nothing
// there), ST_VERSION (written by a later Kedge; or by an earlier one and opened
// read-only: what may write brings it up to date), ST_CORRUPT.
MUST_USE enum status store_open(const struct store_options *o, struct store **out);

// No transaction may be open. NULL is fine.
void store_close(struct store *s);

// Begins. At most one writing transaction at a time, and it belongs to its thread; any
// number of reading ones up to STORE_READERS. ST_IO, ST_NOMEM, ST_FULL (readers).
MUST_USE enum status store_begin(struct store *s, enum store_access access,
                                 struct store_txn **out);

// The shelf of a transaction; lent until it ends.
struct shelf *store_shelf(struct store_txn *t);

// Ends it in any case. A commit that fails has changed nothing: ST_FULL (disk or map is
// full), ST_IO.
MUST_USE enum status store_commit(struct store_txn *t);
void store_abort(struct store_txn *t);

// How full it is.
struct store_size {
    uint64_t file_bytes; // of the data file
    uint64_t used_bytes; // of them in use; the rest is free for reuse
    uint64_t map_bytes;
    uint64_t disk_free_bytes;
    uint64_t disk_bytes;
    uint64_t entries[SHELF_COUNT];
};
MUST_USE enum status store_measure(struct store *s, struct store_size *out);

// Frees the places of readers whose process died. How many.
int store_clear_readers(struct store *s);

// The watchdog of readers, called each second or so by who writes, with the monotonic
// time: clears the dead, and
// tells of one, in whatever process, that has pinned the same old state for
// STORE_READ_TOLD_NS: the file grows by all that is written meanwhile. How many such
// there are.
#define STORE_READ_TOLD_NS UINT64_C(10000000000)
uint32_t store_watch(struct store *s, uint64_t now_ns);

// A consistent copy into `folder` (made; must hold no store yet), while others write.
// Compact: without free pages, slower. ST_EXISTS, ST_IO, ST_FULL.
enum store_copy { STORE_COPY_PLAIN, STORE_COPY_COMPACT };
MUST_USE enum status store_copy_to(struct store *s, const char *folder,
                                   enum store_copy how);

#endif
