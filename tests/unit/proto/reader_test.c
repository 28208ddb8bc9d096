// Reader: every encoding of msgpack, and every lie that it must not believe.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static struct reader reader_of(const char *hex, uint8_t *bytes)
{
    struct reader r;
    size_t size = strlen(hex) / 2;
    assert_int_equal(text_hex(span_text(hex), bytes, size), ST_OK);
    reader_init(&r, span_of(bytes, size));
    return r;
}

static void reads_every_width_of_integer(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int64_t value;
    } good[] = {
        {"00", 0},
        {"7f", 127},
        {"ff", -1},
        {"e0", -32},
        {"cc00", 0},
        {"ccff", 255},
        {"cdffff", 65535},
        {"ceffffffff", 4294967295},
        {"cf7fffffffffffffff", INT64_MAX},
        {"d080", -128},
        {"d07f", 127},
        {"d18000", -32768},
        {"d280000000", INT32_MIN},
        {"d27fffffff", INT32_MAX},
        {"d38000000000000000", INT64_MIN},
        {"d3ffffffffffffffff", -1},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint8_t bytes[16];
        struct reader r = reader_of(good[i].hex, bytes);
        int64_t v = 42;
        assert_int_equal(reader_i64(&r, &v), ST_OK);
        assert_true(v == good[i].value);
        assert_int_equal(reader_end(&r), ST_OK);
        r = reader_of(good[i].hex, bytes);
        uint64_t u = 42;
        enum status st = reader_u64(&r, &u);
        assert_int_equal(st, good[i].value < 0 ? ST_CORRUPT : ST_OK);
        assert_true(u == (good[i].value < 0 ? 42 : (uint64_t)good[i].value));
    }
    uint8_t bytes[16];
    struct reader r = reader_of("cfffffffffffffffff", bytes);
    uint64_t u = 0;
    assert_int_equal(reader_u64(&r, &u), ST_OK);
    assert_true(u == UINT64_MAX);
    int64_t v = 0;
    r = reader_of("cf8000000000000000", bytes);
    assert_int_equal(reader_i64(&r, &v), ST_CORRUPT);
}

static void reads_floats_and_exact_integers_as_doubles(void **state)
{
    (void)state;
    uint8_t bytes[16];
    double v = 0;
    struct reader r = reader_of("cb3ff8000000000000", bytes);
    assert_int_equal(reader_f64(&r, &v), ST_OK);
    assert_true(v == 1.5);
    r = reader_of("cabfc00000", bytes);
    assert_int_equal(reader_f64(&r, &v), ST_OK);
    assert_true(v == -1.5);
    r = reader_of("cb7ff8000000000000", bytes);
    assert_int_equal(reader_f64(&r, &v), ST_OK);
    assert_true(isnan(v));
    r = reader_of("cf0020000000000000", bytes);
    assert_int_equal(reader_f64(&r, &v), ST_OK);
    assert_true(v == 9007199254740992.0);
    r = reader_of("cf0020000000000001", bytes);
    assert_int_equal(reader_f64(&r, &v), ST_CORRUPT);
}

static void reads_texts_bytes_nil_and_bool(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct span s;
    bool flag;
    struct reader r = reader_of("a568656c6c6fd903c3a421c403000102c0c3c2", bytes);
    assert_int_equal(reader_text(&r, &s), ST_OK);
    assert_true(span_is(s, "hello"));
    assert_int_equal(reader_text(&r, &s), ST_OK);
    assert_true(span_is(s, "\xc3\xa4!"));
    assert_int_equal(reader_bytes(&r, &s), ST_OK);
    assert_true(span_equal(s, span_of("\0\1\2", 3)));
    assert_int_equal(reader_nil(&r), ST_OK);
    assert_int_equal(reader_bool(&r, &flag), ST_OK);
    assert_true(flag);
    assert_int_equal(reader_bool(&r, &flag), ST_OK);
    assert_false(flag);
    assert_int_equal(reader_end(&r), ST_OK);
}

static void a_text_must_be_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a180", "a2c328", "a3eda080", "a2c080", "a4f4908080", "a9414141414141414180",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[16];
        struct span s;
        struct reader r = reader_of(bad[i], bytes);
        assert_int_equal(reader_text(&r, &s), ST_CORRUPT);
    }
}

