// Builder: what a baseline learns from rows and from windows, and what it refuses.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/builder.h"

#include "common/drift/sealed.h"
#include "tests/unit/common/drift/world.h"

static const struct baseline_feature *feature_of(const struct baseline *b,
                                                 const char *name)
{
    int32_t at = baseline_find_feature(b, span_text(name), 0);
    assert_true(at >= 0);
    return baseline_feature(b, (uint32_t)at);
}

static void rows_fed_twice_make_a_baseline(void **state)
{
    (void)state;
    struct world w = {.random = {1}, .rows = 100};
    struct baseline *b = world_baseline(&w, 14 * 24);
    assert_int_equal(baseline_features(b), WORLD_FEATURES);
    assert_int_equal(baseline_rows(b), 14 * 24 * 100);
    assert_int_equal(baseline_windows(b), 14 * 24);
    assert_true(baseline_start(b) == WORLD_START);
    assert_true(baseline_end(b) == WORLD_START + 14 * 24 * WORLD_HOUR);
    const struct baseline_feature *x = feature_of(b, "x");
    assert_true(x->has_scores && x->has_fci);
    assert_true(fabs(x->scores.missing_share - 0.02) < 0.005);
    assert_true(fabs(tanh(x->fci) - 0.8) < 0.03);     // .8 / sqrt(.8^2 + .6^2)
    assert_true(x->learned[COMPONENT_LOC].phi > 0.2); // the level's memory
    assert_true(learn_is_usable(&x->fci_learned));
    assert_int_equal(x->dead_run, 0);
    const struct baseline_feature *c = feature_of(b, "c");
    assert_int_equal(c->scores.shape, SHAPE_CATEGORICAL);
    assert_false(c->has_fci);
    const struct baseline_feature *f = feature_of(b, "f");
    assert_int_equal(f->scores.shape, SHAPE_FEW_VALUES);
    assert_int_equal(f->scores.cells, 3); // 0, 1, other
    baseline_close(b);
}

static void losses_are_learned_in_units_of_the_label(void **state)
{
    (void)state;
    struct world w = {.random = {2}, .rows = 100};
    struct baseline *b = world_baseline(&w, 7 * 24);
    assert_int_equal(baseline_scalars(b), 3); // label, loss, bias
    int32_t loss = baseline_find_scalar(b, span_text("loss"), 0);
    int32_t label = baseline_find_scalar(b, span_text("label"), 9);
    assert_true(loss >= 0 && label >= 0);
    const struct baseline_scalar *s = baseline_scalar(b, (uint32_t)loss);
    double sd = sqrt(1.0 + 0.25 + 0.0125); // of the label
    assert_true(fabs(s->scale * sd - 1) < 0.05);
    assert_true(fabs(s->learned.mu - 0.5 * sqrt(2 / M_PI) / sd) < 0.02);
    assert_int_equal(s->sides, LEARN_UP);
    assert_false(s->watch_only);
    assert_true(baseline_scalar(b, (uint32_t)label)->watch_only);
    assert_int_equal(s->rows_min, 25);
    baseline_close(b);
}

static struct builder *opened(const struct builder_settings *s)
{
    struct builder *b;
    assert_int_equal(builder_open(s, &b), ST_OK);
    return b;
}

static void live_windows_make_the_same_scores_as_rows(void **state)
{
    (void)state;
    static const struct bend straight;
    struct world w;
    struct buf grid;
    world_open(&w, 3, 14 * 24, 100);
    struct builder_settings settings = world_settings(&w, 0);
    struct builder *b = opened(&settings);
    assert_int_equal(world_declare(b), ST_OK);
    buf_init(&grid, 1 << 20);
    for (uint32_t f = 0; f < WORLD_FEATURES; f++) {
        buf_clear(&grid);
        grid_encode(baseline_feature(w.baseline, f)->grid, &grid);
        assert_int_equal(builder_grid(b, f, buf_span(&grid)), ST_OK);
        assert_true(grid_id(builder_grid_of(b, f)) ==
                    grid_id(baseline_feature(w.baseline, f)->grid));
    }
    for (uint32_t h = 0; h < 14 * 24; h++)
        assert_int_equal(builder_window(b, world_window(&w, &straight)), ST_OK);
    struct baseline *live;
    assert_int_equal(builder_seal(b, &live), ST_OK);
    const struct baseline_feature *x = feature_of(live, "x");
    const struct baseline_feature *y = feature_of(w.baseline, "x");
    assert_int_equal(x->scores.cells, y->scores.cells);
    assert_true(fabs(x->scores.rows / y->scores.rows - 1) < 0.01);
    assert_true(fabs(x->learned[COMPONENT_LOC].sd / y->learned[COMPONENT_LOC].sd - 1) <
                0.3);
    assert_true(baseline_find_scalar(live, span_text("loss"), 0) >= 0);
    assert_true(builder_grid(b, 0, buf_span(&grid)) == ST_RANGE); // too late
    baseline_close(live);
    builder_close(b);
    buf_fini(&grid);
    world_close(&w);
}

