// Json: commas, escapes, and doubles that come back to the bit.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "common/base/hash.h"

struct fixture {
    struct buf out;
    struct json j;
};

static int begin(void **state)
{
    static struct fixture f;
    buf_init(&f.out, 1 << 16);
    json_init(&f.j, &f.out);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->out);
    return 0;
}

static void places_commas_and_colons(void **state)
{
    struct fixture *f = *state;
    struct json *j = &f->j;
    json_object(j);
    json_key_u64(j, "a", UINT64_MAX);
    json_key(j, "b");
    json_array(j);
    json_i64(j, INT64_MIN);
    json_array(j);
    json_array_end(j);
    json_object(j);
    json_object_end(j);
    json_bool(j, true);
    json_null(j);
    json_array_end(j);
    json_key_bool(j, "c", false);
    json_key(j, "d");
    json_raw(j, span_text("[1]"));
    json_key_cstr(j, "e", NULL);
    json_object_end(j);
    assert_string_equal(buf_cstr(&f->out),
                        "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,[],{},"
                        "true,null],\"c\":false,\"d\":[1],\"e\":null}");
}

static void escapes_what_must_be(void **state)
{
    struct fixture *f = *state;
    json_text(&f->j, span_of("q\" b\\ n\n t\t z\0 u\x1f \x7f \xc3\xa9", 22));
    assert_string_equal(buf_cstr(&f->out),
                        "\"q\\\" b\\\\ n\\n t\\t z\\u0000 u\\u001f \x7f \xc3\xa9\"");
}

static void replaces_what_is_no_utf8(void **state)
{
    struct fixture *f = *state;
    json_text(&f->j, span_text("a\xff\xc3"
                               "b"));
    assert_string_equal(buf_cstr(&f->out), "\"a\xef\xbf\xbd\xef\xbf\xbd"
                                           "b\"");
}

static void writes_hex_and_times(void **state)
{
    struct fixture *f = *state;
    json_array(&f->j);
    json_hex(&f->j, span_of("\x00\xff", 2));
    json_time(&f->j, UINT64_C(1344988800000000000));
    json_time(&f->j, 0);
    json_array_end(&f->j);
    assert_string_equal(buf_cstr(&f->out), "[\"00ff\",\"2012-08-15T00:00:00Z\",null]");
}

static void not_a_number_becomes_null(void **state)
{
    struct fixture *f = *state;
    json_array(&f->j);
    json_f64(&f->j, NAN);
    json_f64(&f->j, INFINITY);
    json_f64(&f->j, -INFINITY);
    json_array_end(&f->j);
    assert_string_equal(buf_cstr(&f->out), "[null,null,null]");
}

static const char *written(struct fixture *f, double v)
{
    buf_clear(&f->out);
    json_init(&f->j, &f->out);
    json_f64(&f->j, v);
    return buf_cstr(&f->out);
}

static void doubles_in_the_fewest_digits(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(written(f, 0.1), "0.1");
    assert_string_equal(written(f, 0), "0");
    assert_string_equal(written(f, -0.0), "-0");
    assert_string_equal(written(f, 1.0 / 3), "0.3333333333333333");
    assert_string_equal(written(f, 0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(written(f, 5e-324), "5e-324");
    assert_string_equal(written(f, 1e22), "1e+22");
    assert_string_equal(written(f, 123456), "123456");
    assert_string_equal(written(f, 1.7976931348623157e308), "1.7976931348623157e+308");
}

static void doubles_come_back_to_the_bit(void **state)
{
    struct fixture *f = *state;
    struct random r = {3};
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = random_u64(&r);
        if (i % 10 == 0)
            bits &= UINT64_C(0x800fffffffffffff); // subnormal
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        back = strtod(written(f, v), NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
}

static void too_deep_fails_the_buffer(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array(&f->j);
    assert_int_equal(f->out.failed, ST_OK);
    json_object(&f->j);
    assert_int_equal(f->out.failed, ST_RANGE);
    for (int i = 0; i < JSON_DEPTH_MAX + 3; i++)
        json_array_end(&f->j);
    assert_string_equal(buf_cstr(&f->out), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(places_commas_and_colons, begin, end),
        cmocka_unit_test_setup_teardown(escapes_what_must_be, begin, end),
        cmocka_unit_test_setup_teardown(replaces_what_is_no_utf8, begin, end),
        cmocka_unit_test_setup_teardown(writes_hex_and_times, begin, end),
        cmocka_unit_test_setup_teardown(not_a_number_becomes_null, begin, end),
        cmocka_unit_test_setup_teardown(doubles_in_the_fewest_digits, begin, end),
        cmocka_unit_test_setup_teardown(doubles_come_back_to_the_bit, begin, end),
        cmocka_unit_test_setup_teardown(too_deep_fails_the_buffer, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
