// Rights: every role against every verb, as the page of roles says.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

// v viewer, o operator, p approver, a admin, u auditor.
static const struct {
    const char *verb;
    const char *who;
} table[] = {
    {"fleet.status", "vopau"},
    {"agent.list", "vopau"},
    {"model.list", "vopau"},
    {"model.show", "vopau"},
    {"model.history", "vopau"},
    {"alert.list", "vopau"},
    {"alert.show", "vopau"},
    {"baseline.show", "vopau"},
    {"why", "vopau"},
    {"budget.show", "vopau"},
    {"rollback.status", "vopau"},
    {"policy.show", "vopau"},
    {"policy.check", "vopau"},
    {"event.list", "vopau"},
    {"lineage.show", "vopau"},
    {"lineage.check", "vopau"},
    {"signal.list", "vopau"},
    {"incident.list", "vopau"},
    {"incident.show", "vopau"},
    {"audit.counts", "vopau"},
    {"alert.ack", "opa"},
    {"incident.ack", "opa"},
    {"incident.close", "opa"},
    {"event.record", "opa"},
    {"lineage.import", "opa"},
    {"signal.push", "opa"},
    {"version.add", "opa"},
    {"rollback.plan", "opa"},
    {"rollback.request", "opa"},
    {"rollback.reject", "opa"},
    {"rollback.abort", "opa"},
    {"rollback.stop", "opa"},
    {"agent.revoke", "opa"},
    {"agent.suspend", "opa"},
    {"rollback.approve", "pa"},
    {"rollback.resume", "pa"},
    {"policy.set", "pa"},
    {"model.add", "pa"},
    {"model.release", "pa"},
    {"model.key", "pa"},
    {"baseline.seal", "pa"},
    {"audit.log", "au"},
    {"audit.verify", "au"},
    {"audit.export", "au"},
    {"operator.list", "au"},
    {"token.list", "au"},
    {"agent.token", "a"},
    {"agent.approve", "a"},
    {"operator.add", "a"},
    {"operator.revoke", "a"},
    {"shelf.dump", "a"},
    {"", "a"},
};

static void gives_each_role_what_the_table_says_and_nothing_else(void **state)
{
    static const struct {
        char letter;
        const char *role;
    } roles[] = {{'v', "viewer"},
                 {'o', "operator"},
                 {'p', "approver"},
                 {'a', "admin"},
                 {'u', "auditor"}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t k = 0; k < sizeof roles / sizeof *roles; k++) {
            bool may = strchr(table[i].who, roles[k].letter) != NULL;
            if (rights_allow(span_text(roles[k].role), span_text(table[i].verb)) != may)
                fail_msg("%s %s", roles[k].role, table[i].verb);
        }
}

static void an_unknown_role_may_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_false(rights_allow(span_text("system"), span_text(table[i].verb)));
        assert_false(rights_allow(span_text(""), span_text(table[i].verb)));
    }
}

static bool covers(const char *const *models)
{
    static const struct span globs[] = {{(const uint8_t *)"credit-*", 8},
                                        {(const uint8_t *)"bike", 4}};
    const struct record_operator who = {.model = globs, .models = 2};
    struct pair arg[4];
    uint32_t n = 0;
    arg[n++] = (struct pair){span_text("host"), span_text("credit-1")};
    for (; *models; models++)
        arg[n++] = (struct pair){span_text("model"), span_text(*models)};
    const struct query q = {.arg = arg, .args = n};
    return rights_cover(&who, &q);
}

static void who_is_bound_must_name_a_covered_model(void **state)
{
    (void)state;
    assert_true(covers((const char *const[]){"credit-7", NULL}));
    assert_true(covers((const char *const[]){"bike", NULL}));
    assert_false(covers((const char *const[]){"bikes", NULL}));
    assert_false(covers((const char *const[]){"fraud", NULL}));
    assert_false(covers((const char *const[]){NULL}));
    assert_false(covers((const char *const[]){"bike", "fraud", NULL}));
    assert_false(covers((const char *const[]){"fraud", "bike", NULL}));
    const struct record_operator anybody = {.models = 0};
    const struct query q = {.args = 0};
    assert_true(rights_cover(&anybody, &q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_role_what_the_table_says_and_nothing_else),
        cmocka_unit_test(an_unknown_role_may_nothing),
        cmocka_unit_test(who_is_bound_must_name_a_covered_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