static void the_same_rows_and_seed_give_the_same_bytes(void **state)
{
    (void)state;
    struct buf one, two;
    buf_init(&one, 1 << 24);
    buf_init(&two, 1 << 24);
    for (int i = 0; i < 2; i++) {
        struct world w = {.random = {4}, .rows = 60};
        struct baseline *b = world_baseline(&w, 72);
        baseline_encode(b, i ? &two : &one);
        baseline_close(b);
    }
    assert_true(one.size > 1000 && span_equal(buf_span(&one), buf_span(&two)));
    buf_fini(&one);
    buf_fini(&two);
}

static void names_of_the_second_half_stay_unseen(void **state)
{
    (void)state;
    struct builder_settings s = {.window_rows = 100, .rows_expected = 2000};
    struct builder *b = opened(&s);
    struct baseline *out;
    struct builder_value v = {.text = span_text("a")};
    assert_int_equal(
        builder_feature(b, span_text("c"), ROLE_INPUT, KIND_CATEGORICAL, GRID_F64),
        ST_OK);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < 2000; i++) {
            v.text = i >= 1000 && i % 10 == 0 ? span_text("new") : span_text("a");
            assert_int_equal(builder_row(b, i, &v), ST_OK);
        }
        if (pass == 0)
            assert_int_equal(builder_turn(b), ST_OK);
    }
    assert_int_equal(builder_seal(b, &out), ST_OK);
    const struct baseline_feature *c = feature_of(out, "c");
    assert_true(fabs(c->scores.tail_share - 0.1) < 0.01); // of the second half
    assert_int_equal(c->learned[COMPONENT_TAIL].windows, 10);
    assert_int_equal(c->learned[COMPONENT_DIST].windows, 20);
    baseline_close(out);
    builder_close(b);
}

static void runs_without_values_are_remembered(void **state)
{
    (void)state;
    struct builder_settings s = {.window_rows = 10};
    struct builder *b = opened(&s);
    struct baseline *out;
    assert_int_equal(
        builder_feature(b, span_text("v"), ROLE_INPUT, KIND_NUMERIC, GRID_F64), ST_OK);
    assert_int_equal(
        builder_feature(b, span_text("never"), ROLE_INPUT, KIND_NUMERIC, GRID_F64),
        ST_OK);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < 500; i++) {
            uint32_t window = i / 10;
            bool dead = window >= 20 && window < 24,
                 stuck = window >= 30 && window < 37;
            struct builder_value v[2] = {{.number = stuck ? 5 : i % 10},
                                         {.state = VALUE_MISSING}};
            v[0].state = dead ? VALUE_MISSING : VALUE_PRESENT;
            assert_int_equal(builder_row(b, i, v), ST_OK);
        }
        if (pass == 0)
            assert_int_equal(builder_turn(b), ST_OK);
    }
    assert_int_equal(builder_seal(b, &out), ST_OK);
    assert_int_equal(feature_of(out, "v")->dead_run, 4);
    assert_int_equal(feature_of(out, "v")->stuck_run, 7);
    const struct baseline_feature *never = feature_of(out, "never");
    assert_int_equal(never->dead_run, 50);
    assert_true(never->has_scores &&
                learn_is_usable(&never->learned[COMPONENT_MISSING]));
    assert_false(learn_is_usable(&never->learned[COMPONENT_LOC]));
    baseline_close(out);
    builder_close(b);
}

static void what_is_out_of_order_is_refused(void **state)
{
    (void)state;
    struct builder_settings s = {.window_rows = 10};
    struct builder_settings both = {.window_rows = 10, .window_ns = 5}, none = {0};
    struct builder *b;
    struct baseline *out;
    struct builder_value v = {.number = 1};
    assert_int_equal(builder_open(&both, &b), ST_RANGE);
    assert_int_equal(builder_open(&none, &b), ST_RANGE);
    b = opened(&s);
    assert_int_equal(builder_row(b, 0, &v), ST_RANGE); // nothing is declared
    struct span name = span_text("v");
    assert_int_equal(builder_feature(b, name, ROLE_SIGNAL, KIND_NUMERIC, GRID_F64),
                     ST_RANGE);
    assert_int_equal(
        builder_feature(b, span_text(""), ROLE_INPUT, KIND_NUMERIC, GRID_F64),
        ST_RANGE);
    assert_int_equal(builder_feature(b, name, ROLE_INPUT, KIND_NUMERIC, GRID_F64),
                     ST_OK);
    assert_int_equal(builder_feature(b, name, ROLE_INPUT, KIND_NUMERIC, GRID_F64),
                     ST_EXISTS);
    assert_int_equal(builder_importance(b, 0, -1), ST_RANGE);
    assert_int_equal(builder_importance(b, 1, 1), ST_RANGE);
    assert_int_equal(builder_importance(b, 0, 3), ST_OK);
    assert_int_equal(builder_turn(b), ST_EMPTY);
    assert_int_equal(builder_seal(b, &out), ST_EMPTY);
    assert_int_equal(builder_row(b, 7, &v), ST_OK);
    assert_int_equal(builder_row(b, 6, &v), ST_RANGE);
    assert_int_equal(
        builder_feature(b, span_text("late"), ROLE_INPUT, KIND_NUMERIC, GRID_F64),
        ST_RANGE);
    assert_int_equal(builder_turn(b), ST_OK);
    assert_int_equal(builder_turn(b), ST_RANGE);
    builder_close(b);
    builder_close(NULL);
}

