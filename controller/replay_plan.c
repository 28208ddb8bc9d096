// Replay plan: one entry of a manifest, every member checked.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_plan.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"

#define MANIFEST_BYTES_MAX (16u * 1024 * 1024)
#define MANIFEST_DEPTH 32
#define SECOND_NS 1e9
#define SECONDS_MAX 1e9
#define ROWS_MAX 1e12

struct reading {
    struct json_object *entry;
    struct replay_plan *plan;
    char *why;
};

static enum status wrong(struct reading *r, const char *member, const char *what)
{
    snprintf(r->why, 256, "manifest: %s: %s", member, what);
    return ST_CORRUPT;
}

static enum status copy_name(struct reading *r, const char *member,
                             struct json_object *v, char out[REPLAY_NAME_MAX + 1])
{
    if (!json_object_is_type(v, json_type_string))
        return wrong(r, member, "a string is expected");
    int size = json_object_get_string_len(v);
    if (size < 1 || size > REPLAY_NAME_MAX)
        return wrong(r, member, "1 to 128 bytes are expected");
    memcpy(out, json_object_get_string(v), (size_t)size);
    out[size] = 0;
    return ST_OK;
}

static enum status get_name(struct reading *r, const char *member, bool needed,
                            char out[REPLAY_NAME_MAX + 1])
{
    struct json_object *v = NULL;
    out[0] = 0;
    if (!json_object_object_get_ex(r->entry, member, &v) || !v)
        return needed ? wrong(r, member, "is missing") : ST_OK;
    return copy_name(r, member, v, out);
}

static enum status number_of(struct reading *r, const char *member,
                             struct json_object *v, double most, double *out)
{
    if (!json_object_is_type(v, json_type_int) &&
        !json_object_is_type(v, json_type_double))
        return wrong(r, member, "a number is expected");
    *out = json_object_get_double(v);
    if (!(*out >= 0 && *out <= most))
        return wrong(r, member, "out of bounds");
    return ST_OK;
}

// A member that is missing or null leaves `out` at 0.
static enum status get_number(struct reading *r, const char *member, double most,
                              double *out)
{
    struct json_object *v = NULL;
    *out = 0;
    if (!json_object_object_get_ex(r->entry, member, &v) || !v)
        return ST_OK;
    return number_of(r, member, v, most, out);
}

static enum status get_rows(struct reading *r, const char *member, uint64_t *out)
{
    double v;
    ST_TRY(get_number(r, member, ROWS_MAX, &v));
    *out = (uint64_t)v;
    return ST_OK;
}

static enum status get_seconds(struct reading *r, const char *member, uint64_t *out_ns)
{
    double v;
    ST_TRY(get_number(r, member, SECONDS_MAX, &v));
    *out_ns = (uint64_t)llround(v * SECOND_NS);
    return ST_OK;
}

// [from, to) of rows; both 0 when it is not there.
static enum status range_of(struct reading *r, const char *member,
                            struct json_object *in, uint64_t *from, uint64_t *to)
{
    struct json_object *v = NULL;
    double at[2];
    *from = *to = 0;
    if (!json_object_object_get_ex(in, member, &v) || !v)
        return ST_OK;
    if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) != 2)
        return wrong(r, member, "two row numbers are expected");
    for (size_t i = 0; i < 2; i++)
        ST_TRY(number_of(r, member, json_object_array_get_idx(v, i), ROWS_MAX, &at[i]));
    if (at[1] < at[0])
        return wrong(r, member, "ends before it begins");
    *from = (uint64_t)at[0];
    *to = (uint64_t)at[1];
    return ST_OK;
}

static enum status get_columns(struct reading *r, const char *member,
                               enum drift_kind kind)
{
    struct json_object *v = NULL;
    struct replay_plan *p = r->plan;
    if (!json_object_object_get_ex(r->entry, member, &v) || !v)
        return ST_OK;
    if (!json_object_is_type(v, json_type_array))
        return wrong(r, member, "a list of columns is expected");
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        if (p->features == REPLAY_COLUMNS_MAX)
            return wrong(r, member, "more than 512 columns");
        struct replay_feature *f = &p->feature[p->features];
        ST_TRY(copy_name(r, member, json_object_array_get_idx(v, i), f->column));
        f->kind = kind;
        p->features++;
    }
    return ST_OK;
}

// A version goes live where its training rows end; the first one serves from the start.
static enum status add_version(struct reading *r, struct json_object *v)
{
    struct replay_plan *p = r->plan;
    struct json_object *column = NULL;
    uint64_t from, to;
    if (p->versions == REPLAY_VERSIONS_MAX)
        return wrong(r, "versions", "more than 8 versions");
    struct replay_version *out = &p->version[p->versions];
    if (!json_object_object_get_ex(v, "column", &column))
        return wrong(r, "versions", "a column is expected");
    ST_TRY(copy_name(r, "versions", column, out->column));
    ST_TRY(range_of(r, "trained_rows", v, &from, &to));
    out->live = p->versions ? to : 0;
    if (p->versions && out->live < out[-1].live)
        return wrong(r, "versions", "not in the order in which they go live");
    p->versions++;
    return ST_OK;
}

