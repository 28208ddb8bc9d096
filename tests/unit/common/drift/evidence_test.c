// Evidence: the worked figures, and what the recursion promises.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/evidence.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/hash.h"

#define ASSERT_NEAR(got, want) assert_true(fabs((got) - (want)) <= 1e-5 * fabs(want))

static void ratios_are_those_of_the_worked_example(void **state)
{
    (void)state;
    ASSERT_NEAR(evidence_ratio_raw(0, 0), .578704);
    ASSERT_NEAR(evidence_ratio_raw(0, 1), 1.728);
    ASSERT_NEAR(evidence_ratio_raw(0, 2.7913), 3.783709);
    ASSERT_NEAR(evidence_ratio_raw(0, 1e300), 3.783709);
    ASSERT_NEAR(evidence_ratio_raw(1, 3), 18.962963);
    ASSERT_NEAR(evidence_ratio_raw(1, 100), 24.537371);
    ASSERT_NEAR(evidence_ratio_raw(2, 3), 1.);
    ASSERT_NEAR(evidence_ratio_raw(2, 6.741657), 751.086669);
    ASSERT_NEAR(evidence_ratio_raw(3, 1e6), 297877.2);
    static const double at_five[] = {3.74278, 29.32844, 203.7727};
    for (uint32_t i = 0; i < 3; i++)
        ASSERT_NEAR(evidence_ratio(i, 5), at_five[i]);
    assert_true(fabs(evidence_ratio(3, 5) - .00193) < 5e-6);
}

static void the_ratio_never_falls_as_z_rises(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < EVIDENCE_SIZES; i++) {
        double last = evidence_ratio(i, -1e300);
        assert_true(last < 1);
        for (double z = -60; z < 60; z += 0.01) {
            double now = evidence_ratio(i, z);
            assert_true(now >= last);
            last = now;
        }
    }
    assert_true(evidence_ratio(2, NAN) == evidence_ratio(2, -1e300));
}

// Each law has mean 0 and sd >= 1. The sample mean stays below 1 plus its own noise.
static void the_mean_ratio_is_at_most_one_under_the_null(void **state)
{
    (void)state;
    struct random r = {20261122};
    enum { DRAWS = 400000 };
    double sum[2][EVIDENCE_SIZES] = {{0}};
    for (int t = 0; t < DRAWS; t++) {
        double gauss = random_normal(&r);
        double chi = 0;
        for (int i = 0; i < 5; i++) {
            double x = random_normal(&r);
            chi += x * x;
        }
        double t5 = random_normal(&r) / sqrt(chi / 5) / sqrt(5 / 3.);
        for (uint32_t i = 0; i < EVIDENCE_SIZES; i++) {
            sum[0][i] += evidence_ratio(i, gauss);
            sum[1][i] += evidence_ratio(i, t5);
        }
    }
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t law = 0; law < 2; law++)
            assert_true(sum[law][i] / DRAWS < 1.01);
}

static void a_calm_far_inside_the_tolerance_is_no_evidence(void **state)
{
    (void)state;
    struct evidence e = {{0}};
    for (int t = 0; t < 100000; t++)
        evidence_add(&e, -1000);
    assert_true(evidence_of(&e) < 3);
}

static void evidence_grows_to_its_limit_and_no_further(void **state)
{
    (void)state;
    struct evidence e = {{0}};
    evidence_add(&e, 5);
    ASSERT_NEAR((double)e.m[1], 29.32844);
    for (int t = 0; t < 200; t++)
        evidence_add(&e, 1e9);
    for (uint32_t i = 0; i < EVIDENCE_SIZES; i++)
        assert_true(e.m[i] <= EVIDENCE_LIMIT);
    assert_true(evidence_of(&e) > 1e29);
    evidence_reset(&e);
    assert_true(evidence_of(&e) == 0);
}

static void a_block_multiplies_the_evidence_by_thirty_at_most(void **state)
{
    (void)state;
    struct evidence e = {{0}}, start;
    double most = 1;
    for (int block = 0; block < 6; block++) {
        start = e;
        for (int t = 0; t < 50; t++)
            evidence_add_capped(&e, &start, 40);
        most *= 30;
        assert_true(evidence_of(&e) <= most * 1.0001);
        assert_true(evidence_of(&e) >= most * 0.99);
    }
}

static void a_block_outlasts_the_memory(void **state)
{
    (void)state;
    const uint64_t minute = 60000000000ull, hour = 60 * minute, day = 24 * hour;
    assert_true(evidence_block(0, minute, false) == hour);
    assert_true(evidence_block(0.5, 5 * minute, false) == 150 * minute);
    assert_true(evidence_block(0, minute, true) == day);
    assert_true(evidence_block(0.95, 6 * hour, true) == 98 * day);
    assert_true(evidence_block(0, day, true) == 10 * day);
    assert_true(evidence_block(0.5, 0, false) == 30);
}

static void the_list_keeps_the_strongest_first(void **state)
{
    (void)state;
    const double e[] = {1, 500, 2, 60, 60, 0, 3, 21, 5, 1};
    uint32_t order[10], kept[10];
    // k e_k >= 10 / .1: 500; 2 x 60; 3 x 60; 4 x 21 = 84 fails
    assert_int_equal(evidence_select(e, 10, 0.1, order, kept), 3);
    assert_int_equal(kept[0], 1);
    assert_int_equal(kept[1], 3);
    assert_int_equal(kept[2], 4);
    const double none[] = {1, 2, 3};
    assert_int_equal(evidence_select(none, 3, 0.1, order, kept), 0);
    assert_int_equal(evidence_select(NULL, 0, 0.1, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_are_those_of_the_worked_example),
        cmocka_unit_test(the_ratio_never_falls_as_z_rises),
        cmocka_unit_test(the_mean_ratio_is_at_most_one_under_the_null),
        cmocka_unit_test(a_calm_far_inside_the_tolerance_is_no_evidence),
        cmocka_unit_test(evidence_grows_to_its_limit_and_no_further),
        cmocka_unit_test(a_block_multiplies_the_evidence_by_thirty_at_most),
        cmocka_unit_test(a_block_outlasts_the_memory),
        cmocka_unit_test(the_list_keeps_the_strongest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
