// Grades: figures from labels against figures from the rows themselves.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/grades.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/sketch/profile.h"
#include "controller/log/keys.h"
#include "controller/log/memory.h"

#define ROWS 400
#define WINDOWS 12
#define LABELLED 300 // rows of each window whose label came

// Probabilities with a spread, truths drawn with them bent by `bend` (1: calibrated).
struct rows {
    double p[ROWS], y[ROWS], loss[ROWS], bias[ROWS];
};

static void draw(struct random *r, double bend, struct rows *out)
{
    for (int i = 0; i < ROWS; i++) {
        double logit = 1.2 * random_normal(r);
        out->p[i] = 1 / (1 + exp(-logit));
        out->y[i] = random_unit(r) < pow(out->p[i], bend);
        out->bias[i] = out->p[i] - out->y[i];
        out->loss[i] = fabs(out->bias[i]);
    }
}

static struct profile *profile(enum profile_kind kind)
{
    struct profile *p;
    struct profile_options o = {.kind = kind, .width = GRID_F64};
    assert_int_equal(profile_open(&o, NULL, &p), ST_OK);
    return p;
}

static void count(struct profile *p, const double *v, const double *prediction,
                  size_t n)
{
    profile_reset(p);
    profile_update(
        p, &(struct profile_column){.f64 = v, .prediction = prediction, .n = n});
}

// The share of pairs in which the one scores above the zero.
static double auc_of(const struct rows *all, int windows)
{
    double won = 0, pairs = 0;
    for (int a = 0; a < windows; a++)
        for (int i = 0; i < LABELLED; i++)
            for (int k = 0; k < LABELLED; k++) {
                if (!(all[a].y[i] > 0.5) || all[a].y[k] > 0.5)
                    continue;
                pairs++;
                won += all[a].p[i] > all[a].p[k];
            }
    return won / pairs;
}

static struct grades graded(double bend, double *auc)
{
    static struct rows all[WINDOWS];
    struct random r = {42};
    struct grades g = {.windows = 0};
    struct profile *out = profile(PROFILE_NUMERIC), *label = profile(PROFILE_NUMERIC);
    struct profile *loss = profile(PROFILE_SIGNAL), *bias = profile(PROFILE_SIGNAL);
    const struct drift_feature f[] = {
        {span_text("prediction"), ROLE_OUTPUT, KIND_NUMERIC, out},
        {span_text("label"), ROLE_LABEL, KIND_NUMERIC, label},
        {span_text("loss"), ROLE_SIGNAL, KIND_NUMERIC, loss},
        {span_text("bias"), ROLE_SIGNAL, KIND_NUMERIC, bias}};
    for (int w = 0; w < WINDOWS; w++) {
        draw(&r, bend, &all[w]);
        count(out, all[w].p, NULL, ROWS);
        count(label, all[w].y, all[w].p, LABELLED);
        count(loss, all[w].loss, NULL, LABELLED);
        count(bias, all[w].bias, NULL, LABELLED);
        const struct drift_window window = {(uint64_t)w, (uint64_t)w + 1, 0, 4, f};
        grades_add(&g, &window);
    }
    *auc = auc_of(all, WINDOWS);
    profile_close(out);
    profile_close(label);
    profile_close(loss);
    profile_close(bias);
    return g;
}

static void a_calibrated_model_is_graded_so(void **state)
{
    (void)state;
    double auc;
    struct grades_figures f;
    struct grades g = graded(1, &auc);
    grades_figures(&g, &f);
    assert_true(fabs(f.coverage - LABELLED / (double)ROWS) < 1e-9);
    assert_true(fabs(f.in_the_large - 1) < 0.05 && fabs(f.slope - 1) < 0.1);
    assert_true(fabs(f.bias) < 0.02 && f.mae > 0.3 && f.mae < 0.45);
    assert_true(fabs(f.auc - auc) < 0.02 && f.auc_sd > 0.003 && f.auc_sd < 0.02);
    assert_true(fabs(f.estimate - f.mae) < 0.02); // without looking at a label
    assert_string_equal(f.estimate_note, "");
}

static void an_estimate_refuses_when_its_own_check_fails(void **state)
{
    (void)state;
    double auc;
    struct grades_figures f;
    struct grades g = graded(3, &auc); // far fewer ones than promised
    grades_figures(&g, &f);
    assert_true(f.in_the_large > 1.3 && f.bias > 0.1);
    assert_true(isnan(f.estimate));
    assert_string_equal(f.estimate_note,
                        "refused: it fails on the rows that have labels");
    g = (struct grades){.windows = 1};
    grades_figures(&g, &f);
    assert_true(isnan(f.coverage) && isnan(f.slope) && isnan(f.auc) &&
                isnan(f.estimate));
}

static void they_come_back_from_their_bytes(void **state)
{
    (void)state;
    struct memory *m;
    double auc;
    struct grades out, in = graded(1, &auc);
    (void)snprintf(in.version, sizeof in.version, "v7");
    assert_int_equal(memory_open(1 << 20, &m), ST_OK);
    struct shelf *s = memory_shelf(m);
    assert_int_equal(grades_get(s, 3, &out), ST_NOTFOUND);
    assert_int_equal(grades_put(s, 3, &in), ST_OK);
    assert_int_equal(grades_get(s, 3, &out), ST_OK);
    assert_string_equal(out.version, "v7");
    assert_true(out.is_binary && out.windows == WINDOWS);
    assert_true(out.pair_py <= in.pair_py && out.pair_py >= in.pair_py);
    struct shelf_key key = key_state('G', 3);
    assert_int_equal(shelf_put(s, SHELF_STATE, &key, span_text("\x01\x01\x09x")),
                     ST_OK);
    assert_true(grades_get(s, 3, &out) != ST_OK);
    memory_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calibrated_model_is_graded_so),
        cmocka_unit_test(an_estimate_refuses_when_its_own_check_fails),
        cmocka_unit_test(they_come_back_from_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
