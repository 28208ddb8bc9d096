// Fleet: many streams that follow the detector's idea of calm, and some that do not
// quite.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/bench/detection/tables.h"

#define WEEK_WINDOWS (7 * 24) // hourly windows
#define REFERENCE (21 * 24)
#define LEVELS 5
#define HOUR_NS (3600ull * 1000000000)
#define MODELS 20 // of one fleet

// The scalar path of the detector: one number a window, so that fleets of weeks are
// cheap.
struct stream {
    struct random random;
    double phi, sd, memory;
    uint64_t hour;
    struct baseline *baseline;
    struct profile *profile;
};

static const double levels[LEVELS] = {1e2, 1e3, 1e4, 1e5, 1e6};

// A heavy-tailed innovation: Student's t with 5 degrees of freedom, sd 1.
static double heavy(struct random *r)
{
    double chi = 0, z = random_normal(r);
    for (int i = 0; i < 5; i++) {
        double x = random_normal(r);
        chi += x * x;
    }
    return z / sqrt(chi / 5) / sqrt(5 / 3.0);
}

static struct drift_window draw(struct stream *s, struct drift_feature *f)
{
    s->memory = s->phi * s->memory + s->sd * heavy(&s->random);
    double v = 1 + s->memory;
    profile_reset(s->profile);
    profile_update(s->profile, &(struct profile_column){.f64 = &v, .n = 1});
    *f = (struct drift_feature){span_text("bias"), ROLE_SIGNAL, KIND_NUMERIC,
                                s->profile};
    uint64_t start = s->hour++ * HOUR_NS;
    return (struct drift_window){start, start + HOUR_NS, 0, 1, f};
}

static void stream_open(struct stream *s, uint64_t seed)
{
    struct builder_settings settings = {.window_ns = HOUR_NS, .seed = 1};
    struct builder *b;
    struct drift_feature f;
    struct profile_options o = {.kind = PROFILE_SIGNAL, .width = GRID_F64};
    *s = (struct stream){.random = {seed}};
    s->phi = 0.9 * random_unit(&s->random);
    s->sd = 0.02 + 0.2 * random_unit(&s->random);
    assert(profile_open(&o, NULL, &s->profile) == ST_OK);
    assert(builder_open(&settings, &b) == ST_OK);
    for (uint32_t w = 0; w < REFERENCE; w++) {
        struct drift_window now = draw(s, &f);
        assert(builder_window(b, &now) == ST_OK);
    }
    assert(builder_seal(b, &s->baseline) == ST_OK);
    builder_close(b);
}

static void stream_close(struct stream *s)
{
    baseline_close(s->baseline);
    profile_close(s->profile);
}

struct tally {
    double windows, fast[LEVELS], capped[LEVELS];
};

static void run_stream(uint64_t seed, uint32_t weeks, struct tally *t)
{
    struct stream s;
    struct judge *fast[LEVELS], *capped[LEVELS];
    struct drift_feature f;
    stream_open(&s, seed);
    for (int l = 0; l < LEVELS; l++) {
        fast[l] = table_judge(s.baseline, levels[l], 0);
        capped[l] = table_judge(s.baseline, 1e30, levels[l]);
    }
    for (uint32_t w = 0; w < weeks * WEEK_WINDOWS; w++) {
        struct drift_window now = draw(&s, &f);
        for (int l = 0; l < LEVELS; l++) {
            t->fast[l] += table_alarms(fast[l], &now);
            t->capped[l] += table_alarms(capped[l], &now);
        }
        t->windows++;
    }
    for (int l = 0; l < LEVELS; l++) {
        judge_close(fast[l]);
        judge_close(capped[l]);
    }
    stream_close(&s);
}

// The upper 95 % bound of a Poisson mean after `n` events (Wilson and Hilferty).
static double upper_bound(double n)
{
    double k = n + 1;
    double base = 1 - 1 / (9 * k) + 1.6449 / (3 * sqrt(k));
    return k * base * base * base;
}

void table_fleet(const struct effort *e)
{
    uint32_t streams = effort_of(e, 20000, 200), weeks = 10;
    struct tally t = {.windows = 0};
    for (uint32_t i = 0; i < streams; i++)
        run_stream(5000 + i, weeks, &t);
    double fleet_weeks = (double)streams * weeks / MODELS;
    printf(
        "## A simulated fleet: %u streams x %u weeks of hours = %.3g fleet-weeks of %d "
        "models\n\nphi 0..0.9, heavy tails (t5), reference three weeks; looked at "
        "after "
        "every window. Alarms against the bound\n(windows / level); ratio; what the "
        "alarms leave possible at 95 %%, per fleet-week.\n\n"
        "| level | bound | fast | ratio | capped | ratio | capped pages a fleet-week, "
        "upper 95 %% |\n|---|---|---|---|---|---|---|\n",
        streams, weeks, fleet_weeks, MODELS);
    for (int l = 0; l < LEVELS; l++) {
        double bound = t.windows / levels[l];
        printf("| %.0e | %.1f | %.0f | %.3f | %.0f | %.3f | %.2g |\n", levels[l], bound,
               t.fast[l], t.fast[l] / bound, t.capped[l], t.capped[l] / bound,
               upper_bound(t.capped[l]) / fleet_weeks);
    }
    printf("\n");
}
