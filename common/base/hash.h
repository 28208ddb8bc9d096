// Hash: keyed and unkeyed hashes, a checksum, and a seeded random generator.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_BASE_HASH_H
#define KEDGE_COMMON_BASE_HASH_H

#include <stdint.h>

#include "common/base/span.h"

// SipHash-2-4 with a 128-bit key. Source: Aumasson and Bernstein, 2012.
uint64_t hash_sip(const uint8_t key[16], struct span bytes);

// MurmurHash3 x64 128 (Appleby, public domain). For sketches; not against attackers.
void hash_murmur3(struct span bytes, uint64_t seed, uint64_t out[2]);

// CRC-32C (Castagnoli), `crc` = 0 to begin. Source: RFC 3720, appendix B.4.
uint32_t hash_crc32c(uint32_t crc, struct span bytes);

// splitmix64 (Steele, Lea, Flood 2014): good enough for coins and tests, no secret.
struct random {
    uint64_t state;
};
uint64_t random_u64(struct random *r);
double random_unit(struct random *r);   // [0, 1)
double random_normal(struct random *r); // mean 0, sd 1 (polar method)

// A secret of this process, drawn once: for tables whose keys a stranger chooses and whose
// answers do not depend on it.
uint64_t hash_secret(void);

// 64 bits from the operating system, for seeds. Aborts if the kernel has none.
uint64_t random_os(void);
void random_os_bytes(uint8_t *out, size_t size);

#endif
