// Keys: secret and public keys in files that nobody else may read.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_TRUST_KEYS_H
#define KEDGE_COMMON_TRUST_KEYS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// What a key is for. Never mix them.
enum key_purpose {
    KEY_CURVE, // transport: X25519, as CURVE in ZeroMQ
    KEY_SIGN,  // signing: Ed25519
};

struct key_pair {
    enum key_purpose purpose;
    uint8_t pub[32];
    uint8_t secret[32]; // X25519 scalar, or Ed25519 seed
};

#define KEY_Z85_CHARS 40 // 32 bytes; a buffer takes one more for the closing zero

// A fresh pair. ST_NOMEM.
MUST_USE enum status keys_make(enum key_purpose purpose, struct key_pair *out);

// The public half of a secret.
MUST_USE enum status keys_public(enum key_purpose purpose, const uint8_t secret[32],
                                 uint8_t pub[32]);

// Overwrites the secret.
void keys_wipe(struct key_pair *k);

// Writes FOLDER/NAME.key (0400, the secret) and FOLDER/NAME.pub (0644), each one line
// "kedge-curve-secret1 <Z85>" (or -public1, or kedge-sign-...). Makes FOLDER 0700 if it
// is not there. Never overwrites: ST_EXISTS. ST_IO, ST_NOMEM.
MUST_USE enum status keys_write(const char *folder, const char *name,
                                const struct key_pair *k);

// Writes just FOLDER/NAME.pub. Replaces.
MUST_USE enum status keys_write_public(const char *folder, const char *name,
                                       enum key_purpose purpose, const uint8_t pub[32]);

// Reads NAME.key and derives the public half. Refuses (ST_DENIED) a file or folder that
// another user owns or that group or others may touch, and a symlink; `hint` (may be
// NULL) then gets a sentence that ends in the command that mends it. ST_NOTFOUND,
// ST_CORRUPT (not such a key), ST_IO.
MUST_USE enum status keys_read(const char *folder, const char *name,
                               enum key_purpose purpose, struct key_pair *out,
                               struct buf *hint);

MUST_USE enum status keys_read_public(const char *folder, const char *name,
                                      enum key_purpose purpose, uint8_t pub[32]);

// Z85 (ZeroMQ RFC 32). 32 bytes <-> 40 characters. ST_CORRUPT.
void keys_to_z85(const uint8_t key[32], char out[KEY_Z85_CHARS + 1]);
MUST_USE enum status keys_of_z85(struct span text, uint8_t key[32]);

#endif
