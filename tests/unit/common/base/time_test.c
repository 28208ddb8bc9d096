// Time: RFC 3339 and Unix seconds, against the C library's own calendar.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/text.h"

static void reads_each_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"2012-08-15", UINT64_C(1344988800000000000)},
        {"2012-08-15T00:00:00Z", UINT64_C(1344988800000000000)},
        {"2012-08-15t00:00:00z", UINT64_C(1344988800000000000)},
        {"2012-08-15 00:00:00Z", UINT64_C(1344988800000000000)},
        {"2012-08-15T02:30:00+02:30", UINT64_C(1344988800000000000)},
        {"2012-08-14T19:00:00-05:00", UINT64_C(1344988800000000000)},
        {"2012-08-15T00:00:00.5Z", UINT64_C(1344988800500000000)},
        {"2012-08-15T00:00:00.123456789Z", UINT64_C(1344988800123456789)},
        {"2016-12-31T23:59:60Z", UINT64_C(1483228800000000000)},
        {"2000-02-29", UINT64_C(951782400000000000)},
        {"1344988800", UINT64_C(1344988800000000000)},
        {"1344988800.25", UINT64_C(1344988800250000000)},
        {"0", 0},
        {"2554-07-21T00:00:00Z", UINT64_C(18446659200000000000)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ns = 1;
        assert_int_equal(text_time(span_text(rows[i].text), &ns), ST_OK);
        assert_int_equal(ns, rows[i].ns);
    }
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "2012",
        "2012-8-15x",
        "2012-13-01",
        "2012-00-01",
        "2012-01-00",
        "2012-01-32",
        "2011-02-29",
        "2100-02-29",
        "1969-12-31",
        "2012-08-15T24:00:00Z",
        "2012-08-15T00:60:00Z",
        "2012-08-15T00:00:61Z",
        "2012-08-15T00:00:00",
        "2012-08-15T00:00Z",
        "2012-08-15T00:00:00.Z",
        "2012-08-15T00:00:00.1234567890Z",
        "2012-08-15T00:00:00+0200",
        "2012-08-15T00:00:00+24:00",
        "2012-08-15T00:00:00Zx",
        "1970-01-01T00:00:00+01:00",
        "3000-01-01T00:00:00Z",
        "-1",
        "1.",
        "1.x",
        "18446744073709551615",
        "99999999999999999999",
        "1e9",
        " 1",
        "2012-08-1",
        "2012-08-15 ",
        "now",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ns = 77;
        // "2012" alone is a number of seconds, and so a time.
        enum status expected = i == 1 ? ST_OK : ST_RANGE;
        if (text_time(span_text(bad[i]), &ns) != expected)
            fail_msg("\"%s\"", bad[i]);
    }
}

static void writes_milliseconds_only_where_there_are_some(void **state)
{
    (void)state;
    char text[TEXT_TIME_BYTES];
    text_time_cstr(UINT64_C(1344988800000000000), text);
    assert_string_equal(text, "2012-08-15T00:00:00Z");
    text_time_cstr(UINT64_C(1344988800007999999), text);
    assert_string_equal(text, "2012-08-15T00:00:00.007Z");
    text_time_cstr(UINT64_C(1344988800000999999), text);
    assert_string_equal(text, "2012-08-15T00:00:00Z");
    text_time_cstr(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    text_time_cstr(UINT64_MAX, text);
    assert_string_equal(text, "2554-07-21T23:34:33.709Z");
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    struct random r = {11};
    for (int i = 0; i < 20000; i++) {
        time_t seconds = (time_t)(random_u64(&r) % UINT64_C(18446744073));
        struct tm tm;
        char expected[64], text[TEXT_TIME_BYTES];
        uint64_t ns;
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm);
        text_time_cstr((uint64_t)seconds * NS_PER_S, text);
        assert_string_equal(text, expected);
        if (text_time(span_text(text), &ns) != ST_OK ||
            ns / NS_PER_S != (uint64_t)seconds)
            fail_msg("%s", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_form),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(writes_milliseconds_only_where_there_are_some),
        cmocka_unit_test(agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
