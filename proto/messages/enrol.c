// Enrol: the tables of how a host joins.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/enrol.h"

#include "common/trust/digest.h"

static const struct field host_facts_fields[] = {
    {"hostname", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct host_facts, hostname),
     .max = 255, .note = "host name"},
    {"machine_id_hash", FIELD_ID, FIELD_NIL, FIELD_AT(struct host_facts, machine_hash),
     .max = 32, .note = "SHA-256 of the machine id"},
    {"os", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct host_facts, os), .max = 128,
     .note = "operating system"},
    {"agent_version", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct host_facts, software),
     .max = 64, .note = "version of the agent"},
};
static const struct message host_facts_message = {
    .type = "host",
    .note = "What a stranger says about its host.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct host_facts),
    .fields = sizeof host_facts_fields / sizeof host_facts_fields[0],
    .field = host_facts_fields,
};

static const struct field enrol_hello_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"token_id", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_hello, token_id), .max = 8,
     .note = "of the join token"},
    {"host_facts", FIELD_STRUCT, FIELD_MUST, FIELD_AT(struct enrol_hello, facts),
     .of = &host_facts_message, .note = "the host"},
};
const struct message enrol_hello_message = {
    .type = "kedge.enrol.hello.v1",
    .note = "A stranger knocks.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_hello),
    .fields = sizeof enrol_hello_fields / sizeof enrol_hello_fields[0],
    .field = enrol_hello_fields,
};

static const struct field enrol_challenge_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"nonce", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_challenge, nonce), .max = 32,
     .note = "good for 30 s, once, on this connection"},
    {"server_time_ms", FIELD_U64, FIELD_MUST,
     FIELD_AT(struct enrol_challenge, server_ms),
     .note = "wall clock of the controller, ms"},
    {"keyring", FIELD_BYTES, FIELD_MUST, FIELD_AT(struct enrol_challenge, keyring),
     .max = KEYRING_BYTES_MAX, .note = "a joined envelope, signed by the pinned roots"},
};
const struct message enrol_challenge_message = {
    .type = "kedge.enrol.challenge.v1",
    .note = "The same answer whether or not the token exists.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_challenge),
    .fields = sizeof enrol_challenge_fields / sizeof enrol_challenge_fields[0],
    .field = enrol_challenge_fields,
};

static const struct field enrol_claim_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"fid", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, fleet), .max = 16,
     .note = "fleet"},
    {"token_id", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, token_id), .max = 8,
     .note = "of the join token"},
    {"nonce", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, nonce), .max = 32,
     .note = "from the challenge"},
    {"agent_curve", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, agent_curve),
     .max = 32, .note = "X25519 public key of the agent"},
    {"agent_sign", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, agent_sign),
     .max = 32, .note = "Ed25519 public key of the agent"},
    {"server_curve", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_claim, server_curve),
     .max = 32, .note = "key of the door that it reached"},
    {"requested_models", FIELD_TEXTS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_claim, model, models), .max = ENROL_MODELS_MAX,
     .note = "globs; none = what the token allows"},
    {"labels", FIELD_PAIRS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_claim, label, labels), .max = ENROL_LABELS_MAX,
     .note = "of the host"},
    {"executors", FIELD_TEXTS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_claim, executor, executors), .max = 64,
     .note = "names"},
    {"agent_time_ms", FIELD_U64, FIELD_MUST,
     FIELD_AT(struct enrol_claim, agent_time_ms),
     .note = "wall clock of the agent, ms"},
    {"host", FIELD_NAME, FIELD_MAY, FIELD_AT(struct enrol_claim, host),
     .max = FIELD_NAME_MAX, .note = "host name, as in hello"},
};
const struct message enrol_claim_message = {
    .type = "kedge.enrol.v1",
    .note = "The signed part of a request, carried in it as bytes.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_claim),
    .fields = sizeof enrol_claim_fields / sizeof enrol_claim_fields[0],
    .field = enrol_claim_fields,
};

static const struct field enrol_request_fields[] = {
    {"body", FIELD_BYTES, FIELD_MUST, FIELD_AT(struct enrol_request, body), .max = 8192,
     .note = "an enrolment claim"},
    {"sig_token", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_request, sig_token),
     .max = 64, .note = "by the key of the join token"},
    {"sig_agent", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_request, sig_agent),
     .max = 64, .note = "by agent_sign"},
};
const struct message enrol_request_message = {
    .type = "kedge.enrol.request.v1",
    .note = "The claim, signed by the token and by the agent.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_request),
    .fields = sizeof enrol_request_fields / sizeof enrol_request_fields[0],
    .field = enrol_request_fields,
};

