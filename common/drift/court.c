// Court: laying out a judge over its baseline, and reading a window for each subject.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/court.h"

#include <math.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define AHEAD 4 // features whose profile and name are fetched before they are looked at

struct judge_settings judge_defaults(void)
{
    return (struct judge_settings){
        .warn_feature = 1e4, .warn_model = 1e3, .page_model = 0, .gate_factor = 1};
}

void judge_close(struct judge *j)
{
    if (!j)
        return;
    mem_free(j->subject);
    mem_free(j->state);
    mem_free(j->pool);
    mem_free(j->cells);
    mem_free(j->grid_id);
    mem_free(j->feature_at);
    mem_free(j->scalar_at);
    mem_free(j->shown);
    mem_free(j);
}

static bool is_judged(const struct baseline_feature *f)
{
    return f->role != ROLE_LABEL;
}

static uint32_t count_subjects(const struct baseline *b)
{
    uint32_t n = baseline_scalars(b);
    for (uint32_t i = 0; i < baseline_features(b); i++) {
        const struct baseline_feature *f = baseline_feature(b, i);
        n += is_judged(f);
        n += is_judged(f) && f->has_fci;
    }
    return n;
}

static double importance_of(const struct baseline *b, const struct subject *s)
{
    return s->kind == SUBJECT_SCALAR ? baseline_scalar(b, s->index)->importance
                                     : baseline_feature(b, s->index)->importance;
}

// Shares and levels: what a subject must reach so that the model keeps its promise.
static void weigh(struct judge *j)
{
    double sum = 0;
    for (uint32_t i = 0; i < j->subjects; i++)
        if (j->subject[i].tests > 0 && !j->subject[i].watch_only)
            sum += importance_of(j->baseline, &j->subject[i]);
    for (uint32_t i = 0; i < j->subjects; i++) {
        struct subject *s = &j->subject[i];
        bool counts = s->tests > 0 && !s->watch_only && sum > 0;
        s->weight = counts ? importance_of(j->baseline, s) / sum : 0;
        s->level = s->weight > 0 ? fmax(j->settings.warn_feature,
                                        j->settings.warn_model / s->weight)
                                 : INFINITY;
        s->page_level = s->weight > 0 && j->settings.page_model > 0
                            ? j->settings.page_model / s->weight
                            : INFINITY;
        if (s->role == ROLE_OUTPUT)
            subject_set_gates(s, j->settings.gate_factor);
    }
}

void judge_set_page(struct judge *j, double page_model)
{
    bool is_same =
        page_model >= j->settings.page_model && page_model <= j->settings.page_model;
    if (is_same || !(page_model >= 0) || !isfinite(page_model))
        return;
    j->settings.page_model = page_model;
    weigh(j);
}

static void lay_subjects(struct judge *j)
{
    const struct baseline *b = j->baseline;
    uint32_t n = 0;
    j->output = COURT_NOWHERE;
    for (uint32_t i = 0; i < baseline_features(b); i++) {
        j->feature_at[i] = (struct court_place){COURT_NOWHERE, COURT_NOWHERE};
        if (!is_judged(baseline_feature(b, i)))
            continue;
        subject_of_feature(b, i, &j->subject[n]);
        if (j->output == COURT_NOWHERE && j->subject[n].kind == SUBJECT_NUMERIC &&
            j->subject[n].role == ROLE_OUTPUT)
            j->output = n;
        j->feature_at[i].subject = n++;
    }
    for (uint32_t i = 0; i < baseline_features(b); i++) {
        if (!is_judged(baseline_feature(b, i)) || !baseline_feature(b, i)->has_fci)
            continue;
        subject_of_contribution(b, i, &j->subject[n]);
        j->feature_at[i].contribution = n++;
    }
    for (uint32_t i = 0; i < baseline_scalars(b); i++) {
        subject_of_scalar(b, i, &j->subject[n]);
        j->scalar_at[i] = (struct court_place){n++, COURT_NOWHERE};
    }
    weigh(j);
}

static bool has_pool(const struct judge *j, uint32_t subject)
{
    const struct subject *s = &j->subject[subject];
    return (s->kind == SUBJECT_NUMERIC || s->kind == SUBJECT_CATEGORICAL) &&
           baseline_feature(j->baseline, s->index)->has_scores;
}

