// Chain: an append-only log that cannot be changed unnoticed: a Merkle tree over
// leaves.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_TRUST_CHAIN_H
#define KEDGE_COMMON_TRUST_CHAIN_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define CHAIN_HASH_BYTES 32
#define CHAIN_PATH_MAX 64 // hashes of a proof
#define CHAIN_LEVELS_MAX 64

struct chain_hash {
    uint8_t byte[CHAIN_HASH_BYTES];
};

// Where the hashes lie: level 0 are leaves; (level, index) is the full subtree over
// leaves [index << level, (index + 1) << level). Only full subtrees are stored, so
// nothing is ever rewritten. get: ST_NOTFOUND when it is not there.
struct chain_store {
    void *self;
    enum status (*get)(void *self, uint8_t level, uint64_t index,
                       struct chain_hash *out);
    enum status (*put)(void *self, uint8_t level, uint64_t index,
                       const struct chain_hash *hash);
};

// SHA-256(0x00 || bytes), and SHA-256(0x01 || left || right). Source: RFC 6962, 2.1.
MUST_USE enum status chain_leaf(struct span bytes, struct chain_hash *out);
MUST_USE enum status chain_node(const struct chain_hash *left,
                                const struct chain_hash *right, struct chain_hash *out);

// Adds leaf number `size` to a tree of `size` leaves: puts its hash and each subtree
// that it completes. At most 64 puts, on average 2.
MUST_USE enum status chain_append(const struct chain_store *s, uint64_t size,
                                  const struct chain_hash *leaf);

// The root of the first `size` leaves; of none, SHA-256 of nothing.
MUST_USE enum status chain_root(const struct chain_store *s, uint64_t size,
                                struct chain_hash *out);

// Proofs, from the leaf up. `path` has CHAIN_PATH_MAX places. ST_RANGE unless
// index < size, old <= size.
MUST_USE enum status chain_inclusion(const struct chain_store *s, uint64_t index,
                                     uint64_t size, struct chain_hash *path,
                                     uint32_t *paths);
MUST_USE enum status chain_consistency(const struct chain_store *s, uint64_t old,
                                       uint64_t size, struct chain_hash *path,
                                       uint32_t *paths);

// ST_OK, or ST_DENIED when the proof does not hold.
MUST_USE enum status chain_check_inclusion(const struct chain_hash *leaf,
                                           uint64_t index, uint64_t size,
                                           const struct chain_hash *path,
                                           uint32_t paths,
                                           const struct chain_hash *root);
MUST_USE enum status
chain_check_consistency(uint64_t old, const struct chain_hash *old_root, uint64_t size,
                        const struct chain_hash *root, const struct chain_hash *path,
                        uint32_t paths);

// Computes a root from leaves alone, without a store, in 64 hashes of memory.
struct chain_walk {
    uint64_t size;
    struct chain_hash edge[CHAIN_LEVELS_MAX]; // full subtrees of the right edge
};
void chain_walk_init(struct chain_walk *w);
MUST_USE enum status chain_walk_add(struct chain_walk *w,
                                    const struct chain_hash *leaf);
MUST_USE enum status chain_walk_root(const struct chain_walk *w,
                                     struct chain_hash *out);

// Recomputes the first `size` leaves from their bytes, and every stored hash above
// them. `leaf` lends the bytes of leaf number `index`. ST_OK: intact, and *root is
// theirs. ST_DENIED: *broken is the first leaf that is missing or does not agree with
// the hashes kept for it. O(size).
typedef enum status chain_leaf_fn(void *keep, uint64_t index, struct span *bytes);
MUST_USE enum status chain_verify(const struct chain_store *s, uint64_t size,
                                  chain_leaf_fn *leaf, void *keep,
                                  struct chain_hash *root, uint64_t *broken);

#endif
