// Judge bench: what one feature-window costs, counts in cache and out of it.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/hash.h"
#include "common/drift/builder.h"
#include "common/drift/judge.h"

#define HOUR 3600000000000ull
#define FEATURES 20
#define ROWS 1000
#define REPEAT 7

struct model {
    struct baseline *baseline;
    struct judge *judge;
    struct profile *profile[FEATURES];
    struct drift_feature feature[FEATURES];
};

static char names[FEATURES][8];

static struct baseline *learn(void)
{
    struct builder_settings s = {.window_ns = HOUR, .seed = 1};
    struct builder *b;
    struct baseline *out;
    struct builder_value v[FEATURES];
    assert(builder_open(&s, &b) == ST_OK);
    for (int f = 0; f < FEATURES; f++) {
        snprintf(names[f], sizeof names[f], "f%d", f);
        assert(builder_feature(b, span_text(names[f]), ROLE_INPUT, KIND_NUMERIC,
                               GRID_F64) == ST_OK);
    }
    for (int pass = 0; pass < 2; pass++) {
        struct random r = {1};
        for (uint64_t i = 0; i < 24 * 15 * 50; i++) {
            for (int f = 0; f < FEATURES; f++)
                v[f] = (struct builder_value){.number = random_normal(&r)};
            assert(builder_row(b, i * (HOUR / 50), v) == ST_OK);
        }
        if (pass == 0)
            assert(builder_turn(b) == ST_OK);
    }
    assert(builder_seal(b, &out) == ST_OK);
    builder_close(b);
    return out;
}

static void fill(struct model *m, struct random *r)
{
    double x[ROWS];
    for (int f = 0; f < FEATURES; f++) {
        struct profile_options o = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
        assert(profile_open(&o, baseline_feature(m->baseline, (uint32_t)f)->grid,
                            &m->profile[f]) == ST_OK);
        for (int i = 0; i < ROWS; i++)
            x[i] = random_normal(r);
        profile_update(m->profile[f], &(struct profile_column){.f64 = x, .n = ROWS});
        m->feature[f] = (struct drift_feature){span_text(names[f]), ROLE_INPUT,
                                               KIND_NUMERIC, m->profile[f]};
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median ns of a feature-window when `models` are judged in turn, `rounds` windows
// each.
static double measure(uint32_t models, uint32_t rounds)
{
    struct model *m = calloc(models, sizeof *m);
    struct judge_settings settings = judge_defaults();
    struct baseline *shared = learn();
    struct buf bytes;
    struct random r = {2};
    double took[REPEAT];
    buf_init(&bytes, 1 << 24);
    baseline_encode(shared, &bytes);
    for (uint32_t i = 0; i < models; i++) { // each its own baseline, as in a fleet
        assert(baseline_decode(buf_span(&bytes), &m[i].baseline) == ST_OK);
        assert(judge_open(m[i].baseline, &settings, &m[i].judge) == ST_OK);
        fill(&m[i], &r);
    }
    uint64_t hour = 24 * 15;
    for (int k = 0; k < REPEAT; k++) {
        double start = now_s();
        for (uint32_t round = 0; round < rounds; round++, hour++)
            for (uint32_t i = 0; i < models; i++) {
                static struct judgement got;
                struct drift_window w = {hour * HOUR, (hour + 1) * HOUR, 0, FEATURES,
                                         m[i].feature};
                assert(judge_window(m[i].judge, &w, &got) == ST_OK);
            }
        took[k] = (now_s() - start) * 1e9 / ((double)models * rounds * FEATURES);
    }
    for (uint32_t i = 0; i < models; i++) {
        judge_close(m[i].judge);
        baseline_close(m[i].baseline);
        for (int f = 0; f < FEATURES; f++)
            profile_close(m[i].profile[f]);
    }
    buf_fini(&bytes);
    baseline_close(shared);
    free(m);
    qsort(took, REPEAT, sizeof took[0], by_value);
    return took[REPEAT / 2];
}

// "hot" and "cold" measure one line alone, for profilers.
int main(int argc, char **argv)
{
    bool is_hot = argc > 1 && strcmp(argv[1], "hot") == 0;
    bool is_cold = argc > 1 && strcmp(argv[1], "cold") == 0;
    if (is_cold) {
        printf("%.0f ns\n", measure(3000, 20));
        return 0;
    }
    printf("one model, everything in cache: %.0f ns a feature-window\n",
           measure(1, is_hot ? 20000 : 2000));
    if (is_hot)
        return 0;
    double cold = measure(3000, 1);
    printf("3,000 models x %d features in turn: %.0f ns, 60,000 features in %.1f ms\n",
           FEATURES, cold, cold * 60000 / 1e6);
    return 0;
}
