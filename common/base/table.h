// Table: a bounded hash table from byte keys to pointers.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_TABLE_H
#define KEDGE_COMMON_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

struct table;

// At most `limit` entries. Keys are copied and hashed with a secret seed, so that no
// sender can prepare collisions. Errors: ST_NOMEM.
MUST_USE enum status table_open(size_t limit, struct table **out);

// Calls `drop` (may be NULL) on each value.
void table_close(struct table *t, void (*drop)(void *value));

// Borrows the key. NULL when it is not there.
void *table_get(const struct table *t, struct span key);

// Replaces nothing: ST_EXISTS when the key is there, ST_FULL at the limit, ST_NOMEM.
MUST_USE enum status table_put(struct table *t, struct span key, void *value);

// Gives the value back, or NULL.
void *table_take(struct table *t, struct span key);

size_t table_len(const struct table *t);

// Walks all entries in the order of insertion (removals may move the last one forward).
// Start with *at = 0; false at the end. `key` may be NULL; lent until the next change.
bool table_next(const struct table *t, size_t *at, struct span *key, void **value);

#endif
