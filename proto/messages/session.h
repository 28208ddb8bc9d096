// Session: how an agent and its controller greet, breathe and acknowledge.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_SESSION_H
#define KEDGE_PROTO_MESSAGES_SESSION_H

#include <stdint.h>

#include "proto/codec.h"

#define HELLO_EXECUTORS_MAX 64
#define BEAT_MODELS_MAX 1024
#define ACK_SEQS_MAX 1024

// An executor that this host offers, and the digest of the file that describes it.
struct hello_executor {
    struct span name;
    struct span kind; // "symlink", "exec", ...
    uint8_t digest[32];
};

// kedge.hello.v1, agent -> controller, first on every connection.
struct hello {
    uint8_t boot[16]; // new at each start of the agent; with seq it names an entry
    uint8_t sess[16]; // new at each connection; orders must repeat it
    struct span host;
    struct span software; // version of the agent
    uint64_t time_ms;     // agent's wall clock
    uint64_t ring;        // version of the keyring that it holds; 0 = none
    const struct hello_executor *executor;
    uint32_t executors;
    const struct span *can; // capabilities, free words
    uint32_t cans;
};
extern const struct message hello_message;

// kedge.welcome.v1, controller -> agent, the answer to hello.
struct welcome {
    uint8_t fleet[16];
    uint8_t agent[16];   // the agent's own id, as the controller knows it
    uint64_t server_ms;  // controller's wall clock
    uint32_t credit;     // unacknowledged entries allowed at once, 1..64
    uint32_t window_max; // largest message that it takes, in bytes
    struct span keyring; // newer than the agent's: a joined envelope; else empty
    uint32_t jitter_ms;  // reconnect delays are spread over this
};
extern const struct message welcome_message;

// What the agent serves of one model now.
struct beat_model {
    struct span model;
    struct span version;
    uint8_t digest[32]; // artifact; zeros = not known
    uint64_t watermark; // event ns
};

// kedge.beat.v1, agent -> controller, every 10 s. Liveness only; it is not logged.
struct beat {
    uint8_t hb[16]; // nonce for the age of orders
    uint64_t time_ms;
    uint64_t spool_entries;
    uint64_t spool_bytes;
    const struct beat_model *model; // by rising model
    uint32_t models;
    struct span head; // newest signed tree head seen: a joined envelope; or empty
};
extern const struct message beat_message;

struct ack_refusal {
    uint64_t seq;
    struct span code; // "corrupt", "scope", "full", ...
    struct span why;  // for people
};

// kedge.ack.v1, controller -> agent, after the commit that made the entries durable.
// What is named here, done or refused, leaves the spool.
struct ack {
    uint8_t boot[16];
    const uint64_t *done;
    uint32_t dones;
    const struct ack_refusal *refused;
    uint32_t refusals;
};
extern const struct message ack_message;

#endif
