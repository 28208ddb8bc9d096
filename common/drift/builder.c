// Builder: declarations and windows. Rows are rows.c, learning is seal.c.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/builder.h"

#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/drift/draft.h"
#include "common/sketch/counts.h"

// Twice as many windows as are learned may be kept before the older half goes.
#define WINDOWS_KEPT (2 * LEARN_WINDOWS_MAX)

enum status builder_open(const struct builder_settings *settings, struct builder **out)
{
    if ((settings->window_ns == 0) == (settings->window_rows == 0) ||
        settings->performance >= PERFORMANCE_COUNT)
        return ST_RANGE;
    struct builder *b = MEM_NEW(struct builder);
    if (!b)
        return ST_NOMEM;
    b->settings = *settings;
    b->random.state = settings->seed;
    *out = b;
    return ST_OK;
}

static void column_fini(struct draft_column *c)
{
    profile_close(c->f.total);
    profile_close(c->open);
    grid_close(c->f.grid);
    draft_sample_fini(&c->sample);
    mem_free(c->batch.number);
    mem_free(c->batch.hash);
    mem_free(c->batch.state);
    mem_free(c->point);
    buf_fini(&c->counts);
}

void builder_close(struct builder *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->columns; i++)
        column_fini(&b->column[i]);
    for (uint32_t i = 0; i < b->scalars; i++) {
        mem_free(b->scalar[i]->start);
        mem_free(b->scalar[i]->mean);
        mem_free(b->scalar[i]->rows);
        mem_free(b->scalar[i]);
    }
    profile_close(b->loss);
    profile_close(b->bias);
    mem_free(b->prediction);
    mem_free(b->view);
    mem_free(b->start);
    mem_free(b->column);
    mem_free(b);
}

static struct draft_column *find(const struct builder *b, struct span name,
                                 uint32_t hint)
{
    if (hint < b->columns && span_is(name, b->column[hint].f.name))
        return &b->column[hint];
    for (uint32_t i = 0; i < b->columns; i++)
        if (span_is(name, b->column[i].f.name))
            return &b->column[i];
    return NULL;
}

static enum status grow_columns(struct builder *b)
{
    if (b->columns < b->columns_capacity)
        return ST_OK;
    uint32_t capacity = b->columns_capacity ? 2 * b->columns_capacity : 16;
    struct draft_column *more = mem_resize(b->column, capacity, sizeof *more);
    if (!more)
        return ST_NOMEM;
    b->column = more;
    b->columns_capacity = capacity;
    return ST_OK;
}

static enum profile_kind profile_kind_of(enum drift_kind kind)
{
    return kind == KIND_CATEGORICAL ? PROFILE_CATEGORICAL : PROFILE_NUMERIC;
}

enum status builder_feature(struct builder *b, struct span name, enum drift_role role,
                            enum drift_kind kind, enum grid_width width)
{
    if (b->is_fed || role > ROLE_LABEL || kind > KIND_CATEGORICAL ||
        !text_is_name(name))
        return ST_RANGE;
    if (b->columns == DRIFT_FEATURES_MAX)
        return ST_FULL;
    if (find(b, name, 0))
        return ST_EXISTS;
    ST_TRY(grow_columns(b));
    struct draft_column *c = &b->column[b->columns];
    *c = (struct draft_column){.width = width};
    memcpy(c->f.name, name.data, name.size);
    c->f.role = (uint8_t)role;
    c->f.kind = (uint8_t)kind;
    c->f.importance = 1;
    buf_init(&c->counts, DRAFT_COUNTS_MAX);
    struct profile_options options = {
        .kind = profile_kind_of(kind),
        .width = width,
        .sketches = b->settings.quantile_k ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN,
        .k = b->settings.quantile_k,
        .seed = random_u64(&b->random),
    };
    ST_TRY(profile_open(&options, NULL, &c->f.total));
    b->columns++;
    return ST_OK;
}

enum status builder_importance(struct builder *b, uint32_t feature, double weight)
{
    if (feature >= b->columns || !(weight >= 0 && weight <= 1e9))
        return ST_RANGE;
    b->column[feature].f.importance = weight;
    return ST_OK;
}

