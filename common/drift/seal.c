// Seal: from a draft's totals and kept windows to a baseline that has learned.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/drift/draft.h"
#include "common/sketch/counts.h"

// Scalar signals: tolerance is 0.1 sd of the reference + 0.02.
#define SCALAR_TOLERANCE 0.02
#define SCALAR_RELATIVE 0.1
#define SCALAR_GATE 0.04
#define CONTRIBUTION_TOLERANCE 0.10
#define CONTRIBUTION_GATE 0.20

// Room for one component's series at a time.
struct room {
    double *value[COMPONENT_COUNT];
    double *variance[COMPONENT_COUNT];
    uint64_t *start[COMPONENT_COUNT];
    uint32_t windows[COMPONENT_COUNT];
    void *block;
};

static enum status room_init(struct room *r, uint32_t windows)
{
    size_t each = windows + 1;
    *r = (struct room){.block = mem_zero(3 * COMPONENT_COUNT * each, 8)};
    if (!r->block)
        return ST_NOMEM;
    double *at = r->block;
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++) {
        r->value[c] = at + (3 * c) * each;
        r->variance[c] = at + (3 * c + 1) * each;
        r->start[c] = (uint64_t *)(void *)(at + (3 * c + 2) * each);
    }
    return ST_OK;
}

static void room_clear(struct room *r)
{
    memset(r->windows, 0, sizeof r->windows);
}

static void room_add(struct room *r, uint32_t c, double value, double variance,
                     uint64_t start)
{
    uint32_t at = r->windows[c]++;
    r->value[c][at] = value;
    r->variance[c][at] = variance;
    r->start[c][at] = start;
}

static struct learn_series series_of(const struct room *r, uint32_t c,
                                     uint64_t window_ns)
{
    return (struct learn_series){r->value[c], r->variance[c], r->start[c],
                                 r->windows[c], window_ns};
}

static void add_components(const struct builder *b, const struct draft_column *column,
                           uint64_t start, const struct component_values *v,
                           struct room *r)
{
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++) {
        double n = c == COMPONENT_MISSING ? v->all_rows : v->rows;
        if (n < 1)
            continue;
        if (c == COMPONENT_TAIL && column->f.kind == KIND_CATEGORICAL &&
            start < b->half_ns)
            continue;
        room_add(r, c, v->value[c], component_variance((enum component)c) / n, start);
    }
}

// The components of every kept window.
static enum status collect(const struct builder *b, const struct draft_column *column,
                           uint32_t from, struct room *r)
{
    uint32_t cells = column->f.scores.cells;
    uint64_t cell[COMPONENT_CELLS_MAX];
    struct component_values v;
    room_clear(r);
    for (uint32_t w = from; w < b->windows; w++) {
        const struct draft_point *p = &column->point[w];
        if (p->rows + p->missing == 0)
            continue;
        struct cursor in = {
            span_of(column->counts.data + p->offset, column->counts.size - p->offset)};
        ST_TRY(counts_decode(&in, cell, cells));
        component_of(&column->f.scores,
                     &(struct component_counts){cell, cells, p->missing}, &v);
        add_components(b, column, b->start[w], &v, r);
    }
    return ST_OK;
}

static enum learn_sides sides_of(enum component c)
{
    return c == COMPONENT_TAIL || c == COMPONENT_DIST ? LEARN_UP : LEARN_BOTH;
}

static enum status learn_components(const struct builder *b,
                                    struct draft_column *column, uint32_t from,
                                    struct room *r)
{
    ST_TRY(collect(b, column, from, r));
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++) {
        enum component which = (enum component)c;
        struct learn_series s = series_of(r, c, b->settings.window_ns);
        ST_TRY(learn_profile_of(
            &s, sides_of(which), component_tolerance(&column->f.scores, which), 0,
            component_gate(&column->f.scores, which), &column->f.learned[c]));
    }
    return ST_OK;
}

