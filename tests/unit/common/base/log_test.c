// Log: one line, escaped, cut at its limit, and nothing below the least level.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char line[16384];
static int kept_stderr;
static int ends[2];

static int catch_stderr(void **state)
{
    (void)state;
    kept_stderr = dup(STDERR_FILENO);
    return pipe(ends) || dup2(ends[1], STDERR_FILENO) < 0 ? -1 : 0;
}

// What was written so far, as a string.
static const char *caught(void)
{
    dup2(kept_stderr, STDERR_FILENO);
    close(ends[1]);
    size_t size = 0;
    ssize_t got;
    while ((got = read(ends[0], line + size, sizeof line - 1 - size)) > 0)
        size += (size_t)got;
    line[size] = '\0';
    close(ends[0]);
    close(kept_stderr);
    return line;
}

static void words_then_facts(void **state)
{
    (void)state;
    log_setup("kedge-test", LOG_INFO, false);
    log_line(LOG_WARN, "order refused", "model=%s age_s=%d", "fraud-7", 42);
    log_line(LOG_ERROR, "alone", "");
    assert_string_equal(caught(),
                        "<4>kedge-test: order refused model=fraud-7 age_s=42\n"
                        "<3>kedge-test: alone\n");
}

static void quiet_below_the_least_level(void **state)
{
    (void)state;
    log_setup("kedge-test", LOG_WARN, false);
    log_line(LOG_DEBUG, "no", "");
    log_line(LOG_INFO, "no", "");
    assert_string_equal(caught(), "");
}

static void with_a_time_for_people(void **state)
{
    (void)state;
    log_setup("kedge-test", LOG_DEBUG, true);
    log_line(LOG_DEBUG, "hello", "");
    const char *text = caught();
    assert_int_equal(text[4], '-');
    assert_non_null(strstr(text, "Z kedge-test debug: hello\n"));
}

static void control_characters_cannot_forge_a_line(void **state)
{
    (void)state;
    log_setup("kedge-test", LOG_INFO, false);
    log_line(LOG_INFO, "name", "host=%s", "a\n<3>forged\x1b[2J\x7f");
    assert_string_equal(caught(),
                        "<6>kedge-test: name host=a\\x0a<3>forged\\x1b[2J\\x7f\n");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    char longer[8000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    log_setup("kedge-test", LOG_INFO, false);
    log_line(LOG_INFO, longer, "%s", "fact");
    const char *text = caught();
    size_t size = strlen(text);
    assert_true(size <= 4096);
    assert_string_equal(text + size - 5, "x...\n");
}

static void long_facts_are_cut(void **state)
{
    (void)state;
    char longer[8000];
    memset(longer, '\n', sizeof longer - 1); // four characters each once escaped
    longer[sizeof longer - 1] = '\0';
    log_setup("kedge-test", LOG_INFO, false);
    log_line(LOG_INFO, "words", "%s", longer);
    const char *text = caught();
    size_t size = strlen(text);
    assert_true(size <= 4096 && size > 4000);
    assert_string_equal(text + size - 4, "...\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(words_then_facts, catch_stderr),
        cmocka_unit_test_setup(quiet_below_the_least_level, catch_stderr),
        cmocka_unit_test_setup(with_a_time_for_people, catch_stderr),
        cmocka_unit_test_setup(control_characters_cannot_forge_a_line, catch_stderr),
        cmocka_unit_test_setup(a_long_line_is_cut, catch_stderr),
        cmocka_unit_test_setup(long_facts_are_cut, catch_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
