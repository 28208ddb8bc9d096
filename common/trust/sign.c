// Sign: PureEdDSA by EVP with a NULL digest, and the checks that OpenSSL leaves out.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/sign.h"

#include <openssl/evp.h>
#include <stdbool.h>

#include "common/base/hash.h"
#include "common/trust/digest.h"

// The y coordinates of the eight points of small order, as they encode (little-endian,
// sign bit cleared): 0, 1, -1, and the two of order eight. A key among them makes one
// signature fit many messages. Encodings with y >= p are refused by their size.
static const uint8_t small_order_y[][SIGN_KEY_BYTES] = {
    {0},
    {1},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

// p = 2^255 - 19 and the group's order L, little-endian.
static const uint8_t field_prime[SIGN_KEY_BYTES] = {
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
static const uint8_t group_order[SIGN_KEY_BYTES] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

// Public values: no need for constant time.
static bool is_below(const uint8_t *a, const uint8_t *b)
{
    for (size_t i = SIGN_KEY_BYTES; i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

static bool is_sound_point(const uint8_t key[SIGN_KEY_BYTES])
{
    uint8_t y[SIGN_KEY_BYTES];
    memcpy(y, key, sizeof y);
    y[SIGN_KEY_BYTES - 1] &= 0x7f;
    if (!is_below(y, field_prime))
        return false;
    for (size_t i = 0; i < sizeof small_order_y / sizeof small_order_y[0]; i++)
        if (memcmp(y, small_order_y[i], sizeof y) == 0)
            return false;
    return true;
}

enum status sign_make(uint8_t seed[SIGN_SEED_BYTES])
{
    random_os_bytes(seed, SIGN_SEED_BYTES);
    return ST_OK;
}

enum status sign_public(const uint8_t seed[SIGN_SEED_BYTES],
                        uint8_t key[SIGN_KEY_BYTES])
{
    size_t size = SIGN_KEY_BYTES;
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED_BYTES);
    bool is_good = pkey && EVP_PKEY_get_raw_public_key(pkey, key, &size) == 1;
    EVP_PKEY_free(pkey);
    return is_good ? ST_OK : ST_NOMEM;
}

enum status sign_kid(const uint8_t key[SIGN_KEY_BYTES], uint8_t kid[SIGN_KID_BYTES])
{
    uint8_t digest[DIGEST_BYTES];
    ST_TRY(digest_of(span_of(key, SIGN_KEY_BYTES), digest));
    memcpy(kid, digest, SIGN_KID_BYTES);
    return ST_OK;
}

void sign_pae(struct span type, struct span body, struct buf *out)
{
    buf_printf(out, "KEDGEv1 %zu ", type.size);
    buf_put_span(out, type);
    buf_printf(out, " %zu ", body.size);
    buf_put_span(out, body);
}

enum status sign_raw(const uint8_t seed[SIGN_SEED_BYTES], struct span bytes,
                     uint8_t sig[SIGN_BYTES])
{
    size_t size = SIGN_BYTES;
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = pkey && ctx &&
                   EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                   EVP_DigestSign(ctx, sig, &size, bytes.data, bytes.size) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return is_good ? ST_OK : ST_NOMEM;
}

enum status sign_check_raw(const uint8_t key[SIGN_KEY_BYTES], struct span bytes,
                           const uint8_t sig[SIGN_BYTES])
{
    if (!is_sound_point(key) || !is_sound_point(sig) ||
        !is_below(sig + SIGN_KEY_BYTES, group_order))
        return ST_DENIED;
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, SIGN_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum status st = ST_NOMEM;
    if (pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1) {
        int is_valid = EVP_DigestVerify(ctx, sig, SIGN_BYTES, bytes.data, bytes.size);
        st = is_valid == 1 ? ST_OK : ST_DENIED;
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return st;
}

// The bytes that are really signed; `out` is initialised here.
static enum status pae_of(struct span type, struct span body, struct buf *out)
{
    if (body.size > SIGN_BODY_MAX || type.size > SIGN_BODY_MAX)
        return ST_RANGE;
    buf_init(out, body.size + type.size + 64);
    sign_pae(type, body, out);
    return out->failed;
}

enum status sign_body(const uint8_t seed[SIGN_SEED_BYTES], struct span type,
                      struct span body, uint8_t sig[SIGN_BYTES])
{
    struct buf bytes = {0};
    enum status st = pae_of(type, body, &bytes);
    if (st == ST_OK)
        st = sign_raw(seed, buf_span(&bytes), sig);
    buf_fini(&bytes);
    return st;
}

enum status sign_check(const uint8_t key[SIGN_KEY_BYTES], struct span type,
                       struct span body, const uint8_t sig[SIGN_BYTES])
{
    struct buf bytes = {0};
    enum status st = pae_of(type, body, &bytes);
    if (st == ST_OK)
        st = sign_check_raw(key, buf_span(&bytes), sig);
    buf_fini(&bytes);
    return st;
}
