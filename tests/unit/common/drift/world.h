// World: a small model whose rows can be bent, for the tests of baseline and judge.
//
// A number x (AR(1) level, unit spread), a category c of four, a rare event flag f, the
// prediction 0.8 x + noise and the truth around it. One window is an hour of `rows`
// rows.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_COMMON_DRIFT_WORLD_H
#define KEDGE_TESTS_UNIT_COMMON_DRIFT_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/drift/builder.h"
#include "common/drift/judge.h"

#define WORLD_HOUR 3600000000000ull
#define WORLD_START (1341100800ull * 1000000000ull) // a Sunday, 00:00
#define WORLD_ROWS_MAX 4096
#define WORLD_FEATURES 5

enum { WORLD_X, WORLD_C, WORLD_F, WORLD_P, WORLD_Y };
static const char *const world_names[WORLD_FEATURES] = {"x", "c", "f", "prediction",
                                                        "label"};

// How the next window differs from the reference.
struct bend {
    double shift, scale; // of x: added, multiplied (0 is 1)
    double missing;      // share of x without a value
    double turn;         // x enters the prediction with this factor less (1.6 turns it)
    double error;        // added to the truth: bias and loss
    double lift;         // added to the prediction, before the truth is drawn from it
    double unseen;       // share of categories that the reference never had
    double zeros;        // share of x that is 0 and was not
    double stuck;        // x is this, when not 0
    bool dead;           // x has no value at all
};

struct world {
    struct random random;
    double level;
    uint32_t rows;
    uint64_t hours;
    struct baseline *baseline;
    double value[WORLD_FEATURES][WORLD_ROWS_MAX];
    char category[WORLD_ROWS_MAX][2];
    uint8_t missing[WORLD_ROWS_MAX];
    struct profile *profile[WORLD_FEATURES + 2];
    struct drift_feature feature[WORLD_FEATURES + 2];
    struct drift_window window;
};

static inline double world_or(double v, double otherwise)
{
    return v != 0 ? v : otherwise;
}

// Draws one hour's rows.
static inline void world_draw(struct world *w, const struct bend *b)
{
    w->level = 0.7 * w->level + 0.1 * random_normal(&w->random);
    for (uint32_t i = 0; i < w->rows; i++) {
        double x = w->level + random_normal(&w->random) * world_or(b->scale, 1);
        x = world_or(b->stuck, x + b->shift);
        x = random_unit(&w->random) < b->zeros ? 0 : x;
        double u = random_unit(&w->random);
        w->category[i][0] = u < 0.5 ? 'a' : u < 0.8 ? 'b' : u < 0.95 ? 'c' : 'd';
        if (random_unit(&w->random) < b->unseen)
            w->category[i][0] = 'z';
        w->missing[i] = b->dead || random_unit(&w->random) < 0.02 + b->missing;
        w->value[WORLD_X][i] = x;
        w->value[WORLD_F][i] = random_unit(&w->random) < 0.05;
        w->value[WORLD_P][i] =
            (0.8 - b->turn) * x + 0.6 * random_normal(&w->random) + b->lift;
        w->value[WORLD_Y][i] =
            w->value[WORLD_P][i] + b->error + 0.5 * random_normal(&w->random);
    }
    w->hours++;
}

static inline void world_feed(struct world *w, struct builder *b, uint32_t hours)
{
    static const struct bend straight;
    for (uint32_t h = 0; h < hours; h++) {
        uint64_t start = WORLD_START + w->hours * WORLD_HOUR;
        world_draw(w, &straight);
        for (uint32_t i = 0; i < w->rows; i++) {
            struct builder_value v[WORLD_FEATURES] = {{0}};
            for (int f = 0; f < WORLD_FEATURES; f++)
                v[f].number = w->value[f][i];
            v[WORLD_C].text = span_of(w->category[i], 1);
            v[WORLD_X].state = w->missing[i] ? VALUE_MISSING : VALUE_PRESENT;
            assert_int_equal(builder_row(b, start + i * (WORLD_HOUR / w->rows), v),
                             ST_OK);
        }
    }
}

static inline struct builder_settings world_settings(const struct world *w,
                                                     uint32_t hours)
{
    return (struct builder_settings){.window_ns = WORLD_HOUR,
                                     .rows_expected = (uint64_t)hours * w->rows,
                                     .performance = PERFORMANCE_REGRESSION,
                                     .seed = 7,
                                     .quantile_k = 0};
}

static inline enum status world_declare(struct builder *b)
{
    static const enum drift_role role[] = {ROLE_INPUT, ROLE_INPUT, ROLE_INPUT,
                                           ROLE_OUTPUT, ROLE_LABEL};
    for (int f = 0; f < WORLD_FEATURES; f++) {
        enum drift_kind kind = f == WORLD_C ? KIND_CATEGORICAL : KIND_NUMERIC;
        ST_TRY(builder_feature(b, span_text(world_names[f]), role[f], kind, GRID_F64));
    }
    return ST_OK;
}

