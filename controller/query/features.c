// Features: what a version's features look like now, beside its baseline.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/text.h"
#include "common/drift/baseline.h"
#include "common/drift/distance.h"
#include "controller/query/series.h"

#define WINDOWS_MAX 1440u // that are put together

static const char *const roles[] = {"input", "output", "label", "signal"};

// The figures that stand beside each other.
static const char *const numeric_rows[] = {"rows", "missing", "zero", "mean", "sd",
                                           "min",  "p01",     "p05",  "p25",  "p50",
                                           "p75",  "p95",     "p99",  "max"};
static const char *const categorical_rows[] = {"rows", "missing", "distinct"};

// One feature of one version: its windows put together, and its baseline.
struct shown {
    struct span model, feature;
    struct series series;
    struct profile *now, *one;
    struct baseline *baseline;
    const struct baseline_feature *before;
    uint64_t from_ns, until_ns;
    uint32_t windows;
    uint8_t role, kind;
};

static enum status find(struct call *c, struct shown *f)
{
    uint32_t model;
    enum status st = call_model(c, &f->model, &model);
    if (st != ST_OK)
        return st;
    st = series_find(c, model, call_arg(c, "version"), &f->series);
    if (st == ST_NOTFOUND)
        ST_TRY(call_refuse(c, CODE_NOT_FOUND, "no window of '%.*s' yet",
                           (int)f->model.size, (const char *)f->model.data));
    return st;
}

static enum status read_baseline(struct call *c, struct shown *f)
{
    struct shelf_key k = key_baseline(f->series.model, f->series.version);
    struct record_baseline r;
    enum status st =
        records_get(c->s, SHELF_CATALOG, &k, &record_baseline_message, c->pool, &r);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(baseline_decode(r.sealed, &f->baseline));
    int32_t at =
        f->feature.size > 0 ? baseline_find_feature(f->baseline, f->feature, 0) : -1;
    if (at >= 0)
        f->before = baseline_feature(f->baseline, (uint32_t)at);
    return ST_OK;
}

static enum status add_window(struct call *c, const struct blob *b, void *with)
{
    struct shown *f = with;
    struct blob_feature found;
    (void)c;
    enum status st = blob_find(b, f->feature, &found);
    if (st == ST_NOTFOUND || f->windows == WINDOWS_MAX)
        return ST_OK;
    if (st == ST_OK)
        st = profile_decode(f->one, found.profile);
    if (st == ST_OK)
        st = profile_merge(f->now, f->one);
    if (st == ST_CONFLICT) // counted on other cells: those of another baseline
        return ST_OK;
    if (st != ST_OK)
        return st;
    f->role = found.role;
    f->kind = found.kind;
    if (f->windows++ == 0)
        f->from_ns = b->start;
    f->until_ns = b->end;
    return ST_OK;
}

// "last" windows, or those of the last while; the newest one when nothing is said.
static enum status gather(struct call *c, struct shown *f)
{
    struct span at = call_arg(c, "at"), since = call_arg(c, "since");
    struct blob last;
    struct series_span span = {.until_ns = UINT64_MAX};
    uint64_t back = 0;
    if ((at.size && text_time(at, &span.until_ns) != ST_OK) ||
        (since.size && text_duration(since, &back) != ST_OK)) {
        ST_TRY(
            call_refuse(c, CODE_USAGE,
                        "--at: a time like 2026-03-01T14:05:00Z; --since: a duration "
                        "like 1h"));
        return ST_NOTFOUND;
    }
    enum status st = series_last(c, &f->series, KEY_RAW, &last);
    if (st != ST_OK)
        return st;
    uint64_t length = last.end - last.start;
    uint64_t end = span.until_ns < last.end ? span.until_ns : last.end;
    back = back > length ? back : length;
    span.from_ns = end > back ? end - back : 0;
    return series_walk(c, &f->series, &span, add_window, f);
}

static void write_value(struct call *c, const char *key, double v)
{
    json_key(c->j, key);
    if (isfinite(v))
        json_f64(c->j, v);
    else
        json_null(c->j);
}

static void write_rows(struct call *c, const struct shown *f)
{
    bool is_numeric = f->kind == KIND_NUMERIC;
    const char *const *row = is_numeric ? numeric_rows : categorical_rows;
    size_t n = is_numeric ? sizeof numeric_rows / sizeof numeric_rows[0]
                          : sizeof categorical_rows / sizeof categorical_rows[0];
    json_key(c->j, "figures");
    json_array(c->j);
    for (size_t i = 0; i < n; i++) {
        struct measure m;
        if (measure_find(span_text(row[i]), &m) != ST_OK)
            continue;
        const struct grid *g = f->before ? f->before->grid : NULL;
        json_object(c->j);
        json_key_cstr(c->j, "figure", row[i]);
        write_value(c, "baseline",
                    f->before && f->before->total ? measure_of(&m, f->before->total, g)
                                                  : NAN);
        write_value(c, "now", measure_of(&m, f->now, g));
        json_object_end(c->j);
    }
    json_array_end(c->j);
}

// How far apart they lie, on the baseline's own cells.
static void write_distance(struct call *c, const struct shown *f)
{
    uint32_t n = 0, now_n = 0;
    if (!f->before || !f->before->has_scores || !f->before->total)
        return;
    const uint64_t *cell = profile_cells(f->before->total, &n);
    const uint64_t *now_cell = profile_cells(f->now, &now_n);
    if (!cell || !now_cell || n != now_n ||
        profile_grid_id(f->before->total) != profile_grid_id(f->now))
        return;
    struct component_counts before = {
        cell, n, counters_absent(profile_counters(f->before->total))};
    struct component_counts now = {now_cell, n,
                                   counters_absent(profile_counters(f->now))};
    struct distance d;
    distance_of(&f->before->scores, &before, &now, NULL, 0, &d);
    json_key(c->j, "distance");
    json_object(c->j);
    write_value(c, "psi", d.psi);
    write_value(c, "ks", d.ks);
    write_value(c, "js", d.js);
    json_object_end(c->j);
}

