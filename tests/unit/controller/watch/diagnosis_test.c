// The decision table: each row once, and that unknown is never taken for clean.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/diagnosis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define U CELL_UNKNOWN
#define C CELL_CLEAN
#define H CELL_HIT

// Everything known and clean, nothing deployed.
static struct symptoms calm(void)
{
    return (struct symptoms){
        .telemetry = C,
        .inputs = C,
        .inputs_elsewhere = C,
        .outputs = C,
        .outputs_elsewhere = C,
        .behaviour = C,
        .performance = C,
        .performance_elsewhere = C,
        .calibration = C,
        .service_only = C,
        .deployed = C,
        .schema = C,
        .schema_related = C,
        .some_hosts = C,
        .deploy_worse = C,
        .previous_healthy = true,
        .rung = RUNG_CONCURRENT,
    };
}

static void each_row_matches_its_pattern(void **state)
{
    (void)state;
    struct symptoms s = calm();
    s.telemetry = H;
    assert_int_equal(diagnose(&s).row, 1);
    s = calm(), s.some_hosts = H, s.outputs = H;
    assert_int_equal(diagnose(&s).row, 2);
    s = calm(), s.schema = H, s.inputs_elsewhere = H, s.inputs = H;
    assert_int_equal(diagnose(&s).row, 3);
    s = calm(), s.inputs = H, s.inputs_elsewhere = H, s.performance = H,
    s.performance_elsewhere = H;
    assert_int_equal(diagnose(&s).row, 4);
    s = calm(), s.inputs = H, s.inputs_elsewhere = H, s.performance = H;
    assert_int_equal(diagnose(&s).row, 5);
    s = calm(), s.performance = H, s.deployed = H;
    assert_int_equal(diagnose(&s).row, 6);
    s = calm(), s.behaviour = H, s.deployed = H;
    assert_int_equal(diagnose(&s).row, 7);
    s = calm(), s.inputs = H, s.deployed = H;
    assert_int_equal(diagnose(&s).row, 8);
    s = calm(), s.outputs = H, s.outputs_elsewhere = H;
    assert_int_equal(diagnose(&s).row, 9);
    s = calm(), s.performance = H, s.performance_elsewhere = H;
    assert_int_equal(diagnose(&s).row, 10);
    s = calm(), s.performance = H, s.service_only = H;
    assert_int_equal(diagnose(&s).row, 11);
    s = calm(), s.performance = H, s.performance_elsewhere = U, s.calibration = H;
    assert_int_equal(diagnose(&s).row, 12);
    s = calm(), s.inputs = H;
    assert_int_equal(diagnose(&s).row, 13);
    s = calm(), s.performance = H, s.performance_elsewhere = U, s.inputs = U;
    assert_int_equal(diagnose(&s).row, 14);
    s = calm();
    assert_int_equal(diagnose(&s).row, 15);
}

static void unknown_inputs_never_allow_a_rollback(void **state)
{
    (void)state;
    struct symptoms s = calm();
    s.performance = H, s.deployed = H, s.inputs = U;
    assert_int_equal(diagnose(&s).cause, CAUSE_INCONCLUSIVE);
    assert_false(diagnose(&s).may_auto);
}

static void a_sick_previous_version_is_no_way_back(void **state)
{
    (void)state;
    struct symptoms s = calm();
    s.performance = H, s.deployed = H, s.outputs_elsewhere = U,
    s.performance_elsewhere = U, s.previous_healthy = false;
    assert_int_not_equal(diagnose(&s).remedy, REMEDY_ROLLBACK);
    s.previous_healthy = true;
    assert_int_equal(diagnose(&s).cause, CAUSE_BAD_VERSION);
    assert_true(diagnose(&s).may_auto);
}

static void changed_behaviour_is_undone_alone_only_when_worse(void **state)
{
    (void)state;
    struct symptoms s = calm();
    s.behaviour = H, s.deployed = H;
    assert_false(diagnose(&s).may_auto);
    s.deploy_worse = H;
    assert_true(diagnose(&s).may_auto);
}

static void the_same_shift_on_both_versions_is_the_world(void **state)
{
    (void)state;
    struct symptoms s = calm();
    s.inputs = H, s.inputs_elsewhere = H, s.deployed = H, s.outputs = H,
    s.outputs_elsewhere = H;
    assert_int_equal(diagnose(&s).cause, CAUSE_WORLD);
    assert_string_equal(diagnose(&s).refusal, "E_WORLD");
}

// Over all 3^10 evidence tables: an automatic rollback needs a deployment, and inputs
// that are known to be clean or known to have moved only where the version runs.
static void automatic_only_with_a_deployment(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 59049; code++) {
        struct symptoms s = calm();
        enum cell *cells[] = {&s.inputs,
                              &s.inputs_elsewhere,
                              &s.outputs,
                              &s.outputs_elsewhere,
                              &s.behaviour,
                              &s.performance,
                              &s.performance_elsewhere,
                              &s.deployed,
                              &s.schema,
                              &s.some_hosts};
        uint32_t rest = code;
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++, rest /= 3)
            *cells[i] = (enum cell)(rest % 3);
        struct diagnosis d = diagnose(&s);
        if (d.may_auto) {
            assert_int_equal(s.deployed, H);
            assert_int_equal(d.remedy, REMEDY_ROLLBACK);
            assert_false(s.inputs == H && s.inputs_elsewhere == H);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_matches_its_pattern),
        cmocka_unit_test(unknown_inputs_never_allow_a_rollback),
        cmocka_unit_test(a_sick_previous_version_is_no_way_back),
        cmocka_unit_test(changed_behaviour_is_undone_alone_only_when_worse),
        cmocka_unit_test(the_same_shift_on_both_versions_is_the_world),
        cmocka_unit_test(automatic_only_with_a_deployment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
