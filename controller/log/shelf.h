// Shelf: the ordered tables of the store, as the fold sees them in one transaction.
//
// Two drivers keep a shelf: controller/store (an LMDB transaction) and log/memory.h
// (sorted memory, for replay and tests). Both give the same order, the same limits and
// the same answers, so a fold cannot tell them apart.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_SHELF_H
#define KEDGE_CONTROLLER_LOG_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define SHELF_KEY_MAX 400u          // bytes of a key (1 at least)
#define SHELF_VALUE_MAX (16u << 20) // bytes of a value

// The layout of each table stands in keys.h. The order is stored: only add at the end.
enum shelf_table {
    SHELF_META,
    SHELF_LOG,
    SHELF_WINDOW,
    SHELF_STATE,
    SHELF_CATALOG,
    SHELF_AGENT,
    SHELF_ALERT,
    SHELF_PLAN,
    SHELF_EVENT,
    SHELF_AUDIT,
    SHELF_COMPONENT,
    SHELF_COUNT
};

struct shelf_key {
    uint16_t size;
    uint8_t bytes[SHELF_KEY_MAX];
};

// What a driver offers. Keys are ordered byte by byte, a shorter one before its
// extension. Spans that come out are lent until the next put or del on the shelf, or
// its end. Errors: ST_RANGE (key or value beyond the limits), ST_NOTFOUND, ST_DENIED (a
// put on a read-only shelf), ST_FULL, ST_IO, ST_NOMEM. After ST_FULL, ST_IO or ST_NOMEM
// the shelf is broken: every later call repeats the failure, and nothing of it will be
// kept.
struct shelf {
    void *self;
    enum status (*get)(void *self, enum shelf_table table, struct span key,
                       struct span *value);
    enum status (*put)(void *self, enum shelf_table table, struct span key,
                       struct span value);
    enum status (*del)(void *self, enum shelf_table table, struct span key);
    // The first key that is >= `from`, and the last that is <= `from`.
    enum status (*seek)(void *self, enum shelf_table table, struct span from,
                        struct span *key, struct span *value);
    enum status (*seek_down)(void *self, enum shelf_table table, struct span from,
                             struct span *key, struct span *value);
};

MUST_USE enum status shelf_get(struct shelf *s, enum shelf_table table,
                               const struct shelf_key *key, struct span *value);
MUST_USE enum status shelf_put(struct shelf *s, enum shelf_table table,
                               const struct shelf_key *key, struct span value);
// ST_NOTFOUND when there is none.
MUST_USE enum status shelf_del(struct shelf *s, enum shelf_table table,
                               const struct shelf_key *key);

// Builds a key piece by piece; a piece beyond SHELF_KEY_MAX makes the key unusable
// (size 0), which every driver refuses with ST_RANGE.
struct shelf_key shelf_key_of(char tag);
void shelf_key_u8(struct shelf_key *k, uint8_t v);
void shelf_key_be32(struct shelf_key *k, uint32_t v);
void shelf_key_be64(struct shelf_key *k, uint64_t v);
void shelf_key_bytes(struct shelf_key *k, struct span bytes);
struct span shelf_key_span(const struct shelf_key *k); // lends

// Walks the keys that begin with a prefix, upwards. Changes in between are fine: the
// walk goes on behind the last key that it gave.
struct shelf_walk {
    struct shelf *shelf;
    enum shelf_table table;
    uint16_t prefix; // bytes of `at` that every key must share
    bool is_begun;
    struct shelf_key at;
};
void shelf_walk_init(struct shelf_walk *w, struct shelf *s, enum shelf_table table,
                     const struct shelf_key *prefix);
// ST_EMPTY at the end. `key` and `value` are lent as by the shelf; either may be NULL.
MUST_USE enum status shelf_walk_next(struct shelf_walk *w, struct span *key,
                                     struct span *value);

// The last key that begins with `prefix`. ST_NOTFOUND when there is none.
MUST_USE enum status shelf_last(struct shelf *s, enum shelf_table table,
                                const struct shelf_key *prefix, struct span *key,
                                struct span *value);

// Counts up a number kept in SHELF_META under `name`; the first is 1.
MUST_USE enum status shelf_next_number(struct shelf *s, const char *name,
                                       uint64_t *out);

#endif
