// Status: every code has a name of its own and a phrase.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i < ST_COUNT; i++) {
        assert_non_null(status_name((enum status)i));
        assert_true(strlen(status_text((enum status)i)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(status_name((enum status)i),
                                    status_name((enum status)k));
    }
}

static void a_foreign_code_is_named_too(void **state)
{
    (void)state;
    assert_string_equal(status_name((enum status)ST_COUNT), "invalid");
    assert_string_equal(status_name((enum status)1000), "invalid");
    assert_non_null(status_text((enum status)ST_COUNT));
}

static enum status pass_on(enum status st, int *reached)
{
    ST_TRY(st);
    *reached = 1;
    return ST_OK;
}

static void try_returns_a_failure_at_once(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(pass_on(ST_FULL, &reached), ST_FULL);
    assert_int_equal(reached, 0);
    assert_int_equal(pass_on(ST_OK, &reached), ST_OK);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_name),
        cmocka_unit_test(a_foreign_code_is_named_too),
        cmocka_unit_test(try_returns_a_failure_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
