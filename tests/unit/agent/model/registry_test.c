// Registry: windows by event time, and an account that is exact whatever happens.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/model/stage.h"

// --- Windows

static void seals_a_window_when_event_time_leaves_it(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 100; i++)
        give_to(&s->stream, &(struct given){.t = T0 + (uint64_t)i * NS_PER_S / 2,
                                            .x = i,
                                            .prediction = -2.0 * i,
                                            .label = NAN,
                                            .season = i % 2 ? "a" : "b"});
    assert_int_equal(s->windows, 0);
    give(s, T0 + MINUTE);
    assert_int_equal(s->windows, 1);
    const struct kept_window *k = &s->window[0];
    assert_string_equal(k->model, "m");
    assert_string_equal(k->version, "v1");
    assert_int_equal(k->window.start, T0);
    assert_int_equal(k->window.end, T0 + MINUTE);
    assert_int_equal(k->window.rows, 100);
    assert_int_equal(k->window.features, 3);
    assert_int_equal(feature_of(k, "prediction")->role, FEATURE_OUTPUT);
    assert_int_equal(feature_of(k, "season")->kind, FEATURE_CATEGORICAL);
    struct profile *x = profile_of(k, "x");
    assert_int_equal(counters_valid(profile_counters(x)), 100);
    assert_float_equal(moments_mean(profile_moments(x)), 49.5, 1e-9);
    assert_float_equal(comoments_correlation(profile_comoments(x)), -1, 1e-9);
    assert_non_null(profile_quantile(x)); // there is no baseline: sketches travel
    profile_close(x);
    assert_exact(s);
}

static void tells_silence_window_by_window_then_at_once(void **state)
{
    struct stage *s = *state;
    give(s, T0);
    give(s, T0 + 3 * MINUTE + 5);
    assert_int_equal(s->windows, 3);
    assert_int_equal(s->window[1].window.rows, 0);
    assert_int_equal(s->window[1].window.start, T0 + MINUTE);
    assert_int_equal(s->window[2].window.features, 0);
    give(s, T0 + 60 * MINUTE);
    assert_int_equal(s->windows, 5);
    assert_int_equal(s->window[3].window.rows, 1);
    assert_int_equal(s->window[4].window.start, T0 + 4 * MINUTE);
    assert_int_equal(s->window[4].window.end, T0 + 60 * MINUTE);
    assert_int_equal(s->window[4].window.flags, WINDOW_MERGED);
}

static void follows_the_wall_clock_only_in_the_present(void **state)
{
    struct stage *s = *state;
    uint64_t next;
    give(s, T0);
    registry_turn(s->registry, NOW + 10 * MINUTE, &next);
    assert_int_equal(s->windows, 0); // a replay of the past
    s->now = NOW + 10 * MINUTE;
    for (int i = 0; i < 3; i++)
        give(s, s->now);
    registry_turn(s->registry, s->now + 5 * MINUTE + 3 * NS_PER_S, &next);
    assert_true(s->windows >= 6);
    const struct window *last = &s->window[s->windows - 1].window;
    assert_int_equal(last->end, s->now + 5 * MINUTE);
    assert_int_equal(last->rows, 0);
    assert_exact(s);
}

static void waits_for_late_rows_as_long_as_it_was_told(void **state)
{
    struct stage *s = *state;
    registry_close(s->registry);
    s->settings.lateness_ns = 30 * NS_PER_S;
    open_registry(s);
    give(s, T0 + 45 * NS_PER_S);
    give(s, T0 + MINUTE + 29 * NS_PER_S);
    give(s, T0 + 50 * NS_PER_S);
    assert_int_equal(s->windows, 0);
    give(s, T0 + MINUTE + 30 * NS_PER_S);
    assert_int_equal(s->windows, 1);
    assert_int_equal(s->window[0].window.rows, 2);
    give(s, T0 + 59 * NS_PER_S); // now it is late
    give(s, T0 - 5 * MINUTE);    // and this is too old
    struct account a = account_of(s, NULL);
    assert_int_equal(a.late, 1);
    assert_int_equal(a.dropped[DROP_TOO_OLD], 1);
    give(s, T0 + 3 * MINUTE);
    assert_int_equal(s->window[1].window.late, 1);
    assert_int_equal(s->window[1].window.drops, 1);
    assert_true(span_is(s->window[1].window.dropped[0].key, "too_old"));
    assert_exact(s);
}