enum status builder_grid(struct builder *b, uint32_t feature, struct span bytes)
{
    if (feature >= b->columns || b->is_fed)
        return ST_RANGE;
    struct draft_column *c = &b->column[feature];
    struct grid *g;
    ST_TRY(grid_decode(bytes, &g));
    bool fits = (grid_form(g) == GRID_CATEGORIES) == (c->f.kind == KIND_CATEGORICAL);
    enum status st = fits ? profile_set_grid(c->f.total, g) : ST_RANGE;
    if (st != ST_OK) {
        grid_close(g);
        return st;
    }
    grid_close(c->f.grid);
    c->f.grid = g;
    return ST_OK;
}

const struct grid *builder_grid_of(const struct builder *b, uint32_t feature)
{
    return feature < b->columns ? b->column[feature].f.grid : NULL;
}

int32_t draft_find_role(const struct builder *b, enum drift_role role)
{
    for (uint32_t i = 0; i < b->columns; i++)
        if (b->column[i].f.role == role && b->column[i].f.kind == KIND_NUMERIC)
            return (int32_t)i;
    return -1;
}

static enum status open_scalar(struct builder *b, struct span name)
{
    if (b->scalars == SEALED_SCALARS_MAX)
        return ST_FULL;
    if (!text_is_name(name))
        return ST_RANGE;
    struct draft_scalar *s = MEM_NEW(struct draft_scalar);
    if (!s)
        return ST_NOMEM;
    memcpy(s->name, name.data, name.size);
    b->scalar[b->scalars++] = s;
    return ST_OK;
}

static struct draft_scalar *find_scalar(struct builder *b, struct span name)
{
    for (uint32_t i = 0; i < b->scalars; i++)
        if (span_is(name, b->scalar[i]->name))
            return b->scalar[i];
    return NULL;
}

static enum status grow_scalar(struct draft_scalar *s)
{
    if (s->windows < s->capacity)
        return ST_OK;
    uint32_t capacity = s->capacity ? 2 * s->capacity : 64;
    uint64_t *start = mem_resize(s->start, capacity, sizeof *start);
    s->start = start ? start : s->start;
    double *mean = mem_resize(s->mean, capacity, sizeof *mean);
    s->mean = mean ? mean : s->mean;
    double *rows = mem_resize(s->rows, capacity, sizeof *rows);
    s->rows = rows ? rows : s->rows;
    if (!start || !mean || !rows)
        return ST_NOMEM;
    s->capacity = capacity;
    return ST_OK;
}

// Keeps the newest half.
static void shed_scalar(struct draft_scalar *s)
{
    uint32_t drop = s->windows - LEARN_WINDOWS_MAX;
    memmove(s->start, s->start + drop, LEARN_WINDOWS_MAX * sizeof *s->start);
    memmove(s->mean, s->mean + drop, LEARN_WINDOWS_MAX * sizeof *s->mean);
    memmove(s->rows, s->rows + drop, LEARN_WINDOWS_MAX * sizeof *s->rows);
    s->windows = LEARN_WINDOWS_MAX;
}

enum status draft_scalar_add(struct builder *b, struct span name, uint64_t start,
                             const struct moments *m)
{
    if (m->n == 0)
        return ST_OK;
    if (!find_scalar(b, name))
        ST_TRY(open_scalar(b, name));
    struct draft_scalar *s = find_scalar(b, name);
    if (s->windows == WINDOWS_KEPT)
        shed_scalar(s);
    ST_TRY(grow_scalar(s));
    s->start[s->windows] = start;
    s->mean[s->windows] = moments_mean(m);
    s->rows[s->windows] = (double)m->n;
    s->windows++;
    moments_merge(&s->total, m);
    return ST_OK;
}

static enum status grow_windows(struct builder *b)
{
    if (b->windows < b->windows_capacity)
        return ST_OK;
    uint32_t capacity = b->windows_capacity ? 2 * b->windows_capacity : 64;
    for (uint32_t i = 0; i < b->columns; i++) {
        struct draft_point *p = mem_resize(b->column[i].point, capacity, sizeof *p);
        if (!p)
            return ST_NOMEM;
        b->column[i].point = p;
    }
    uint64_t *start = mem_resize(b->start, capacity, sizeof *start);
    if (!start)
        return ST_NOMEM;
    b->start = start;
    b->windows_capacity = capacity;
    return ST_OK;
}