// Whatever it is asked for, and wherever the value is cut off.
static void no_cut_value_is_taken(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "cc01",
        "cd0001",
        "ce00000001",
        "cf0000000000000001",
        "d001",
        "d10001",
        "d200000001",
        "d30000000000000001",
        "ca00000000",
        "cb0000000000000000",
        "a3616263",
        "d903616263",
        "da0003616263",
        "db00000003616263",
        "c403010203",
        "c50003010203",
        "c600000003010203",
        "93010203",
        "dc0003010203",
        "dd00000003010203",
        "8101a161",
        "de000101a161",
        "df0000000101a161",
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        uint8_t bytes[16];
        struct reader all = reader_of(whole[i], bytes);
        size_t size = reader_left(&all);
        assert_int_equal(reader_skip(&all), ST_OK);
        assert_int_equal(reader_end(&all), ST_OK);
        for (size_t cut = 0; cut < size; cut++) {
            // Bytes of its own on the heap, so that the sanitizer sees a step too far.
            uint8_t *part = mem_copy(span_of(bytes, cut));
            struct reader r;
            reader_init(&r, span_of(part, cut));
            assert_int_equal(reader_skip(&r), ST_CORRUPT);
            mem_free(part);
        }
    }
}

// control.md F11: five bytes that made another unpacker reserve gigabytes.
static void a_claimed_count_is_compared_with_what_is_left(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "dd80000000", "dd0fffffff", "dffffffff0", "ddffffffff", "dcffff00", "9f00",
        "8f00",       "8201c0",     "dbffffffff", "c6ffffffff", "d9ff00",   "bf00",
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint8_t bytes[16];
        uint32_t n = 7;
        struct span s;
        struct reader r = reader_of(lies[i], bytes);
        assert_int_equal(reader_array(&r, &n), ST_CORRUPT);
        assert_int_equal(reader_map(&r, &n), ST_CORRUPT);
        assert_int_equal(reader_text(&r, &s), ST_CORRUPT);
        assert_int_equal(reader_bytes(&r, &s), ST_CORRUPT);
        assert_int_equal(reader_skip(&r), ST_CORRUPT);
        assert_int_equal(n, 7);
    }
}

static void nesting_ends_at_its_limit(void **state)
{
    (void)state;
    uint8_t bytes[64];
    memset(bytes, 0x91, sizeof bytes);
    bytes[READER_DEPTH_MAX] = 0x00;
    struct reader r;
    reader_init(&r, span_of(bytes, READER_DEPTH_MAX + 1));
    assert_int_equal(reader_skip(&r), ST_OK);
    bytes[READER_DEPTH_MAX] = 0x91;
    bytes[READER_DEPTH_MAX + 1] = 0x00;
    reader_init(&r, span_of(bytes, READER_DEPTH_MAX + 2));
    assert_int_equal(reader_skip(&r), ST_CORRUPT);
    memset(bytes, 0x81, sizeof bytes);
    reader_init(&r, span_of(bytes, sizeof bytes));
    assert_int_equal(reader_skip(&r), ST_CORRUPT);
}

static void objects_end_at_their_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint32_t extra = 0; extra < 2; extra++) {
        uint32_t items = READER_OBJECTS_MAX - 1 + extra;
        buf_clear(&b);
        buf_put_u8(&b, 0xdd);
        buf_put_be32(&b, items);
        memset(buf_reserve(&b, items), 0xc0, items);
        struct reader r;
        reader_init(&r, buf_span(&b));
        assert_int_equal(reader_skip(&r), extra ? ST_CORRUPT : ST_OK);
    }
    buf_fini(&b);
}

static void ext_types_and_the_unused_byte_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "c1",
        "c7000100",
        "c8000001",
        "c90000000001",
        "d40100",
        "d5010000",
        "d6ff00000000",
        "d7ff0000000000000000",
        "d80100000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[32];
        struct reader r = reader_of(bad[i], bytes);
        assert_int_equal(reader_peek(&r), READER_OTHER);
        assert_int_equal(reader_skip(&r), ST_CORRUPT);
    }
}

static void another_type_is_refused_and_stays(void **state)
{
    (void)state;
    uint8_t bytes[8];
    uint64_t u = 7;
    struct span s = span_text("kept");
    struct reader r = reader_of("a161", bytes);
    assert_int_equal(reader_u64(&r, &u), ST_CORRUPT);
    assert_int_equal(reader_nil(&r), ST_CORRUPT);
    assert_int_equal(reader_bytes(&r, &s), ST_CORRUPT);
    assert_true(u == 7 && span_is(s, "kept"));
    assert_int_equal(reader_peek(&r), READER_TEXT);
    r = reader_of("", bytes);
    assert_int_equal(reader_peek(&r), READER_OTHER);
    assert_int_equal(reader_skip(&r), ST_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_width_of_integer),
        cmocka_unit_test(reads_floats_and_exact_integers_as_doubles),
        cmocka_unit_test(reads_texts_bytes_nil_and_bool),
        cmocka_unit_test(a_text_must_be_utf8),
        cmocka_unit_test(no_cut_value_is_taken),
        cmocka_unit_test(a_claimed_count_is_compared_with_what_is_left),
        cmocka_unit_test(nesting_ends_at_its_limit),
        cmocka_unit_test(objects_end_at_their_limit),
        cmocka_unit_test(ext_types_and_the_unused_byte_are_refused),
        cmocka_unit_test(another_type_is_refused_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
