// The policy's condition: what it accepts, what it refuses and where, and the unknown.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/act/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/mem.h"

static const struct expr_symbol symbols[] = {
    {"diagnosis", EXPR_WORD}, {"rows", EXPR_NUMBER}, {"automatic", EXPR_TRUTH}};

static struct expr *parse(const char *text)
{
    struct expr *e = NULL;
    struct expr_fault fault;
    assert_int_equal(expr_parse(span_text(text), symbols, 3, &e, &fault), ST_OK);
    return e;
}

static bool holds(const char *text, const char *diagnosis, double rows, bool automatic)
{
    struct expr *e = parse(text);
    struct expr_value v[3] = {
        {.is_known = diagnosis != NULL, .word = span_text(diagnosis)},
        {.is_known = rows >= 0, .number = rows},
        {.is_known = true, .truth = automatic}};
    bool found = expr_holds(e, v);
    expr_close(e);
    return found;
}

static void compares_and_combines(void **state)
{
    (void)state;
    assert_true(holds("diagnosis in [bad_version, behaviour]", "behaviour", 1, false));
    assert_false(holds("diagnosis in [bad_version]", "behaviour", 1, false));
    assert_true(holds("diagnosis = world_shift or rows >= 10", "x", 10, false));
    assert_true(holds("not (rows > 3 and automatic)", "x", 4, false));
    assert_false(holds("rows > 3 and automatic", "x", 4, false));
    assert_true(holds("diagnosis != \"x\" and rows < 1e3", "y", 999, false));
    assert_true(holds("rows <= 2 or rows >= 4 and automatic", "y", 2, false));
}

static void never_acts_on_the_unknown(void **state)
{
    (void)state;
    assert_false(holds("diagnosis = bad_version", NULL, 1, true));
    assert_false(holds("not diagnosis = bad_version", NULL, 1, true));
    assert_false(holds("diagnosis != bad_version", NULL, 1, true));
    assert_false(holds("not rows > 5", "x", -1, true));
    assert_true(holds("rows > 5 or automatic", "x", -1, true));
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column;
    } bad[] = {
        {"diagnose = x", 1},      {"rows > many", 12},
        {"diagnosis in bad", 14}, {"rows > 1 )", 10},
        {"diagnosis < bad", 16},  {"", 1},
        {"(rows > 1", 10},        {"rows", 5},
        {"automatic and", 14},    {"diagnosis in [", 15},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct expr *e = NULL;
        struct expr_fault fault;
        assert_int_equal(expr_parse(span_text(bad[i].text), symbols, 3, &e, &fault),
                         ST_CORRUPT);
        assert_null(e);
        assert_int_equal(fault.column, bad[i].column);
        assert_true(fault.text[0] != '\0');
    }
}

static void is_bounded(void **state)
{
    (void)state;
    char deep[200] = {0}, wide[EXPR_BYTES_MAX + 2];
    memset(deep, '(', 100);
    memset(wide, ' ', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    struct expr *e = NULL;
    struct expr_fault fault;
    assert_int_equal(expr_parse(span_text(deep), symbols, 3, &e, &fault), ST_RANGE);
    assert_int_equal(expr_parse(span_text(wide), symbols, 3, &e, &fault), ST_RANGE);
}

static void survives_memory_running_out(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        struct expr *e = NULL;
        struct expr_fault fault;
        mem_fail_from(n);
        enum status st = expr_parse(span_text("automatic"), symbols, 3, &e, &fault);
        mem_fail_from(0);
        assert_true(st == ST_OK ? e != NULL : st == ST_NOMEM && e == NULL);
        expr_close(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_and_combines),
        cmocka_unit_test(never_acts_on_the_unknown),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(survives_memory_running_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
