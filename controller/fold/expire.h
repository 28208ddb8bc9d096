// Expire: what is older than the retention goes, a little with everything that comes.
//
// The age of a window is counted in the time of its model: from the end of the model's
// newest judged window, and on from there while the model is silent. So a year of
// history that is reported in an hour keeps its last days, not none.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_EXPIRE_H
#define KEDGE_CONTROLLER_FOLD_EXPIRE_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/fold/inside.h"
#include "controller/fold/rollup.h"

// A merged window of the series, [start_ns, end_ns), was stored at `key`: makes what
// became due, and drops what became old.
MUST_USE enum status expire_merged(struct fold *f, struct shelf *s,
                                   const struct rollup_series *r,
                                   const struct shelf_key *key, uint64_t start_ns,
                                   uint64_t end_ns);

// A host's window was stored in `series`. Of what it replaces, only what is merged and
// rolled up goes.
MUST_USE enum status expire_host(struct fold *f, struct shelf *s,
                                 const struct rollup_series *host, uint64_t start_ns,
                                 uint64_t end_ns);

// Time has passed: looks after the next few series, so that those of silent models are
// rolled up and expire as well. At most `most` values are dropped.
MUST_USE enum status expire_sweep(struct fold *f, struct shelf *s, uint32_t series,
                                  uint32_t most);

// What a tick sweeps, and a squeeze.
#define EXPIRE_TICK_SERIES 32u
#define EXPIRE_TICK_MOST 128u
#define EXPIRE_SQUEEZED_SERIES 1024u
#define EXPIRE_SQUEEZED_MOST 1024u

// The operators' spans, and the quota's squeeze.
struct order_of;
MUST_USE enum status expire_command_retention(const struct order_of *o);
MUST_USE enum status expire_command_squeeze(const struct order_of *o);

#endif
