// Share: the fleet's page budget divided over its models.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/share.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/log/memory.h"

#define HOUR 3600000000000ull

static void a_model_counts_once_whatever_is_sealed_for_it(void **state)
{
    (void)state;
    struct memory *m;
    uint32_t models = 99;
    assert_int_equal(memory_open(1 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    assert_int_equal(share_models(s, &models), ST_OK);
    assert_int_equal(models, 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(share_count(s, 1 + i % 3, &models), ST_OK);
    assert_int_equal(models, 3);
    assert_int_equal(share_models(s, &models), ST_OK);
    assert_int_equal(models, 3);
    memory_close(m);
}

// 168 hours a week, 2 pages: 84 windows a page for one model, 4 * 84 for three.
static void levels_grow_with_the_fleet_in_steps_of_two(void **state)
{
    (void)state;
    assert_true(fabs(share_level(2, 1, HOUR, 1) - 84) < 1e-9);
    assert_true(fabs(share_level(2, 3, HOUR, 1) - 4 * 84) < 1e-9);
    assert_true(fabs(share_level(2, 4, HOUR, 1) - 4 * 84) < 1e-9);
    assert_true(fabs(share_level(2, 5, HOUR, 1) - 8 * 84) < 1e-9);
    assert_true(fabs(share_level(2, 1, HOUR, 1e3) - 1e3) < 1e-9);
    assert_true(share_level(2, 5, 0, 1e3) < 1e-9); // windows cut by rows: no calendar
}

// Adding 10,000 quiet models: the level grows 16,384 times, three blocks of 30 are
// more.
static void ten_thousand_quiet_models_delay_a_page_by_three_blocks_at_most(void **state)
{
    (void)state;
    double one = share_level(2, 1, HOUR, 1), all = share_level(2, 10001, HOUR, 1);
    assert_true(all / one <= 30. * 30 * 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_counts_once_whatever_is_sealed_for_it),
        cmocka_unit_test(levels_grow_with_the_fleet_in_steps_of_two),
        cmocka_unit_test(
            ten_thousand_quiet_models_delay_a_page_by_three_blocks_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
