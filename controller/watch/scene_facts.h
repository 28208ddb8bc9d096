// Scene facts: where each model runs, and what its hosts are labelled with.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SCENE_FACTS_H
#define KEDGE_CONTROLLER_WATCH_SCENE_FACTS_H

#include "controller/log/shelf.h"
#include "controller/watch/blame_case.h"

// Adds the facts of every model of the case that had windows since `since_ns`: its
// hosts, their labels ("rack=r2"), the version and the digest that they serve. Labels
// are those that the host enrolled with. Errors: the shelf's, ST_NOMEM.
MUST_USE enum status scene_facts(struct shelf *s, uint64_t since_ns,
                                 struct blame_case *c);

#endif
