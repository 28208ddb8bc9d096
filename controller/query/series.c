// SPDX-License-Identifier: Apache-2.0
#include "controller/query/series.h"

#include <math.h>
#include <string.h>

#include "common/base/text.h"
#include "controller/log/references.h"
#include "proto/messages/catalog.h"
#include "proto/messages/reference.h"

// --- Which windows

struct newest {
    struct series *out;
    uint64_t start_ns;
    bool is_found;
};

static enum status window_at(struct call *c, const struct shelf_key *key,
                             struct span value, struct blob *out)
{
    ST_TRY(blob_read(value, out));
    return out->kind == BLOB_SAME ? blob_get(c->s, key, out) : ST_OK;
}

enum status series_last(struct call *c, const struct series *s, enum key_resolution res,
                        struct blob *out)
{
    struct shelf_key prefix = key_window_series(s->number, res), k = {0};
    struct span key, value;
    ST_TRY(shelf_last(c->s, SHELF_WINDOW, &prefix, &key, &value));
    if (key.size > sizeof k.bytes)
        return ST_CORRUPT;
    k.size = (uint16_t)key.size;
    memcpy(k.bytes, key.data, key.size);
    return window_at(c, &k, value, out);
}

// Keys of a model's series: be32 version, then the agent, or nothing for all hosts.
static enum status keep_newest(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct newest *n = with;
    struct blob b;
    if (rest.size != 4 || value.size != 4)
        return ST_OK;
    struct series s = {.model = n->out->model,
                       .version = load_be32(rest.data),
                       .number = load_be32(value.data)};
    enum status st = series_last(c, &s, KEY_RAW, &b);
    if (st == ST_NOTFOUND)
        st = series_last(c, &s, KEY_HOUR, &b);
    if (st == ST_NOTFOUND)
        return ST_OK;
    if (st == ST_OK && (!n->is_found || b.start >= n->start_ns)) {
        *n->out = s;
        n->start_ns = b.start;
        n->is_found = true;
    }
    return st;
}

static enum status name_version(struct call *c, struct series *s)
{
    struct buf name;
    buf_init(&name, sizeof s->version_name);
    enum status st = names_of_version(c->s, s->model, s->version, &name);
    if (st == ST_OK && name.size < sizeof s->version_name)
        memcpy(s->version_name, name.data, name.size);
    buf_fini(&name);
    return st;
}

enum status series_find(struct call *c, uint32_t model, struct span version,
                        struct series *out)
{
    *out = (struct series){.model = model};
    if (version.size > 0) {
        ST_TRY(names_version(c->s, model, version, &out->version));
        ST_TRY(names_series(c->s, model, out->version, NULL, &out->number));
        return name_version(c, out);
    }
    struct newest n = {.out = out};
    struct shelf_key prefix = key_series_of(model);
    ST_TRY(call_walk(c, SHELF_CATALOG, &prefix, keep_newest, &n));
    return n.is_found ? name_version(c, out) : ST_NOTFOUND;
}

