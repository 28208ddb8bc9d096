// Clock: three clocks that do not go back.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void monotonic_clocks_do_not_go_back(void **state)
{
    (void)state;
    uint64_t mono = clock_mono_ns(), boot = clock_boot_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t m = clock_mono_ns(), b = clock_boot_ns();
        assert_true(m >= mono && b >= boot);
        mono = m;
        boot = b;
    }
}

static void sleep_counts_for_the_boot_clock(void **state)
{
    (void)state;
    uint64_t mono = clock_mono_ns();
    assert_true(clock_boot_ns() >= mono);
}

static void wall_time_is_ours(void **state)
{
    (void)state;
    uint64_t in_2024 = UINT64_C(1704067200) * NS_PER_S;
    assert_true(clock_wall_ns() > in_2024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_clocks_do_not_go_back),
        cmocka_unit_test(sleep_counts_for_the_boot_clock),
        cmocka_unit_test(wall_time_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