static void clamps_the_future_and_single_leaps(void **state)
{
    struct stage *s = *state;
    give(s, T0);
    give(s, NOW + 10 * MINUTE);
    give(s, UINT64_MAX);
    assert_int_equal(account_of(s, NULL).future, 2);
    assert_int_equal(s->windows, 0);
    give(s, T0 + 500 * MINUTE); // one row alone: a bit that fell over
    give(s, T0 + 1);
    give(s, T0 + 900 * MINUTE);
    give(s, T0 + 2);
    assert_int_equal(account_of(s, NULL).future, 4);
    assert_int_equal(s->windows, 0);
    for (int i = 0; i < 3; i++)
        give(s, T0 + 500 * MINUTE + (uint64_t)i); // the stream really moved on
    assert_int_equal(s->windows, 2);
    assert_int_equal(account_of(s, NULL).late, 0);
    assert_exact(s);
}

static void counts_each_version_for_itself(void **state)
{
    struct stage *s = *state;
    const struct given row = {.t = T0, .x = 1, .prediction = 2, .label = NAN};
    struct given other = row;
    other.version = "v2";
    give_to(&s->stream, &row);
    give_to(&s->stream, &other);
    give_to(&s->stream, &other);
    assert_int_equal(registry_serve(s->registry, span_text("m"), span_text("v2")),
                     ST_OK);
    give_to(&s->stream, &row); // names none, and v2 is served now
    give(s, T0 + 2 * MINUTE);
    assert_int_equal(s->windows, 3);
    assert_string_equal(s->window[0].version, "v1");
    assert_int_equal(s->window[0].window.rows, 1);
    assert_string_equal(s->window[1].version, "v2");
    assert_int_equal(s->window[1].window.rows, 3);
    assert_string_equal(s->window[2].version, "v2"); // silence is the served one's
    assert_int_equal(registry_serve(s->registry, span_text("z"), span_text("v2")),
                     ST_NOTFOUND);
    assert_exact(s);
}

static void a_feature_that_a_row_lacks_is_missing(void **state)
{
    struct stage *s = *state;
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = 1, .prediction = 1, .label = NAN, .season = "a"});
    give_to(&s->stream,
            &(struct given){.t = T0, .x = 1, .prediction = 1, .label = NAN});
    give_to(&s->stream,
            &(struct given){
                .t = T0, .x = NAN, .prediction = 1, .label = NAN, .season = "a"});
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = NAN, .prediction = NAN, .label = 5, .id = "q"});
    give(s, T0 + MINUTE);
    struct profile *p = profile_of(&s->window[0], "season");
    assert_int_equal(profile_counters(p)->missing, 1);
    assert_int_equal(profile_counters(p)->rows, 3);
    profile_close(p);
    p = profile_of(&s->window[0], "x");
    assert_int_equal(profile_counters(p)->missing, 1);
    profile_close(p);
    p = profile_of(&s->window[0], "prediction");
    assert_int_equal(profile_counters(p)->missing, 0);
    profile_close(p);
    assert_int_equal(s->window[0].window.rows, 3);
    assert_exact(s);
}

static void a_wrong_type_is_counted_and_changes_nothing(void **state)
{
    struct stage *s = *state;
    give(s, T0);
    struct datum d[] = {{.name = span_text("x"),
                         .side = SIDE_INPUT,
                         .kind = DATUM_CATEGORY,
                         .text = span_text("five")},
                        {.name = span_text("x"),
                         .side = SIDE_INPUT,
                         .kind = DATUM_NUMBER,
                         .number = 7}};
    const struct observation o = {
        .model = span_text("m"), .t = T0, .weight = 1, .value = d, .values = 2};
    s->stream.row(s->stream.self, &o);
    give(s, T0 + MINUTE);
    struct profile *p = profile_of(&s->window[0], "x");
    assert_int_equal(profile_counters(p)->type_error, 1);
    assert_int_equal(counters_valid(profile_counters(p)), 1);
    assert_int_equal(profile_kind(p), PROFILE_NUMERIC);
    profile_close(p);
    assert_int_equal(account_of(s, NULL).type_error, 1);
}

