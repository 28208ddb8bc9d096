// Rival: the window that another version of the model had at the same time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_RIVAL_H
#define KEDGE_CONTROLLER_WATCH_RIVAL_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/window.h"
#include "controller/log/shelf.h"

struct rival;

MUST_USE enum status rival_open(struct rival **out); // ST_NOMEM
void rival_close(struct rival *r);                   // NULL is fine

// The version's judged window of exactly [start_ns, end_ns), from the store. Lent until
// the next call. ST_NOTFOUND: it had none (yet), or one without rows.
MUST_USE enum status rival_window(struct rival *r, struct shelf *s, uint32_t model,
                                  uint32_t version, uint64_t start_ns, uint64_t end_ns,
                                  struct drift_window *out);

#endif