static const struct field enrol_grant_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"fid", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_grant, fleet), .max = 16,
     .note = "fleet"},
    {"agent_id", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_grant, agent), .max = 16,
     .note = "first 16 bytes of SHA-256(kedge.agent, fleet, agent_sign)"},
    {"state", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct enrol_grant, state), .max = 16,
     .note = "active or pending"},
    {"models", FIELD_TEXTS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_grant, model, models), .max = ENROL_MODELS_MAX,
     .note = "globs that it may publish"},
    {"labels", FIELD_PAIRS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_grant, label, labels), .max = ENROL_LABELS_MAX,
     .note = "of the host"},
    {"endpoints", FIELD_TEXTS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_grant, endpoint, endpoints), .max = ENROL_ENDPOINTS_MAX,
     .note = "of the port for agents"},
    {"server_curve", FIELD_ID, FIELD_MUST, FIELD_AT(struct enrol_grant, server_curve),
     .max = 32, .note = "its CURVE key"},
    {"keyring", FIELD_BYTES, FIELD_MUST, FIELD_AT(struct enrol_grant, keyring),
     .max = KEYRING_BYTES_MAX, .note = "a joined envelope"},
    {"policy_floor", FIELD_PAIRS, FIELD_MUST,
     FIELD_LIST_AT(struct enrol_grant, floor, floors), .max = 32,
     .note = "limits that the host may only tighten"},
};
const struct message enrol_grant_message = {
    .type = "kedge.enrol.grant.v1",
    .note = "The host is an agent now; signed by an order key.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_grant),
    .fields = sizeof enrol_grant_fields / sizeof enrol_grant_fields[0],
    .field = enrol_grant_fields,
};

static const struct field enrol_refusal_fields[] = {
    {"code", FIELD_U32, FIELD_MUST, FIELD_AT(struct enrol_refusal, code), .max = 999,
     .note = "400, 403, 409 or 429"},
    {"why", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct enrol_refusal, why), .max = 256,
     .note = "for people"},
};
const struct message enrol_refusal_message = {
    .type = "kedge.enrol.refusal.v1",
    .note = "No.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct enrol_refusal),
    .fields = sizeof enrol_refusal_fields / sizeof enrol_refusal_fields[0],
    .field = enrol_refusal_fields,
};

static const struct field join_token_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"fid", FIELD_ID, FIELD_MUST, FIELD_AT(struct join_token, fleet), .max = 16,
     .note = "fleet"},
    {"id", FIELD_ID, FIELD_MUST, FIELD_AT(struct join_token, id), .max = 8,
     .note = "of the token"},
    {"seed", FIELD_ID, FIELD_MUST, FIELD_AT(struct join_token, seed), .max = 32,
     .note = "its Ed25519 secret"},
    {"ep", FIELD_TEXTS, FIELD_MUST,
     FIELD_LIST_AT(struct join_token, endpoint, endpoints), .max = ENROL_ENDPOINTS_MAX,
     .note = "enrolment doors"},
    {"cpk", FIELD_ID, FIELD_MUST, FIELD_AT(struct join_token, server_curve), .max = 32,
     .note = "their CURVE key"},
    {"root", FIELD_BLOBS, FIELD_MUST, FIELD_LIST_AT(struct join_token, root, roots),
     .max = KEYRING_ROOTS_MAX, .note = "pinned root keys"},
    {"exp", FIELD_U64, FIELD_MUST, FIELD_AT(struct join_token, expires_s),
     .note = "wall s"},
};
const struct message join_token_message = {
    .type = "join token",
    .note = "What an operator mints: kedge1_ + base64url + _ + 8 hex digits of its "
            "SHA-256.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct join_token),
    .fields = sizeof join_token_fields / sizeof join_token_fields[0],
    .field = join_token_fields,
};

enum status enrol_agent_id(const uint8_t fleet[16], const uint8_t sign_key[32],
                           uint8_t out[16])
{
    static const char prefix[] = "kedge.agent";
    uint8_t bytes[sizeof prefix - 1 + 16 + 32];
    uint8_t digest[DIGEST_BYTES];
    memcpy(bytes, prefix, sizeof prefix - 1);
    memcpy(bytes + sizeof prefix - 1, fleet, 16);
    memcpy(bytes + sizeof prefix - 1 + 16, sign_key, 32);
    ST_TRY(digest_of(span_of(bytes, sizeof bytes), digest));
    memcpy(out, digest, 16);
    return ST_OK;
}