static void drops_are_told_with_the_next_window(void **state)
{
    struct stage *s = *state;
    s->stream.drop(s->stream.self, span_text("m"), DROP_MALFORMED, 2);
    s->stream.drop(s->stream.self, span_text("m"), DROP_OVERSIZE, 1);
    s->stream.drop(s->stream.self, (struct span){0}, DROP_MALFORMED, 4);
    s->stream.drop(s->stream.self, span_text("other"), DROP_MALFORMED, 1);
    give(s, T0);
    give(s, T0 + MINUTE);
    assert_int_equal(s->window[0].window.observed, 4);
    assert_int_equal(s->window[0].window.drops, 2);
    assert_int_equal(registry_unattributed(s->registry)->dropped[DROP_MALFORMED], 5);
    give(s, T0 + 2 * MINUTE);
    assert_int_equal(s->window[1].window.drops, 0);
    struct observation o = {.model = span_text("z"), .t = T0};
    s->stream.row(s->stream.self, &o);
    assert_int_equal(registry_unattributed(s->registry)->dropped[DROP_UNKNOWN_MODEL],
                     1);
    registry_turn(s->registry, NOW + 1, NULL);
    assert_string_equal(s->notice,
                        "rows_unattributed: 6 rows belong to no model of this "
                        "host: malformed=5 unknown_model=1");
    registry_turn(s->registry, NOW + 3600 * NS_PER_S, NULL);
    assert_int_equal(s->notices, 1);
    assert_exact(s);
}

// Nobody knows yet which version is served, so time passes without a window.
static void drops_wait_until_a_window_can_tell_them(void **state)
{
    struct stage *s = *state;
    registry_close(s->registry);
    s->settings.version = NULL;
    open_registry(s);
    const struct given label = {.t = T0, .x = NAN, .prediction = NAN, .label = 1};
    struct given later = label;
    later.t = T0 + 2 * MINUTE;
    give_to(&s->stream, &label);
    s->stream.drop(s->stream.self, span_text("m"), DROP_MALFORMED, 3);
    give_to(&s->stream, &later);
    assert_int_equal(s->windows, 0);
    give(s, T0); // late
    later.t = T0 + 4 * MINUTE;
    give_to(&s->stream, &later);
    assert_int_equal(s->windows, 0);
    kill_and_restart(s);
    give_to(&s->stream, &(struct given){.version = "v9",
                                        .t = T0 + 4 * MINUTE,
                                        .x = 1,
                                        .prediction = 1,
                                        .label = NAN});
    give(s, T0 + 5 * MINUTE);
    assert_int_equal(s->windows, 1);
    assert_int_equal(s->window[0].window.rows, 1);
    assert_int_equal(s->window[0].window.late, 1);
    assert_int_equal(s->window[0].window.observed, 5);
    assert_exact(s);
}

static void a_wide_model_travels_in_parts(void **state)
{
    struct stage *s = *state;
    static struct datum d[OBSERVATION_VALUES_MAX];
    static char name[OBSERVATION_VALUES_MAX][16];
    for (int i = 0; i < OBSERVATION_VALUES_MAX; i++) {
        snprintf(name[i], sizeof name[i], "f%d", i);
        d[i] = (struct datum){span_text(name[i]), SIDE_INPUT, DATUM_NUMBER, {0}};
    }
    struct observation o = {.model = span_text("m"),
                            .t = T0,
                            .weight = 1,
                            .value = d,
                            .values = OBSERVATION_VALUES_MAX};
    for (int row = 0; row < 300; row++) {
        for (int i = 0; i < OBSERVATION_VALUES_MAX; i++)
            d[i].number = row * 1.37 + i;
        s->stream.row(s->stream.self, &o);
    }
    // One more feature than a model may have.
    d[0].name = span_text("more");
    s->stream.row(s->stream.self, &o);
    give(s, T0 + MINUTE);
    assert_true(s->windows > 1);
    uint64_t rows = 0;
    uint32_t features = 0;
    for (uint32_t i = 0; i < s->windows; i++) {
        assert_int_equal(s->window[i].window.part, i);
        assert_int_equal(s->window[i].window.parts, s->windows);
        rows += s->window[i].window.rows;
        features += s->window[i].window.features;
    }
    assert_int_equal(rows, 301);
    assert_int_equal(features, OBSERVATION_VALUES_MAX);
    assert_true(account_of(s, NULL).unknown >= 1);
}

