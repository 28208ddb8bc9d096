// Standing: two versions that serve side by side, through the whole watch.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/standing.h"

#include <stdlib.h>

#include "controller/log/blob.h"
#include "controller/log/cases.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/watch/watch.h"
#include "proto/messages/window.h"
#include "tests/unit/common/drift/world.h"

#define ROWS 300
#define REFERENCE 240

// One model, its two versions, and a world for each.
struct stage {
    struct memory *memory;
    struct shelf *shelf;
    struct watch *watch;
    uint32_t model, version[2];
    struct world world[2];
    struct buf profiles, message, blob;
    uint64_t now_ns;
};

static const char *const names[] = {"v1", "v2"};

static void seal(struct stage *s, int v)
{
    struct buf bytes;
    struct record_baseline r = {.model = span_text("m"),
                                .version = span_text(names[v])};
    struct fold_moment now = {.now_ns = 1};
    buf_init(&bytes, RECORD_BASELINE_MAX);
    baseline_encode(s->world[0].baseline, &bytes);
    r.sealed = buf_span(&bytes);
    struct shelf_key key = key_baseline(s->model, s->version[v]);
    assert_int_equal(
        records_put(s->shelf, SHELF_CATALOG, &key, &record_baseline_message, &r),
        ST_OK);
    assert_int_equal(
        watch_baseline(s->watch, s->shelf, s->model, s->version[v], &now, NULL), ST_OK);
    buf_fini(&bytes);
}

static void attest(struct stage *s, int v, uint64_t at_ns)
{
    static const uint8_t agent[16] = {1};
    struct judged_attest a = {.model = span_text("m"),
                              .version = span_text(names[v]),
                              .model_no = s->model,
                              .version_no = s->version[v],
                              .agent = agent,
                              .host = span_text("host"),
                              .at_ns = at_ns,
                              .cause = span_text(v ? "switch" : "start")};
    struct fold_moment now = {.now_ns = at_ns};
    assert_int_equal(watch_attest(s->watch, s->shelf, &a, &now, NULL), ST_OK);
}

static struct stage *stage_open(void)
{
    struct stage *s = mem_zero(1, sizeof *s);
    struct watch_options o = watch_defaults();
    assert_non_null(s);
    buf_init(&s->profiles, 1 << 20);
    buf_init(&s->message, 1 << 20);
    buf_init(&s->blob, 1 << 20);
    assert_int_equal(memory_open(1 << 28, &s->memory), ST_OK);
    s->shelf = memory_shelf(s->memory);
    assert_int_equal(watch_open(&o, &s->watch), ST_OK);
    assert_int_equal(names_model_new(s->shelf, span_text("m"), &s->model), ST_OK);
    for (int v = 0; v < 2; v++) {
        world_open(&s->world[v], 5, REFERENCE, ROWS);
        s->world[v].random.state = 900 + (uint64_t)v;
        assert_int_equal(
            names_version_new(s->shelf, s->model, span_text(names[v]), &s->version[v]),
            ST_OK);
    }
    for (int v = 0; v < 2; v++)
        seal(s, v);
    return s;
}

static void stage_close(struct stage *s)
{
    watch_close(s->watch);
    memory_close(s->memory);
    for (int v = 0; v < 2; v++)
        world_close(&s->world[v]);
    buf_fini(&s->profiles);
    buf_fini(&s->message);
    buf_fini(&s->blob);
    mem_free(s);
}

static int by_name(const void *a, const void *b)
{
    const struct window_feature *x = a, *y = b;
    return span_compare(x->name, y->name);
}