// Feeds a little world; every allocation on the way may be the one that fails.
static enum status make_little(struct baseline **out)
{
    static const struct bend straight;
    struct world w = {.random = {5}, .rows = 20};
    struct builder_settings settings = world_settings(&w, 8);
    struct builder *b;
    settings.quantile_k = 100;
    ST_TRY(builder_open(&settings, &b));
    enum status st = world_declare(b);
    for (int pass = 0; pass < 2 && st == ST_OK; pass++) {
        w.random.state = 5;
        w.hours = 0;
        for (uint32_t i = 0; i < 8 * 20 && st == ST_OK; i++) {
            if (i % 20 == 0)
                world_draw(&w, &straight);
            struct builder_value v[WORLD_FEATURES] = {{0}};
            for (int f = 0; f < WORLD_FEATURES; f++)
                v[f].number = w.value[f][i % 20];
            v[WORLD_C].text = span_of(w.category[i % 20], 1);
            st = builder_row(b, WORLD_START + i * (WORLD_HOUR / 20), v);
        }
        if (pass == 0 && st == ST_OK)
            st = builder_turn(b);
    }
    if (st == ST_OK)
        st = builder_seal(b, out);
    builder_close(b);
    return st;
}

static void memory_that_runs_out_leaves_nothing_behind(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct baseline *b = NULL;
        mem_fail_from(n);
        enum status st = make_little(&b);
        mem_fail_from(0);
        if (st == ST_OK) {
            baseline_close(b);
            assert_true(n > 50);
            return;
        }
        assert_int_equal(st, ST_NOMEM);
    }
}

static struct buf encoded(struct baseline **out)
{
    struct buf b;
    assert_int_equal(make_little(out), ST_OK);
    buf_init(&b, BASELINE_BYTES_MAX);
    baseline_encode(*out, &b);
    assert_int_equal(b.failed, ST_OK);
    return b;
}

static void bytes_bring_the_same_baseline_back(void **state)
{
    (void)state;
    struct baseline *b, *back;
    struct buf bytes = encoded(&b), again;
    assert_int_equal(baseline_decode(buf_span(&bytes), &back), ST_OK);
    buf_init(&again, BASELINE_BYTES_MAX);
    baseline_encode(back, &again);
    assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
    for (uint32_t i = 0; i < baseline_features(b); i++) {
        const struct baseline_feature *x = baseline_feature(b, i);
        const struct baseline_feature *y = baseline_feature(back, i);
        assert_string_equal(x->name, y->name);
        assert_memory_equal(&x->scores, &y->scores, sizeof x->scores);
        assert_memory_equal(x->learned, y->learned, sizeof x->learned);
        assert_true(x->heaviest == y->heaviest && x->fci == y->fci);
    }
    baseline_close(b);
    baseline_close(back);
    buf_fini(&bytes);
    buf_fini(&again);
}

static void cut_and_long_bytes_are_refused(void **state)
{
    (void)state;
    struct baseline *b, *back;
    struct buf bytes = encoded(&b);
    for (size_t cut = 0; cut < bytes.size; cut += 11)
        assert_int_not_equal(baseline_decode(span_of(bytes.data, cut), &back), ST_OK);
    buf_put_u8(&bytes, 0);
    assert_int_equal(baseline_decode(buf_span(&bytes), &back), ST_CORRUPT);
    bytes.data[0] = 99;
    assert_int_equal(baseline_decode(buf_span(&bytes), &back), ST_VERSION);
    bytes.data[0] = 1;
    bytes.size--;
    for (uint64_t n = 1;; n++) {
        mem_fail_from(n);
        enum status st = baseline_decode(buf_span(&bytes), &back);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    baseline_close(back);
    baseline_close(b);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_fed_twice_make_a_baseline),
        cmocka_unit_test(losses_are_learned_in_units_of_the_label),
        cmocka_unit_test(live_windows_make_the_same_scores_as_rows),
        cmocka_unit_test(the_same_rows_and_seed_give_the_same_bytes),
        cmocka_unit_test(names_of_the_second_half_stay_unseen),
        cmocka_unit_test(runs_without_values_are_remembered),
        cmocka_unit_test(what_is_out_of_order_is_refused),
        cmocka_unit_test(memory_that_runs_out_leaves_nothing_behind),
        cmocka_unit_test(bytes_bring_the_same_baseline_back),
        cmocka_unit_test(cut_and_long_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