// --- Labels

static void a_label_becomes_loss_and_bias_of_its_version(void **state)
{
    struct stage *s = *state;
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = 1, .prediction = 10, .label = NAN, .id = "a"});
    give_to(&s->stream, &(struct given){.t = T0 + 1,
                                        .x = 1,
                                        .prediction = 20,
                                        .label = NAN,
                                        .id = "b",
                                        .version = "v2"});
    give(s, T0 + 59 * MINUTE);
    give(s, T0 + 60 * MINUTE);
    uint32_t before = s->windows;
    give_to(&s->stream, &(struct given){.t = T0 + 60 * MINUTE,
                                        .x = NAN,
                                        .prediction = NAN,
                                        .label = 13,
                                        .id = "a"});
    give_to(&s->stream, &(struct given){.t = T0 + 60 * MINUTE,
                                        .x = NAN,
                                        .prediction = NAN,
                                        .label = 15,
                                        .id = "b"});
    // The same again, one that nobody knows, and one without an id.
    give_to(&s->stream, &(struct given){.t = T0 + 60 * MINUTE,
                                        .x = NAN,
                                        .prediction = NAN,
                                        .label = 15,
                                        .id = "b"});
    give_to(
        &s->stream,
        &(struct given){
            .t = T0 + 60 * MINUTE, .x = NAN, .prediction = NAN, .label = 1, .id = "?"});
    give_to(&s->stream,
            &(struct given){
                .t = T0 + 60 * MINUTE, .x = NAN, .prediction = NAN, .label = 1});
    give(s, T0 + 61 * MINUTE);
    assert_int_equal(s->windows, before + 2);
    const struct kept_window *v1 = &s->window[before], *v2 = &s->window[before + 1];
    assert_string_equal(v1->version, "v1");
    assert_float_equal(mean_of(v1, "loss"), 3, 1e-6);
    assert_float_equal(mean_of(v1, "bias"), -3, 1e-6);
    assert_float_equal(mean_of(v1, "label"), 13, 1e-6);
    // One of two labels found its prediction, after an hour.
    assert_float_equal(mean_of(v1, "label_joined"), 0.5, 1e-9);
    assert_float_equal(mean_of(v1, "label_delay_s"), 3600, 1e-9);
    assert_float_equal(mean_of(v2, "label_joined"), 1, 1e-9);
    assert_int_equal(feature_of(v1, "loss")->role, FEATURE_SIGNAL);
    assert_int_equal(feature_of(v1, "label")->role, FEATURE_LABEL);
    assert_string_equal(v2->version, "v2");
    assert_int_equal(v2->window.rows, 0);
    assert_float_equal(mean_of(v2, "loss"), 5, 1e-6);
    assert_float_equal(mean_of(v2, "bias"), 5, 1e-6);
    struct account a = account_of(s, NULL);
    assert_int_equal(a.labels, 5);
    assert_int_equal(a.labels_joined, 2);
    assert_int_equal(a.labels_unjoined, 2);
    assert_int_equal(a.labels_bad, 1);
    assert_exact(s);
}

static void labels_join_over_a_kill(void **state)
{
    struct stage *s = *state;
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = 1, .prediction = 10, .label = NAN, .id = "a"});
    kill_and_restart(s);
    give(s, T0);
    give_to(&s->stream,
            &(struct given){
                .t = T0 + MINUTE, .x = NAN, .prediction = NAN, .label = 4, .id = "a"});
    give(s, T0 + 2 * MINUTE);
    assert_int_equal(account_of(s, NULL).labels_joined, 1);
    assert_float_equal(mean_of(&s->window[s->windows - 1], "loss"), 6, 1e-6);
}

