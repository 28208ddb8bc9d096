// Signature: the tables of seals and references to keys.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/signature.h"

static const struct field signature_fields[] = {
    {"kid", FIELD_ID, FIELD_MUST, FIELD_AT(struct signature, kid), .max = 8,
     .note = "fingerprint: first 8 bytes of SHA-256 of the public key"},
    {"alg", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct signature, alg), .max = 16,
     .note = "always ed25519"},
    {"sig", FIELD_ID, FIELD_MUST, FIELD_AT(struct signature, sig), .max = 64,
     .note = "the signature"},
};
const struct message signature_message = {
    .type = "signature",
    .note = "Ed25519 over PAE(type, body) of the message that it follows.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct signature),
    .fields = sizeof signature_fields / sizeof signature_fields[0],
    .field = signature_fields,
};

static const struct field key_ref_fields[] = {
    {"kid", FIELD_ID, FIELD_MUST, FIELD_AT(struct key_ref, kid), .max = 8,
     .note = "fingerprint"},
    {"pub", FIELD_ID, FIELD_MUST, FIELD_AT(struct key_ref, pub), .max = 32,
     .note = "Ed25519 public key"},
};
const struct message key_ref_message = {
    .type = "key",
    .note = "A public key and its fingerprint.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct key_ref),
    .fields = sizeof key_ref_fields / sizeof key_ref_fields[0],
    .field = key_ref_fields,
};

static const struct field token_fields[] = {
    {"gen", FIELD_U64, FIELD_MUST, FIELD_AT(struct token, gen),
     .note = "generation of the log"},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct token, seq),
     .note = "sequence in its partition"},
};
const struct message token_message = {
    .type = "token",
    .note = "Place of an entry in the log: the fencing token of an order.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct token),
    .fields = sizeof token_fields / sizeof token_fields[0],
    .field = token_fields,
};
