// Audit: every change leaves a leaf in the same transaction, chained to the one before.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_AUDIT_H
#define KEDGE_CONTROLLER_LOG_AUDIT_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

#define AUDIT_DETAIL_MAX 4096u

enum audit_actor { AUDIT_SYSTEM, AUDIT_USER, AUDIT_AGENT, AUDIT_TOKEN };

struct audit_change {
    enum audit_actor kind;
    struct span actor;  // a name, or an id in hex; empty for the system
    const char *event;  // "baseline.seal", "plan.canary": see the table in audit.c
    struct span object; // what changed: a model, a plan, an agent
    struct span before, after; // the record's bytes; hashed, not kept; may be empty
    struct span detail;        // text for people, cut at AUDIT_DETAIL_MAX
};

// Appends the leaf. The moment's time and place become part of it. Errors: the shelf's.
MUST_USE enum status audit_append(struct shelf *s, const struct fold_moment *now,
                                  const struct audit_change *change);

// What a check of the whole chain found.
struct audit_report {
    uint64_t leaves;
    uint64_t first_bad; // UINT64_MAX: none
    uint8_t head[32];   // hash of the last leaf
    const char *what;   // "intact", or what is broken at first_bad
};

// Recomputes every leaf's hash and link, the numbering and the order of time.
MUST_USE enum status audit_verify(struct shelf *s, struct audit_report *out);

#endif
