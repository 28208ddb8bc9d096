// SPDX-License-Identifier: Apache-2.0
#include "controller/bundle_case.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/watch/blame.h"
#include "controller/watch/blame_digest.h"

// --- Members

static struct json_object *member(struct json_object *o, const char *key,
                                  enum json_type type)
{
    struct json_object *v = NULL;
    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, type))
        return NULL;
    return v;
}

static struct span text_of(struct json_object *v)
{
    if (!v || !json_object_is_type(v, json_type_string))
        return span_of(NULL, 0);
    return span_of(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static struct span text_in(struct json_object *o, const char *key)
{
    return text_of(member(o, key, json_type_string));
}

static struct span item(struct json_object *list, size_t i)
{
    bool is_there = json_object_is_type(list, json_type_array) &&
                    i < json_object_array_length(list);
    return text_of(is_there ? json_object_array_get_idx(list, i) : NULL);
}

static uint64_t number_in(struct json_object *o, const char *key)
{
    struct json_object *v = member(o, key, json_type_int);
    return v ? json_object_get_uint64(v) : 0;
}

// --- The case

static enum status open_case(struct json_object *e, struct blame_case *c)
{
    struct json_object *list = member(e, "start_ns", json_type_array);
    size_t n = list ? json_object_array_length(list) : 0;
    if (n == 0 || n > BLAME_WINDOWS_MAX)
        return ST_CORRUPT;
    uint64_t *start = mem_zero(n, sizeof *start);
    if (!start)
        return ST_NOMEM;
    for (size_t i = 0; i < n; i++)
        start[i] = json_object_get_uint64(json_object_array_get_idx(list, i));
    enum status st = blame_case_open(c, start, (uint32_t)n, number_in(e, "window_ns"));
    mem_free(start);
    return st == ST_RANGE ? ST_CORRUPT : st;
}

static enum status add_entities(struct json_object *list, struct blame_case *c)
{
    uint32_t e;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        ST_TRY(blame_case_entity(c, item(list, i), &e));
    return ST_OK;
}

static enum status add_names(struct json_object *list, struct blame_case *c)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        ST_TRY(blame_case_name(c, item(list, i)));
    return ST_OK;
}

static enum status add_signal(struct json_object *s, struct buf *bytes,
                              struct blame_case *c)
{
    uint32_t e;
    double *value;
    buf_clear(bytes);
    ST_TRY(text_base64url(text_in(s, "values"), bytes));
    if (bytes->size != (size_t)c->windows * 8)
        return ST_CORRUPT;
    ST_TRY(blame_case_entity(c, text_in(s, "entity"), &e));
    ST_TRY(blame_case_signal(c, e, text_in(s, "signal"), &value));
    for (uint32_t k = 0; k < c->windows; k++)
        value[k] = load_le_f64(bytes->data + (size_t)k * 8);
    return ST_OK;
}

static enum status add_signals(struct json_object *list, struct blame_case *c)
{
    struct buf bytes;
    enum status st = ST_OK;
    buf_init(&bytes, (size_t)BLAME_WINDOWS_MAX * 8 + 16);
    for (size_t i = 0; st == ST_OK && i < json_object_array_length(list); i++)
        st = add_signal(json_object_array_get_idx(list, i), &bytes, c);
    buf_fini(&bytes);
    return st;
}

static enum status add_edges(struct json_object *list, struct blame_case *c)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *e = json_object_array_get_idx(list, i);
        uint32_t up, down;
        ST_TRY(blame_case_entity(c, item(e, 0), &up));
        ST_TRY(blame_case_entity(c, item(e, 1), &down));
        ST_TRY(blame_case_edge(c, up, down));
    }
    return ST_OK;
}

static enum status add_events(struct json_object *list, struct blame_case *c)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *e = json_object_array_get_idx(list, i);
        uint32_t entity;
        ST_TRY(blame_case_entity(c, text_in(e, "entity"), &entity));
        ST_TRY(blame_case_event_told(c, entity, number_in(e, "at_ns"),
                                     text_in(e, "kind"), text_in(e, "what")));
    }
    return ST_OK;
}

static enum status add_facts(struct json_object *list, struct blame_case *c)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *f = json_object_array_get_idx(list, i);
        uint32_t entity;
        ST_TRY(blame_case_entity(c, item(f, 0), &entity));
        ST_TRY(blame_case_fact(c, entity, item(f, 1), item(f, 2)));
    }
    return ST_OK;
}

static enum status seal(struct json_object *e, struct blame_case *c)
{
    struct json_object *q = member(e, "question", json_type_object);
    struct blame_question question = {.kpi = text_in(q, "kpi"),
                                      .kpi_signal = text_in(q, "kpi_signal"),
                                      .segment = text_in(q, "segment"),
                                      .reported_ns = number_in(q, "reported_ns")};
    return blame_case_seal(c, &question);
}

static enum status fill(struct json_object *e, struct blame_case *c)
{
    static const struct {
        const char *key;
        enum status (*add)(struct json_object *list, struct blame_case *c);
    } parts[] = {{"entities", add_entities}, {"names", add_names},
                 {"signals", add_signals},   {"edges", add_edges},
                 {"events", add_events},     {"facts", add_facts}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct json_object *list = member(e, parts[i].key, json_type_array);
        if (!list)
            return ST_CORRUPT;
        ST_TRY(parts[i].add(list, c));
    }
    return seal(e, c);
}

static struct blame_map map_of(struct json_object *e)
{
    struct blame_map m = {.points = 0};
    struct json_object *list = member(e, "map", json_type_array);
    size_t n = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n && m.points < BLAME_STATE_MAX; i++) {
        struct json_object *p = json_object_array_get_idx(list, i);
        if (!json_object_is_type(p, json_type_array) ||
            json_object_array_length(p) != 2)
            continue;
        m.share[m.points] = json_object_get_double(json_object_array_get_idx(p, 0));
        m.right[m.points++] = json_object_get_double(json_object_array_get_idx(p, 1));
    }
    return m;
}

// --- What it says

static const char *compare(const struct blame_case *c, const struct blame_answer *a,
                           const struct record_incident *i)
{
    if (!span_is(i->verdict, blame_verdict_text(a->verdict)))
        return "the windows give another verdict than the record";
    for (uint32_t k = 0; k < i->suspects; k++)
        if (k >= a->suspects || !span_equal(c->entity[a->rank[k]].name, i->suspect[k]))
            return "the windows give other suspects than the record";
    return NULL;
}

static enum status judge(const struct blame_case *c, struct json_object *evidence,
                         const struct record_incident *i, const char **why)
{
    struct blame_answer a;
    struct blame_map map = map_of(evidence);
    uint8_t digest[32];
    ST_TRY(blame_digest(c, digest));
    if (memcmp(digest, i->evidence, sizeof digest) != 0) {
        *why = "the windows are not those that the record was taken from";
        return ST_OK;
    }
    ST_TRY(blame_run(c, &map, &a));
    *why = compare(c, &a, i);
    blame_answer_fini(&a);
    return ST_OK;
}

enum status bundle_case_check(struct json_object *evidence,
                              const struct record_incident *i, const char **why)
{
    struct blame_case c;
    *why = NULL;
    ST_TRY(open_case(evidence, &c));
    enum status st = fill(evidence, &c);
    if (st == ST_OK)
        st = judge(&c, evidence, i, why);
    blame_case_fini(&c);
    return st == ST_NOMEM || st == ST_OK ? st : ST_CORRUPT;
}