static enum status lay_pools(struct judge *j)
{
    size_t cells = 0;
    for (uint32_t i = 0; i < j->subjects; i++)
        if (has_pool(j, i))
            cells += baseline_feature(j->baseline, j->subject[i].index)->scores.cells;
    j->cells = mem_zero(cells + 1, sizeof *j->cells);
    if (!j->cells)
        return ST_NOMEM;
    uint64_t *at = j->cells;
    for (uint32_t i = 0; i < j->subjects; i++) {
        if (!has_pool(j, i))
            continue;
        j->pool[i].cell = at;
        j->pool[i].cells =
            baseline_feature(j->baseline, j->subject[i].index)->scores.cells;
        at += j->pool[i].cells;
    }
    return ST_OK;
}

// Grids and shape of the baseline, so that state never meets a foreign one.
static uint64_t fingerprint_of(const struct judge *j)
{
    const struct baseline *b = j->baseline;
    uint64_t facts[] = {baseline_rows(b), baseline_start(b), baseline_end(b),
                        baseline_window_ns(b), baseline_windows(b)};
    uint64_t h[2] = {0, 0};
    hash_murmur3(span_of(facts, sizeof facts), j->subjects, h);
    hash_murmur3(span_of(baseline_source(b), BASELINE_DIGEST), h[0], h);
    hash_murmur3(span_of(j->grid_id, baseline_features(b) * sizeof *j->grid_id), h[0],
                 h);
    return h[0];
}

static bool are_sound(const struct judge_settings *s)
{
    return s->warn_feature >= 1 && s->warn_model >= 1 && s->page_model >= 0 &&
           s->gate_factor > 0 && isfinite(s->warn_feature) && isfinite(s->warn_model) &&
           isfinite(s->page_model) && isfinite(s->gate_factor);
}

static enum status judge_lay(struct judge *j)
{
    uint32_t features = baseline_features(j->baseline);
    j->subjects = count_subjects(j->baseline);
    j->subject = mem_zero(j->subjects + 1, sizeof *j->subject);
    j->state = mem_zero(j->subjects + 1, sizeof *j->state);
    j->pool = mem_zero(j->subjects + 1, sizeof *j->pool);
    j->shown = mem_zero(j->subjects + 1, sizeof *j->shown);
    j->grid_id = mem_zero(features + 1, sizeof *j->grid_id);
    j->feature_at = mem_zero(features + 1, sizeof *j->feature_at);
    j->scalar_at = mem_zero(baseline_scalars(j->baseline) + 1, sizeof *j->scalar_at);
    if (!j->subject || !j->state || !j->pool || !j->shown || !j->grid_id ||
        !j->feature_at || !j->scalar_at)
        return ST_NOMEM;
    for (uint32_t i = 0; i < features; i++) {
        const struct baseline_feature *f = baseline_feature(j->baseline, i);
        j->grid_id[i] = f->has_scores ? grid_id(f->grid) : 0;
    }
    lay_subjects(j);
    j->fingerprint = fingerprint_of(j);
    return lay_pools(j);
}

enum status judge_open(const struct baseline *b, const struct judge_settings *settings,
                       struct judge **out)
{
    if (!are_sound(settings))
        return ST_RANGE;
    struct judge *j = MEM_NEW(struct judge);
    if (!j)
        return ST_NOMEM;
    j->baseline = b;
    j->settings = *settings;
    enum status st = judge_lay(j);
    if (st != ST_OK) {
        judge_close(j);
        return st;
    }
    *out = j;
    return ST_OK;
}

void court_show(struct judge *j, const struct drift_window *w, uint32_t *foreign)
{
    const struct baseline *b = j->baseline;
    for (uint32_t i = 0; i < j->subjects; i++)
        j->shown[i] = NULL;
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        if (i + AHEAD < w->features)
            __builtin_prefetch(w->feature[i + AHEAD].profile);
        if (i + AHEAD < baseline_features(b))
            __builtin_prefetch(baseline_feature(b, i + AHEAD));
        bool scalar = f->role == ROLE_SIGNAL || f->role == ROLE_LABEL;
        int32_t at = scalar ? baseline_find_scalar(b, f->name, i)
                            : baseline_find_feature(b, f->name, i);
        if (!f->profile)
            continue;
        if (at < 0 || (!scalar && (baseline_feature(b, (uint32_t)at)->kind != f->kind ||
                                   profile_grid_id(f->profile) != j->grid_id[at]))) {
            (*foreign)++;
            continue;
        }
        const struct court_place *place =
            scalar ? &j->scalar_at[at] : &j->feature_at[at];
        if (place->subject != COURT_NOWHERE)
            j->shown[place->subject] = f->profile;
        if (place->contribution != COURT_NOWHERE)
            j->shown[place->contribution] = f->profile;
    }
}

