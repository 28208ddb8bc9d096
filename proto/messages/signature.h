// Signature: the third frame of what is signed, and references to keys.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_SIGNATURE_H
#define KEDGE_PROTO_MESSAGES_SIGNATURE_H

#include <stdint.h>

#include "proto/codec.h"

#define SIGNATURES_MAX 16

// Ed25519 over PAE(type, body), by the key whose fingerprint is `kid`.
struct signature {
    uint8_t kid[8];  // first 8 bytes of SHA-256(public key)
    struct span alg; // "ed25519"
    uint8_t sig[64];
};
extern const struct message signature_message;

// A public key and its fingerprint.
struct key_ref {
    uint8_t kid[8];
    uint8_t pub[32];
};
extern const struct message key_ref_message;

// Place of an entry in the log, and so the fencing token of an order.
struct token {
    uint64_t gen;
    uint64_t seq;
};
extern const struct message token_message;

#endif
