// Case data: a recorded incident read from its JSON and CSV texts.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/case_data.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/case_csv.h"

#define JSON_DEPTH 16
#define SECONDS_MAX 18000000000.0
#define ENTRIES_MAX 65536u

// --- JSON

static enum status parse(struct span text, struct json_object **out)
{
    if (text.size == 0 || text.size > INT32_MAX)
        return ST_CORRUPT;
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
    if (!t)
        return ST_NOMEM;
    *out = json_tokener_parse_ex(t, (const char *)text.data, (int)text.size);
    enum json_tokener_error e = json_tokener_get_error(t);
    json_tokener_free(t);
    if (*out && e == json_tokener_success)
        return ST_OK;
    json_object_put(*out);
    return ST_CORRUPT;
}

static enum status wrong(char *why, const char *member, const char *what)
{
    (void)snprintf(why, CASE_WHY, "case.json: %s: %s", member, what);
    return ST_CORRUPT;
}

// Seconds; 0 when it is not there.
static enum status get_seconds(struct json_object *in, const char *member,
                               uint64_t *out_ns, char *why)
{
    struct json_object *v = NULL;
    *out_ns = 0;
    if (!json_object_object_get_ex(in, member, &v) || !v)
        return ST_OK;
    if (!json_object_is_type(v, json_type_int) &&
        !json_object_is_type(v, json_type_double))
        return wrong(why, member, "a number of seconds is expected");
    double s = json_object_get_double(v);
    if (!(s >= 0 && s < SECONDS_MAX))
        return wrong(why, member, "out of bounds");
    *out_ns = (uint64_t)(s * 1e9);
    return ST_OK;
}

static enum status get_text(struct json_object *in, const char *member,
                            struct span *out, char *why)
{
    struct json_object *v = NULL;
    *out = span_of(NULL, 0);
    if (!json_object_object_get_ex(in, member, &v) || !v)
        return ST_OK;
    if (!json_object_is_type(v, json_type_string))
        return wrong(why, member, "a text is expected");
    *out = span_of(json_object_get_string(v), (size_t)json_object_get_string_len(v));
    return out->size <= BLAME_NAME_MAX ? ST_OK : wrong(why, member, "too long");
}

struct asked {
    struct blame_question q;
    uint64_t window_ns;
};

// The texts of `out` lie in `root`.
static enum status read_question(struct json_object *root, struct asked *out, char *why)
{
    if (!json_object_is_type(root, json_type_object))
        return wrong(why, "the file", "an object is expected");
    ST_TRY(get_seconds(root, "window_s", &out->window_ns, why));
    ST_TRY(get_seconds(root, "t_reported", &out->q.reported_ns, why));
    ST_TRY(get_seconds(root, "search_from", &out->q.search_ns, why));
    ST_TRY(get_seconds(root, "from", &out->q.from_ns, why));
    ST_TRY(get_seconds(root, "to", &out->q.to_ns, why));
    ST_TRY(get_text(root, "kpi", &out->q.kpi, why));
    ST_TRY(get_text(root, "kpi_signal", &out->q.kpi_signal, why));
    if (out->window_ns == 0)
        return wrong(why, "window_s", "is missing");
    return out->q.reported_ns ? ST_OK : wrong(why, "t_reported", "is missing");
}

// --- Names of files

static enum status copy_name(struct json_object *v, char out[512])
{
    if (!v || json_object_is_type(v, json_type_null))
        return ST_OK;
    if (!json_object_is_type(v, json_type_string) ||
        json_object_get_string_len(v) > 511)
        return ST_CORRUPT;
    memcpy(out, json_object_get_string(v), (size_t)json_object_get_string_len(v) + 1);
    return ST_OK;
}

static enum status copy_signals(struct json_object *v, struct case_names *out)
{
    if (!v || json_object_is_type(v, json_type_null))
        return ST_OK;
    if (json_object_is_type(v, json_type_string)) {
        out->signal_files = 1;
        return copy_name(v, out->signals[0]);
    }
    if (!json_object_is_type(v, json_type_array) ||
        json_object_array_length(v) > CASE_SIGNAL_FILES)
        return ST_CORRUPT;
    for (size_t i = 0; i < json_object_array_length(v); i++)
        ST_TRY(copy_name(json_object_array_get_idx(v, i), out->signals[i]));
    out->signal_files = (uint32_t)json_object_array_length(v);
    return ST_OK;
}

// The three members that name files; no other is looked at.
static enum status copy_names(struct json_object *in, struct case_names *out)
{
    struct json_object *signals = NULL, *lineage = NULL, *events = NULL;
    (void)json_object_object_get_ex(in, "signals", &signals);
    (void)json_object_object_get_ex(in, "lineage", &lineage);
    (void)json_object_object_get_ex(in, "events", &events);
    ST_TRY(copy_signals(signals, out));
    ST_TRY(copy_name(lineage, out->lineage));
    return copy_name(events, out->events);
}