static enum status learn_contribution(const struct builder *b,
                                      struct draft_column *column, uint32_t from,
                                      struct room *r)
{
    double variance;
    if (column->f.role != ROLE_INPUT || column->f.kind != KIND_NUMERIC ||
        !sealed_contribution(column->f.total, &column->f.fci, &variance))
        return ST_OK;
    room_clear(r);
    for (uint32_t w = from; w < b->windows; w++) {
        const struct draft_point *p = &column->point[w];
        if (p->has_contribution)
            room_add(r, 0, p->contribution - column->f.fci, p->contribution_variance,
                     b->start[w]);
    }
    struct learn_series s = series_of(r, 0, b->settings.window_ns);
    column->f.has_fci = true;
    return learn_profile_of(&s, LEARN_BOTH, CONTRIBUTION_TOLERANCE, 0,
                            CONTRIBUTION_GATE, &column->f.fci_learned);
}

static void learn_runs(const struct builder *b, struct draft_column *column)
{
    uint32_t dead = 0, stuck = 0;
    double held = 0;
    for (uint32_t w = 0; w < b->windows; w++) {
        const struct draft_point *p = &column->point[w];
        if (p->rows + p->missing == 0)
            continue;
        dead = p->is_dead ? dead + 1 : 0;
        if (p->rows > 0) {
            bool same = p->is_constant && stuck > 0 && p->held == held;
            stuck = same ? stuck + 1 : p->is_constant ? 1 : 0;
            held = p->held;
        }
        if (dead > column->f.dead_run)
            column->f.dead_run = dead;
        if (stuck > column->f.stuck_run)
            column->f.stuck_run = stuck;
    }
}

static enum status seal_column(const struct builder *b, struct draft_column *column,
                               struct room *r)
{
    uint32_t from = b->windows > LEARN_WINDOWS_MAX ? b->windows - LEARN_WINDOWS_MAX : 0;
    double tail = -1;
    if (column->f.kind == KIND_CATEGORICAL && column->late_rows > 0)
        tail = (double)column->late_tail / (double)column->late_rows;
    ST_TRY(sealed_derive(&column->f, tail));
    learn_runs(b, column);
    if (!column->f.has_scores)
        return ST_OK;
    ST_TRY(learn_components(b, column, from, r));
    return learn_contribution(b, column, from, r);
}

// 1/sd of the label, or 1 when there is none.
static double label_scale(const struct builder *b)
{
    int32_t label = draft_find_role(b, ROLE_LABEL);
    if (label < 0)
        return 1;
    double sd = moments_sd(profile_moments(b->column[label].f.total));
    return sd > 0 ? 1 / sd : 1;
}

static bool is_label(const struct builder *b, const char *name)
{
    for (uint32_t i = 0; i < b->columns; i++)
        if (b->column[i].f.role == ROLE_LABEL && strcmp(b->column[i].f.name, name) == 0)
            return true;
    return false;
}

static double scale_of(const struct builder *b, const struct draft_scalar *s)
{
    bool is_loss = strcmp(s->name, "loss") == 0;
    if (is_loss && b->settings.performance == PERFORMANCE_REGRESSION)
        return label_scale(b);
    if (strcmp(s->name, "bias") == 0 || is_label(b, s->name))
        return label_scale(b);
    return 1;
}

