// Attest: what a host really serves, and what its agent noticed.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_ATTEST_H
#define KEDGE_PROTO_MESSAGES_ATTEST_H

#include <stdint.h>

#include "proto/codec.h"

// kedge.attest.v1, agent -> controller, durable: a version was found to be serving.
struct attest {
    uint8_t boot[16];
    uint64_t seq;
    struct span model;
    struct span version;
    uint8_t digest[32]; // of the artifact; zeros = the executor cannot tell
    uint64_t at;        // event ns of the first row under it; 0 = none yet
    uint64_t wall;      // agent's wall ns
    struct span cause;  // "start", "switch", "order" or "probe"
    uint8_t order[16];  // the order that brought it; zeros = none
};
extern const struct message attest_message;

// kedge.notice.v1, agent -> controller, durable: something a person should know.
struct notice {
    uint8_t boot[16];
    uint64_t seq;
    struct span model; // may be empty
    uint64_t at;       // event ns, or wall ns when no event is meant
    struct span kind;  // "schema_changed", "identity_cloned", ...
    struct span detail;
};
extern const struct message notice_message;

#endif