static void the_loss_of_probabilities_is_their_distance(void **state)
{
    struct stage *s = *state;
    registry_close(s->registry);
    s->settings.performance = PERFORMANCE_BINARY;
    open_registry(s);
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = 1, .prediction = 0.75, .label = NAN, .id = "a"});
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = NAN, .prediction = NAN, .label = 1, .id = "a"});
    give(s, T0 + MINUTE);
    assert_float_equal(mean_of(&s->window[0], "loss"), 0.25, 1e-6);
    assert_float_equal(mean_of(&s->window[0], "bias"), -0.25, 1e-6);
}

// --- Baselines

static void put_reference(struct stage *s, uint8_t digest, double step)
{
    struct buf grid, categories, body;
    double point[100];
    struct grid *g;
    uint8_t key[16] = {1, 2, 3};
    buf_init(&grid, 1 << 16);
    buf_init(&categories, 1 << 16);
    buf_init(&body, 1 << 16);
    for (int i = 0; i < 100; i++)
        point[i] = i * step;
    assert_int_equal(grid_of_rows(GRID_F64, point, 100, &g), ST_OK);
    grid_encode(g, &grid);
    grid_close(g);
    const struct grid_category category[] = {{hash_sip(key, span_text("a")), 5}};
    assert_int_equal(grid_of_categories(category, 1, &g), ST_OK);
    grid_encode(g, &categories);
    grid_close(g);
    const struct reference_feature feature[] = {
        {span_text("season"), FEATURE_INPUT, FEATURE_CATEGORICAL,
         buf_span(&categories)},
        {span_text("x"), FEATURE_INPUT, FEATURE_NUMERIC, buf_span(&grid)}};
    struct reference r = {.model = span_text("m"),
                          .version = span_text("v1"),
                          .baseline = {digest},
                          .key = {1, 2, 3},
                          .window_ns = MINUTE,
                          .sketch_every = 3,
                          .feature = feature,
                          .features = 2};
    assert_int_equal(message_encode(&reference_message, &r, &body, NULL), ST_OK);
    assert_int_equal(registry_reference(s->registry, buf_span(&body)), ST_OK);
    buf_fini(&grid);
    buf_fini(&categories);
    buf_fini(&body);
}

static uint64_t grid_id_of(const struct kept_window *k)
{
    struct profile *p = profile_of(k, "x");
    uint64_t id = profile_grid_id(p);
    uint32_t n;
    uint64_t sum = 0;
    const uint64_t *cells = profile_cells(p, &n);
    for (uint32_t i = 0; i < n; i++)
        sum += cells[i];
    if (id != 0)
        assert_int_equal(sum, counters_valid(profile_counters(p)));
    profile_close(p);
    return id;
}

static void a_baseline_never_changes_under_an_open_window(void **state)
{
    struct stage *s = *state;
    for (uint64_t i = 0; i < 5; i++) {
        give(s, T0 + i * MINUTE);
        if (i == 1)
            put_reference(s, 1, 1.0);
        if (i == 3)
            put_reference(s, 2, 2.0);
        give(s, T0 + i * MINUTE + 1);
    }
    give(s, T0 + 5 * MINUTE);
    assert_int_equal(grid_id_of(&s->window[0]), 0);
    assert_int_equal(grid_id_of(&s->window[1]), 0); // it was open when the first came
    uint64_t first = grid_id_of(&s->window[2]);
    assert_true(first != 0);
    assert_int_equal(grid_id_of(&s->window[3]), first);
    uint64_t second = grid_id_of(&s->window[4]);
    assert_true(second != 0 && second != first);
}

static void sketches_travel_every_third_window(void **state)
{
    struct stage *s = *state;
    put_reference(s, 1, 1.0);
    for (uint64_t i = 0; i < 7; i++) {
        give(s, T0 + i * MINUTE);
        give(s, T0 + i * MINUTE + 1);
    }
    for (uint32_t i = 0; i < 6; i++) {
        struct profile *p = profile_of(&s->window[i], "x");
        const struct quantile *q = profile_quantile(p);
        assert_int_equal(q != NULL && quantile_n(q) > 0, i % 3 == 2);
        if (i % 3 == 2)
            assert_int_equal(quantile_n(q), 6); // of three windows
        assert_int_equal(counters_valid(profile_counters(p)), 2);
        profile_close(p);
    }
}