enum status series_walk(struct call *c, const struct series *s,
                        const struct series_span *span, series_each *each, void *with)
{
    struct shelf_key prefix = key_window_series(s->number, span->res);
    struct shelf_walk w;
    struct span value;
    enum status st;
    shelf_walk_init(&w, c->s, SHELF_WINDOW, &prefix);
    w.at = key_window_start(s->number, span->res, span->from_ns);
    while ((st = shelf_walk_next(&w, NULL, &value)) == ST_OK) {
        struct blob b;
        ST_TRY(window_at(c, &w.at, value, &b));
        if (b.start >= span->until_ns)
            return ST_OK;
        if (b.start >= span->from_ns)
            ST_TRY(each(c, &b, with));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static enum status decode_grid(const struct reference *r, struct span feature,
                               struct grid **out)
{
    for (uint32_t i = 0; i < r->features; i++)
        if (span_equal(r->feature[i].name, feature) && r->feature[i].grid.size > 0)
            return grid_decode(r->feature[i].grid, out);
    return ST_OK;
}

enum status series_grid(struct call *c, const struct series *s, struct span feature,
                        struct grid **out)
{
    struct reference r;
    struct buf body;
    *out = NULL;
    buf_init(&body, wire_row(WIRE_REFERENCE)->bytes_max);
    enum status st = references_read(c->s, s->model, s->version, c->pool, &body);
    if (st == ST_OK)
        st = message_decode(&reference_message, buf_span(&body), c->pool, &r);
    if (st == ST_OK)
        st = decode_grid(&r, feature, out);
    buf_fini(&body);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// --- Figures

static const struct {
    const char *name;
    enum measure_kind kind;
} measures[] = {
    {"rows", MEASURE_ROWS}, {"mean", MEASURE_MEAN},
    {"sd", MEASURE_SD},     {"min", MEASURE_MIN},
    {"max", MEASURE_MAX},   {"missing", MEASURE_MISSING},
    {"zero", MEASURE_ZERO}, {"distinct", MEASURE_DISTINCT},
};

enum status measure_find(struct span name, struct measure *out)
{
    uint64_t percent;
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        if (span_is(name, measures[i].name)) {
            *out = (struct measure){.kind = measures[i].kind};
            return ST_OK;
        }
    }
    if (name.size < 2 || name.size > 3 || name.data[0] != 'p' ||
        text_u64(span_of(name.data + 1, name.size - 1), &percent) != ST_OK ||
        percent == 0 || percent >= 100)
        return ST_NOTFOUND;
    *out = (struct measure){.kind = MEASURE_QUANTILE, .rank = (double)percent / 100};
    return ST_OK;
}

bool measure_wants_grid(const struct measure *m)
{
    return m->kind == MEASURE_QUANTILE;
}

static double within(double low, double high, double least, double most, double share)
{
    low = low < least || !isfinite(low) ? least : low;
    high = high > most || !isfinite(high) ? most : high;
    return high > low ? low + (high - low) * share : high;
}

static double quantile_of(const struct profile *p, const struct grid *grid, double rank)
{
    uint32_t n;
    const uint64_t *cell = profile_cells(p, &n);
    const struct moments *m = profile_moments(p);
    if (!cell || !grid || grid_id(grid) != profile_grid_id(p) || n != grid_cells(grid))
        return NAN;
    double total = 0, seen = 0;
    for (uint32_t i = 0; i < n; i++)
        total += grid_is_ranked(grid, i) ? (double)cell[i] : 0;
    for (uint32_t i = 0; i < n && total > 0; i++) {
        double rows = grid_is_ranked(grid, i) ? (double)cell[i] : 0, low, high;
        if (rows > 0 && seen + rows >= rank * total) {
            grid_bounds(grid, i, &low, &high);
            return within(low, high, m->min, m->max, (rank * total - seen) / rows);
        }
        seen += rows;
    }
    return NAN;
}

static double of_rows(double n, double rows)
{
    return rows > 0 ? n / rows : NAN;
}

double measure_of(const struct measure *m, const struct profile *p,
                  const struct grid *grid)
{
    const struct counters *c = profile_counters(p);
    const struct moments *o = profile_moments(p);
    bool has_values = profile_kind(p) != PROFILE_CATEGORICAL && o->n > 0;
    switch (m->kind) {
    case MEASURE_ROWS:
        return (double)c->rows;
    case MEASURE_MEAN:
        return has_values ? moments_mean(o) : NAN;
    case MEASURE_SD:
        return has_values ? moments_sd(o) : NAN;
    case MEASURE_MIN:
        return has_values ? o->min : NAN;
    case MEASURE_MAX:
        return has_values ? o->max : NAN;
    case MEASURE_MISSING:
        return of_rows((double)counters_absent(c), (double)c->rows);
    case MEASURE_ZERO:
        return of_rows((double)c->zero, (double)c->rows);
    case MEASURE_DISTINCT:
        return profile_distinct(p) ? distinct_estimate(profile_distinct(p)) : NAN;
    case MEASURE_QUANTILE:
        return has_values ? quantile_of(p, grid, m->rank) : NAN;
    }
    return NAN;
}
