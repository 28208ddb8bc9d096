// Component: the worked example, and counts at their bounds.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/component.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/drift/distance.h"

#define ASSERT_NEAR(got, want)                                                         \
    assert_true(fabs((got) - (want)) <= 1e-5 * fabs(want) + 6e-7)

static const uint64_t base_cells[] = {100, 400, 1000, 3500, 3500, 1000, 400, 100};
static const uint64_t now_cells[] = {5, 20, 80, 300, 380, 140, 60, 15};
static const struct component_counts base = {base_cells, 8, 50};
static const struct component_counts now = {now_cells, 8, 30};

static struct component_scores scores_of(enum component_shape shape,
                                         const struct component_counts *counts)
{
    struct component_scores s;
    assert_int_equal(component_scores_init(shape, counts, &s), ST_OK);
    return s;
}

static void scores_are_those_of_the_worked_example(void **state)
{
    (void)state;
    static const double loc[] = {-1.795288, -1.704468, -1.450497, -.634564,
                                 .634564,   1.450497,  1.704468,  1.795288};
    static const double scale[] = {2.365244, 2.027065, 1.174549, -.635533,
                                   -.635533, 1.174549, 2.027065, 2.365244};
    static const uint8_t group[] = {0, 0, 0, 1, 2, 3, 4, 4};
    struct component_scores s = scores_of(SHAPE_NUMERIC, &base);
    for (uint32_t j = 0; j < 8; j++) {
        ASSERT_NEAR((double)s.loc[j], loc[j]);
        ASSERT_NEAR((double)s.scale[j], scale[j]);
        assert_int_equal(s.group[j], group[j]);
    }
    assert_int_equal(s.groups, 5);
    ASSERT_NEAR(s.tail_share, .020092);
    ASSERT_NEAR(s.missing_share, .004975);
}

static void components_are_those_of_the_worked_example(void **state)
{
    (void)state;
    static const double value[] = {.223927, .035708, -.000325, .165203, .099411};
    static const double tolerance[] = {.1, .1, .010326, .1, .052087};
    static const double gate[] = {.2, .2, .026176, .2, .088107};
    struct component_scores s = scores_of(SHAPE_NUMERIC, &base);
    struct component_values v;
    component_of(&s, &now, &v);
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        ASSERT_NEAR(v.value[c], value[c]);
        ASSERT_NEAR(component_tolerance(&s, c), tolerance[c]);
        ASSERT_NEAR(component_gate(&s, c), gate[c]);
    }
    assert_true(v.rows == 1000 && v.all_rows == 1030);
}

static void distances_are_those_of_the_worked_example(void **state)
{
    (void)state;
    struct component_scores s = scores_of(SHAPE_NUMERIC, &base);
    struct distance d;
    distance_of(&s, &base, &now, NULL, 0, &d);
    ASSERT_NEAR(d.psi, .049789);
    ASSERT_NEAR(d.ks, .095000);
    ASSERT_NEAR(d.auc, .061739);
    assert_true(isnan(d.w1));
    ASSERT_NEAR(d.missing, 30 / 1030.);
}

static void a_window_like_the_baseline_shows_nothing(void **state)
{
    (void)state;
    struct component_scores s = scores_of(SHAPE_NUMERIC, &base);
    struct component_values v;
    component_of(&s, &base, &v);
    assert_true(fabs(v.value[COMPONENT_LOC]) < 1e-6);
    assert_true(fabs(v.value[COMPONENT_SCALE]) < 1e-2);
    assert_true(v.value[COMPONENT_DIST] <= 0);
    assert_true(fabs(v.value[COMPONENT_MISSING]) < 1e-3);
}

static void without_values_only_missing_moves(void **state)
{
    (void)state;
    static const uint64_t none[8];
    struct component_scores s = scores_of(SHAPE_NUMERIC, &base);
    struct component_values v;
    component_of(&s, &(struct component_counts){none, 8, 40}, &v);
    assert_true(v.rows == 0 && v.all_rows == 40);
    for (int c = 0; c < COMPONENT_MISSING; c++)
        assert_true(v.value[c] == 0);
    assert_true(v.value[COMPONENT_MISSING] > 1);
    component_of(&s, &(struct component_counts){none, 8, 0}, &v);
    assert_true(v.value[COMPONENT_MISSING] == 0);
}

static void other_has_no_rank_and_is_the_tail(void **state)
{
    (void)state;
    static const uint64_t two[] = {600, 400, 0}, odd[] = {0, 0, 50};
    struct component_scores s =
        scores_of(SHAPE_FEW_VALUES, &(struct component_counts){two, 3, 0});
    assert_true(s.has_loc && !s.has_scale && s.has_tail);
    assert_true(s.loc[2] == 0 && s.loc[0] < 0 && s.loc[1] > 0);
    struct component_values v;
    component_of(&s, &(struct component_counts){odd, 3, 0}, &v);
    assert_true(v.value[COMPONENT_LOC] == 0);
    assert_true(v.value[COMPONENT_TAIL] > 1);
}

