// Buf: growth, the limit, and a failure that is remembered.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void keeps_what_is_appended(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint32_t i = 0; i < 10000; i++)
        buf_put_le32(&b, i);
    assert_int_equal(b.failed, ST_OK);
    assert_int_equal(b.size, 40000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(load_le32(b.data + 4 * i), i);
    buf_fini(&b);
}

static void every_writer_lays_its_bytes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put_u8(&b, 1);
    buf_put_be32(&b, 2);
    buf_put_be64(&b, 3);
    buf_put_le64(&b, 4);
    buf_put_le_f64(&b, 1.0);
    buf_put_text(&b, "x");
    buf_put_span(&b, span_of(NULL, 0));
    static const uint8_t expected[] = {1, 0, 0, 0, 2, 0, 0, 0,    0,    0,
                                       0, 0, 3, 4, 0, 0, 0, 0,    0,    0,
                                       0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 'x'};
    assert_int_equal(b.size, sizeof expected);
    assert_memory_equal(b.data, expected, sizeof expected);
    buf_fini(&b);
}

static void full_exactly_at_the_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_put_text(&b, "12345");
    assert_int_equal(b.failed, ST_OK);
    assert_string_equal(buf_cstr(&b), "12345"); // the closing zero has room of its own
    buf_put_u8(&b, '6');
    assert_int_equal(b.failed, ST_FULL);
    assert_int_equal(b.size, 5);
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    buf_put_text(&b, "again");
    assert_string_equal(buf_cstr(&b), "again");
    buf_fini(&b);
}

static void after_a_failure_nothing_is_appended(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 3);
    buf_put_text(&b, "1234");
    assert_int_equal(b.failed, ST_FULL);
    buf_put_u8(&b, 1);
    buf_printf(&b, "%d", 1);
    assert_null(buf_reserve(&b, 0));
    assert_int_equal(b.size, 0);
    buf_fini(&b);
}

static void varints_are_leb128(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put_varint(&b, 0);
    buf_put_varint(&b, 127);
    buf_put_varint(&b, 128);
    buf_put_varint(&b, 624485);
    buf_put_varint(&b, UINT64_MAX);
    static const uint8_t expected[] = {0,    127,  0x80, 1,    0xe5, 0x8e,
                                       0x26, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 1};
    assert_int_equal(b.size, sizeof expected);
    assert_memory_equal(b.data, expected, sizeof expected);
    buf_fini(&b);
}

static void prints_short_and_long(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    buf_printf(&b, "%s=%d;", "a", 7);
    buf_printf(&b, "%01000d", 5);
    buf_printf(&b, ";");
    assert_int_equal(b.size, 4 + 1000 + 1);
    assert_memory_equal(b.data, "a=7;000", 7);
    assert_memory_equal(b.data + 1002, "05;", 3);
    buf_printf(&b, "%05000d", 5);
    assert_int_equal(b.failed, ST_FULL);
    buf_fini(&b);
}

static void prints_up_to_the_last_byte(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 300);
    buf_printf(&b, "%0300d", 1);
    assert_int_equal(b.failed, ST_OK);
    assert_int_equal(b.size, 300);
    assert_int_equal(b.data[299], '1');
    buf_fini(&b);
}

static void shifts_from_the_front(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_put_text(&b, "abcdef");
    buf_shift(&b, 2);
    assert_string_equal(buf_cstr(&b), "cdef");
    buf_shift(&b, 0);
    buf_shift(&b, 4);
    assert_int_equal(b.size, 0);
    buf_shift(&b, 0);
    buf_fini(&b);
}

static void empty_is_a_span_and_a_string(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_int_equal(buf_span(&b).size, 0);
    assert_string_equal(buf_cstr(&b), "");
    assert_non_null(buf_reserve(&b, 0));
    assert_int_equal(b.failed, ST_OK);
    buf_fini(&b);
    buf_fini(&b);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct buf b;
        buf_init(&b, 1000);
        mem_fail_from(n);
        for (int i = 0; i < 900; i++)
            buf_put_u8(&b, 'x');
        buf_printf(&b, "%099d", 1);
        const char *text = buf_cstr(&b);
        uint64_t asked = mem_fail_from(0);
        bool is_whole = b.failed == ST_OK && strlen(text) == 999;
        assert_true(is_whole || b.failed == ST_NOMEM);
        buf_fini(&b);
        if (asked < n) {
            assert_true(is_whole);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_appended),
        cmocka_unit_test(every_writer_lays_its_bytes),
        cmocka_unit_test(full_exactly_at_the_limit),
        cmocka_unit_test(after_a_failure_nothing_is_appended),
        cmocka_unit_test(varints_are_leb128),
        cmocka_unit_test(prints_short_and_long),
        cmocka_unit_test(prints_up_to_the_last_byte),
        cmocka_unit_test(shifts_from_the_front),
        cmocka_unit_test(empty_is_a_span_and_a_string),
        cmocka_unit_test(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
