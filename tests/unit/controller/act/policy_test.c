// The policy file: what it allows, in which order, and what it says when it is wrong.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/act/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const char two_rules[] =
    "policy \"fraud\" {\n"
    "  models = {\"fraud-*\"}\n"
    "  when = \"diagnosis in [bad_version] and hosts > 2\"\n"
    "  mode = \"auto\"\n"
    "  executor = \"sw\"\n"
    "  waves = {\"1 host\", \"25%\", \"100%\"}\n"
    "  verify { min_samples = 50 }\n"
    "}\n"
    "policy \"rest\" { mode = \"approve\"  approvals = 2 }\n";

static struct policy *parse(const char *text)
{
    struct policy *p = NULL;
    struct buf why;
    buf_init(&why, 1024);
    enum status st = policy_parse("policy", span_text(text), &p, &why);
    if (st != ST_OK)
        fail_msg("%s", buf_cstr(&why));
    buf_fini(&why);
    return p;
}

static void the_first_rule_that_fits_counts(void **state)
{
    (void)state;
    struct policy *p = parse(two_rules);
    struct policy_facts facts = {.model = span_text("fraud-7"),
                                 .diagnosis = span_text("bad_version"),
                                 .hosts = 3};
    assert_string_equal(policy_match(p, &facts)->name, "fraud");
    assert_int_equal(policy_match(p, &facts)->verify.min_samples, 50);
    facts.hosts = 2;
    assert_string_equal(policy_match(p, &facts)->name, "rest");
    facts.hosts = 3;
    facts.model = span_text("ads");
    assert_string_equal(policy_match(p, &facts)->name, "rest");
    assert_int_equal(policy_match(p, &facts)->approvals, 2);
    policy_close(p);
}

static void an_empty_policy_allows_nothing(void **state)
{
    (void)state;
    struct policy *p = parse("");
    struct policy_facts facts = {.model = span_text("x")};
    assert_null(policy_match(p, &facts));
    policy_close(p);
}

static void a_rule_without_a_mode_only_suggests(void **state)
{
    (void)state;
    struct policy *p = parse("policy \"x\" { }");
    assert_int_equal(policy_rule(p, 0)->mode, 1);
    policy_close(p);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"policy \"x\" { mode = \"always\" }", "mode"},
        {"policy \"x\" { when = \"diagnose = a\" }", "unknown symbol 'diagnose'"},
        {"policy \"x\" { waves = {\"half\"} }", "is no wave"},
        {"policy \"x\" { waves = {\"1 host\"} }", "must be \"100%\""},
        {"policy \"x\" { wavez = {} }", "wavez"},
        {"policy \"x\" {", "policy:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct policy *p = NULL;
        struct buf why;
        buf_init(&why, 1024);
        assert_int_equal(policy_parse("policy", span_text(bad[i].text), &p, &why),
                         ST_RANGE);
        if (!strstr(buf_cstr(&why), bad[i].says))
            fail_msg("'%s' does not say '%s'", buf_cstr(&why), bad[i].says);
        buf_fini(&why);
    }
}

static void waves_take_one_host_at_least(void **state)
{
    (void)state;
    const struct policy_wave one = {false, 1}, tenth = {true, 0.1}, all = {true, 1};
    assert_int_equal(policy_wave_hosts(&one, 3), 1);
    assert_int_equal(policy_wave_hosts(&tenth, 3), 1);
    assert_int_equal(policy_wave_hosts(&tenth, 100), 10);
    assert_int_equal(policy_wave_hosts(&all, 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_fits_counts),
        cmocka_unit_test(an_empty_policy_allows_nothing),
        cmocka_unit_test(a_rule_without_a_mode_only_suggests),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(waves_take_one_host_at_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