static void categories_have_no_ranks_and_merge_by_falling_mass(void **state)
{
    (void)state;
    static const uint64_t cells[] = {20, 500, 15, 400, 10, 30, 2};
    struct component_scores s =
        scores_of(SHAPE_CATEGORICAL, &(struct component_counts){cells, 7, 0});
    assert_false(s.has_loc || s.has_scale);
    assert_int_equal(s.group[1], 0);
    assert_int_equal(s.group[3], 1);
    assert_int_equal(s.group[5], s.group[0]); // 3 % and 2 % close a group together
    assert_true(component_exists(&s, COMPONENT_TAIL));
    assert_false(component_exists(&s, COMPONENT_LOC));
}

static void one_cell_has_neither_rank_nor_distance_nor_tail(void **state)
{
    (void)state;
    static const uint64_t cell[] = {1000};
    struct component_scores s =
        scores_of(SHAPE_NUMERIC, &(struct component_counts){cell, 1, 0});
    for (int c = 0; c < COMPONENT_MISSING; c++)
        assert_false(component_exists(&s, c));
    assert_true(component_exists(&s, COMPONENT_MISSING));
    struct component_values v;
    component_of(&s, &(struct component_counts){cell, 1, 0}, &v);
    assert_true(v.value[COMPONENT_LOC] == 0 && v.value[COMPONENT_DIST] == 0);
}

static void a_baseline_without_values_is_legal(void **state)
{
    (void)state;
    static const uint64_t none[3];
    struct component_scores s =
        scores_of(SHAPE_NUMERIC, &(struct component_counts){none, 3, 70});
    struct component_values v;
    component_of(&s, &now, &v); // other cells than promised are not read beyond three
    assert_true(isfinite(v.value[COMPONENT_LOC]));
    assert_true(s.missing_share == 1);
    assert_true(component_gate(&s, COMPONENT_MISSING) == 0);
}

static void bounds_are_refused(void **state)
{
    (void)state;
    uint64_t cells[COMPONENT_CELLS_MAX + 1] = {1ull << 53, 1};
    struct component_scores s;
    assert_int_equal(component_scores_init(SHAPE_NUMERIC,
                                           &(struct component_counts){cells, 0, 0}, &s),
                     ST_RANGE);
    assert_int_equal(component_scores_init(
                         SHAPE_NUMERIC,
                         &(struct component_counts){cells, COMPONENT_CELLS_MAX + 1, 0},
                         &s),
                     ST_RANGE);
    assert_int_equal(
        component_scores_init(SHAPE_COUNT, &(struct component_counts){cells, 2, 0}, &s),
        ST_RANGE);
    assert_int_equal(component_scores_init(SHAPE_NUMERIC,
                                           &(struct component_counts){cells, 2, 1}, &s),
                     ST_RANGE);
}

static void sixty_four_even_cells_keep_unit_scores(void **state)
{
    (void)state;
    uint64_t cells[COMPONENT_CELLS_MAX];
    for (uint32_t j = 0; j < COMPONENT_CELLS_MAX; j++)
        cells[j] = 1000;
    struct component_scores s = scores_of(
        SHAPE_NUMERIC, &(struct component_counts){cells, COMPONENT_CELLS_MAX, 0});
    double one = 0, length = 0, cross = 0;
    for (uint32_t j = 0; j < COMPONENT_CELLS_MAX; j++) {
        one += (double)s.loc[j] / 64;
        length += (double)s.loc[j] * (double)s.loc[j] / 64;
        cross += (double)s.loc[j] * (double)s.scale[j] / 64;
    }
    assert_true(fabs(one) < 1e-6 && fabs(length - 1) < 1e-6 && fabs(cross) < 1e-6);
    assert_true(s.groups >= 12 && s.groups <= COMPONENT_GROUPS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_worked_example),
        cmocka_unit_test(components_are_those_of_the_worked_example),
        cmocka_unit_test(distances_are_those_of_the_worked_example),
        cmocka_unit_test(a_window_like_the_baseline_shows_nothing),
        cmocka_unit_test(without_values_only_missing_moves),
        cmocka_unit_test(other_has_no_rank_and_is_the_tail),
        cmocka_unit_test(categories_have_no_ranks_and_merge_by_falling_mass),
        cmocka_unit_test(one_cell_has_neither_rank_nor_distance_nor_tail),
        cmocka_unit_test(a_baseline_without_values_is_legal),
        cmocka_unit_test(bounds_are_refused),
        cmocka_unit_test(sixty_four_even_cells_keep_unit_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
