// Text: numbers, sizes, names and encodings, each bound from both sides.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

static void reads_whole_numbers(void **state)
{
    (void)state;
    uint64_t u = 5;
    int64_t i = 5;
    assert_true(text_u64(span_text("0"), &u) == ST_OK && u == 0);
    assert_true(text_u64(span_text("18446744073709551615"), &u) == ST_OK &&
                u == UINT64_MAX);
    assert_true(text_i64(span_text("-9223372036854775808"), &i) == ST_OK &&
                i == INT64_MIN);
    assert_true(text_i64(span_text("9223372036854775807"), &i) == ST_OK &&
                i == INT64_MAX);
    const char *bad[] = {"", " 1", "1 ", "+1", "0x1", "1.0", "18446744073709551616",
                         "-"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(text_u64(span_text(bad[k]), &u), ST_RANGE);
        assert_int_equal(text_i64(span_text(bad[k]), &i), ST_RANGE);
    }
    assert_int_equal(text_u64(span_text("-1"), &u), ST_RANGE);
    assert_int_equal(text_i64(span_text("9223372036854775808"), &i), ST_RANGE);
    assert_int_equal(text_i64(span_text("-9223372036854775809"), &i), ST_RANGE);
    assert_int_equal(text_i64(span_text("--1"), &i), ST_RANGE);
    assert_true(u == UINT64_MAX && i == INT64_MAX);
}

static void reads_reals(void **state)
{
    (void)state;
    double v = 7;
    assert_true(text_f64(span_text("0.1"), &v) == ST_OK && v == 0.1);
    assert_true(text_f64(span_text("-1e-3"), &v) == ST_OK && v == -0.001);
    assert_true(text_f64(span_text("+.5"), &v) == ST_OK && v == 0.5);
    assert_true(text_f64(span_text("5e-324"), &v) == ST_OK && v == 5e-324);
    const char *bad[] = {"",    " 1",   "1 ", "nan", "inf", "-inf", "1e999",
                         "1,5", "1.5x", "e5", ".",   "-",   "1e"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(text_f64(span_text(bad[k]), &v), ST_RANGE);
    assert_int_equal(text_f64(span_of("1\0002", 3), &v), ST_RANGE);
    char longer[402];
    memset(longer, '1', sizeof longer);
    assert_int_equal(text_f64(span_of(longer, 401), &v), ST_RANGE);
    assert_true(v == 5e-324);
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"0", 0},
        {"7", UINT64_C(7000000000)},
        {"250ms", 250000000},
        {"3us", 3000},
        {"3ns", 3},
        {"60s", UINT64_C(60000000000)},
        {"10m", UINT64_C(600000000000)},
        {"2h", UINT64_C(7200000000000)},
        {"1d", UINT64_C(86400000000000)},
        {"2w", UINT64_C(1209600000000000)},
    };
    uint64_t ns;
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        assert_int_equal(text_duration(span_text(good[k].text), &ns), ST_OK);
        assert_int_equal(ns, good[k].ns);
    }
    const char *bad[] = {"", "s", "60 s", "-1s", "1.5h", "60S", "1y", "600000w", "1ss"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(text_duration(span_text(bad[k]), &ns), ST_RANGE);
}

static void reads_sizes(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(text_size(span_text("4096"), &v) == ST_OK && v == 4096);
    assert_true(text_size(span_text("64KiB"), &v) == ST_OK && v == 65536);
    assert_true(text_size(span_text("1GiB"), &v) == ST_OK && v == 1 << 30);
    assert_true(text_size(span_text("9B"), &v) == ST_OK && v == 9);
    const char *bad[] = {"", "KiB", "1KB", "1kib", "1K", "16777216TiB", "-1"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(text_size(span_text(bad[k]), &v), ST_RANGE);
}

static void writes_in_the_largest_exact_unit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 200);
    const uint64_t ns[] = {0,
                           1,
                           1500,
                           250000000,
                           UINT64_C(60000000000),
                           UINT64_C(90000000000),
                           UINT64_C(1209600000000000)};
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        text_put_duration(&b, ns[i]);
        buf_put_u8(&b, ' ');
    }
    text_put_size(&b, 0);
    buf_put_u8(&b, ' ');
    text_put_size(&b, 1536);
    buf_put_u8(&b, ' ');
    text_put_size(&b, 1 << 21);
    assert_string_equal(buf_cstr(&b), "0s 1ns 1500ns 250ms 1m 90s 14d 0B 1536B 2MiB");
    buf_fini(&b);
}

