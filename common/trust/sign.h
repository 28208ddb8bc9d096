// Sign: Ed25519 signatures over a type and a body.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_TRUST_SIGN_H
#define KEDGE_COMMON_TRUST_SIGN_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define SIGN_SEED_BYTES 32 // the secret: an Ed25519 private key
#define SIGN_KEY_BYTES 32  // the public key
#define SIGN_BYTES 64
#define SIGN_KID_BYTES 8
#define SIGN_BODY_MAX (1024u * 1024u)

// A fresh secret from the operating system.
MUST_USE enum status sign_make(uint8_t seed[SIGN_SEED_BYTES]);

// The public key of a secret. ST_NOMEM.
MUST_USE enum status sign_public(const uint8_t seed[SIGN_SEED_BYTES],
                                 uint8_t key[SIGN_KEY_BYTES]);

// The fingerprint of a public key: the first 8 bytes of its SHA-256.
MUST_USE enum status sign_kid(const uint8_t key[SIGN_KEY_BYTES],
                              uint8_t kid[SIGN_KID_BYTES]);

// Appends PAE(type, body) = "KEDGEv1" SP len(type) SP type SP len(body) SP body,
// lengths in decimal. After DSSE's pre-authentication encoding: nothing can be moved
// from one part to the other.
void sign_pae(struct span type, struct span body, struct buf *out);

// Signs PAE(type, body). ST_NOMEM; ST_RANGE for a body over SIGN_BODY_MAX.
MUST_USE enum status sign_body(const uint8_t seed[SIGN_SEED_BYTES], struct span type,
                               struct span body, uint8_t sig[SIGN_BYTES]);

// ST_OK only for a good signature, ST_DENIED for any other; ST_NOMEM, ST_RANGE. Refused
// besides: S >= L (malleable), keys of small order, keys that encode no point in the
// one allowed way. Source: RFC 8032, 5.1.7.
MUST_USE enum status sign_check(const uint8_t key[SIGN_KEY_BYTES], struct span type,
                                struct span body, const uint8_t sig[SIGN_BYTES]);

// The same over plain bytes, without PAE. For test vectors and foreign formats only.
MUST_USE enum status sign_raw(const uint8_t seed[SIGN_SEED_BYTES], struct span bytes,
                              uint8_t sig[SIGN_BYTES]);
MUST_USE enum status sign_check_raw(const uint8_t key[SIGN_KEY_BYTES],
                                    struct span bytes, const uint8_t sig[SIGN_BYTES]);

#endif
