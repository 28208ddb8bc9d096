// Kll: capacities are those that other readers of the format compute.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/sketch/kll.h"

// The rule as the format states it, in integers, for all depths.
static uint64_t near_top(uint64_t k, uint32_t depth)
{
    uint64_t power = 1;
    for (uint32_t i = 0; i < depth; i++)
        power *= 3;
    return ((2 * k << depth) / power + 1) / 2;
}

static uint64_t capacity_as_stated(uint64_t k, uint32_t depth)
{
    uint32_t half = depth / 2;
    uint64_t c =
        depth <= 30 ? near_top(k, depth) : near_top(near_top(k, half), depth - half);
    return c > 8 ? c : 8;
}

static void gives_each_level_the_stated_capacity(void **state)
{
    (void)state;
    for (uint32_t k = KLL_K_MIN; k <= KLL_K_MAX; k++) {
        for (uint32_t depth = 0; depth < KLL_LEVELS_MAX; depth++) {
            if (kll_capacity(k, depth) != capacity_as_stated(k, depth))
                fail_msg("k %u depth %u", k, depth);
        }
    }
}

static void adds_up_whole_sketches(void **state)
{
    (void)state;
    static const uint32_t known[][2] = {{1, 200}, {2, 333},  {3, 422}, {6, 547},
                                        {9, 585}, {13, 617}, {16, 641}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(kll_total_capacity(200, known[i][0]), known[i][1]);
    for (uint32_t k = KLL_K_MIN; k <= KLL_K_MAX; k += 97) {
        uint32_t total = 0;
        for (uint32_t levels = 1; levels <= KLL_LEVELS_MAX; levels++) {
            total += kll_capacity(k, levels - 1);
            assert_int_equal(kll_total_capacity(k, levels), total);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_level_the_stated_capacity),
        cmocka_unit_test(adds_up_whole_sketches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
