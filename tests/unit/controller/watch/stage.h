// Stage: models with up to two versions each, their windows put on a shelf as the fold
// leaves them, and the whole watch over it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_WATCH_STAGE_H
#define KEDGE_TESTS_UNIT_CONTROLLER_WATCH_STAGE_H

#include <stdio.h>
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

// The store and the watch of a fleet.
struct fleet {
    struct memory *memory;
    struct shelf *shelf;
    struct watch *watch;
};

// One model, its two versions, and a world for each.
struct stage {
    struct shelf *shelf;
    struct watch *watch;
    struct fleet *own; // NULL: it stands in a fleet with others
    char name[16];
    uint32_t model, version[2];
    struct world world[2];
    struct buf profiles, message, blob;
    uint64_t now_ns;
};

static const char *const names[] = {"v1", "v2"};

static inline struct fleet *fleet_open(void)
{
    struct fleet *f = mem_zero(1, sizeof *f);
    struct watch_options o = watch_defaults();
    assert_non_null(f);
    assert_int_equal(memory_open(1u << 30, &f->memory), ST_OK);
    f->shelf = memory_shelf(f->memory);
    assert_int_equal(watch_open(&o, &f->watch), ST_OK);
    return f;
}

static inline void fleet_close(struct fleet *f)
{
    watch_close(f->watch);
    memory_close(f->memory);
    mem_free(f);
}

static inline void seal(struct stage *s, int v)
{
    struct buf bytes;
    struct record_baseline r = {.model = span_text(s->name),
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

static inline void attest(struct stage *s, int v, uint64_t at_ns)
{
    static const uint8_t agent[16] = {1};
    struct judged_attest a = {.model = span_text(s->name),
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

static inline struct stage *stage_in(struct fleet *f, const char *name, uint64_t seed)
{
    struct stage *s = mem_zero(1, sizeof *s);
    assert_non_null(s);
    s->shelf = f->shelf;
    s->watch = f->watch;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    buf_init(&s->profiles, 1 << 20);
    buf_init(&s->message, 1 << 20);
    buf_init(&s->blob, 1 << 20);
    assert_int_equal(names_model_new(s->shelf, span_text(s->name), &s->model), ST_OK);
    for (int v = 0; v < 2; v++) {
        world_open(&s->world[v], 5, REFERENCE, ROWS);
        s->world[v].random.state = seed + (uint64_t)v;
        assert_int_equal(
            names_version_new(s->shelf, s->model, span_text(names[v]), &s->version[v]),
            ST_OK);
    }
    for (int v = 0; v < 2; v++)
        seal(s, v);
    return s;
}

static inline struct stage *stage_open(void)
{
    struct fleet *f = fleet_open();
    struct stage *s = stage_in(f, "m", 900);
    s->own = f;
    return s;
}

static inline void stage_close(struct stage *s)
{
    if (s->own)
        fleet_close(s->own);
    for (int v = 0; v < 2; v++)
        world_close(&s->world[v]);
    buf_fini(&s->profiles);
    buf_fini(&s->message);
    buf_fini(&s->blob);
    mem_free(s);
}

static inline int by_name(const void *a, const void *b)
{
    const struct window_feature *x = a, *y = b;
    return span_compare(x->name, y->name);
}

// As the fold leaves it: the merge of all hosts in a series of its own.
static inline void store(struct stage *s, int v, const struct drift_window *w)
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
    struct window window = {.model = span_text(s->name),
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
static inline void serve(struct stage *s, int v, const struct bend *b)
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
    struct judged_window j = {.model = span_text(s->name),
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
static inline struct stage *stage_two(void)
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

// The symbol of the model's open alert, or "".
static inline const char *symbol(struct stage *s, const char *key)
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

#endif
