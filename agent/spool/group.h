// Group: the operations that go into one record of the reel, as bytes and back.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_GROUP_H
#define KEDGE_AGENT_SPOOL_GROUP_H

#include <stdint.h>

#include "agent/spool/reel.h"
#include "agent/spool/stock.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

enum group_op {
    GROUP_ENTRY = 1, // an entry, with all that it carries
    GROUP_GONE = 2,  // confirmed, or merged into another one
    GROUP_STATE = 3, // a named state
};

void group_put_entry(struct buf *out, const struct stock_entry *e, struct span body,
                     struct span sigs);
void group_put_gone(struct buf *out, const uint8_t boot[16], uint64_t seq);
void group_put_state(struct buf *out, struct span key, struct span value);

// Carries out a group that stands in the reel at `at`. ST_CORRUPT: nothing or a part
// of it was done; ST_NOMEM.
MUST_USE enum status group_apply(struct stock *s, struct place at, struct span payload,
                                 struct pool *pool);

#endif
