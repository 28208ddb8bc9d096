// Value: each type from both sides, rules, and the words of a refusal.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"

static struct buf why;

static int begin(void **state)
{
    (void)state;
    buf_init(&why, 1 << 16);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&why);
    return 0;
}

static enum status check(enum value_type type, const char *rule, const char *text)
{
    buf_clear(&why);
    return value_check(type, rule, span_text(text), &why);
}

static void each_type_from_both_sides(void **state)
{
    (void)state;
    static const struct {
        enum value_type type;
        const char *good, *bad;
    } rows[] = {
        {VALUE_TEXT, "a b", "a\nb"},       {VALUE_NAME, "bike-demand", "bike demand"},
        {VALUE_NUMBER, "12", "12.0"},      {VALUE_REAL, "-1e-3", "nan"},
        {VALUE_SHARE, "1", "1.01"},        {VALUE_SHARE, "0", "-0.01"},
        {VALUE_FLAG, "yes", "y"},          {VALUE_DURATION, "60s", "60x"},
        {VALUE_SIZE, "64MiB", "64MB"},     {VALUE_TIME, "2012-08-15", "yesterday"},
        {VALUE_LIST, "anything", "a\x01"}, {VALUE_TEXT, "", "a\x7f"},
        {VALUE_TEXT, "\xc3\xa9", "\xc3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(check(rows[i].type, NULL, rows[i].good), ST_OK);
        assert_int_equal(why.size, 0);
        assert_int_equal(check(rows[i].type, NULL, rows[i].bad), ST_RANGE);
        assert_non_null(strstr(buf_cstr(&why), value_noun(rows[i].type)));
        assert_non_null(strstr(buf_cstr(&why), ": write "));
    }
}

static void says_what_is_wrong_and_what_to_write(void **state)
{
    (void)state;
    assert_int_equal(check(VALUE_DURATION, NULL, "60x"), ST_RANGE);
    assert_string_equal(
        buf_cstr(&why),
        "\"60x\" is no duration: write one like 250ms, 60s, 10m, 2h or 1d");
    assert_int_equal(check(VALUE_WORD, "observe|suggest|auto", "autom"), ST_RANGE);
    assert_string_equal(buf_cstr(&why), "\"autom\" is none of the choices: write "
                                        "observe, suggest or auto");
    assert_int_equal(check(VALUE_NUMBER, "1..9", "10"), ST_RANGE);
    assert_string_equal(buf_cstr(&why), "\"10\" is outside 1..9");
}

static void a_refusal_is_one_short_printable_line(void **state)
{
    (void)state;
    char longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(check(VALUE_TEXT, NULL, longer), ST_RANGE);
    assert_true(why.size < 200);
    assert_int_equal(check(VALUE_NUMBER, NULL, "1\n2\x1b[2J\xff"), ST_RANGE);
    assert_non_null(strstr(buf_cstr(&why), "\"1?2?[2J?\""));
}

static void bounds_include_their_ends(void **state)
{
    (void)state;
    static const struct {
        enum value_type type;
        const char *rule, *least, *most, *below, *above;
    } rows[] = {
        {VALUE_NUMBER, "3..7", "3", "7", "2", "8"},
        {VALUE_DURATION, "1s..1h", "1000ms", "60m", "999ms", "3601s"},
        {VALUE_SIZE, "4KiB..1MiB", "4096", "1024KiB", "4095", "1048577"},
        {VALUE_REAL, "-0.5..0.5", "-0.5", "0.5", "-0.51", "0.51"},
        {VALUE_SHARE, "0.1..0.9", "0.1", "0.9", "0.09", "0.91"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(check(rows[i].type, rows[i].rule, rows[i].least), ST_OK);
        assert_int_equal(check(rows[i].type, rows[i].rule, rows[i].most), ST_OK);
        assert_int_equal(check(rows[i].type, rows[i].rule, rows[i].below), ST_RANGE);
        assert_int_equal(check(rows[i].type, rows[i].rule, rows[i].above), ST_RANGE);
    }
    assert_int_equal(check(VALUE_NUMBER, "3..", "18446744073709551615"), ST_OK);
    assert_int_equal(check(VALUE_NUMBER, "3..", "2"), ST_RANGE);
    assert_int_equal(check(VALUE_NUMBER, "..3", "0"), ST_OK);
    assert_int_equal(check(VALUE_NUMBER, "..3", "4"), ST_RANGE);
}

static void words_rule_texts_and_lists_too(void **state)
{
    (void)state;
    assert_int_equal(check(VALUE_TEXT, "a|b", "b"), ST_OK);
    assert_int_equal(check(VALUE_TEXT, "a|b", "a|b"), ST_RANGE);
    assert_int_equal(check(VALUE_LIST, "a|b", "c"), ST_RANGE);
    assert_int_equal(check(VALUE_WORD, "only", "only"), ST_OK);
    assert_int_equal(check(VALUE_WORD, "only", ""), ST_RANGE);
}

static void stores_into_the_field_of_the_type(void **state)
{
    (void)state;
    uint64_t number = 0;
    double real = 0;
    bool flag = false;
    unsigned word = 9;
    assert_int_equal(value_store(VALUE_SIZE, NULL, span_text("2KiB"), &number, &why),
                     ST_OK);
    assert_int_equal(number, 2048);
    assert_int_equal(value_store(VALUE_REAL, NULL, span_text("-2.5"), &real, &why),
                     ST_OK);
    assert_true(real == -2.5);
    static const char *const yes[] = {"yes", "true", "on"};
    static const char *const no[] = {"no", "false", "off"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(value_store(VALUE_FLAG, NULL, span_text(yes[i]), &flag, &why),
                         ST_OK);
        assert_true(flag);
        assert_int_equal(value_store(VALUE_FLAG, NULL, span_text(no[i]), &flag, &why),
                         ST_OK);
        assert_false(flag);
    }
    assert_int_equal(value_store(VALUE_WORD, "a|b|c", span_text("c"), &word, &why),
                     ST_OK);
    assert_int_equal(word, 2);
    assert_int_equal(value_store(VALUE_WORD, "a|b|c", span_text("d"), &word, &why),
                     ST_RANGE);
    assert_int_equal(word, 2);
}

static void texts_are_replaced_and_lists_grow(void **state)
{
    (void)state;
    char *text = NULL;
    struct value_list list = {0};
    assert_int_equal(value_store(VALUE_TEXT, NULL, span_text("one"), &text, &why),
                     ST_OK);
    assert_int_equal(value_store(VALUE_NAME, NULL, span_text("two"), &text, &why),
                     ST_OK);
    assert_string_equal(text, "two");
    assert_int_equal(value_store(VALUE_LIST, NULL, span_text("a"), &list, &why), ST_OK);
    assert_int_equal(value_store(VALUE_LIST, NULL, span_text("b"), &list, &why), ST_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.item[1], "b");
    value_drop(VALUE_NAME, &text);
    value_drop(VALUE_LIST, &list);
    assert_null(text);
    assert_int_equal(list.count, 0);
    value_drop(VALUE_TEXT, &text);
    value_drop(VALUE_LIST, &list);
}

static void keeps_the_old_value_without_memory(void **state)
{
    (void)state;
    char *text = NULL;
    struct value_list list = {0};
    assert_int_equal(value_store(VALUE_TEXT, NULL, span_text("old"), &text, &why),
                     ST_OK);
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_from(n);
        assert_int_equal(value_store(VALUE_LIST, NULL, span_text("a"), &list, &why),
                         ST_NOMEM);
        assert_int_equal(list.count, 0);
    }
    mem_fail_from(1);
    assert_int_equal(value_store(VALUE_TEXT, NULL, span_text("new"), &text, &why),
                     ST_NOMEM);
    mem_fail_from(0);
    assert_string_equal(text, "old");
    value_drop(VALUE_TEXT, &text);
}

static const char *nearest(const char *word)
{
    static const char *const words[] = {"window", "spool-size", "controller", "ca"};
    const char *best = NULL;
    unsigned distance = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        value_nearer(word, words[i], &best, &distance);
    return best;
}

static void finds_what_was_probably_meant(void **state)
{
    (void)state;
    assert_string_equal(nearest("windwo"), "window");
    assert_string_equal(nearest("ac"), "ca"); // a swap counts once
    assert_string_equal(nearest("windows"), "window");
    assert_string_equal(nearest("spoolsize"), "spool-size");
    assert_string_equal(nearest("kontroler"), "controller");
    assert_string_equal(nearest("cb"), "ca");
    assert_null(nearest("xy")); // two of two letters wrong is another word
    assert_null(nearest("wnd"));
    assert_null(nearest(""));
    assert_null(nearest("a-word-that-is-longer-than-any-option-can-be"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_type_from_both_sides, begin, end),
        cmocka_unit_test_setup_teardown(says_what_is_wrong_and_what_to_write, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_refusal_is_one_short_printable_line, begin,
                                        end),
        cmocka_unit_test_setup_teardown(bounds_include_their_ends, begin, end),
        cmocka_unit_test_setup_teardown(words_rule_texts_and_lists_too, begin, end),
        cmocka_unit_test_setup_teardown(stores_into_the_field_of_the_type, begin, end),
        cmocka_unit_test_setup_teardown(texts_are_replaced_and_lists_grow, begin, end),
        cmocka_unit_test_setup_teardown(keeps_the_old_value_without_memory, begin, end),
        cmocka_unit_test(finds_what_was_probably_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
