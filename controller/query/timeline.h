// Timeline: change events and the leaves of the audit log, on one line of time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_QUERY_TIMELINE_H
#define KEDGE_CONTROLLER_QUERY_TIMELINE_H

#include "controller/query/inside.h"

// Lent for the call. `object` is the model of an event, the object of a leaf.
struct timeline_row {
    uint64_t at_ns;
    const char *source; // "event" or "audit"
    struct span kind, object, version, host, actor, text;
};

// Rows in [from_ns, until_ns] that are wanted. An event counts by its own time, a leaf
// by when it was written. `wants` NULL: all.
struct timeline {
    uint64_t from_ns, until_ns;
    bool (*wants)(const struct timeline_row *row, void *with);
    void *with;
};

// Writes them as a list under `key`.
MUST_USE enum status timeline_write(struct call *c, const char *key,
                                    const struct timeline *t);

#endif
