// Memory: a shelf in sorted memory, for replay, tests and the rebuild check.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_MEMORY_H
#define KEDGE_CONTROLLER_LOG_MEMORY_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

struct memory;

// At most `limit_bytes` of keys and values in all; a put beyond gives ST_FULL.
// ST_NOMEM.
MUST_USE enum status memory_open(uint64_t limit_bytes, struct memory **out);
void memory_close(struct memory *m);

// The shelf over it. Lends; valid until memory_close.
struct shelf *memory_shelf(struct memory *m);

// As a transaction: all puts and dels since memory_begin are undone by memory_abort.
// One level; to begin twice is a programmer's error. A commit after a put that failed
// gives that failure and aborts.
void memory_begin(struct memory *m);
MUST_USE enum status memory_commit(struct memory *m);
void memory_abort(struct memory *m);

#endif
