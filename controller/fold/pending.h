// Pending: a window that waits until all its hosts have reported, and what is merged.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_PENDING_H
#define KEDGE_CONTROLLER_FOLD_PENDING_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "proto/codec.h"
#include "proto/messages/window.h"

// The value of key_pending and key_carry: these figures, then kedge.window.v1 with a
// boot of zeros. Profiles in it are complete; rows are those of all hosts.
struct pending {
    uint32_t hosts;
    uint64_t arrived_ns; // fold time of the first part
    uint64_t late_rows;  // of rows, those that belong to an earlier window
    struct window window;
    struct span message; // the window's bytes
};

// The value at `key`, its lists from `pool` and its bytes copied there. ST_NOTFOUND.
MUST_USE enum status pending_get(struct shelf *s, const struct shelf_key *key,
                                 struct pool *pool, struct pending *out);

// When the first part of what waits at `key` arrived, without reading the rest.
MUST_USE enum status pending_arrived(struct shelf *s, const struct shelf_key *key,
                                     uint64_t *arrived_ns);

// Adds one host's part to what waits at `key`, or starts it. `salt` makes the coins of
// merged sketches: take it from the entry's place. *unmerged counts features whose
// cells lie on another grid than the others'; the first one stays.
struct pending_part {
    const struct window *window; // one host's, or what was carried over
    uint32_t hosts;              // that it stands for: 0 when the host is in already
    uint64_t late_rows;
    uint64_t now_ns;
    uint64_t salt;
};
MUST_USE enum status pending_add(struct shelf *s, const struct shelf_key *key,
                                 const struct pending_part *part, struct pool *pool,
                                 uint64_t *unmerged);

// A profile whose counts were read already; a sketch in it that breaks its format is
// left out, so that no host can spoil what others have counted. ST_CORRUPT, ST_NOMEM.
struct profile;
MUST_USE enum status pending_decode(struct profile *p, struct span bytes);

// Merges two encoded profiles into `out` (appends). ST_CONFLICT: they do not fit.
MUST_USE enum status pending_merge(struct span into, struct span from, uint8_t kind,
                                   uint64_t salt, struct buf *out);

#endif
