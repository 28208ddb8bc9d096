// Span: comparison and integers at any alignment.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void compares_bytes_first_and_length_then(void **state)
{
    (void)state;
    assert_true(span_compare(span_text("a"), span_text("b")) < 0);
    assert_true(span_compare(span_text("b"), span_text("aa")) > 0);
    assert_true(span_compare(span_text("a"), span_text("aa")) < 0);
    assert_true(span_compare(span_text("aa"), span_text("a")) > 0);
    assert_int_equal(span_compare(span_text("aa"), span_text("aa")), 0);
    assert_true(span_compare(span_of("\xff", 1), span_of("\x01", 1)) > 0);
}

static void empty_spans_are_equal_wherever_they_point(void **state)
{
    (void)state;
    assert_true(span_equal(span_of(NULL, 0), span_text("")));
    assert_true(span_equal(span_text(NULL), span_text("")));
    assert_int_equal(span_compare(span_of(NULL, 0), span_text("")), 0);
    assert_true(span_compare(span_of(NULL, 0), span_text("x")) < 0);
    assert_true(span_is(span_of(NULL, 0), ""));
    assert_false(span_is(span_text("ab"), "a"));
}

static void little_endian_at_an_odd_address(void **state)
{
    (void)state;
    uint8_t bytes[9] = {0xaa};
    store_le64(bytes + 1, UINT64_C(0x0102030405060708));
    assert_int_equal(bytes[0], 0xaa);
    assert_int_equal(bytes[1], 8);
    assert_int_equal(bytes[8], 1);
    assert_int_equal(load_le64(bytes + 1), UINT64_C(0x0102030405060708));
    assert_int_equal(load_le32(bytes + 1), 0x05060708);
    assert_int_equal(load_le16(bytes + 1), 0x0708);
    store_le16(bytes + 3, 0xfffe);
    assert_int_equal(load_le16(bytes + 3), 0xfffe);
}

static void big_endian_keeps_the_order_of_numbers(void **state)
{
    (void)state;
    uint8_t a[8], b[8];
    store_be64(a, UINT64_C(0x01ffffffffffffff));
    store_be64(b, UINT64_C(0x0200000000000000));
    assert_true(memcmp(a, b, 8) < 0);
    assert_int_equal(load_be64(a), UINT64_C(0x01ffffffffffffff));
    store_be32(a, 0xfedcba98);
    assert_int_equal(a[0], 0xfe);
    assert_int_equal(load_be32(a), 0xfedcba98);
}

static void doubles_keep_their_bits(void **state)
{
    (void)state;
    uint8_t bytes[8];
    const double values[] = {0.0, -0.0, 1.5, 5e-324, 1.7976931348623157e308};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        store_le_f64(bytes, values[i]);
        double back = load_le_f64(bytes);
        assert_memory_equal(&back, &values[i], sizeof back);
    }
    store_le_f64(bytes, 1.0);
    assert_int_equal(bytes[7], 0x3f);
    store_le_f32(bytes, -2.5f);
    assert_true(load_le_f32(bytes) == -2.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_bytes_first_and_length_then),
        cmocka_unit_test(empty_spans_are_equal_wherever_they_point),
        cmocka_unit_test(little_endian_at_an_odd_address),
        cmocka_unit_test(big_endian_keeps_the_order_of_numbers),
        cmocka_unit_test(doubles_keep_their_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
