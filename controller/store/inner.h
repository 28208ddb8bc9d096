// Inner: what the files of the store share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_STORE_INNER_H
#define KEDGE_CONTROLLER_STORE_INNER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include "controller/store/store.h"

// The reader that pins the oldest state.
struct store_oldest {
    unsigned long pid, txn; // pid 0: there is none
    uint64_t since_ns;
    bool is_told;
};

struct store {
    char folder[PATH_MAX];
    struct store_oldest oldest;
    uint64_t map_bytes;
    enum store_access access;
    MDB_env *env; // NULL while it could not be opened again after a failure
    MDB_dbi table[SHELF_COUNT];
    MDB_dbi own;   // of the store itself: nothing that is folded
    uint32_t open; // transactions
    bool must_reopen;
    uint32_t make_room; // small commits that must go before the next ones
};

struct store_txn {
    struct store *store;
    struct shelf shelf;
    MDB_txn *txn;
    MDB_cursor *cursor[SHELF_COUNT]; // opened when first sought
    enum store_access access;
    enum status broken;
    uint64_t since_ns;
};

// What LMDB's answer means to us, and the same with a line in the log.
enum status store_status_of(int rc);
enum status store_tell(const struct store *s, const char *what, int rc);

#endif
