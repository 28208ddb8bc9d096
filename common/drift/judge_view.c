// Judge view: what is known of one subject, for people and for the rules that act.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/drift/court.h"

#define QUIET_WINDOWS                                                                  \
    30 // this many without an alert are quiet, whatever could be missed

uint32_t judge_subjects(const struct judge *j)
{
    return j->subjects;
}

const struct baseline *judge_baseline(const struct judge *j)
{
    return j->baseline;
}

// Windows until a change of the size of its gate, or of twice its tolerance, would
// stand out: evidence grows by about z^2/2 a window.
static double windows_needed(const struct subject *s, const struct subject_test *t,
                             double gate, double variance)
{
    const struct learn_profile *p = s->profile[t->component];
    double effect = fmax(gate, 2 * p->tau);
    double z = (effect - p->tau) * (1 - p->phi) / learn_sigma(p, variance);
    double level = isfinite(s->level) ? s->level : 1e4;
    return z > 0 ? ceil(2 * log(level) / (z * z)) + 1 : INFINITY;
}

static double variance_of(const struct judge *j, const struct subject *s,
                          const struct subject_test *t, double rows)
{
    double n = fmax(rows, 1);
    if (s->kind == SUBJECT_SCALAR)
        return baseline_scalar(j->baseline, s->index)->variance / n;
    if (s->kind == SUBJECT_CONTRIBUTION)
        return 1 / fmax(n - 3, 1);
    return component_variance((enum component)t->component) / n;
}

static void settle_verdict(const struct judge *j, const struct subject *s,
                           const struct subject_state *state, struct judge_view *out)
{
    if (state->opened > 0) {
        out->verdict = VERDICT_DRIFT;
        return;
    }
    out->verdict = VERDICT_INSUFFICIENT;
    if (s->tests == 0 || state->age == 0)
        return;
    double variance = variance_of(j, s, &s->test[0], (double)state->rows);
    double needed = fmin(QUIET_WINDOWS,
                         windows_needed(s, &s->test[0], subject_gate(s, 0), variance));
    if ((double)state->age >= needed) {
        out->verdict = VERDICT_QUIET;
        return;
    }
    out->rows_needed = (uint64_t)((needed - (double)state->age) * (double)state->rows);
}

void judge_view(const struct judge *j, uint32_t subject, struct judge_view *out)
{
    const struct subject *s = &j->subject[subject];
    const struct subject_state *state = &j->state[subject];
    *out = (struct judge_view){
        .subject = (enum subject_kind)s->kind,
        .role = (enum drift_role)s->role,
        .tier = (enum tier)state->tier,
        .missing = (double)state->missing,
        .rows = state->rows,
        .windows = state->windows,
        .opened = state->opened,
        .since = state->since,
        .gross = state->gross,
        .weight = s->weight,
    };
    out->name = s->kind == SUBJECT_SCALAR
                    ? baseline_scalar(j->baseline, s->index)->name
                    : baseline_feature(j->baseline, s->index)->name;
    for (uint32_t c = 0; c < s->components; c++) {
        out->residual[c] = (double)state->memory[c].lag;
        out->smooth[c] = (double)state->memory[c].smooth;
    }
    settle_verdict(j, s, state, out);
    if (s->tests == 0)
        return;
    struct subject_peak peak, capped;
    subject_peak_fast(s, state, &peak);
    subject_peak_capped(s, state, &capped);
    const struct subject_test *t = &s->test[peak.test];
    out->signal =
        state->opened > 0 ? (enum signal)state->signal : (enum signal)t->signal;
    out->direction = state->opened > 0 ? state->direction : t->sign;
    out->evidence = peak.evidence;
    out->capped = capped.evidence;
    out->e_value = state->age > 0 ? peak.evidence / (double)state->age : 0;
    out->effect = peak.effect;
    out->gate = peak.gate;
    out->tolerance = s->profile[t->component]->tau;
    out->value = (double)state->memory[t->component].value;
}

// A typical value of each cell: its middle; the outer ones lie at the ends of the
// range.
static const double *cell_values(const struct baseline_feature *f, double *at)
{
    if (f->scores.shape == SHAPE_CATEGORICAL)
        return NULL;
    for (uint32_t i = 0; i < f->scores.cells; i++) {
        double low, high;
        grid_bounds(f->grid, i, &low, &high);
        low = fmax(low, grid_min(f->grid));
        high = fmin(high, grid_max(f->grid));
        at[i] = low / 2 + high / 2;
    }
    if (f->scores.shape == SHAPE_FEW_VALUES) // `other` has no place of its own
        at[f->scores.cells - 1] = f->scores.cells > 1 ? at[f->scores.cells - 2] : 0;
    return at;
}

bool judge_distance(const struct judge *j, uint32_t subject, struct distance *out)
{
    const struct subject *s = &j->subject[subject];
    const struct court_pool *p = &j->pool[subject];
    struct component_counts base;
    if (!p->cell)
        return false;
    const struct baseline_feature *f = baseline_feature(j->baseline, s->index);
    if (!sealed_counts(f->total, &base))
        return false;
    double at[COMPONENT_CELLS_MAX];
    struct component_counts now = {p->cell, p->cells, p->missing};
    distance_of(&f->scores, &base, &now, cell_values(f, at),
                moments_sd(profile_moments(f->total)), out);
    return true;
}

void judge_restart(struct judge *j)
{
    for (uint32_t i = 0; i < j->subjects; i++) {
        struct subject_state fresh = {.windows = 0};
        for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
            fresh.memory[c] = j->state[i].memory[c];
        j->state[i] = fresh;
        if (j->pool[i].cell)
            memset(j->pool[i].cell, 0, j->pool[i].cells * sizeof *j->pool[i].cell);
        j->pool[i].missing = j->pool[i].rows = 0;
    }
}
