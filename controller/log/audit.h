// Audit: every change leaves a leaf in the same transaction, under one Merkle tree.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_AUDIT_H
#define KEDGE_CONTROLLER_LOG_AUDIT_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "common/trust/chain.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

#define AUDIT_DETAIL_MAX 4096u

struct audit_change {
    uint8_t actor_kind;        // enum actor_kind of proto/messages/record.h
    struct span actor;         // a name, or an id in hex; empty for the system
    struct span from;          // network address; may be empty
    const char *event;         // "baseline.seal", "plan.canary"
    struct span object;        // what changed: a model, a plan, an agent
    struct span before, after; // the record's bytes, of which only the SHA-256 is kept;
                               // may be empty
    struct span detail;        // text for people, cut at AUDIT_DETAIL_MAX
};

// Appends the leaf. The moment's time and place become part of it. Errors: the shelf's.
MUST_USE enum status audit_append(struct shelf *s, const struct fold_moment *now,
                                  const struct audit_change *change);

// How many leaves there are, and the root of the tree over them.
MUST_USE enum status audit_head(struct shelf *s, uint64_t *leaves, uint8_t root[32]);

// The root of the first `leaves`, and the bytes of one leaf, lent until the next change
// of the shelf. ST_RANGE: there are not so many leaves.
MUST_USE enum status audit_root(struct shelf *s, uint64_t leaves, uint8_t root[32]);
MUST_USE enum status audit_leaf(struct shelf *s, uint64_t number, struct span *bytes);

// The proof that leaf `number` lies in the tree over the first `leaves`: CHAIN_PATH_MAX
// hashes of 32 bytes at most. ST_RANGE.
MUST_USE enum status audit_proof(struct shelf *s, uint64_t number, uint64_t leaves,
                                 struct chain_hash *path, uint32_t *paths);

// What a check of everything found.
struct audit_report {
    uint64_t leaves;
    uint64_t first_bad;  // UINT64_MAX: none, the log is intact
    uint8_t root[32];    // recomputed from the leaves
    const char *trouble; // NULL, or what is wrong with first_bad
};

// Recomputes every leaf's hash and every hash above them, the numbering and the order
// of time. ST_OK whatever it finds; other statuses are the shelf's.
MUST_USE enum status audit_verify(struct shelf *s, struct audit_report *out);

#endif
