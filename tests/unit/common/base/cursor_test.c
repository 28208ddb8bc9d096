// Cursor: reads what is there, and nothing beyond.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"

static struct cursor over(const void *bytes, size_t size)
{
    return (struct cursor){span_of(bytes, size)};
}

static void reads_each_kind_in_turn(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put_u8(&b, 7);
    buf_put(&b, "\x34\x12", 2);
    buf_put_le32(&b, 32);
    buf_put_le64(&b, 64);
    buf_put_le_f64(&b, -0.5);
    buf_put_be32(&b, 132);
    buf_put_be64(&b, 164);
    buf_put_varint(&b, 300);
    buf_put_text(&b, "end");
    struct cursor c = {buf_span(&b)};
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    double f64;
    struct span s;
    assert_true(cursor_u8(&c, &u8) == ST_OK && u8 == 7);
    assert_true(cursor_le16(&c, &u16) == ST_OK && u16 == 0x1234);
    assert_true(cursor_le32(&c, &u32) == ST_OK && u32 == 32);
    assert_true(cursor_le64(&c, &u64) == ST_OK && u64 == 64);
    assert_true(cursor_le_f64(&c, &f64) == ST_OK && f64 == -0.5);
    assert_true(cursor_be32(&c, &u32) == ST_OK && u32 == 132);
    assert_true(cursor_be64(&c, &u64) == ST_OK && u64 == 164);
    assert_true(cursor_varint(&c, &u64) == ST_OK && u64 == 300);
    assert_int_equal(cursor_end(&c), ST_CORRUPT);
    assert_true(cursor_bytes(&c, 3, &s) == ST_OK && span_is(s, "end"));
    assert_int_equal(cursor_end(&c), ST_OK);
    assert_true(cursor_bytes(&c, 0, &s) == ST_OK && s.size == 0);
    buf_fini(&b);
}

// With one byte less than needed nothing is read, and nothing is moved.
static void one_byte_short_is_corrupt(void **state)
{
    (void)state;
    static const uint8_t bytes[8] = {0};
    uint8_t u8 = 9;
    uint16_t u16 = 9;
    uint32_t u32 = 9;
    uint64_t u64 = 9;
    double f64 = 9;
    struct span s = {0};
    struct cursor c = over(bytes, 0);
    assert_int_equal(cursor_u8(&c, &u8), ST_CORRUPT);
    c = over(bytes, 1);
    assert_int_equal(cursor_le16(&c, &u16), ST_CORRUPT);
    c = over(bytes, 3);
    assert_int_equal(cursor_le32(&c, &u32), ST_CORRUPT);
    assert_int_equal(cursor_be32(&c, &u32), ST_CORRUPT);
    c = over(bytes, 7);
    assert_int_equal(cursor_le64(&c, &u64), ST_CORRUPT);
    assert_int_equal(cursor_be64(&c, &u64), ST_CORRUPT);
    assert_int_equal(cursor_le_f64(&c, &f64), ST_CORRUPT);
    assert_int_equal(cursor_bytes(&c, 8, &s), ST_CORRUPT);
    assert_int_equal(cursor_bytes(&c, SIZE_MAX, &s), ST_CORRUPT);
    assert_int_equal(c.left.size, 7);
    assert_true(u8 == 9 && u16 == 9 && u32 == 9 && u64 == 9 && f64 == 9 && !s.data);
}

static void varints_only_in_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},
        {"\x80", 1},                                          // cut off
        {"\x80\x00", 2},                                      // zero in two bytes
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},     // above 64 bits
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11}, // eleven bytes
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cursor c = over(bad[i].bytes, bad[i].size);
        uint64_t v = 5;
        assert_int_equal(cursor_varint(&c, &v), ST_CORRUPT);
        assert_int_equal(v, 5);
        assert_int_equal(c.left.size, bad[i].size);
    }
}

static void varints_of_every_width_come_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t less = 0; less < 2; less++) {
            uint64_t v = (UINT64_C(1) << bit) - less, back;
            buf_clear(&b);
            buf_put_varint(&b, v);
            struct cursor c = {buf_span(&b)};
            assert_int_equal(cursor_varint(&c, &back), ST_OK);
            assert_int_equal(back, v);
            assert_int_equal(cursor_end(&c), ST_OK);
        }
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_kind_in_turn),
        cmocka_unit_test(one_byte_short_is_corrupt),
        cmocka_unit_test(varints_only_in_their_shortest_form),
        cmocka_unit_test(varints_of_every_width_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
