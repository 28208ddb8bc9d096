// Sign: the vectors of RFC 8032, the pre-authentication encoding, and what is refused.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/trust/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"

// RFC 8032, 7.1, tests 1 to 3.
static const struct {
    const char *seed, *key, *message, *sig;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc"
     "61e"
     "39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e4"
     "58f"
     "3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290a"
     "e67"
     "f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void of_hex(const char *hex, uint8_t *out, size_t size)
{
    assert_int_equal(text_hex(span_text(hex), out, size), ST_OK);
}

static void signs_as_rfc_8032_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t seed[32], key[32], want_key[32], sig[64], want_sig[64], message[8];
        struct span m = span_of(message, strlen(vectors[i].message) / 2);
        of_hex(vectors[i].seed, seed, sizeof seed);
        of_hex(vectors[i].key, want_key, sizeof want_key);
        of_hex(vectors[i].sig, want_sig, sizeof want_sig);
        of_hex(vectors[i].message, message, m.size);
        assert_int_equal(sign_public(seed, key), ST_OK);
        assert_memory_equal(key, want_key, sizeof key);
        assert_int_equal(sign_raw(seed, m, sig), ST_OK);
        assert_memory_equal(sig, want_sig, sizeof sig);
        assert_int_equal(sign_check_raw(key, m, sig), ST_OK);
        sig[i] ^= 1;
        assert_int_equal(sign_check_raw(key, m, sig), ST_DENIED);
    }
}

static void the_encoding_of_what_is_signed_is_fixed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 256);
    sign_pae(span_text("kedge.order.v1"), span_of("\x80\0 x", 4), &b);
    const char want[] = "KEDGEv1 14 kedge.order.v1 4 \x80\0 x";
    assert_int_equal(b.size, sizeof want - 1);
    assert_memory_equal(b.data, want, sizeof want - 1);
    buf_fini(&b);
}

struct signer {
    uint8_t seed[32], key[32], sig[64];
    struct span type, body;
};

static void signer_of(struct signer *s)
{
    s->type = span_text("kedge.order.v1");
    s->body = span_text("set version = v1 if it is v2");
    assert_int_equal(sign_make(s->seed), ST_OK);
    assert_int_equal(sign_public(s->seed, s->key), ST_OK);
    assert_int_equal(sign_body(s->seed, s->type, s->body, s->sig), ST_OK);
    assert_int_equal(sign_check(s->key, s->type, s->body, s->sig), ST_OK);
}

static void another_type_body_or_key_is_denied(void **state)
{
    (void)state;
    struct signer s, other;
    signer_of(&s);
    signer_of(&other);
    struct span shorter = span_of(s.body.data, s.body.size - 1);
    assert_int_equal(sign_check(s.key, span_text("kedge.order.v2"), s.body, s.sig),
                     ST_DENIED);
    assert_int_equal(sign_check(s.key, s.type, shorter, s.sig), ST_DENIED);
    assert_int_equal(sign_check(other.key, s.type, s.body, s.sig), ST_DENIED);
    assert_int_equal(sign_check(s.key, s.type, s.body, other.sig), ST_DENIED);
}

static void no_single_bit_of_a_signature_may_change(void **state)
{
    (void)state;
    struct signer s;
    signer_of(&s);
    for (size_t bit = 0; bit < 8 * sizeof s.sig; bit++) {
        s.sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sign_check(s.key, s.type, s.body, s.sig), ST_DENIED);
        s.sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

// S + L satisfies the same equation; taken, it would give one order two signatures.
static void a_malleable_signature_is_denied(void **state)
{
    (void)state;
    uint8_t order[32];
    of_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order,
           32);
    struct signer s;
    signer_of(&s);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += s.sig[32 + i] + order[i];
        s.sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(sign_check(s.key, s.type, s.body, s.sig), ST_DENIED);
}

// The points of small order, both signs, and two spellings above the prime.
static const char *const weak_keys[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

// R = the base point and S = 1 satisfy the equation for any message under a key of
// order one, and for one in so many under the others.
static void weak_keys_are_denied(void **state)
{
    (void)state;
    uint8_t sig[64] = {0x58};
    memset(sig + 1, 0x66, 31);
    sig[32] = 1;
    for (size_t i = 0; i < sizeof weak_keys / sizeof weak_keys[0]; i++) {
        uint8_t weak[32];
        of_hex(weak_keys[i], weak, sizeof weak);
        for (int n = 0; n < 16; n++) {
            char message[32];
            snprintf(message, sizeof message, "message %d", n);
            assert_int_equal(sign_check_raw(weak, span_text(message), sig), ST_DENIED);
        }
    }
}

// Made by the holder of the key 0x07..., with the identity as R: the equation holds.
static void a_weak_point_in_a_signature_is_denied(void **state)
{
    (void)state;
    uint8_t seed[32], key[32], sig[64];
    memset(seed, 7, sizeof seed);
    of_hex("0100000000000000000000000000000000000000000000000000000000000000"
           "f03eb939fb899fa82cec5f87fc9a0a6d56444412bc07d7c7b98fe359a5022409",
           sig, sizeof sig);
    assert_int_equal(sign_public(seed, key), ST_OK);
    assert_int_equal(sign_check_raw(key, span_text("anything"), sig), ST_DENIED);
}

static void a_fingerprint_is_the_head_of_the_keys_digest(void **state)
{
    (void)state;
    uint8_t key[32], kid[8], want[8];
    of_hex(vectors[0].key, key, sizeof key);
    of_hex("21fe31dfa154a261", want, sizeof want);
    assert_int_equal(sign_kid(key, kid), ST_OK);
    assert_memory_equal(kid, want, sizeof kid);
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct signer s;
    signer_of(&s);
    struct span huge = {s.body.data, SIGN_BODY_MAX + 1};
    assert_int_equal(sign_body(s.seed, s.type, huge, s.sig), ST_RANGE);
    assert_int_equal(sign_check(s.key, s.type, huge, s.sig), ST_RANGE);
}

static void without_memory_nothing_is_signed_nor_believed(void **state)
{
    (void)state;
    struct signer s;
    signer_of(&s);
    mem_fail_from(1);
    enum status signing = sign_body(s.seed, s.type, s.body, s.sig);
    enum status checking = sign_check(s.key, s.type, s.body, s.sig);
    mem_fail_from(0);
    assert_int_equal(signing, ST_NOMEM);
    assert_int_equal(checking, ST_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_rfc_8032_says),
        cmocka_unit_test(the_encoding_of_what_is_signed_is_fixed),
        cmocka_unit_test(another_type_body_or_key_is_denied),
        cmocka_unit_test(no_single_bit_of_a_signature_may_change),
        cmocka_unit_test(a_malleable_signature_is_denied),
        cmocka_unit_test(weak_keys_are_denied),
        cmocka_unit_test(a_weak_point_in_a_signature_is_denied),
        cmocka_unit_test(a_fingerprint_is_the_head_of_the_keys_digest),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused),
        cmocka_unit_test(without_memory_nothing_is_signed_nor_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
