// Yardstick: the grids of a sealed baseline, by which windows are counted.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_YARDSTICK_H
#define KEDGE_AGENT_MODEL_YARDSTICK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "common/sketch/grid.h"
#include "proto/messages/reference.h"

#define YARDSTICK_VERSIONS_MAX 8

// One baseline. Windows that were opened under it hold on to it until they are sealed,
// so it never changes under an open window: comparing a window with a reference that
// moved under it would call a deployment drift.
struct yardstick;

// Decodes the body of kedge.reference.v1. ST_CORRUPT, ST_VERSION, ST_NOMEM.
MUST_USE enum status yardstick_open(struct span body, struct yardstick **out);
struct yardstick *yardstick_hold(struct yardstick *y); // NULL is fine
void yardstick_drop(struct yardstick *y);              // the last holder frees it

struct span yardstick_model(const struct yardstick *y);
struct span yardstick_version(const struct yardstick *y);
struct span yardstick_body(const struct yardstick *y);      // as it came, to be kept
const uint8_t *yardstick_digest(const struct yardstick *y); // 32 bytes, of the baseline
const uint8_t *yardstick_key(const struct yardstick *y);    // 16, for categories
uint64_t yardstick_window_ns(const struct yardstick *y);
uint32_t yardstick_sketch_every(const struct yardstick *y); // 0: never

// The cells of one feature, NULL when the baseline has none for it. *found (untouched
// otherwise) is what the baseline says about it, lent as long as the yardstick is held.
const struct grid *yardstick_grid(const struct yardstick *y, struct span feature,
                                  uint8_t role, const struct reference_feature **found);

// The baselines of one model. Its newest one also serves the versions that have none:
// they are counted on the cells of the version before, as a deploy watch needs it.
struct yardstick_shelf {
    struct yardstick *item[YARDSTICK_VERSIONS_MAX]; // the newest last
    uint32_t n;
};

// Takes `y`. The same version's older one goes; over YARDSTICK_VERSIONS_MAX the oldest.
void yardstick_shelf_put(struct yardstick_shelf *s, struct yardstick *y);
void yardstick_shelf_fini(struct yardstick_shelf *s);

// Lends the one to count `version` by; NULL when there is none at all.
struct yardstick *yardstick_shelf_for(const struct yardstick_shelf *s,
                                      struct span version);

#endif
