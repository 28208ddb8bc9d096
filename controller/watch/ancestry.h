// Ancestry: what feeds a model, near things first, by the lineage of a time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_ANCESTRY_H
#define KEDGE_CONTROLLER_WATCH_ANCESTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"

#define ANCESTRY_MAX 1024u // ancestors that are looked at

struct ancestor {
    struct span name; // lent until the next call
    uint32_t hops;
    bool is_model;
    bool is_direct; // no model lies between
};

// Keeps the lineage in force as a graph; reads it anew when another one was imported.
struct ancestry;
MUST_USE enum status ancestry_open(struct ancestry **out); // ST_NOMEM
void ancestry_close(struct ancestry *a);                   // NULL is fine
void ancestry_drop(struct ancestry *a);                    // forgets what it keeps

// What feeds `name` at `at_ns`: at most ANCESTRY_MAX, nearest first, in the order of
// the text. None when there is no lineage or it does not know the name. Errors: the
// shelf's, ST_NOMEM.
MUST_USE enum status ancestry_of(struct ancestry *a, struct shelf *s, struct span name,
                                 uint64_t at_ns, const struct ancestor **out,
                                 uint32_t *count);

#endif
