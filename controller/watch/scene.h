// Scene: the case of an incident, put together from what the store keeps.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SCENE_H
#define KEDGE_CONTROLLER_WATCH_SCENE_H

#include <stdint.h>

#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "controller/watch/blame_case.h"

#define SCENE_BEFORE 60u // windows before the search: what is usual

// What was asked. One of `kpi` (a signal's or endpoint's name) and `model` is given.
struct scene_ask {
    struct span kpi, model;
    uint64_t at_ns; // when it was noticed; 0: now, the end of the newest window
};

// Builds and seals the case from pulses, lineage, events and the KPI's own points.
// ST_NOTFOUND: nothing by that name, or no windows yet (`*why` says which). ST_RANGE:
// too few windows before that time. ST_FULL, ST_NOMEM, ST_CORRUPT, the shelf's.
MUST_USE enum status scene_build(struct shelf *s, const struct scene_ask *q,
                                 struct blame_case *out, const char **why);

// Builds, blames, and writes the members of the answer. As scene_build.
MUST_USE enum status scene_answer(struct shelf *s, const struct scene_ask *q,
                                  struct json *j, const char **why);

#endif
