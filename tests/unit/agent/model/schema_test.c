// Schema: columns are learned and frozen, and what changes about them is told by name
// while the others go on being counted.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/model/stage.h"

#include "common/sketch/topk.h"

// A row of a number x, a category c, a prediction, and what a test puts beside them.
struct shape {
    const char *c;     // NULL: the column is not named
    const char *names; // order of the inputs: "xc" or "cx"
    bool has_x, x_is_text, is_null;
    double x;
    const char *extra; // the name of one more input
    const char *id;    // the value of an input "customer"
    double c_number;   // not NaN: c is this number
};

#define ROW                                                                            \
    (struct shape)                                                                     \
    {                                                                                  \
        .c = "a", .names = "xc", .has_x = true, .x = 1, .c_number = NAN                \
    }

static uint64_t row_time;

static void put_x(const struct shape *s, struct datum *d, uint32_t *n)
{
    if (!s->has_x)
        return;
    struct datum x = {.name = span_text("x"), .kind = DATUM_NUMBER, .number = s->x};
    if (s->x_is_text) {
        x.kind = DATUM_CATEGORY;
        x.text = span_text("five");
    }
    if (s->is_null)
        x.kind = DATUM_MISSING;
    d[(*n)++] = x;
}

static void put_c(const struct shape *s, struct datum *d, uint32_t *n)
{
    struct datum c = {
        .name = span_text("c"), .kind = DATUM_CATEGORY, .text = span_text(s->c)};
    if (!isnan(s->c_number)) {
        c.kind = DATUM_NUMBER;
        c.number = s->c_number;
    }
    if (s->c)
        d[(*n)++] = c;
}

static void feed(struct stage *s, const struct shape *shape)
{
    struct datum d[6];
    uint32_t n = 0;
    for (const char *one = shape->names; *one; one++)
        if (*one == 'x')
            put_x(shape, d, &n);
        else
            put_c(shape, d, &n);
    if (shape->extra)
        d[n++] = (struct datum){
            .name = span_text(shape->extra), .kind = DATUM_NUMBER, .number = 1};
    if (shape->id)
        d[n++] = (struct datum){.name = span_text("customer"),
                                .kind = DATUM_CATEGORY,
                                .text = span_text(shape->id)};
    d[n++] = (struct datum){.name = span_text("prediction"),
                            .side = SIDE_OUTPUT,
                            .kind = DATUM_NUMBER,
                            .number = 2};
    const struct observation o = {.model = span_text("m"),
                                  .t = row_time,
                                  .has_time = true,
                                  .weight = 1,
                                  .value = d,
                                  .values = n};
    s->stream.row(s->stream.self, &o);
    s->stream.settle(s->stream.self);
}

// A thousand rows in one window, then the next window.
static void learn(struct stage *s)
{
    row_time = T0;
    for (int i = 0; i < 1000; i++) {
        struct shape r = ROW;
        r.x = i % 7;
        r.c = i % 3 ? "a" : "b";
        feed(s, &r);
    }
    row_time = T0 + MINUTE;
}

static void feed_window(struct stage *s, const struct shape *shape, int rows)
{
    for (int i = 0; i < rows; i++) {
        struct shape r = *shape;
        r.x = i % 7;
        feed(s, &r);
    }
    row_time += MINUTE;
}

// Seals what came, by a row of the learned kind.
static const struct kept_window *sealed(struct stage *s)
{
    feed(s, &ROW);
    return &s->window[s->windows - 1];
}

static void a_column_that_is_new_is_named_and_left_out(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.extra = "colour";
    feed_window(s, &r, 20);
    const struct kept_window *k = sealed(s);
    assert_string_equal(s->notice, "schema_changed: added: column colour of version v1 "
                                   "is new, and left out until the schema is accepted "
                                   "(input, number)");
    assert_int_equal(s->notices, 1); // once, for all the rows
    assert_null(feature_of(k, "colour"));
    assert_int_equal(k->window.rows, 20);
    struct profile *p = profile_of(k, "x"); // the others go on
    assert_int_equal(counters_valid(profile_counters(p)), 20);
    profile_close(p);
    assert_int_equal(account_of(s, NULL).unknown, 20);
    assert_exact(s);
}

static void what_was_told_is_not_told_again_after_a_restart(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.extra = "colour";
    feed_window(s, &r, 20);
    sealed(s);
    assert_int_equal(s->notices, 1);
    kill_and_restart(s);
    feed_window(s, &r, 20);
    sealed(s);
    assert_int_equal(s->notices, 1);
}

