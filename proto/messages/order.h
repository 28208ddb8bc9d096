// Order: a signed instruction to one agent about one model.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_ORDER_H
#define KEDGE_PROTO_MESSAGES_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/messages/signature.h"

#define ORDER_TYPE "kedge.order.v1"
#define ORDER_BYTES_MAX (16u * 1024u) // the three frames together
#define ORDER_TTL_MS_MAX 600000u
#define ORDER_PARAMS_MAX 16
#define ORDER_REASONS_MAX 32
#define ORDER_APPROVALS_MAX 8

// An approver's Ed25519 signature over PAE("kedge.approval.v1", decision).
struct approval {
    uint8_t kid[8];
    uint64_t at_ms;
    uint8_t sig[64];
};
extern const struct message approval_message;

// kedge.order.v1, controller -> agent. The signature is over PAE(type, body): verify
// before anything is decoded. Orders without a model carry "@fleet" in `model`.
struct order {
    uint8_t fleet[16];
    uint8_t agent[16];
    uint8_t agent_key[8]; // fingerprint of the agent's signing key
    uint8_t order[16];    // order_id()
    struct token token;   // place of the INTENT in the log
    uint8_t sess[16];     // from the agent's hello
    uint8_t hb[16];     // from its newest beat; the age of the order counts from there
    uint64_t ring;      // keyring of the signer
    uint64_t issued_ms; // controller's clock, for people
    uint32_t ttl_ms;
    struct span action; // order_action_name()
    struct span model;
    struct span ns; // namespace; may be empty
    struct span if_version;
    uint8_t if_digest[32]; // zeros = any
    struct span to_version;
    uint8_t to_digest[32]; // zeros = not checked
    struct span executor;
    uint8_t exec_digest[32]; // of the executor's file, as last reported
    const struct pair *param;
    uint32_t params;
    uint32_t run_ms;
    uint8_t plan[16];
    uint16_t step;
    uint16_t attempt; // "try" on the wire
    uint8_t incident[16];
    const struct pair *reason; // shown, never interpreted; <= 1 KiB in all
    uint32_t reasons;
    const struct approval *approval;
    uint32_t approvals;
    uint32_t lease_ms;
    bool dry;
    uint8_t prev[32]; // order_link() of the previous order of this model to this agent
};
extern const struct message order_message;

enum order_action {
    ORDER_ROLLBACK,
    ORDER_PROMOTE,
    ORDER_PAUSE,
    ORDER_RESUME,
    ORDER_QUARANTINE,
    ORDER_UNQUARANTINE,
    ORDER_RETRAIN,
    ORDER_PROBE,
    ORDER_CONFIG,
    ORDER_ROTATE,
    ORDER_CONFIRM,
    ORDER_CANCEL,
    ORDER_ACTIONS,
};

const char *order_action_name(enum order_action action);
// ST_NOTFOUND for any other word.
MUST_USE enum status order_action_of(struct span name, enum order_action *out);

// What makes two orders the same decision. Borrows its spans.
struct order_cause {
    uint8_t fleet[16];
    struct span model;
    uint8_t incident[16];
    struct span action;
    uint8_t plan[16];
    uint16_t step;
    uint16_t attempt;
};

// First 16 bytes of SHA-256 over the canonical encoding of the cause, so that the same
// decision cannot become two orders, and the agent can compute it again.
MUST_USE enum status order_id(const struct order_cause *cause, uint8_t out[16]);
extern const struct message order_cause_message;

// SHA-256 of order id and token (le64 each): the link of an agent's chain of orders.
MUST_USE enum status order_link(const uint8_t order[16], struct token token,
                                uint8_t out[32]);

// kedge.approval.v1: what an approver signs; the agent compares each field with the
// order.
struct decision {
    uint8_t fleet[16];
    uint8_t plan[16];
    const struct span *agent; // ids as 32 hex digits, rising
    uint32_t agents;
    struct span action;
    struct span model;
    struct span if_version;
    uint8_t if_digest[32];
    struct span to_version;
    uint8_t to_digest[32];
    struct span executor;
    uint8_t exec_digest[32];
    const struct pair *param;
    uint32_t params;
    uint64_t not_after_ms;
};
extern const struct message decision_message;

#endif
