// SPDX-License-Identifier: Apache-2.0
#include "controller/log/grades.h"

#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/sketch/profile.h"
#include "controller/log/keys.h"

#define FORMAT 1
#define TAG 'G'
#define BYTES_MAX 1024u
#define FADE 0.9715      // 2^(-1/24)
#define PAIRS_MIN 30     // rows with labels, before a slope or an AUC is said
#define CHECK_SHARE 0.15 // by so much the estimate may miss the labelled rows
#define CHECK_LEAST 0.02
#define CHECK_SLOPE 0.25 // from 1

// --- Adding

// Every sum that fades and is stored, in the order of the bytes; NULL behind the last.
static double *figures_of(struct grades *g, uint32_t i)
{
    double *const all[] = {&g->rows,     &g->sum_p,    &g->sum_pp,  &g->labels,
                           &g->sum_loss, &g->sum_bias, &g->sum_y,   &g->pairs,
                           &g->pair_p,   &g->pair_y,   &g->pair_pp, &g->pair_yy,
                           &g->pair_py};
    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

static void fade(struct grades *g)
{
    for (uint32_t i = 0; figures_of(g, i); i++)
        *figures_of(g, i) *= FADE;
}

static void add_output(struct grades *g, const struct moments *m)
{
    double n = (double)m->n, mean = moments_mean(m);
    g->rows += n;
    g->sum_p += n * mean;
    g->sum_pp += n * (mean * mean) + (m->m2.high + m->m2.low);
}

static void add_label(struct grades *g, const struct profile *p)
{
    const struct moments *m = profile_moments(p);
    const struct comoments *c = profile_comoments(p);
    double n = (double)c->n, y = c->mean_x.high, q = c->mean_y.high;
    g->sum_y += (double)m->n * moments_mean(m);
    g->is_binary = g->is_binary && (m->n == 0 || (m->min >= 0 && m->max <= 1));
    if (c->n == 0)
        return;
    g->pairs += n;
    g->pair_y += n * y;
    g->pair_p += n * q;
    g->pair_yy += n * y * y + c->m2_x.high;
    g->pair_pp += n * q * q + c->m2_y.high;
    g->pair_py += n * y * q + c->c_xy.high;
}

void grades_add(struct grades *g, const struct drift_window *w)
{
    fade(g);
    if (g->windows == 0)
        g->is_binary = true;
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        if (!f->profile || f->kind != KIND_NUMERIC)
            continue;
        const struct moments *m = profile_moments(f->profile);
        if (f->role == ROLE_OUTPUT)
            add_output(g, m);
        else if (f->role == ROLE_LABEL)
            add_label(g, f->profile);
        else if (f->role == ROLE_SIGNAL && span_is(f->name, "bias"))
            g->sum_bias += (double)m->n * moments_mean(m);
        else if (f->role == ROLE_SIGNAL && span_is(f->name, "loss")) {
            g->labels += (double)m->n;
            g->sum_loss += (double)m->n * moments_mean(m);
        }
    }
    g->windows++;
    g->judged_ns = w->end;
}

// --- Figures

static double ratio(double a, double b)
{
    return b > 0 || b < 0 ? a / b : NAN;
}

// The distance of the two classes' mean scores in their common sd is that of two
// normals; their overlap is the AUC.
static void set_auc(const struct grades *g, struct grades_figures *out)
{
    double n = g->pairs, share = g->pair_y / n, p = g->pair_p / n;
    double ones = n * share, zeros = n - ones;
    double cov = g->pair_py / n - p * share, all = g->pair_pp / n - p * p;
    double spread = share * (1 - share);
    if (!(ones >= 5) || !(zeros >= 5) || !(spread > 0))
        return;
    double within = all - cov * cov / spread;
    if (!(within > 0))
        return;
    double auc = 0.5 * erfc(-(cov / spread) / sqrt(within) / 2);
    double q1 = auc / (2 - auc), q2 = 2 * auc * auc / (1 + auc);
    double variance = (auc * (1 - auc) + (ones - 1) * (q1 - auc * auc) +
                       (zeros - 1) * (q2 - auc * auc)) /
                      (ones * zeros);
    out->auc = auc;
    out->auc_sd = variance > 0 ? sqrt(variance) : 0;
}

