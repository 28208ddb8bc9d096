// Enrol: how a host that nobody knows becomes an agent of the fleet.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_ENROL_H
#define KEDGE_PROTO_MESSAGES_ENROL_H

#include <stdint.h>

#include "proto/codec.h"
#include "proto/messages/keyring.h"

#define ENROL_CLAIM_TYPE                                                               \
    "kedge.enrol.v1" // the PAE type of the request's two signatures
#define ENROL_MODELS_MAX 64
#define ENROL_LABELS_MAX 32
#define ENROL_ENDPOINTS_MAX 8

struct host_facts {
    struct span hostname;
    uint8_t machine_hash[32]; // SHA-256 of the machine id; zeros = none
    struct span os;
    struct span software; // version of the agent
};

// kedge.enrol.hello.v1, stranger -> enrolment door.
struct enrol_hello {
    uint8_t token_id[8];
    struct host_facts facts;
};
extern const struct message enrol_hello_message;

// kedge.enrol.challenge.v1, the answer, whether or not the token exists.
struct enrol_challenge {
    uint8_t nonce[32]; // good for 30 s, once, on this connection
    uint64_t server_ms;
    struct span keyring; // a joined envelope, signed by the roots that the token pins
};
extern const struct message enrol_challenge_message;

// The signed part of a request, carried in it as bytes.
struct enrol_claim {
    uint8_t fleet[16]; // "fid"
    uint8_t token_id[8];
    uint8_t nonce[32];
    uint8_t agent_curve[32];
    uint8_t agent_sign[32];
    uint8_t server_curve[32]; // of the enrolment door
    const struct span *model; // wishes, as globs
    uint32_t models;
    const struct pair *label;
    uint32_t labels;
    const struct span *executor;
    uint32_t executors;
    uint64_t agent_time_ms;
    struct span host;
};
extern const struct message enrol_claim_message;

// kedge.enrol.request.v1: both signatures are over PAE(ENROL_CLAIM_TYPE, body).
struct enrol_request {
    struct span body; // enrol_claim
    uint8_t sig_token[64];
    uint8_t sig_agent[64];
};
extern const struct message enrol_request_message;

// kedge.enrol.grant.v1, three frames, signed by an order key of the keyring inside.
struct enrol_grant {
    uint8_t fleet[16];
    uint8_t agent[16];
    struct span state; // "active" or "pending"
    const struct span *model;
    uint32_t models;
    const struct pair *label;
    uint32_t labels;
    const struct span *endpoint; // of the agents' port
    uint32_t endpoints;
    uint8_t server_curve[32]; // of the agents' port
    struct span keyring;      // a joined envelope
    const struct pair *floor; // "policy_floor"
    uint32_t floors;
};
extern const struct message enrol_grant_message;

// kedge.enrol.refusal.v1: 400 malformed, 403 no such token (or expired, or foreign),
// 409 used with another key, 429 too many tries.
struct enrol_refusal {
    uint32_t code;
    struct span why;
};
extern const struct message enrol_refusal_message;

// The first 16 bytes of SHA-256("kedge.agent" || fleet || agent_sign).
MUST_USE enum status enrol_agent_id(const uint8_t fleet[16], const uint8_t sign_key[32],
                                    uint8_t out[16]);

#define JOIN_TOKEN_BYTES_MAX 512
#define JOIN_TOKEN_LINE_MAX 768

// What an operator mints: one line, one use, minutes of life.
struct join_token {
    uint8_t fleet[16]; // "fid"
    uint8_t id[8];
    uint8_t seed[32]; // of the token's Ed25519 key; secret
    const struct span *endpoint;
    uint32_t endpoints;
    uint8_t server_curve[32]; // "cpk", of the enrolment door
    const struct span *root;  // pinned root keys, 32 bytes each
    uint32_t roots;
    uint64_t expires_s; // wall, seconds
};
extern const struct message join_token_message;

// "kedge1_" + base64url(msgpack) + "_" + first 8 hex digits of SHA-256(msgpack).
MUST_USE enum status join_token_write(const struct join_token *t, struct buf *line);

// Reads such a line; blanks around it are fine. Texts are lent from `scratch`, lists
// from the pool. ST_CORRUPT (no such line, or mistyped), ST_VERSION, ST_RANGE.
MUST_USE enum status join_token_read(struct span line, struct buf *scratch,
                                     struct pool *pool, struct join_token *out);

#endif
