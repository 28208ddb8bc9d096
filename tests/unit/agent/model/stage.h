// Stage: a registry with a spool that only remembers, and rows for it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_AGENT_MODEL_STAGE_H
#define KEDGE_TESTS_UNIT_AGENT_MODEL_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/registry.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "common/sketch/quantile.h"
#include "proto/messages/attest.h"
#include "proto/messages/reference.h"
#include "proto/messages/window.h"

#define MINUTE (60 * NS_PER_S)
#define T0 (UINT64_C(22000000) * MINUTE) // 2011
#define NOW (UINT64_C(29000000) * MINUTE)
#define WINDOWS_MAX 4096

// --- A spool that only remembers

struct kept_window {
    struct window window; // its features lent from below
    char model[64];
    char version[64];
    uint64_t dropped[DROP_REASONS];
    struct window_feature *feature;
    uint8_t *body;
    void *memory;
};

struct stage {
    char folder[64];
    struct registry *registry;
    struct registry_hooks hooks;
    struct observation_sink stream, file;
    struct kept_window *window; // committed
    uint32_t windows;
    uint32_t pending; // in the group
    uint64_t seq;
    uint8_t *state;
    size_t state_size;
    uint8_t *new_state;
    size_t new_state_size;
    enum status answer; // of commit
    uint64_t file_position;
    uint64_t file_mark;
    uint64_t now;
    char notice[256]; // the last one
    uint32_t notices;
    struct model_settings settings;
};

static inline void keep_stamp(void *self, uint8_t boot[16], uint64_t *seq)
{
    struct stage *s = self;
    memset(boot, 7, 16);
    *seq = s->seq + s->pending + 1;
}

static inline enum status keep_notice(struct stage *s, struct span body)
{
    uint8_t memory[1024];
    struct pool pool;
    struct notice n;
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(message_decode(&notice_message, body, &pool, &n), ST_OK);
    snprintf(s->notice, sizeof s->notice, "%.*s: %.*s", (int)n.kind.size, n.kind.data,
             (int)n.detail.size, n.detail.data);
    s->notices++;
    return ST_OK;
}

static inline enum status keep_entry(void *self, const char *type, struct span body)
{
    struct stage *s = self;
    struct pool pool;
    if (strcmp(type, "kedge.notice.v1") == 0)
        return keep_notice(s, body);
    assert_string_equal(type, "kedge.window.v1");
    assert_true(s->windows + s->pending < WINDOWS_MAX);
    struct kept_window *k = &s->window[s->windows + s->pending];
    *k = (struct kept_window){.body = mem_copy(body)};
    k->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    pool_init(&pool, k->memory, MESSAGE_POOL_BYTES);
    assert_int_equal(
        message_decode(&window_message, span_of(k->body, body.size), &pool, &k->window),
        ST_OK);
    assert_int_equal(window_check(&k->window), ST_OK);
    snprintf(k->model, sizeof k->model, "%.*s", (int)k->window.model.size,
             k->window.model.data);
    snprintf(k->version, sizeof k->version, "%.*s", (int)k->window.version.size,
             k->window.version.data);
    uint64_t sum = k->window.rows + k->window.late;
    for (uint32_t i = 0; i < k->window.drops; i++)
        sum += k->window.dropped[i].count;
    assert_int_equal(k->window.observed, sum);
    s->pending++;
    return ST_OK;
}

static inline enum status keep_state(void *self, struct span key, struct span value)
{
    struct stage *s = self;
    assert_true(span_is(key, "model/m"));
    mem_free(s->new_state);
    s->new_state = mem_copy(value);
    s->new_state_size = value.size;
    return ST_OK;
}

static inline void keep_abort(void *self)
{
    struct stage *s = self;
    for (uint32_t i = 0; i < s->pending; i++) {
        mem_free(s->window[s->windows + i].body);
        mem_free(s->window[s->windows + i].memory);
    }
    s->pending = 0;
    mem_free(s->new_state);
    s->new_state = NULL;
}

static inline enum status keep_commit(void *self)
{
    struct stage *s = self;
    if (s->answer != ST_OK)
        return s->answer;
    s->windows += s->pending;
    s->seq += s->pending;
    s->pending = 0;
    if (s->new_state) {
        mem_free(s->state);
        s->state = s->new_state;
        s->state_size = s->new_state_size;
        s->new_state = NULL;
    }
    return ST_OK;
}

static inline void keep_mark(void *self, struct span model, struct buf *out)
{
    struct stage *s = self;
    assert_true(span_is(model, "m"));
    buf_put_le64(out, s->file_position);
}

