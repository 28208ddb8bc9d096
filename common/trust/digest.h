// Digest: SHA-256, of bytes at hand, of a stream, and of a file.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_TRUST_DIGEST_H
#define KEDGE_COMMON_TRUST_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define DIGEST_BYTES 32

// ST_NOMEM when OpenSSL has no memory; nothing else can fail.
MUST_USE enum status digest_of(struct span bytes, uint8_t out[DIGEST_BYTES]);

// Of two runs of bytes, one after the other, as if they were one.
MUST_USE enum status digest_of_two(struct span first, struct span second,
                                   uint8_t out[DIGEST_BYTES]);

// A stream. A failure stays until digest_take tells it.
struct digest;
MUST_USE enum status digest_open(struct digest **out);
void digest_close(struct digest *d); // NULL is fine
void digest_add(struct digest *d, struct span bytes);
// Gives the digest of all that was added, and begins anew.
MUST_USE enum status digest_take(struct digest *d, uint8_t out[DIGEST_BYTES]);

// Of a regular file's content, in pieces of 64 KiB. ST_NOTFOUND, ST_IO, ST_NOMEM.
MUST_USE enum status digest_of_file(const char *path, uint8_t out[DIGEST_BYTES]);

// Compares in constant time.
bool digest_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES]);

// All zero: no digest.
bool digest_is_none(const uint8_t d[DIGEST_BYTES]);

#endif