// A baseline of `hours` windows of `rows` rows.
static inline struct baseline *world_baseline(struct world *w, uint32_t hours)
{
    struct builder *b;
    struct baseline *out;
    struct builder_settings settings = world_settings(w, hours);
    struct random kept = w->random;
    assert_int_equal(builder_open(&settings, &b), ST_OK);
    assert_int_equal(world_declare(b), ST_OK);
    world_feed(w, b, hours);
    assert_int_equal(builder_turn(b), ST_OK);
    w->random = kept; // the same rows again
    w->level = 0;
    w->hours = 0;
    world_feed(w, b, hours);
    assert_int_equal(builder_seal(b, &out), ST_OK);
    builder_close(b);
    return out;
}

static inline struct profile *world_profile(enum profile_kind kind,
                                            const struct grid *grid)
{
    struct profile *p;
    struct profile_options o = {.kind = kind, .width = GRID_F64};
    assert_int_equal(profile_open(&o, grid, &p), ST_OK);
    return p;
}

static inline void world_open(struct world *w, uint64_t seed, uint32_t hours,
                              uint32_t rows)
{
    memset(w, 0, sizeof *w);
    w->random.state = seed;
    w->rows = rows;
    w->baseline = world_baseline(w, hours);
    for (int f = 0; f < WORLD_FEATURES + 2; f++) {
        const struct grid *grid = f < WORLD_FEATURES
                                      ? baseline_feature(w->baseline, (uint32_t)f)->grid
                                      : NULL;
        enum profile_kind kind = f == WORLD_C         ? PROFILE_CATEGORICAL
                                 : f < WORLD_FEATURES ? PROFILE_NUMERIC
                                                      : PROFILE_SIGNAL;
        const char *name = f < WORLD_FEATURES    ? world_names[f]
                           : f == WORLD_FEATURES ? "loss"
                                                 : "bias";
        static const uint8_t role[] = {ROLE_INPUT, ROLE_INPUT,  ROLE_INPUT, ROLE_OUTPUT,
                                       ROLE_LABEL, ROLE_SIGNAL, ROLE_SIGNAL};
        w->profile[f] = world_profile(kind, grid);
        w->feature[f] = (struct drift_feature){
            span_text(name), role[f], f == WORLD_C ? KIND_CATEGORICAL : KIND_NUMERIC,
            w->profile[f]};
    }
}

static inline void world_close(struct world *w)
{
    for (int f = 0; f < WORLD_FEATURES + 2; f++)
        profile_close(w->profile[f]);
    baseline_close(w->baseline);
}

static inline void world_count(struct world *w, int f, const double *value,
                               const uint8_t *state)
{
    struct profile_column c = {.f64 = value,
                               .state = state,
                               .prediction = f <= WORLD_F ? w->value[WORLD_P] : NULL,
                               .n = w->rows};
    profile_update(w->profile[f], &c);
}

// The next hour as a window; lent until the next one.
static inline const struct drift_window *world_window(struct world *w,
                                                      const struct bend *b)
{
    static const uint8_t key[BASELINE_KEY];
    static double loss[WORLD_ROWS_MAX], bias[WORLD_ROWS_MAX];
    static uint64_t hash[WORLD_ROWS_MAX];
    uint64_t start = WORLD_START + w->hours * WORLD_HOUR;
    world_draw(w, b);
    for (int f = 0; f < WORLD_FEATURES + 2; f++)
        profile_reset(w->profile[f]);
    for (uint32_t i = 0; i < w->rows; i++) {
        bias[i] = w->value[WORLD_P][i] - w->value[WORLD_Y][i];
        loss[i] = fabs(bias[i]);
        hash[i] = hash_sip(key, span_of(w->category[i], 1));
    }
    world_count(w, WORLD_X, w->value[WORLD_X], w->missing);
    world_count(w, WORLD_F, w->value[WORLD_F], NULL);
    world_count(w, WORLD_P, w->value[WORLD_P], NULL);
    world_count(w, WORLD_Y, w->value[WORLD_Y], NULL);
    world_count(w, WORLD_FEATURES, loss, NULL);
    world_count(w, WORLD_FEATURES + 1, bias, NULL);
    profile_update_hash(w->profile[WORLD_C],
                        &(struct profile_categories){.hash = hash, .n = w->rows});
    w->window = (struct drift_window){start, start + WORLD_HOUR, 0, WORLD_FEATURES + 2,
                                      w->feature};
    return &w->window;
}

// Judges `hours` windows of one kind; returns how many alarms of that kind there were
// and keeps the first one.
static inline uint32_t world_judge(struct world *w, struct judge *j,
                                   const struct bend *b, uint32_t hours,
                                   enum alarm_kind kind, struct alarm *first)
{
    uint32_t n = 0;
    struct judgement got;
    for (uint32_t h = 0; h < hours; h++) {
        assert_int_equal(judge_window(j, world_window(w, b), &got), ST_OK);
        for (uint32_t i = 0; i < got.alarms; i++)
            if (got.alarm[i].kind == kind && n++ == 0 && first)
                *first = got.alarm[i];
    }
    return n;
}

// The subject of that kind and name.
static inline uint32_t world_subject(const struct judge *j, enum subject_kind kind,
                                     const char *name)
{
    for (uint32_t i = 0; i < judge_subjects(j); i++) {
        struct judge_view v;
        judge_view(j, i, &v);
        if (v.subject == kind && strcmp(v.name, name) == 0)
            return i;
    }
    fail_msg("no subject %s", name);
    return 0;
}

#endif
