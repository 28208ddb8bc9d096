// Hash: the published vectors, and a generator that is the same everywhere.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

// The first and some later rows of the reference's vectors: key 00..0f, message
// 00..n-1.
static void siphash_as_published(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t expected;
    } rows[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)},
    };
    uint8_t key[16], message[64];
    for (uint8_t i = 0; i < 64; i++)
        message[i] = i;
    memcpy(key, message, sizeof key);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(hash_sip(key, span_of(message, rows[i].size)),
                         rows[i].expected);
}

static void murmur3_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t seed, h1, h2;
    } rows[] = {
        {"", 0, 0, 0},
        {"The quick brown fox jumps over the lazy dog", 0, UINT64_C(0xe34bbc7bbc071b6c),
         UINT64_C(0x7a433ca9c49a9347)},
        {"hello", 0, UINT64_C(0xcbd8a7b341bd9b02), UINT64_C(0x5b1e906a48ae1d19)},
        {"hello, world", 0, UINT64_C(0x342fac623a5ebc8e), UINT64_C(0x4cdcbc079642414d)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t out[2];
        hash_murmur3(span_text(rows[i].text), rows[i].seed, out);
        assert_int_equal(out[0], rows[i].h1);
        assert_int_equal(out[1], rows[i].h2);
    }
}

// Appleby's own check: hashes of the keys 0, 01, 012.. with seeds 256..1, hashed again.
static void murmur3_passes_the_check_of_smhasher(void **state)
{
    (void)state;
    uint8_t key[256], hashes[256 * 16];
    for (unsigned i = 0; i < 256; i++) {
        uint64_t out[2];
        key[i] = (uint8_t)i;
        hash_murmur3(span_of(key, i), 256 - i, out);
        store_le64(hashes + 16 * i, out[0]);
        store_le64(hashes + 16 * i + 8, out[1]);
    }
    uint64_t last[2];
    hash_murmur3(span_of(hashes, sizeof hashes), 0, last);
    assert_int_equal((uint32_t)last[0], 0x6384ba69);
}

// RFC 3720, B.4, and the customary nine digits.
static void crc32c_as_in_the_rfc(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(hash_crc32c(0, span_of(bytes, 32)), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(hash_crc32c(0, span_of(bytes, 32)), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(hash_crc32c(0, span_of(bytes, 32)), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(hash_crc32c(0, span_of(bytes, 32)), 0x113fdb5c);
    assert_int_equal(hash_crc32c(0, span_text("123456789")), 0xe3069283);
    assert_int_equal(hash_crc32c(0, span_of(NULL, 0)), 0);
}

static void crc32c_goes_on_where_it_stopped(void **state)
{
    (void)state;
    uint32_t part = hash_crc32c(0, span_text("1234"));
    assert_int_equal(hash_crc32c(part, span_text("56789")), 0xe3069283);
}

static void random_is_splitmix64(void **state)
{
    (void)state;
    struct random r = {1234567};
    assert_int_equal(random_u64(&r), UINT64_C(6457827717110365317));
    assert_int_equal(random_u64(&r), UINT64_C(3203168211198807973));
    assert_int_equal(random_u64(&r), UINT64_C(9817491932198370423));
}

static void random_has_its_moments(void **state)
{
    (void)state;
    struct random r = {42};
    double sum = 0, normal = 0, square = 0;
    const int n = 100000;
    for (int i = 0; i < n; i++) {
        double u = random_unit(&r), z = random_normal(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
        normal += z;
        square += z * z;
    }
    // Five standard errors of each.
    assert_true(fabs(sum / n - 0.5) < 5 * 0.2887 / sqrt(n));
    assert_true(fabs(normal / n) < 5 / sqrt(n));
    assert_true(fabs(square / n - 1) < 5 * sqrt(2.0 / n));
}

static void the_system_gives_different_bytes(void **state)
{
    (void)state;
    assert_true(random_os() != random_os());
    uint8_t bytes[64] = {0}, zero[64] = {0};
    random_os_bytes(bytes, sizeof bytes);
    assert_memory_not_equal(bytes, zero, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_as_published),
        cmocka_unit_test(murmur3_as_published),
        cmocka_unit_test(murmur3_passes_the_check_of_smhasher),
        cmocka_unit_test(crc32c_as_in_the_rfc),
        cmocka_unit_test(crc32c_goes_on_where_it_stopped),
        cmocka_unit_test(random_is_splitmix64),
        cmocka_unit_test(random_has_its_moments),
        cmocka_unit_test(the_system_gives_different_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