static bool is_near(double said, double seen)
{
    return fabs(said - seen) <= fmax(CHECK_LEAST, CHECK_SHARE * fabs(seen));
}

// A loss alone would not show that the probabilities lie: their mean and their slope on
// the rows with labels have to hold as well.
static void set_estimate(const struct grades *g, struct grades_figures *out)
{
    if (!g->is_binary || !(g->rows > 0)) {
        out->estimate_note = "only probabilities say how sure they are";
        return;
    }
    if (g->pairs < PAIRS_MIN) {
        out->estimate_note = "too few labels to check it on";
        return;
    }
    double expected = 2 * (g->pair_p - g->pair_pp) / g->pairs;
    if (!is_near(expected, ratio(g->sum_loss, g->labels)) ||
        !is_near(g->pair_p / g->pairs, g->pair_y / g->pairs) ||
        !(fabs(out->slope - 1) <= CHECK_SLOPE)) {
        out->estimate_note = "refused: it fails on the rows that have labels";
        return;
    }
    out->estimate = 2 * (g->sum_p - g->sum_pp) / g->rows;
}

void grades_figures(const struct grades *g, struct grades_figures *out)
{
    *out = (struct grades_figures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, ""};
    out->coverage = ratio(g->labels, g->rows);
    out->mae = ratio(g->sum_loss, g->labels);
    out->bias = ratio(g->sum_bias, g->labels);
    if (g->labels > 0)
        out->in_the_large = ratio(g->sum_y + g->sum_bias, g->sum_y);
    if (g->pairs >= PAIRS_MIN) {
        double p = g->pair_p / g->pairs, y = g->pair_y / g->pairs;
        double spread = g->pair_pp / g->pairs - p * p;
        out->slope = spread > 0 ? (g->pair_py / g->pairs - p * y) / spread : NAN;
        if (g->is_binary)
            set_auc(g, out);
    }
    set_estimate(g, out);
}

// --- Bytes

static enum status decode(struct span bytes, struct grades *g)
{
    struct cursor in = {bytes};
    uint8_t format, size, flags;
    struct span name;
    *g = (struct grades){0};
    ST_TRY(cursor_u8(&in, &format));
    if (format != FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_u8(&in, &flags));
    ST_TRY(cursor_u8(&in, &size));
    ST_TRY(cursor_bytes(&in, size, &name));
    if (size > GRADES_NAME_MAX)
        return ST_CORRUPT;
    if (size)
        memcpy(g->version, name.data, size);
    g->is_binary = flags & 1;
    ST_TRY(cursor_le64(&in, &g->windows));
    ST_TRY(cursor_le64(&in, &g->judged_ns));
    for (uint32_t i = 0; figures_of(g, i); i++)
        ST_TRY(cursor_le_f64(&in, figures_of(g, i)));
    return cursor_end(&in);
}

enum status grades_get(struct shelf *s, uint32_t model, struct grades *out)
{
    struct shelf_key key = key_state(TAG, model);
    struct span v;
    ST_TRY(shelf_get(s, SHELF_STATE, &key, &v));
    return decode(v, out);
}

enum status grades_put(struct shelf *s, uint32_t model, const struct grades *in)
{
    struct shelf_key key = key_state(TAG, model);
    struct grades g = *in;
    struct buf b;
    buf_init(&b, BYTES_MAX);
    buf_put_u8(&b, FORMAT);
    buf_put_u8(&b, g.is_binary);
    buf_put_u8(&b, (uint8_t)strlen(g.version));
    buf_put_text(&b, g.version);
    buf_put_le64(&b, g.windows);
    buf_put_le64(&b, g.judged_ns);
    for (uint32_t i = 0; figures_of(&g, i); i++)
        buf_put_le_f64(&b, *figures_of(&g, i));
    enum status st =
        b.failed ? b.failed : shelf_put(s, SHELF_STATE, &key, buf_span(&b));
    buf_fini(&b);
    return st;
}