static enum status get_versions(struct reading *r)
{
    struct json_object *v = NULL;
    if (json_object_object_get_ex(r->entry, "versions", &v) &&
        json_object_is_type(v, json_type_array))
        for (size_t i = 0; i < json_object_array_length(v); i++)
            ST_TRY(add_version(r, json_object_array_get_idx(v, i)));
    if (r->plan->versions > 0 || !json_object_object_get_ex(r->entry, "outputs", &v) ||
        !json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
        return ST_OK;
    ST_TRY(copy_name(r, "outputs", json_object_array_get_idx(v, 0),
                     r->plan->version[0].column));
    r->plan->versions = 1;
    return ST_OK;
}

static enum status get_performance(struct reading *r)
{
    char text[REPLAY_NAME_MAX + 1];
    struct replay_plan *p = r->plan;
    ST_TRY(get_name(r, "performance", false, text));
    p->performance = PERFORMANCE_NONE;
    if (strcmp(text, "regression") == 0)
        p->performance = PERFORMANCE_REGRESSION;
    else if (strcmp(text, "binary") == 0)
        p->performance = PERFORMANCE_BINARY;
    else if (text[0])
        return wrong(r, "performance", "regression, binary or null is expected");
    return range_of(r, "perf_reference_rows", r->entry, &p->performance_from,
                    &p->performance_to);
}

static enum status read_entry(struct reading *r)
{
    struct replay_plan *p = r->plan;
    ST_TRY(get_name(r, "name", true, p->name));
    ST_TRY(get_name(r, "timestamp", true, p->timestamp));
    ST_TRY(get_name(r, "label", false, p->label));
    ST_TRY(get_columns(r, "numeric", KIND_NUMERIC));
    ST_TRY(get_columns(r, "categorical", KIND_CATEGORICAL));
    ST_TRY(get_versions(r));
    ST_TRY(get_seconds(r, "label_delay_s", &p->label_delay_ns));
    ST_TRY(get_seconds(r, "window_s", &p->window_ns));
    ST_TRY(get_rows(r, "window_rows", &p->window_rows));
    ST_TRY(get_rows(r, "reference_rows", &p->reference_rows));
    ST_TRY(get_performance(r));
    if ((p->window_ns == 0) == (p->window_rows == 0) || p->window_rows > UINT32_MAX)
        return wrong(r, "window_s, window_rows", "one of the two is expected");
    if (p->reference_rows == 0)
        return wrong(r, "reference_rows", "is missing");
    if (p->features + p->versions == 0)
        return wrong(r, "numeric, categorical, outputs", "no column is named");
    return ST_OK;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool says(struct json_object *entry, const char *member, const char *text)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(entry, member, &v) &&
           json_object_is_type(v, json_type_string) &&
           strcmp(json_object_get_string(v), text) == 0;
}

static struct json_object *find_entry(struct json_object *root, const char *name,
                                      const char *path)
{
    struct json_object *streams = NULL;
    if (!json_object_object_get_ex(root, "streams", &streams) ||
        !json_object_is_type(streams, json_type_array))
        return NULL;
    size_t n = json_object_array_length(streams);
    for (size_t i = 0; i < n; i++) {
        struct json_object *e = json_object_array_get_idx(streams, i);
        if (name ? says(e, "name", name) : says(e, "file", last_part(path)))
            return e;
    }
    return !name && n == 1 ? json_object_array_get_idx(streams, 0) : NULL;
}

static enum status parse(struct span text, struct json_object **out, char *why)
{
    struct json_tokener *t = json_tokener_new_ex(MANIFEST_DEPTH);
    if (!t)
        return ST_NOMEM;
    *out = json_tokener_parse_ex(t, (const char *)text.data, (int)text.size);
    enum json_tokener_error e = json_tokener_get_error(t);
    json_tokener_free(t);
    if (e == json_tokener_success && *out)
        return ST_OK;
    snprintf(why, 256, "manifest: %s", json_tokener_error_desc(e));
    json_object_put(*out);
    return ST_CORRUPT;
}

enum status replay_plan_read(const char *manifest, const char *name, const char *path,
                             struct replay_plan *out, char why[256])
{
    struct buf text;
    struct json_object *root = NULL;
    buf_init(&text, MANIFEST_BYTES_MAX);
    enum status st = file_read(manifest, &text);
    if (st != ST_OK)
        snprintf(why, 256, "%s: %s", manifest, status_text(st));
    else
        st = parse(buf_span(&text), &root, why);
    buf_fini(&text);
    if (st != ST_OK)
        return st;
    memset(out, 0, sizeof *out);
    struct reading r = {find_entry(root, name, path), out, why};
    if (r.entry) {
        st = read_entry(&r);
    } else {
        snprintf(why, 256, "the manifest has no stream %s",
                 name ? name : last_part(path));
        st = ST_NOTFOUND;
    }
    json_object_put(root);
    return st;
}