// As the fold leaves it: the merge of all hosts in a series of its own.
static void store(struct stage *s, int v, const struct drift_window *w)
{
    struct window_feature f[WORLD_FEATURES + 2];
    size_t at[WORLD_FEATURES + 3] = {0};
    uint32_t series;
    buf_clear(&s->profiles);
    for (uint32_t i = 0; i < w->features; i++) {
        f[i] = (struct window_feature){.name = w->feature[i].name,
                                       .role = w->feature[i].role,
                                       .kind = w->feature[i].kind};
        profile_encode(w->feature[i].profile, PROFILE_PLAIN, &s->profiles);
        at[i + 1] = s->profiles.size;
    }
    for (uint32_t i = 0; i < w->features; i++)
        f[i].profile = span_of(s->profiles.data + at[i], at[i + 1] - at[i]);
    qsort(f, w->features, sizeof *f, by_name);
    struct window window = {.model = span_text("m"),
                            .version = span_text(names[v]),
                            .seq = 1,
                            .start = w->start,
                            .end = w->end,
                            .rows = ROWS,
                            .observed = ROWS,
                            .feature = f,
                            .features = w->features};
    buf_clear(&s->message);
    assert_int_equal(message_encode(&window_message, &window, &s->message, NULL),
                     ST_OK);
    struct pool pool;
    static uint8_t memory[1 << 18];
    pool_init(&pool, memory, sizeof memory);
    struct window decoded;
    assert_int_equal(
        message_decode(&window_message, buf_span(&s->message), &pool, &decoded), ST_OK);
    buf_clear(&s->blob);
    blob_put(&s->blob, BLOB_MERGED, buf_span(&s->message), &decoded);
    assert_int_equal(names_series_new(s->shelf, s->model, s->version[v], NULL, &series),
                     ST_OK);
    struct shelf_key key = key_window(series, KEY_RAW, w->start, 0);
    assert_int_equal(shelf_put(s->shelf, SHELF_WINDOW, &key, buf_span(&s->blob)),
                     ST_OK);
}

// One hour of a version that serves.
static void serve(struct stage *s, int v, const struct bend *b)
{
    const struct drift_window *w = world_window(&s->world[v], b);
    struct judged_feature f[WORLD_FEATURES + 2];
    struct fold_moment now = {.now_ns = w->end};
    uint8_t alert[16] = {0};
    for (uint32_t i = 0; i < w->features; i++)
        f[i] = (struct judged_feature){.name = w->feature[i].name,
                                       .role = w->feature[i].role,
                                       .kind = w->feature[i].kind,
                                       .profile = w->feature[i].profile};
    struct judged_window j = {.model = span_text("m"),
                              .version = span_text(names[v]),
                              .model_no = s->model,
                              .version_no = s->version[v],
                              .start_ns = w->start,
                              .end_ns = w->end,
                              .rows = ROWS,
                              .hosts = 1,
                              .feature = f,
                              .features = w->features};
    store(s, v, w);
    assert_int_equal(watch_window(s->watch, s->shelf, &j, &now, NULL, alert), ST_OK);
    s->now_ns = w->end;
}

// v1 alone, then both.
static struct stage *stage_two(void)
{
    static const struct bend straight;
    struct stage *s = stage_open();
    attest(s, 0, WORLD_START + REFERENCE * WORLD_HOUR);
    for (int h = 0; h < 30; h++)
        serve(s, 0, &straight);
    s->world[1].hours = s->world[0].hours;
    attest(s, 1, s->now_ns);
    return s;
}

static struct standing standing_of(struct stage *s)
{
    struct standing out;
    assert_int_equal(standing_get(s->shelf, s->model, &out), ST_OK);
    return out;
}

// The symbol of the model's open alert, or "".
static const char *symbol(struct stage *s, const char *key)
{
    static char text[32];
    uint8_t id[CASE_ID_BYTES];
    bool is_open;
    struct paper p;
    struct record_alert a;
    text[0] = '\0';
    assert_int_equal(cases_open_of(s->shelf, s->model, id, &is_open), ST_OK);
    if (!is_open)
        return text;
    assert_int_equal(paper_init(&p), ST_OK);
    assert_int_equal(cases_read(&p, s->shelf, id, &a), ST_OK);
    struct span v =
        strcmp(key, "cause") == 0 ? a.diagnosis : pairs_get(a.symbol, a.symbols, key);
    memcpy(text, v.data, v.size < 31 ? v.size : 31);
    text[v.size < 31 ? v.size : 31] = '\0';
    paper_fini(&p);
    return text;
}