static int by_rows(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// A quarter of the usual number of rows. A window of five labels says so little, and so
// wildly, that it would teach the profile to expect anything.
static uint64_t rows_min_of(const struct draft_scalar *s, uint32_t from, struct room *r)
{
    uint32_t n = s->windows - from;
    if (n == 0)
        return 0;
    memcpy(r->value[0], s->rows + from, n * sizeof *r->value[0]);
    qsort(r->value[0], n, sizeof *r->value[0], by_rows);
    return (uint64_t)(r->value[0][n / 2] / 4);
}

// The windows' means; those with too few rows are joined with the next ones.
static void collect_scalar(const struct draft_scalar *s, uint32_t from,
                           const struct baseline_scalar *out, struct room *r)
{
    double rows = 0, sum = 0;
    room_clear(r);
    for (uint32_t w = from; w < s->windows; w++) {
        rows += s->rows[w];
        sum += s->rows[w] * s->mean[w] * out->scale;
        if (rows < (double)out->rows_min)
            continue;
        room_add(r, 0, sum / rows, out->variance / rows, s->start[w]);
        rows = sum = 0;
    }
}

static enum status seal_scalar(const struct builder *b, const struct draft_scalar *s,
                               struct room *r, struct baseline_scalar *out)
{
    memcpy(out->name, s->name, sizeof out->name);
    out->scale = scale_of(b, s);
    out->sides = strcmp(s->name, "loss") == 0 ? LEARN_UP : LEARN_BOTH;
    out->watch_only = is_label(b, s->name);
    out->importance = 1;
    out->variance = moments_variance(&s->total) * out->scale * out->scale;
    uint32_t from = s->windows > LEARN_WINDOWS_MAX ? s->windows - LEARN_WINDOWS_MAX : 0;
    out->rows_min = rows_min_of(s, from, r);
    collect_scalar(s, from, out, r);
    struct learn_series series = series_of(r, 0, b->settings.window_ns);
    return learn_profile_of(&series, (enum learn_sides)out->sides, SCALAR_TOLERANCE,
                            SCALAR_RELATIVE, SCALAR_GATE, &out->learned);
}

// The longest series of all: columns and scalars.
static uint32_t longest(const struct builder *b)
{
    uint32_t most = b->windows;
    for (uint32_t i = 0; i < b->scalars; i++)
        if (b->scalar[i]->windows > most)
            most = b->scalar[i]->windows;
    return most;
}

static enum status learn_all(struct builder *b, struct baseline *out)
{
    struct room r;
    ST_TRY(room_init(&r, longest(b)));
    enum status st = ST_OK;
    for (uint32_t i = 0; i < b->columns && st == ST_OK; i++)
        st = seal_column(b, &b->column[i], &r);
    for (uint32_t i = 0; i < b->scalars && st == ST_OK; i++)
        st = seal_scalar(b, b->scalar[i], &r, &out->scalar[i]);
    mem_free(r.block);
    return st;
}

static struct baseline *empty_baseline(const struct builder *b)
{
    struct baseline *out = MEM_NEW(struct baseline);
    if (!out)
        return NULL;
    out->feature = mem_zero(b->columns + 1, sizeof *out->feature);
    out->scalar = mem_zero(b->scalars + 1, sizeof *out->scalar);
    if (!out->feature || !out->scalar) {
        baseline_close(out);
        return NULL;
    }
    out->rows = b->rows;
    out->window_ns = b->settings.window_ns;
    out->windows =
        b->windows_seen > UINT32_MAX ? UINT32_MAX : (uint32_t)b->windows_seen;
    out->start = b->first_ns;
    out->end = b->last_ns;
    out->performance = (uint8_t)b->settings.performance;
    memcpy(out->source, b->settings.source, sizeof out->source);
    memcpy(out->key, b->settings.key, sizeof out->key);
    return out;
}

enum status draft_seal(struct builder *b, struct baseline **out)
{
    if (b->rows == 0)
        return ST_EMPTY;
    struct baseline *sealed = empty_baseline(b);
    if (!sealed)
        return ST_NOMEM;
    enum status st = learn_all(b, sealed);
    if (st != ST_OK) {
        baseline_close(sealed);
        return st;
    }
    sealed->features = b->columns;
    sealed->scalars = b->scalars;
    for (uint32_t i = 0; i < b->columns; i++) {
        sealed->feature[i] = b->column[i].f;
        b->column[i].f.grid = NULL; // the baseline owns them now
        b->column[i].f.total = NULL;
    }
    *out = sealed;
    return ST_OK;
}