static void write_cells(struct call *c, const struct shown *f)
{
    uint32_t n = 0, before_n = 0;
    const uint64_t *cell = profile_cells(f->now, &n);
    const struct grid *g = f->before ? f->before->grid : NULL;
    if (!cell || !g || grid_id(g) != profile_grid_id(f->now))
        return;
    const uint64_t *before =
        f->before->total ? profile_cells(f->before->total, &before_n) : NULL;
    json_key(c->j, "cells");
    json_array(c->j);
    for (uint32_t i = 0; i < n; i++) {
        double low = NAN, high = NAN;
        if (grid_form(g) != GRID_CATEGORIES)
            grid_bounds(g, i, &low, &high);
        json_object(c->j);
        write_value(c, "above", low);
        write_value(c, "to", high);
        json_key_u64(c->j, "baseline", before && before_n == n ? before[i] : 0);
        json_key_u64(c->j, "now", cell[i]);
        json_object_end(c->j);
    }
    json_array_end(c->j);
}

static enum status write_feature(struct call *c, const struct shown *f)
{
    if (f->windows == 0)
        return call_refuse(
            c, CODE_NOT_FOUND,
            "no feature '%.*s' in the windows of %.*s@%s: kedge feature "
            "list names all of them",
            (int)f->feature.size, f->feature.size ? (const char *)f->feature.data : "",
            (int)f->model.size, (const char *)f->model.data, f->series.version_name);
    json_key_text(c->j, "model", f->model);
    json_key_cstr(c->j, "version", f->series.version_name);
    json_key_text(c->j, "feature", f->feature);
    json_key_cstr(c->j, "role", roles[f->role & 3]);
    json_key_cstr(c->j, "kind",
                  f->kind == KIND_CATEGORICAL ? "categorical" : "numeric");
    json_key_time(c->j, "from", f->from_ns);
    json_key_time(c->j, "to", f->until_ns);
    json_key_u64(c->j, "windows", f->windows);
    write_distance(c, f);
    write_rows(c, f);
    write_cells(c, f);
    return ST_OK;
}

enum status answer_feature_show(struct call *c)
{
    struct shown f = {.feature = call_arg(c, "feature")};
    struct profile_options po = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    ST_TRY(profile_open(&po, NULL, &f.now));
    enum status st = profile_open(&po, NULL, &f.one);
    if (st == ST_OK)
        st = find(c, &f);
    if (st == ST_OK)
        st = read_baseline(c, &f);
    if (st == ST_OK)
        st = gather(c, &f);
    if (st == ST_OK)
        st = write_feature(c, &f);
    profile_close(f.now);
    profile_close(f.one);
    baseline_close(f.baseline);
    return st == ST_NOTFOUND ? ST_OK : st;
}

static void write_listed(struct call *c, const struct shown *f,
                         const struct blob_feature *b)
{
    static const struct measure mean = {.kind = MEASURE_MEAN},
                                missing = {.kind = MEASURE_MISSING};
    int32_t at = f->baseline ? baseline_find_feature(f->baseline, b->name, 0) : -1;
    const struct baseline_feature *before =
        at >= 0 ? baseline_feature(f->baseline, (uint32_t)at) : NULL;
    const struct profile *total = before ? before->total : NULL;
    json_object(c->j);
    json_key_text(c->j, "feature", b->name);
    json_key_cstr(c->j, "role", roles[b->role & 3]);
    json_key_cstr(c->j, "kind",
                  b->kind == KIND_CATEGORICAL ? "categorical" : "numeric");
    write_value(c, "mean", measure_of(&mean, f->one, NULL));
    write_value(c, "mean_baseline", total ? measure_of(&mean, total, NULL) : NAN);
    write_value(c, "missing", measure_of(&missing, f->one, NULL));
    write_value(c, "missing_baseline", total ? measure_of(&missing, total, NULL) : NAN);
    json_object_end(c->j);
}

static enum status write_list(struct call *c, struct shown *f)
{
    struct blob last;
    ST_TRY(series_last(c, &f->series, KEY_RAW, &last));
    json_key_text(c->j, "model", f->model);
    json_key_cstr(c->j, "version", f->series.version_name);
    json_key_time(c->j, "from", last.start);
    json_key_time(c->j, "to", last.end);
    json_key_u64(c->j, "rows", last.rows);
    json_key(c->j, "features");
    json_array(c->j);
    for (uint32_t i = 0; i < last.features; i++) {
        struct blob_feature b;
        ST_TRY(blob_feature(&last, i, &b));
        ST_TRY(profile_decode(f->one, b.profile));
        write_listed(c, f, &b);
    }
    json_array_end(c->j);
    return ST_OK;
}

enum status answer_feature_list(struct call *c)
{
    struct shown f = {0};
    struct profile_options po = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    ST_TRY(profile_open(&po, NULL, &f.one));
    enum status st = find(c, &f);
    if (st == ST_OK)
        st = read_baseline(c, &f);
    if (st == ST_OK)
        st = write_list(c, &f);
    profile_close(f.one);
    baseline_close(f.baseline);
    return st == ST_NOTFOUND ? ST_OK : st;
}