static void categories_are_hashed_under_the_models_key(void **state)
{
    struct stage *s = *state;
    put_reference(s, 1, 1.0);
    for (int i = 0; i < 5; i++)
        give_to(&s->stream, &(struct given){.t = T0,
                                            .x = 1,
                                            .prediction = 1,
                                            .label = NAN,
                                            .season = i < 3 ? "a" : "b"});
    give(s, T0 + MINUTE);
    struct profile *p = profile_of(&s->window[0], "season");
    uint32_t n;
    const uint64_t *cells = profile_cells(p, &n);
    assert_int_equal(n, 3); // a, rare, unseen
    assert_int_equal(cells[0], 3);
    assert_int_equal(cells[2], 2);
    profile_close(p);
    for (size_t i = 0; i + 6 <= s->state_size; i++)
        assert_memory_not_equal(s->state + i, "\"a\"", 3);
}

static void references_are_kept_over_a_restart(void **state)
{
    struct stage *s = *state;
    put_reference(s, 1, 1.0);
    give(s, T0);
    uint64_t next;
    registry_turn(s->registry, NOW + 6 * NS_PER_S, &next); // a snapshot
    kill_and_restart(s);
    give(s, T0 + 1);
    give(s, T0 + MINUTE);
    assert_int_equal(s->window[0].window.rows, 2);
    assert_true(grid_id_of(&s->window[0]) != 0);
}

// --- Kills and a full spool

static void an_open_window_goes_on_after_a_clean_end(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 10; i++)
        give_to(&s->stream,
                &(struct given){
                    .t = T0, .x = i, .prediction = i, .label = NAN, .season = "a"});
    registry_pause(s->registry, NOW);
    kill_and_restart(s);
    for (int i = 10; i < 20; i++)
        give_to(&s->stream,
                &(struct given){
                    .t = T0, .x = i, .prediction = i, .label = NAN, .season = "a"});
    give(s, T0 + MINUTE);
    assert_int_equal(s->window[0].window.rows, 20);
    struct profile *p = profile_of(&s->window[0], "x");
    assert_float_equal(moments_mean(profile_moments(p)), 9.5, 1e-12);
    assert_float_equal(comoments_correlation(profile_comoments(p)), 1, 1e-12);
    assert_int_equal(quantile_n(profile_quantile(p)), 20);
    profile_close(p);
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 0);
    assert_exact(s);
}

// Under strain windows are longer, and nothing is lost on the way there and back.
static void under_strain_windows_are_longer_and_exact(void **state)
{
    struct stage *s = *state;
    uint64_t minute = 0;
    for (; minute < 7; minute++)
        give(s, T0 + minute * MINUTE);
    registry_strain(s->registry, 4, true);
    for (; minute < 40; minute++) {
        give(s, T0 + minute * MINUTE);
        assert_exact(s);
    }
    registry_pause(s->registry, NOW);
    kill_and_restart(s);
    registry_strain(s->registry, 1, false);
    for (; minute < 60; minute++)
        give(s, T0 + minute * MINUTE);
    uint64_t rows = 0, end = T0, merged = 0;
    for (uint32_t i = 0; i < s->windows; i++) {
        const struct window *w = &s->window[i].window;
        assert_int_equal(w->start, end); // no gap, no overlap
        end = w->end;
        rows += w->rows;
        merged += (w->flags & WINDOW_MERGED) != 0;
        assert_int_equal((w->flags & WINDOW_MERGED) != 0, w->end - w->start > MINUTE);
    }
    assert_int_equal(merged, 8);
    assert_int_equal(rows, 59);
    assert_int_equal(account_of(s, NULL).late, 0);
    assert_exact(s);
}

static void row_without_settle(struct stage *s)
{
    const struct datum d = {.name = span_text("x"), .kind = DATUM_NUMBER, .number = 1};
    const struct observation o = {
        .model = span_text("m"), .t = T0, .weight = 1, .value = &d, .values = 1};
    s->stream.row(s->stream.self, &o);
}

