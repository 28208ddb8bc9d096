// Familiar: the statistics of other monitors against what they mean.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/familiar.h"

#include "tests/unit/common/drift/world.h"

static const struct baseline_feature *x_of(const struct world *w)
{
    int32_t at = baseline_find_feature(w->baseline, span_text("x"), 0);
    assert_true(at >= 0);
    return baseline_feature(w->baseline, (uint32_t)at);
}

static struct familiar after(const struct bend *bend, uint32_t rows)
{
    static struct world w;
    struct familiar out;
    world_open(&w, 11, 200, rows);
    (void)world_window(&w, bend);
    familiar_of(x_of(&w), w.profile[WORLD_X], &out);
    world_close(&w);
    return out;
}

static void nothing_moves_and_every_figure_is_small(void **state)
{
    (void)state;
    const struct bend none = {0};
    struct familiar f = after(&none, 2000);
    assert_true(f.rows > 1900);
    assert_true(f.value[FAMILIAR_PSI] < 0.1 && f.value[FAMILIAR_PSI] > 0);
    assert_true(f.value[FAMILIAR_KS] < 0.1 && f.value[FAMILIAR_JS] < 0.15);
    assert_true(f.value[FAMILIAR_MEAN] < 4 && f.value[FAMILIAR_W1] < 0.4);
    assert_true(fabs(f.value[FAMILIAR_MISSING] - 0.02) < 0.02);
}

static void a_shift_of_one_sd_passes_every_line(void **state)
{
    (void)state;
    const struct bend bend = {.shift = 1};
    struct familiar f = after(&bend, 2000);
    assert_true(f.value[FAMILIAR_PSI] > 0.25);
    assert_true(fabs(f.value[FAMILIAR_KS] - 0.38) < 0.1); // 2 Phi(1/2) - 1
    assert_true(fabs(f.value[FAMILIAR_W1] - 1) < 0.3);
    assert_true(f.value[FAMILIAR_KS_P] > 50 && f.value[FAMILIAR_CHI2_P] > 50);
    assert_true(f.value[FAMILIAR_MEAN] > 3 && f.value[FAMILIAR_LINF] > 0.05);
}

static void all_missing_is_a_share_of_one_and_nothing_else(void **state)
{
    (void)state;
    const struct bend bend = {.dead = true};
    struct familiar f = after(&bend, 100);
    assert_true(f.value[FAMILIAR_MISSING] > 0.999);
    assert_true(f.value[FAMILIAR_PSI] <= 0 && f.rows <= 0);
}

static void names_are_those_that_conditions_use(void **state)
{
    (void)state;
    assert_string_equal(familiar_name(FAMILIAR_PSI), "psi");
    assert_string_equal(familiar_name(FAMILIAR_MISSING), "missing");
    assert_string_equal(familiar_name(FAMILIAR_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_moves_and_every_figure_is_small),
        cmocka_unit_test(a_shift_of_one_sd_passes_every_line),
        cmocka_unit_test(all_missing_is_a_share_of_one_and_nothing_else),
        cmocka_unit_test(names_are_those_that_conditions_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
