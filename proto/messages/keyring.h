// Keyring: which keys speak for a fleet, and for what; signed by its roots.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_KEYRING_H
#define KEDGE_PROTO_MESSAGES_KEYRING_H

#include <stdint.h>

#include "proto/codec.h"
#include "proto/messages/signature.h"

#define KEYRING_TYPE "kedge.keyring.v1"
#define KEYRING_BYTES_MAX (16u * 1024u)
#define KEYRING_ROOTS_MAX 8
#define KEYRING_KEYS_MAX 32

// A transport key of the controllers. role: "agent", "enrol" or "op".
struct keyring_curve {
    struct span role;
    uint8_t pub[32];
    uint64_t not_before; // wall ms; 0 = always
    uint64_t not_after;  // 0 = for ever
};

// A key that may sign orders of these actions, or tree heads.
struct keyring_key {
    uint8_t kid[8];
    uint8_t pub[32];
    const struct span *action;
    uint32_t actions;
    uint64_t not_after;
};

struct keyring_approver {
    uint8_t kid[8];
    uint8_t pub[32];
    struct span name;
    const struct span *model; // globs
    uint32_t models;
    const struct span *action;
    uint32_t actions;
};

// kedge.keyring.v1: travels inside enrol.challenge, enrol.grant and welcome as a joined
// envelope. An agent takes a greater `ring`, signed by the threshold of the roots that
// it holds and of the new ones, of the same fleet.
struct keyring {
    uint64_t ring; // "ring_version"
    uint64_t issued_ms;
    uint64_t expires_ms;
    uint8_t fleet[16]; // "fleet_id"
    const struct key_ref *root;
    uint32_t roots;
    uint8_t root_threshold;
    const struct keyring_curve *server_curve;
    uint32_t server_curves;
    const struct keyring_key *order_key;
    uint32_t order_keys;
    const struct keyring_key *log_key;
    uint32_t log_keys;
    const struct keyring_approver *approver;
    uint32_t approvers;
    const struct tally *threshold; // approvals that an action needs
    uint32_t thresholds;
};
extern const struct message keyring_message;

#endif