static void shed_windows(struct builder *b)
{
    uint32_t drop = b->windows - LEARN_WINDOWS_MAX;
    for (uint32_t i = 0; i < b->columns; i++) {
        struct draft_column *c = &b->column[i];
        size_t gone = c->point[drop].offset;
        buf_shift(&c->counts, gone);
        memmove(c->point, c->point + drop, LEARN_WINDOWS_MAX * sizeof *c->point);
        for (uint32_t w = 0; w < LEARN_WINDOWS_MAX; w++)
            c->point[w].offset -= gone;
    }
    memmove(b->start, b->start + drop, LEARN_WINDOWS_MAX * sizeof *b->start);
    b->windows = LEARN_WINDOWS_MAX;
}

// Adds the window of one column: to its total, and as a point.
static enum status add_point(struct builder *b, struct draft_column *c,
                             const struct profile *p, uint64_t start)
{
    struct draft_point *at = &c->point[b->windows];
    struct component_counts counts;
    *at = (struct draft_point){.offset = c->counts.size};
    if (!p || profile_counters(p)->rows == 0)
        return ST_OK;
    if (c->f.grid && profile_grid_id(p) != grid_id(c->f.grid))
        return ST_CONFLICT;
    ST_TRY(profile_merge(c->f.total, p));
    at->has_contribution =
        sealed_contribution(p, &at->contribution, &at->contribution_variance);
    at->is_constant = sealed_is_constant(p, &at->held);
    if (!sealed_counts(p, &counts))
        return ST_OK;
    at->rows = counters_valid(profile_counters(p));
    at->missing = counts.missing;
    at->is_dead = sealed_is_dead(&counts, at->rows);
    if (start >= b->half_ns && c->f.kind == KIND_CATEGORICAL) {
        c->late_tail += counts.cell[counts.cells - 1];
        c->late_rows += at->rows;
    }
    counts_encode(counts.cell, counts.cells, &c->counts);
    return c->counts.failed;
}

// A window's features, found by name, in the order of the columns.
static void sort_features(const struct builder *b, const struct drift_window *w,
                          const struct profile **of)
{
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        if (f->role == ROLE_SIGNAL)
            continue;
        struct draft_column *c = find(b, f->name, i);
        if (c && c->f.kind == f->kind)
            of[c - b->column] = f->profile;
    }
}

static enum status add_scalars(struct builder *b, const struct drift_window *w)
{
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        bool is_scalar = f->role == ROLE_SIGNAL ||
                         (f->role == ROLE_LABEL && f->kind == KIND_NUMERIC);
        if (is_scalar && f->profile)
            ST_TRY(draft_scalar_add(b, f->name, w->start, profile_moments(f->profile)));
    }
    return ST_OK;
}

static uint64_t most_rows(const struct drift_window *w)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < w->features; i++) {
        const struct drift_feature *f = &w->feature[i];
        uint64_t rows = f->profile ? profile_counters(f->profile)->rows : 0;
        most = rows > most ? rows : most;
    }
    return most;
}

enum status builder_window(struct builder *b, const struct drift_window *w)
{
    if (w->features > DRIFT_FEATURES_MAX || w->end <= w->start ||
        (b->windows_seen > 0 && w->end < b->last_ns))
        return ST_RANGE;
    b->is_fed = true;
    if (b->windows == WINDOWS_KEPT)
        shed_windows(b);
    ST_TRY(grow_windows(b));
    const struct profile **of = mem_zero(b->columns + 1, sizeof *of);
    if (!of)
        return ST_NOMEM;
    sort_features(b, w, of);
    enum status st = ST_OK;
    for (uint32_t i = 0; i < b->columns && st == ST_OK; i++)
        st = add_point(b, &b->column[i], of[i], w->start);
    mem_free(of);
    ST_TRY(st);
    ST_TRY(add_scalars(b, w));
    b->start[b->windows++] = w->start;
    b->first_ns = b->windows_seen++ == 0 ? w->start : b->first_ns;
    b->last_ns = w->end;
    b->rows += most_rows(w);
    return ST_OK;
}
