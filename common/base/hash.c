// Hash: SipHash, Murmur3, CRC-32C, splitmix64.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/hash.h"

#include <stdatomic.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

// The bytes after the last whole block, little-endian, the rest zero.
static uint64_t tail_le(const uint8_t *p, size_t size)
{
    uint64_t v = 0;
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t hash_sip(const uint8_t key[16], struct span bytes)
{
    uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
    uint64_t v[4] = {
        k0 ^ 0x736f6d6570736575u,
        k1 ^ 0x646f72616e646f6du,
        k0 ^ 0x6c7967656e657261u,
        k1 ^ 0x7465646279746573u,
    };
    size_t whole = bytes.size & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        sip_word(v, load_le64(bytes.data + i));
    uint64_t last = (uint64_t)bytes.size << 56;
    if (bytes.size > whole)
        last |= tail_le(bytes.data + whole, bytes.size - whole);
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#define MURMUR_C1 UINT64_C(0x87c37b91114253d5)
#define MURMUR_C2 UINT64_C(0x4cf5ad432745937f)

static uint64_t murmur_k1(uint64_t k)
{
    return rotate(k * MURMUR_C1, 31) * MURMUR_C2;
}

static uint64_t murmur_k2(uint64_t k)
{
    return rotate(k * MURMUR_C2, 33) * MURMUR_C1;
}

static uint64_t murmur_mix(uint64_t k)
{
    k = (k ^ k >> 33) * UINT64_C(0xff51afd7ed558ccd);
    k = (k ^ k >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return k ^ k >> 33;
}

void hash_murmur3(struct span bytes, uint64_t seed, uint64_t out[2])
{
    uint64_t h1 = seed, h2 = seed;
    size_t whole = bytes.size & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16) {
        h1 ^= murmur_k1(load_le64(bytes.data + i));
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= murmur_k2(load_le64(bytes.data + i + 8));
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    size_t rest = bytes.size - whole;
    if (rest > 8)
        h2 ^= murmur_k2(tail_le(bytes.data + whole + 8, rest - 8));
    if (rest > 0)
        h1 ^= murmur_k1(tail_le(bytes.data + whole, rest > 8 ? 8 : rest));
    h1 ^= bytes.size;
    h2 ^= bytes.size;
    h1 += h2;
    h2 += h1;
    h1 = murmur_mix(h1);
    h2 = murmur_mix(h2);
    out[0] = h1 + h2;
    out[1] = h2 + out[0];
}

// Half a byte at a time: sixteen words of table, constant, and fast enough for a spool
// whose disk is slower.
static const uint32_t crc32c_half[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t hash_crc32c(uint32_t crc, struct span bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = crc >> 4 ^ crc32c_half[crc & 15];
        crc = crc >> 4 ^ crc32c_half[crc & 15];
    }
    return ~crc;
}

uint64_t random_u64(struct random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double random_unit(struct random *r)
{
    return (double)(random_u64(r) >> 11) * 0x1p-53;
}

double random_normal(struct random *r)
{
    for (;;) {
        double x = 2 * random_unit(r) - 1;
        double y = 2 * random_unit(r) - 1;
        double s = x * x + y * y;
        if (s > 0 && s < 1)
            return x * sqrt(-2 * log(s) / s);
    }
}

void random_os_bytes(uint8_t *out, size_t size)
{
    while (size) {
        ssize_t got = getrandom(out, size, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            out += got;
            size -= (size_t)got;
        }
    }
}

uint64_t random_os(void)
{
    uint8_t bytes[8];
    random_os_bytes(bytes, sizeof bytes);
    return load_le64(bytes);
}

uint64_t hash_secret(void)
{
    // Whoever comes first sets it; a relaxed load is enough, since nothing else is
    // published with it.
    static _Atomic uint64_t secret;
    uint64_t found = atomic_load_explicit(&secret, memory_order_relaxed);
    if (found)
        return found;
    uint64_t drawn = random_os() | 1;
    return atomic_compare_exchange_strong(&secret, &found, drawn) ? drawn : found;
}