static inline void open_registry(struct stage *s)
{
    struct span mark = {0};
    assert_int_equal(registry_open(s->folder, &s->hooks, &s->registry), ST_OK);
    assert_int_equal(registry_add(s->registry, &s->settings,
                                  span_of(s->state, s->state_size), s->now, &mark),
                     ST_OK);
    s->file_mark = mark.size == 8 ? load_le64(mark.data) : 0;
    registry_sink(s->registry, ORIGIN_STREAM, &s->stream);
    registry_sink(s->registry, ORIGIN_FILE, &s->file);
    registry_now(s->registry, s->now);
}

// As after a kill: nothing is told to the registry.
static inline void kill_and_restart(struct stage *s)
{
    registry_close(s->registry);
    open_registry(s);
}

static inline int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    strcpy(s->folder, "/tmp/kedge-model-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    s->window = mem_zero(WINDOWS_MAX, sizeof *s->window);
    s->hooks = (struct registry_hooks){s,           keep_stamp, keep_entry, keep_state,
                                       keep_commit, keep_abort, keep_mark};
    s->settings = (struct model_settings){.name = "m",
                                          .version = "v1",
                                          .window_ns = MINUTE,
                                          .performance = PERFORMANCE_REGRESSION,
                                          .label_capacity = 1024};
    s->now = NOW;
    open_registry(s);
    *state = s;
    return 0;
}

static inline int close_stage(void **state)
{
    struct stage *s = *state;
    char command[128];
    registry_close(s->registry);
    keep_abort(s);
    for (uint32_t i = 0; i < s->windows; i++) {
        mem_free(s->window[i].body);
        mem_free(s->window[i].memory);
    }
    mem_free(s->window);
    mem_free(s->state);
    snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    assert_int_equal(system(command), 0);
    mem_free(s);
    return 0;
}

// --- Rows

struct given {
    const char *version;
    const char *id;
    uint64_t t;
    double x;
    double prediction; // NaN: none
    double label;      // NaN: none
    const char *season;
};

static inline void give_to(struct observation_sink *sink, const struct given *g)
{
    struct datum d[4];
    uint32_t n = 0;
    if (!isnan(g->x))
        d[n++] = (struct datum){span_text("x"), SIDE_INPUT, DATUM_NUMBER, {g->x}};
    if (g->season)
        d[n++] = (struct datum){.name = span_text("season"),
                                .side = SIDE_INPUT,
                                .kind = DATUM_CATEGORY,
                                .text = span_text(g->season)};
    if (!isnan(g->prediction))
        d[n++] = (struct datum){
            span_text("prediction"), SIDE_OUTPUT, DATUM_NUMBER, {g->prediction}};
    if (!isnan(g->label))
        d[n++] =
            (struct datum){span_text("label"), SIDE_LABEL, DATUM_NUMBER, {g->label}};
    const struct observation o = {.model = span_text("m"),
                                  .version = span_text(g->version),
                                  .id = span_text(g->id),
                                  .t = g->t,
                                  .has_time = true,
                                  .weight = 1,
                                  .value = d,
                                  .values = n};
    sink->row(sink->self, &o);
    sink->settle(sink->self);
}

static inline void give(struct stage *s, uint64_t t)
{
    give_to(&s->stream, &(struct given){.t = t, .x = 1, .prediction = 2, .label = NAN});
}

static inline struct account account_of(struct stage *s, uint64_t *open)
{
    size_t at = 0;
    struct model_view v;
    assert_true(registry_next(s->registry, &at, &v));
    if (open)
        *open = v.open_rows;
    return v.account;
}

static inline void assert_exact(struct stage *s)
{
    uint64_t open;
    struct account a = account_of(s, &open);
    assert_int_equal(a.observed, a.merged + a.late + account_dropped(&a) + open);
}

static inline const struct window_feature *feature_of(const struct kept_window *k,
                                                      const char *name)
{
    for (uint32_t i = 0; i < k->window.features; i++)
        if (span_is(k->window.feature[i].name, name))
            return &k->window.feature[i];
    return NULL;
}

static inline struct profile *profile_of(const struct kept_window *k, const char *name)
{
    const struct window_feature *f = feature_of(k, name);
    const struct profile_options options = {.kind = PROFILE_SIGNAL, .width = GRID_F64};
    struct profile *p;
    assert_non_null(f);
    assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
    assert_int_equal(profile_decode(p, f->profile), ST_OK);
    return p;
}

static inline double mean_of(const struct kept_window *k, const char *name)
{
    struct profile *p = profile_of(k, name);
    double mean = moments_mean(profile_moments(p));
    profile_close(p);
    return mean;
}

#endif