// Both see the same shocked inputs; only v2 errs.
static void the_worse_of_two_is_told_though_the_world_moves(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend world = {.shift = 1}, bad = {.shift = 1, .error = 2};
    for (int h = 0; h < 25; h++) {
        serve(s, 0, &world);
        serve(s, 1, &bad);
    }
    struct standing now = standing_of(s);
    assert_string_equal(now.version, "v2");
    assert_string_equal(now.against, "v1");
    assert_true(now.has_watch && now.windows >= 20 && now.beside == now.windows);
    assert_int_equal(now.verdict, DEPLOY_WORSE);
    assert_int_equal(standing_contest(&now), STANDING_WORSE);
    assert_false(now.withheld); // the inputs of both moved: that is no difference
    stage_close(s);
}

static void a_bad_version_beside_a_good_one_is_the_version(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend straight = {0}, bad = {.error = 2};
    for (int h = 0; h < 12; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &bad);
    }
    assert_string_equal(symbol(s, "rung"), "concurrent");
    assert_string_equal(symbol(s, "Pv"), "clean");
    assert_string_equal(symbol(s, "cause"), "bad_version");
    stage_close(s);
}

static void two_that_are_alike_show_no_difference(void **state)
{
    (void)state;
    struct stage *s = stage_two();
    const struct bend straight = {0};
    for (int h = 0; h < 3; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &straight);
    }
    struct standing few = standing_of(s);
    assert_int_equal(standing_contest(&few), STANDING_INSUFFICIENT);
    for (int h = 0; h < 120; h++) {
        serve(s, 0, &straight);
        serve(s, 1, &straight);
    }
    struct standing now = standing_of(s);
    assert_int_equal(now.contest.windows, 123);
    assert_int_equal(standing_contest(&now), STANDING_NO_DIFFERENCE);
    assert_int_equal(standing_rows_needed(&now), 0);
    assert_true(now.is_over && now.verdict != DEPLOY_WORSE);
    assert_string_equal(symbol(s, "cause"), "");
    stage_close(s);
}

static void insufficient_evidence_says_how_many_more_rows(void **state)
{
    (void)state;
    struct standing s = {.has_watch = false};
    assert_int_equal(standing_contest(&s), STANDING_NONE);
    for (int i = 0; i < 8; i++)
        standing_add(&s, 1 + 0.1 * (i % 3), 0.9 + 0.1 * (i % 2), 100);
    assert_int_equal(standing_contest(&s), STANDING_INSUFFICIENT);
    uint64_t more = standing_rows_needed(&s);
    assert_true(more >= 100 && more < 100000);
    standing_add(&s, NAN, 1, 100);
    standing_add(&s, -1, 1, 100);
    assert_int_equal(s.contest.windows, 8);
    assert_string_equal(standing_contest_name(STANDING_NO_DIFFERENCE),
                        "no difference beyond tolerance");
}

static void it_comes_back_from_its_bytes(void **state)
{
    (void)state;
    struct memory *m;
    struct standing out, in = {.version = "v2",
                               .against = "v1",
                               .deployed_ns = 5,
                               .judged_ns = 6,
                               .has_watch = true,
                               .withheld = true,
                               .verdict = DEPLOY_SAME,
                               .windows = 7,
                               .beside = 3,
                               .mover = "x",
                               .direction = -1,
                               .effect = 0.5,
                               .evidence = 12};
    standing_add(&in, 2, 1, 9);
    assert_int_equal(memory_open(1 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    assert_int_equal(standing_get(s, 1, &out), ST_NOTFOUND);
    assert_int_equal(standing_put(s, 1, &in), ST_OK);
    assert_int_equal(standing_get(s, 1, &out), ST_OK);
    assert_string_equal(out.mover, "x");
    assert_true(out.withheld && !out.is_over && out.verdict == DEPLOY_SAME);
    assert_true(out.direction == -1 && out.rows == 9 && out.contest.windows == 1);
    struct shelf_key key = key_state('g', 1);
    assert_int_equal(shelf_put(s, SHELF_STATE, &key, span_text("\x01\xff")), ST_OK);
    assert_int_equal(standing_get(s, 1, &out), ST_CORRUPT);
    memory_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worse_of_two_is_told_though_the_world_moves),
        cmocka_unit_test(a_bad_version_beside_a_good_one_is_the_version),
        cmocka_unit_test(two_that_are_alike_show_no_difference),
        cmocka_unit_test(insufficient_evidence_says_how_many_more_rows),
        cmocka_unit_test(it_comes_back_from_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