static void a_column_that_is_gone_is_named_and_counts_as_missing(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.has_x = false;
    feed_window(s, &r, 20);
    const struct kept_window *k = sealed(s);
    assert_string_equal(s->notice, "schema_changed: removed: column x of version v1 is "
                                   "gone, and counts as missing");
    struct profile *p = profile_of(k, "x");
    assert_int_equal(profile_counters(p)->missing, 20);
    profile_close(p);
    p = profile_of(k, "c");
    assert_int_equal(counters_valid(profile_counters(p)), 20);
    profile_close(p);
    feed_window(s, &ROW, 20); // it is back,
    feed_window(s, &r, 20);   // and gone again
    sealed(s);
    assert_int_equal(s->notices, 2);
}

static void few_rows_without_a_rare_column_say_nothing(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.has_x = false;
    feed_window(s, &r, 5);
    sealed(s);
    assert_int_equal(s->notices, 0);
}

static void a_column_of_another_type_is_named(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.x_is_text = true;
    feed_window(s, &r, 20);
    const struct kept_window *k = sealed(s);
    assert_string_equal(s->notice,
                        "schema_changed: retyped: column x of version v1 has "
                        "values of another type (category, was number)");
    struct profile *p = profile_of(k, "x");
    assert_int_equal(profile_counters(p)->type_error, 20);
    profile_close(p);
    row_time += MINUTE;
    r = ROW;
    r.c_number = 5; // a number may be a category, but c had none
    feed_window(s, &r, 20);
    sealed(s);
    assert_non_null(strstr(s->notice, "c of version v1 has"));
}

static void another_order_of_the_columns_is_named(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.names = "cx";
    feed_window(s, &r, 20);
    const struct kept_window *k = sealed(s);
    assert_string_equal(s->notice, "schema_changed: reordered: column x of version v1 "
                                   "stands at another place in the row");
    struct profile *p = profile_of(k, "x");
    assert_int_equal(counters_valid(profile_counters(p)), 20);
    profile_close(p);
}

static void rows_without_an_order_have_none_to_lose(void **state)
{
    struct stage *s = *state;
    struct shape r = ROW;
    row_time = T0;
    for (int i = 0; i < 1000; i++) {
        r.names = i % 2 ? "xc" : "cx";
        feed(s, &r);
    }
    row_time += MINUTE;
    r.names = "cx";
    feed_window(s, &r, 20);
    sealed(s);
    assert_int_equal(s->notices, 0);
}

static void a_dead_and_a_stuck_column_are_named(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.is_null = true;
    for (int i = 0; i < 100; i++) {
        r.c = i % 2 ? "a" : "b";
        feed(s, &r);
    }
    row_time += MINUTE;
    sealed(s);
    assert_string_equal(
        s->notice, "column_dead: dead: column x of version v1 has no value any more");
    row_time += MINUTE;
    for (int i = 0; i < 100; i++)
        feed(s, &ROW); // x is 1 throughout
    row_time += MINUTE;
    sealed(s);
    assert_non_null(strstr(s->notice, "column_stuck: stuck: column"));
}

static void new_categories_are_counted_and_told_once(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.c = "zz";
    feed_window(s, &r, 30);
    feed_window(s, &r, 30);
    sealed(s);
    assert_int_equal(s->notices, 1);
    assert_non_null(strstr(s->notice, "of version v1 has"));
    struct buf text;
    struct json out;
    buf_init(&text, 1u << 16);
    json_init(&out, &text);
    registry_status(s->registry, &out);
    assert_non_null(strstr(buf_cstr(&text), "\"appeared\":60"));
    assert_non_null(strstr(buf_cstr(&text), "\"state\":\"frozen\""));
    buf_fini(&text);
}

static void an_id_is_no_feature_and_never_leaves(void **state)
{
    struct stage *s = *state;
    row_time = T0;
    for (int i = 0; i < 1000; i++) {
        char id[32];
        struct shape r = ROW;
        (void)snprintf(id, sizeof id, "customer-%d", i);
        r.id = id;
        feed(s, &r);
    }
    row_time += MINUTE;
    const struct kept_window *k = sealed(s);
    assert_null(feature_of(k, "customer"));
    assert_non_null(feature_of(k, "c"));
    assert_string_equal(s->notice, "column_left_out: left_out: column customer of "
                                   "version v1 has another value in each row: an id is "
                                   "no feature");
}