static void cell_values(const struct baseline_feature *f,
                        const struct component_counts *counts, struct subject_window *w)
{
    struct component_values v;
    component_of(&f->scores, counts, &v);
    w->rows = (uint64_t)v.rows;
    double per_row = 1 / (v.rows > 1 ? v.rows : 1);
    double per_all = 1 / (v.all_rows > 1 ? v.all_rows : 1);
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++) {
        bool is_missing = c == COMPONENT_MISSING;
        w->value[c] = v.value[c];
        w->valid[c] = (is_missing ? v.all_rows : v.rows) >= 1;
        // The variances are powers of two: a product has the bits of the quotient.
        w->variance[c] =
            component_variance((enum component)c) * (is_missing ? per_all : per_row);
    }
}

// How far single rows may lie from the learned level, in sd of a row, before the
// farthest of them is held there; and the mean that no longer shows its other rows.
#define WILD_SD 30.0
#define WILD_LOST 1e9

// The mean with its farthest row held: no single record makes an alarm, or hides one.
// False when that row has swallowed all others.
static bool tame_mean(const struct baseline_scalar *f, const struct moments *m,
                      double *out)
{
    double scale = f->scale, mu = f->learned.mu, n = (double)m->n;
    double reach = WILD_SD * sqrt(f->variance) + 1e-9;
    double mean = moments_mean(m) * scale;
    double high = m->max * scale, low = m->min * scale;
    if (scale < 0) {
        double swap = high;
        high = low;
        low = swap;
    }
    *out = mean;
    if (!(high > mu + reach) && !(low < mu - reach))
        return true;
    double most = fmax(fabs(high), fabs(low));
    if (!(most < WILD_LOST * (reach + fabs(mu))))
        return false;
    double above = high > mu + reach ? high - (mu + reach) : 0;
    double below = low < mu - reach ? (mu - reach) - low : 0;
    *out = mean - (above - below) / n;
    return true;
}

static void scalar_value(const struct baseline_scalar *f, const struct profile *p,
                         struct subject_window *w)
{
    const struct moments *m = profile_moments(p);
    w->rows = m->n;
    w->variance[0] = f->variance / fmax((double)m->n, 1);
    w->valid[0] = m->n > 0 && tame_mean(f, m, &w->value[0]) && isfinite(w->value[0]);
}

// One pair may not make a correlation: its share of the squares says whether it does.
#define LEVERAGE_MOST 0.5

static bool is_one_pair(double mean, double min, double max, double squares)
{
    double up = max - mean, down = mean - min;
    double far = up > down ? up : down;
    return !(far * far <= LEVERAGE_MOST * squares);
}

static bool has_leverage(const struct judge *j, const struct profile *p)
{
    const struct comoments *c = profile_comoments(p);
    const struct moments *x = profile_moments(p);
    if (x->n > 0 && is_one_pair(c->mean_x.high, x->min, x->max, c->m2_x.high))
        return true;
    const struct profile *output =
        j->output == COURT_NOWHERE ? NULL : j->shown[j->output];
    const struct moments *y = output ? profile_moments(output) : NULL;
    return y && y->n > 0 && is_one_pair(c->mean_y.high, y->min, y->max, c->m2_y.high);
}

bool court_values(const struct judge *j, uint32_t subject, struct subject_window *w,
                  struct component_counts *counts)
{
    const struct subject *s = &j->subject[subject];
    const struct profile *p = j->shown[subject];
    *counts = (struct component_counts){.cells = 0};
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
        w->valid[c] = false;
    if (!p)
        return false;
    if (s->kind == SUBJECT_SCALAR) {
        scalar_value(baseline_scalar(j->baseline, s->index), p, w);
        return w->valid[0];
    }
    const struct baseline_feature *f = baseline_feature(j->baseline, s->index);
    if (s->kind == SUBJECT_CONTRIBUTION) {
        w->rows = profile_comoments(p)->n;
        w->valid[0] = !has_leverage(j, p) &&
                      sealed_contribution(p, &w->value[0], &w->variance[0]);
        w->value[0] -= f->fci;
        return w->valid[0];
    }
    if (!f->has_scores || !sealed_counts(p, counts) || counts->cells != f->scores.cells)
        return false;
    cell_values(f, counts, w);
    return w->valid[COMPONENT_MISSING];
}
