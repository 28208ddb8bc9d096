// Receipt: an agent's signed answer to an order.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_RECEIPT_H
#define KEDGE_PROTO_MESSAGES_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/messages/signature.h"

#define RECEIPT_TYPE "kedge.receipt.v1"
#define RECEIPT_TAIL_MAX 4096

struct receipt_exec {
    int64_t exit;    // exit code; -1 when a signal or the timeout ended it
    uint32_t signal; // 0 = none
    bool timeout;
    uint8_t out_sha256[32]; // of everything it printed
    struct span out_tail;   // its last bytes, escaped to printable UTF-8
};

struct receipt_probe {
    bool ok;
    struct span detail;
};

enum receipt_state {
    RECEIPT_REFUSED,
    RECEIPT_ACCEPTED,
    RECEIPT_STARTED,
    RECEIPT_DONE,
    RECEIPT_FAILED,
    RECEIPT_UNCERTAIN,
    RECEIPT_REVERTED,
    RECEIPT_EXPIRED,
    RECEIPT_VETOED,
    RECEIPT_STATES,
};

// kedge.receipt.v1, agent -> controller, durable, signed over PAE(type, body). Sent
// again byte for byte, with the boot and seq under which it was first spooled.
struct receipt {
    uint8_t boot[16];
    uint64_t seq;
    uint8_t order[16];
    uint8_t agent[16];
    uint8_t sess[16];
    struct token token;
    struct span state; // receipt_state_name()
    struct span code;  // "", "ALREADY", "RECOVERED", "E_PRECOND", ...
    struct span model;
    struct span before_version;
    struct span after_version;
    uint8_t after_digest[32];
    uint64_t started_ms; // wall
    uint64_t ended_ms;
    uint64_t mono_ms; // CLOCK_BOOTTIME at the end
    struct receipt_exec exec;
    struct receipt_probe probe;
    uint8_t prev_receipt[32]; // SHA-256 of the body of this agent's previous receipt
    struct span head;         // newest signed tree head that the agent holds; or empty
};
extern const struct message receipt_message;

const char *receipt_state_name(enum receipt_state state);
MUST_USE enum status receipt_state_of(struct span name, enum receipt_state *out);
// Nothing follows it: everything but accepted and started.
bool receipt_is_final(enum receipt_state state);

#endif