// A row is the source's until it is taken, and the agent's from then on.
static void a_mark_and_its_rows_stand_together(void **state)
{
    struct stage *s = *state;
    struct source_mark mark = {.source = {3, 4}, .tail = 77}, found;
    row_without_settle(s);
    kill_and_restart(s); // it lies in the source still, and will be read again
    assert_int_equal(account_of(s, NULL).observed, 0);
    row_without_settle(s);
    row_without_settle(s);
    s->stream.taken(s->stream.self, &mark);
    kill_and_restart(s); // now it does not
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 2);
    assert_true(s->stream.resume(s->stream.self, mark.source, &found));
    assert_int_equal(found.tail, 77);
    assert_false(s->stream.resume(s->stream.self, (const uint64_t[2]){3, 5}, &found));
    s->stream.settle(s->stream.self);
    give(s, T0);
    kill_and_restart(s);
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 3);
    assert_exact(s);
}

static void what_a_kill_takes_of_a_stream_is_counted(void **state)
{
    struct stage *s = *state;
    give(s, T0);
    give(s, T0 + MINUTE); // a group: everything is on disk
    for (int i = 0; i < 7; i++)
        give(s, T0 + MINUTE);
    s->stream.drop(s->stream.self, span_text("m"), DROP_MALFORMED, 2);
    s->stream.settle(s->stream.self);
    kill_and_restart(s);
    struct account a = account_of(s, NULL);
    assert_int_equal(a.observed, 11);
    assert_int_equal(a.dropped[DROP_CRASH], 9);
    assert_exact(s);
    registry_turn(s->registry, NOW + 1, NULL);
    assert_string_equal(
        s->notice, "rows_lost: 9 rows stood in open windows when the agent was killed");
    assert_int_equal(s->notices, 1);
    kill_and_restart(s); // it is not counted again, nor told
    registry_turn(s->registry, NOW + 1, NULL);
    assert_int_equal(s->notices, 1);
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 9);
    give(s, T0 + 2 * MINUTE);
    give(s, T0 + 3 * MINUTE);
    const struct window *w = &s->window[1].window;
    assert_int_equal(w->rows, 1); // the row that stood in the snapshot
    assert_int_equal(w->dropped[0].count, 9);
    assert_true(span_is(w->dropped[0].key, "crash"));
}

static void a_kill_before_the_first_snapshot_is_counted_too(void **state)
{
    struct stage *s = *state;
    give(s, T0);
    give(s, T0);
    kill_and_restart(s);
    assert_int_equal(account_of(s, NULL).dropped[DROP_CRASH], 2);
    assert_exact(s);
}

static void a_full_spool_keeps_windows_open_and_loses_nothing(void **state)
{
    struct stage *s = *state;
    s->answer = ST_FULL;
    for (uint64_t i = 0; i < 20; i++) {
        s->now += 2 * NS_PER_S;
        registry_now(s->registry, s->now);
        give(s, T0 + i * MINUTE);
    }
    assert_int_equal(s->windows, 0);
    assert_exact(s);
    give(s, T0); // its window is still open
    for (uint64_t i = 20; i < 50; i++)
        give(s, T0 + i * MINUTE);
    struct account a = account_of(s, NULL);
    assert_int_equal(a.dropped[DROP_MEMORY], 50 - REGISTRY_OPEN_WINDOWS_MAX);
    s->answer = ST_OK;
    s->now += 2 * NS_PER_S;
    registry_now(s->registry, s->now);
    give(s, T0 + 50 * MINUTE);
    assert_exact(s);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < s->windows; i++)
        rows += s->window[i].window.rows;
    assert_int_equal(rows, REGISTRY_OPEN_WINDOWS_MAX + 1);
    assert_int_equal(s->window[0].window.rows, 2);
}

static void a_broken_state_is_refused_and_begun_anew(void **state)
{
    struct stage *s = *state;
    give_to(
        &s->stream,
        &(struct given){.t = T0, .x = 1, .prediction = 1, .label = NAN, .season = "a"});
    registry_pause(s->registry, NOW);
    registry_close(s->registry);
    for (size_t size = 1; size < s->state_size; size += 1 + size / 40) {
        struct span mark;
        assert_int_equal(registry_open(s->folder, &s->hooks, &s->registry), ST_OK);
        enum status st = registry_add(s->registry, &s->settings,
                                      span_of(s->state, size), NOW, &mark);
        assert_true(st == ST_CORRUPT || st == ST_VERSION);
        assert_int_equal(mark.size, 0);
        registry_close(s->registry);
    }
    open_registry(s);
}

