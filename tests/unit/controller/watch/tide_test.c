// Tide: a change of the world is one incident; a prediction that swells is calibration.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/tide.h"

#include "tests/unit/controller/watch/stage.h"

#define FLEET 5
#define HIT 3 // models that the world reaches

// 60 % of the models' inputs move in the same hour; one of them was deployed just then.
static void a_world_that_moves_is_one_incident_and_no_rollback(void **state)
{
    (void)state;
    static const struct bend straight, moved = {.shift = 1.5};
    struct fleet *f = fleet_open();
    struct stage *s[FLEET];
    for (int m = 0; m < FLEET; m++) {
        char name[16];
        (void)snprintf(name, sizeof name, "m%d", m);
        s[m] = stage_in(f, name, 100 + 10 * (uint64_t)m);
        attest(s[m], 0, WORLD_START + REFERENCE * WORLD_HOUR);
    }
    for (int h = 0; h < 12; h++)
        for (int m = 0; m < FLEET; m++)
            serve(s[m], 0, &straight);
    s[1]->world[1].hours = s[1]->world[0].hours;
    attest(s[1], 1, s[1]->now_ns);
    for (int h = 0; h < 8; h++)
        for (int m = 0; m < FLEET; m++)
            serve(s[m], m == 1, m < HIT ? &moved : &straight);
    for (int m = 0; m < HIT; m++) {
        if (m != 1)
            assert_string_equal(symbol(s[m], "cause"), "world_shift");
        assert_string_equal(symbol(s[m], "with"), "m0");
        assert_string_equal(symbol(s[m], "common"), "3 of 5 models");
        assert_string_not_equal(symbol(s[m], "cause"), "bad_version");
        assert_string_not_equal(symbol(s[m], "cause"), "version_pipeline");
    }
    for (int m = HIT; m < FLEET; m++)
        assert_string_equal(symbol(s[m], "cause"), "");
    for (int m = 0; m < FLEET; m++)
        stage_close(s[m]);
    fleet_close(f);
}

static void two_models_are_no_tide(void **state)
{
    (void)state;
    struct memory *m;
    struct tide t;
    assert_int_equal(memory_open(1 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    assert_int_equal(tide_note(s, 7, 1000, 50, 4, &t), ST_OK);
    assert_false(t.is_common);
    assert_int_equal(tide_note(s, 8, 1040, 50, 4, &t), ST_OK);
    assert_true(!t.is_common && t.moved == 2 && t.leader == 7);
    assert_int_equal(tide_note(s, 9, 5000, 50, 4, &t), ST_OK); // at another time
    assert_true(!t.is_common && t.moved == 1 && t.leader == 9);
    assert_int_equal(tide_note(s, 9, 1050, 50, 4, &t), ST_OK); // moved again
    assert_true(t.is_common && t.moved == 3 && t.leader == 7);
    assert_int_equal(tide_note(s, 9, 1050, 50, 100, &t), ST_OK);
    assert_true(!t.is_common && t.moved == 3); // three of a hundred
    memory_close(m);
}

static void the_list_of_those_that_moved_is_bounded(void **state)
{
    (void)state;
    struct memory *m;
    struct tide t;
    struct span list;
    assert_int_equal(memory_open(64 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    for (uint32_t i = 1; i <= TIDE_MODELS_MAX + 10; i++)
        assert_int_equal(tide_note(s, i, 1000, 50, 5000, &t), ST_OK);
    struct shelf_key key = key_state('T', 0);
    assert_int_equal(shelf_get(s, SHELF_STATE, &key, &list), ST_OK);
    assert_int_equal(list.size, TIDE_MODELS_MAX * 12);
    assert_int_equal(t.leader, 11);
    memory_close(m);
}

// Predictions swell by 50 % over 100 windows while labels come four windows late: it is
// called before they are 15 % too high, and as calibration, not as drift of the inputs.
static void a_swelling_prediction_is_called_early_and_as_calibration(void **state)
{
    (void)state;
    const double mean = 2; // of the prediction, in its sd: 50 % is one sd
    struct stage *s = stage_open();
    static const struct bend straight;
    int called = -1;
    attest(s, 0, WORLD_START + REFERENCE * WORLD_HOUR);
    for (int h = 0; h < 40; h++)
        serve(s, 0, &straight);
    for (int h = 0; h < 100 && called < 0; h++) {
        double lift = mean * 0.5 * h / 100,
               then = h < 4 ? 0 : mean * 0.5 * (h - 4) / 100;
        struct bend b = {.lift = lift, .error = -then};
        serve(s, 0, &b);
        if (symbol(s, "cause")[0])
            called = h;
    }
    assert_in_range(called, 5, 29); // +15 % at window 30
    for (int h = called + 1; h < called + 6; h++) {
        struct bend b = {.lift = mean * 0.5 * h / 100,
                         .error = -mean * 0.5 * (h - 4) / 100};
        serve(s, 0, &b);
    }
    assert_string_equal(symbol(s, "cause"), "calibration");
    assert_string_equal(symbol(s, "I"), "clean");
    assert_string_equal(symbol(s, "B"), "hit");
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_world_that_moves_is_one_incident_and_no_rollback),
        cmocka_unit_test(two_models_are_no_tide),
        cmocka_unit_test(the_list_of_those_that_moved_is_bounded),
        cmocka_unit_test(a_swelling_prediction_is_called_early_and_as_calibration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