enum status case_names_own(struct span question, struct case_names *out)
{
    struct json_object *root;
    *out = (struct case_names){0};
    ST_TRY(parse(question, &root));
    enum status st = json_object_is_type(root, json_type_object) ? copy_names(root, out)
                                                                 : ST_CORRUPT;
    json_object_put(root);
    return st;
}

static bool ends_in(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0 &&
           (n == m || text[n - m - 1] == '/');
}

static enum status find_listed(struct json_object *root, const char *file,
                               struct case_names *out)
{
    if (!json_object_is_type(root, json_type_array) ||
        json_object_array_length(root) > ENTRIES_MAX)
        return ST_CORRUPT;
    for (size_t i = 0; i < json_object_array_length(root); i++) {
        struct json_object *e = json_object_array_get_idx(root, i), *v = NULL;
        if (json_object_is_type(e, json_type_object) &&
            json_object_object_get_ex(e, "case", &v) &&
            json_object_is_type(v, json_type_string) &&
            ends_in(file, json_object_get_string(v)))
            return copy_names(e, out);
    }
    return ST_NOTFOUND;
}

enum status case_names_listed(struct span manifest, const char *file,
                              struct case_names *out)
{
    struct json_object *root;
    *out = (struct case_names){0};
    ST_TRY(parse(manifest, &root));
    enum status st = find_listed(root, file, out);
    json_object_put(root);
    return st;
}

// --- The case

static enum status fill(const struct case_texts *t, struct blame_case *c, char *why)
{
    for (uint32_t i = 0; i < t->signal_files; i++)
        ST_TRY(case_csv_signals(t->signals[i], c, why));
    ST_TRY(case_csv_lineage(t->lineage, c, why));
    return case_csv_events(t->events, c, why);
}

// "segments": {"m1": "eu"} and "facts": {"m1": {"rack": "r2"}}: what things are
// besides.
static enum status add_fact(struct blame_case *c, const char *entity, const char *key,
                            struct json_object *v, char *why)
{
    uint32_t e;
    if (!json_object_is_type(v, json_type_string) || key[0] == 0 ||
        json_object_get_string_len(v) == 0)
        return wrong(why, key, "a text is expected");
    // Nothing is known of a thing without windows and without a place.
    if (blame_case_find(c, span_text(entity), &e) != ST_OK)
        return ST_OK;
    return blame_case_fact(c, e, span_text(key), span_text(json_object_get_string(v)));
}

static enum status add_facts(struct json_object *root, struct blame_case *c, char *why)
{
    struct json_object *all = NULL;
    if (json_object_object_get_ex(root, "segments", &all)) {
        if (!json_object_is_type(all, json_type_object))
            return wrong(why, "segments", "an object is expected");
        json_object_object_foreach(all, entity, value)
            ST_TRY(add_fact(c, entity, "segment", value, why));
    }
    if (!json_object_object_get_ex(root, "facts", &all))
        return ST_OK;
    if (!json_object_is_type(all, json_type_object))
        return wrong(why, "facts", "an object is expected");
    json_object_object_foreach(all, entity, each)
    {
        if (!json_object_is_type(each, json_type_object))
            return wrong(why, entity, "an object is expected");
        json_object_object_foreach(each, key, value)
            ST_TRY(add_fact(c, entity, key, value, why));
    }
    return ST_OK;
}

static enum status build(const struct case_texts *t, struct json_object *root,
                         const struct asked *asked, struct blame_case *out, char *why)
{
    uint64_t *start;
    uint32_t windows;
    ST_TRY(case_csv_times(t, &start, &windows, why));
    enum status st = blame_case_open(out, start, windows, asked->window_ns);
    mem_free(start);
    ST_TRY(st);
    st = fill(t, out, why);
    if (st == ST_OK)
        st = add_facts(root, out, why);
    if (st == ST_OK) {
        st = blame_case_seal(out, &asked->q);
        if (st == ST_RANGE)
            (void)snprintf(why, CASE_WHY,
                           asked->q.segment.size
                               ? "nothing is in that segment, or no windows to search"
                               : "the times leave no windows to search");
    }
    if (st != ST_OK)
        blame_case_fini(out);
    return st;
}

enum status case_data_read(const struct case_texts *t, struct blame_case *out,
                           char *why)
{
    struct json_object *root;
    struct asked asked = {.window_ns = 0, .q.segment = t->segment};
    enum status st = parse(t->question, &root);
    if (st != ST_OK)
        return st == ST_CORRUPT ? wrong(why, "the file", "no JSON") : st;
    st = read_question(root, &asked, why);
    if (st == ST_OK)
        st = build(t, root, &asked, out, why);
    json_object_put(root);
    return st;
}