static void an_accepted_schema_has_the_new_column(void **state)
{
    struct stage *s = *state;
    learn(s);
    struct shape r = ROW;
    r.extra = "colour";
    r.has_x = false;
    feed_window(s, &r, 20);
    sealed(s);
    assert_int_equal(s->notices, 2);
    assert_int_equal(registry_accept(s->registry, span_text("z")), ST_NOTFOUND);
    assert_int_equal(registry_accept(s->registry, span_text("m")), ST_OK);
    row_time += MINUTE;
    feed_window(s, &r, 1000);
    feed_window(s, &r, 20);
    feed(s, &r);
    const struct kept_window *k = &s->window[s->windows - 1];
    assert_int_equal(k->window.rows, 20);
    assert_non_null(feature_of(k, "colour"));
    assert_null(feature_of(k, "x"));
    assert_int_equal(s->notices, 2);
}

static void declared_columns_are_frozen_from_the_first_row(void **state)
{
    struct stage *s = *state;
    static const struct model_column column[] = {
        {"x", FEATURE_INPUT, FEATURE_NUMERIC},
        {"prediction", FEATURE_OUTPUT, FEATURE_NUMERIC}};
    registry_close(s->registry);
    s->settings.column = column;
    s->settings.columns = 2;
    open_registry(s);
    row_time = T0;
    feed_window(s, &ROW, 20);
    const struct kept_window *k = sealed(s);
    assert_int_equal(k->window.features, 2);
    assert_non_null(strstr(s->notice, "added: column c of version v1"));
    s->settings.columns = 0;
}

// The number 10 is the category "10", whatever brought it.
static void a_number_is_the_category_that_people_read(void **state)
{
    struct stage *s = *state;
    learn(s);
    feed_window(s, &ROW, 10);
    struct shape number = ROW, text = ROW;
    number.c_number = 10;
    text.c = "10";
    feed_window(s, &text, 10);
    feed_window(s, &number, 10);
    sealed(s);
    struct profile *a = profile_of(&s->window[s->windows - 2], "c");
    struct profile *b = profile_of(&s->window[s->windows - 1], "c");
    struct topk_item x, y;
    assert_int_equal(topk_heaviest(profile_topk(a), 1, &x), 1);
    assert_int_equal(topk_heaviest(profile_topk(b), 1, &y), 1);
    assert_int_equal(x.hash, y.hash);
    assert_int_not_equal(x.hash, 0);
    profile_close(a);
    profile_close(b);
}

static void categories_leave_in_clear_only_where_that_is_said(void **state)
{
    struct stage *s = *state;
    static const char *const reveal[] = {"c"};
    for (int round = 0; round < 2; round++) {
        registry_close(s->registry);
        s->settings.reveal = reveal;
        s->settings.reveals = (uint32_t)round;
        open_registry(s);
        row_time = T0 + (uint64_t)round * 10 * MINUTE;
        struct shape r = ROW;
        r.c = "erika.mustermann";
        feed_window(s, &r, 20);
        const struct kept_window *k = sealed(s);
        struct span bytes = feature_of(k, "c")->profile;
        void *found = memmem(bytes.data, bytes.size, r.c, strlen(r.c));
        if (round == 0)
            assert_null(found);
        else
            assert_non_null(found);
    }
    s->settings.reveals = 0;
}

static void a_flood_of_names_takes_no_memory(void **state)
{
    struct stage *s = *state;
    learn(s);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        struct shape r = ROW;
        (void)snprintf(name, sizeof name, "n%d", i);
        r.extra = name;
        feed(s, &r);
    }
    sealed(s);
    size_t at = 0;
    struct model_view v;
    assert_true(registry_next(s->registry, &at, &v));
    assert_int_equal(v.features, 3);
    assert_true(s->notices <= 64);
    assert_exact(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_column_that_is_new_is_named_and_left_out),
        TEST(what_was_told_is_not_told_again_after_a_restart),
        TEST(a_column_that_is_gone_is_named_and_counts_as_missing),
        TEST(few_rows_without_a_rare_column_say_nothing),
        TEST(a_column_of_another_type_is_named),
        TEST(another_order_of_the_columns_is_named),
        TEST(rows_without_an_order_have_none_to_lose),
        TEST(a_dead_and_a_stuck_column_are_named),
        TEST(new_categories_are_counted_and_told_once),
        TEST(an_id_is_no_feature_and_never_leaves),
        TEST(an_accepted_schema_has_the_new_column),
        TEST(declared_columns_are_frozen_from_the_first_row),
        TEST(a_number_is_the_category_that_people_read),
        TEST(categories_leave_in_clear_only_where_that_is_said),
        TEST(a_flood_of_names_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