static void hex_both_ways(void **state)
{
    (void)state;
    struct buf b;
    uint8_t out[3] = {9, 9, 9};
    buf_init(&b, 20);
    text_put_hex(&b, span_of("\x00\xab\xff", 3));
    assert_string_equal(buf_cstr(&b), "00abff");
    assert_int_equal(text_hex(span_text("00AbfF"), out, 3), ST_OK);
    assert_memory_equal(out, "\x00\xab\xff", 3);
    assert_int_equal(text_hex(span_text("00ab"), out, 3), ST_CORRUPT);
    assert_int_equal(text_hex(span_text("00abf"), out, 3), ST_CORRUPT);
    assert_int_equal(text_hex(span_text("11223g"), out, 3), ST_CORRUPT);
    assert_memory_equal(out, "\x00\xab\xff", 3);
    assert_int_equal(text_hex(span_text(""), out, 0), ST_OK);
    buf_fini(&b);
}

// RFC 4648, section 10, without the padding, and the two letters of the url alphabet.
static void base64url_as_in_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "-__-"},
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&b);
        text_put_base64url(&b, span_text(rows[i].plain));
        assert_string_equal(buf_cstr(&b), rows[i].coded);
        buf_clear(&b);
        assert_int_equal(text_base64url(span_text(rows[i].coded), &b), ST_OK);
        assert_string_equal(buf_cstr(&b), rows[i].plain);
    }
    const char *bad[] = {"Z", "Zg==", "Zm9+", "Zm9/", "Zh", "Zm9vYmF", "Zm 9", "Zm9vY"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&b);
        assert_int_equal(text_base64url(span_text(bad[i]), &b), ST_CORRUPT);
        assert_int_equal(b.size, 0);
    }
    assert_int_equal(text_base64url(span_of("Zm\0v", 4), &b), ST_CORRUPT);
    buf_fini(&b);
    buf_init(&b, 2);
    assert_int_equal(text_base64url(span_text("Zm9v"), &b), ST_FULL);
    buf_fini(&b);
}

static void utf8_only_in_its_shortest_form(void **state)
{
    (void)state;
    const char *good[] = {"",
                          "abc",
                          "\xc3\xa9",
                          "\xe2\x82\xac",
                          "\xf0\x9f\x9a\xa2",
                          "\xed\x9f\xbf",
                          "\xf4\x8f\xbf\xbf",
                          "\xc2\x80"};
    const char *bad[] = {
        "\x80",
        "\xc3",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xe2\x82",
        "a\xff",
        "\xc3\xc3",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(span_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(span_text(bad[i])));
    assert_true(text_is_utf8(span_of("\0", 1)));
    assert_int_equal(text_utf8_step(span_text("\xe2\x82\xac"
                                              "x")),
                     3);
    assert_int_equal(text_utf8_step(span_text("")), 0);
}

static void names_are_safe_to_print_and_to_join(void **state)
{
    (void)state;
    const char *good[] = {"a", "7", "bike-demand", "credit/scorer@2024-01_b+c:d",
                          "a.b"};
    const char *bad[] = {"",     ".a",   "-a",       "/a", "a b",
                         "a..b", "a/..", "\xc3\xa9", "a*", "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_name(span_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_name(span_text(bad[i])));
    assert_false(text_is_name(span_of("a\0b", 3)));
    char longest[129];
    memset(longest, 'a', sizeof longest);
    assert_true(text_is_name(span_of(longest, 128)));
    assert_false(text_is_name(span_of(longest, 129)));
}

static void globs_match_the_whole(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool does_match;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"a*c", "abbbc", true},
        {"a*c", "abbb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"?", "", false},
        {"**a", "ba", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxaxx", false},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"credit/*", "credit/x/y", true},
        {"a*ab", "aaab", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(text_glob(span_text(rows[i].pattern), span_text(rows[i].text)),
                         rows[i].does_match);
}

// A number means the same category by whichever door it comes.
static void numbers_are_named_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{10, "10"},
                {0, "0"},
                {-0.0, "0"},
                {-3, "-3"},
                {1e6, "1000000"},
                {0.1, "0.1"},
                {2.5, "2.5"},
                {1e15, "1e+15"},
                {1e22, "1e+22"},
                {1.0 / 3, "0.3333333333333333"},
                {5e-324, "4.94065645841247e-324"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[TEXT_NUMBER_BYTES];
        assert_int_equal(text_number(rows[i].v, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        assert_true(strtod(text, NULL) == rows[i].v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(reads_reals),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(writes_in_the_largest_exact_unit),
        cmocka_unit_test(numbers_are_named_as_people_write_them),
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(base64url_as_in_the_rfc),
        cmocka_unit_test(utf8_only_in_its_shortest_form),
        cmocka_unit_test(names_are_safe_to_print_and_to_join),
        cmocka_unit_test(globs_match_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