// A stream and a file, kills, pauses, a full spool now and then: at the end every row
// is in exactly one place, and the file's rows are all in windows.
static void every_row_is_accounted_for_whatever_happens(void **state)
{
    struct stage *s = *state;
    struct random r = {random_os()};
    print_message("seed %llu\n", (unsigned long long)r.state);
    uint64_t streamed = 0, written = 0;
    uint64_t t = T0;
    for (int step = 0; step < 6000; step++) {
        uint64_t pick = random_u64(&r) % 1000;
        s->now += NS_PER_S / 4;
        registry_now(s->registry, s->now);
        if (pick < 500) {
            uint64_t back =
                random_u64(&r) % 10 == 0 ? random_u64(&r) % (4 * MINUTE) : 0;
            give(s, t - back);
            streamed++;
        } else if (pick < 800) {
            written = written > s->file_position ? written : s->file_position + 1;
            s->file_position++;
            give_to(&s->file,
                    &(struct given){.t = t, .x = 1, .prediction = NAN, .label = NAN});
        } else if (pick < 900) {
            t += random_u64(&r) % (30 * NS_PER_S);
        } else if (pick < 980) {
            registry_turn(s->registry, s->now, NULL);
        } else if (pick < 985) {
            s->answer = s->answer == ST_OK ? ST_FULL : ST_OK;
        } else if (pick < 990) {
            registry_pause(s->registry, s->now);
        } else {
            kill_and_restart(s);
            s->file_position = s->file_mark; // the file is read again from its mark
        }
        assert_exact(s);
    }
    s->answer = ST_OK;
    s->now += 10 * NS_PER_S;
    registry_now(s->registry, s->now);
    t += 10 * MINUTE;
    give(s, t);
    streamed++;
    struct account a = account_of(s, NULL);
    // Of the file each line was observed once, those before the mark of the last kill.
    assert_int_equal(a.observed, streamed + s->file_position);
    uint64_t rows = 0, late = 0, dropped = 0, open;
    for (uint32_t i = 0; i < s->windows; i++) {
        const struct window *w = &s->window[i].window;
        rows += w->rows;
        late += w->late;
        dropped += w->observed - w->rows - w->late;
    }
    account_of(s, &open);
    assert_int_equal(rows, a.merged);
    assert_int_equal(late, a.late);
    assert_int_equal(dropped, account_dropped(&a));
    assert_int_equal(open, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(seals_a_window_when_event_time_leaves_it),
        TEST(tells_silence_window_by_window_then_at_once),
        TEST(follows_the_wall_clock_only_in_the_present),
        TEST(waits_for_late_rows_as_long_as_it_was_told),
        TEST(clamps_the_future_and_single_leaps),
        TEST(counts_each_version_for_itself),
        TEST(a_feature_that_a_row_lacks_is_missing),
        TEST(a_wrong_type_is_counted_and_changes_nothing),
        TEST(drops_are_told_with_the_next_window),
        TEST(drops_wait_until_a_window_can_tell_them),
        TEST(a_wide_model_travels_in_parts),
        TEST(a_label_becomes_loss_and_bias_of_its_version),
        TEST(labels_join_over_a_kill),
        TEST(the_loss_of_probabilities_is_their_distance),
        TEST(a_baseline_never_changes_under_an_open_window),
        TEST(sketches_travel_every_third_window),
        TEST(categories_are_hashed_under_the_models_key),
        TEST(references_are_kept_over_a_restart),
        TEST(an_open_window_goes_on_after_a_clean_end),
        TEST(under_strain_windows_are_longer_and_exact),
        TEST(a_mark_and_its_rows_stand_together),
        TEST(what_a_kill_takes_of_a_stream_is_counted),
        TEST(a_kill_before_the_first_snapshot_is_counted_too),
        TEST(a_full_spool_keeps_windows_open_and_loses_nothing),
        TEST(a_broken_state_is_refused_and_begun_anew),
        TEST(every_row_is_accounted_for_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
