// Scene: what an answer was taken from, for whoever wants to find it again elsewhere.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/watch/scene.h"

static void put_signal(const struct blame_case *c, const struct blame_signal *s,
                       struct buf *bytes, struct buf *text, struct json *j)
{
    buf_clear(bytes);
    buf_clear(text);
    for (uint32_t k = 0; k < c->windows; k++)
        buf_put_le_f64(bytes, isnan(s->value[k]) ? (double)NAN : s->value[k]);
    text_put_base64url(text, buf_span(bytes));
    json_object(j);
    json_key_text(j, "entity", c->entity[s->entity].name);
    json_key_text(j, "signal", c->name[s->name]);
    json_key_text(j, "values", buf_span(text));
    json_object_end(j);
}

static enum status put_signals(const struct blame_case *c, struct json *j)
{
    struct buf bytes, text;
    buf_init(&bytes, (size_t)BLAME_WINDOWS_MAX * 8);
    buf_init(&text, (size_t)BLAME_WINDOWS_MAX * 16);
    json_key(j, "signals");
    json_array(j);
    for (uint32_t i = 0; i < c->signals; i++)
        put_signal(c, &c->signal[i], &bytes, &text, j);
    json_array_end(j);
    enum status st = bytes.failed != ST_OK ? bytes.failed : text.failed;
    buf_fini(&bytes);
    buf_fini(&text);
    return st;
}

// In their order, which decides that of everything else.
static void put_names(const struct blame_case *c, struct json *j)
{
    json_key(j, "entities");
    json_array(j);
    for (uint32_t i = 0; i < c->entities; i++)
        json_text(j, c->entity[i].name);
    json_array_end(j);
    json_key(j, "names");
    json_array(j);
    for (uint32_t i = 0; i < c->names; i++)
        json_text(j, c->name[i]);
    json_array_end(j);
}

static void put_graph(const struct blame_case *c, struct json *j)
{
    json_key(j, "edges");
    json_array(j);
    for (uint32_t i = 0; i < c->edges; i++) {
        json_array(j);
        json_text(j, c->entity[c->edge[i].upstream].name);
        json_text(j, c->entity[c->edge[i].downstream].name);
        json_array_end(j);
    }
    json_array_end(j);
    json_key(j, "events");
    json_array(j);
    for (uint32_t i = 0; i < c->events; i++) {
        const struct blame_event *e = &c->event[i];
        json_object(j);
        json_key_text(j, "entity", c->entity[e->entity].name);
        json_key_u64(j, "at_ns", e->at_ns);
        json_key_text(j, "kind", c->name[e->text]);
        if (e->detail != BLAME_NONE)
            json_key_text(j, "what", c->name[e->detail]);
        json_object_end(j);
    }
    json_array_end(j);
    json_key(j, "facts");
    json_array(j);
    for (uint32_t i = 0; i < c->facts; i++) {
        json_array(j);
        json_text(j, c->entity[c->fact[i].entity].name);
        json_text(j, c->name[c->fact[i].key]);
        json_text(j, c->name[c->fact[i].value]);
        json_array_end(j);
    }
    json_array_end(j);
}

static void put_question(const struct blame_case *c, const struct scene_ask *q,
                         struct json *j)
{
    json_key(j, "question");
    json_object(j);
    json_key_text(j, "kpi", c->entity[c->kpi].name);
    if (c->kpi_signal != BLAME_NONE)
        json_key_text(j, "kpi_signal", c->name[c->signal[c->kpi_signal].name]);
    json_key_u64(j, "reported_ns", c->start_ns[c->reported]);
    json_key_text(j, "segment", q->segment);
    json_object_end(j);
    json_key_u64(j, "window_ns", c->window_ns);
    json_key(j, "start_ns");
    json_array(j);
    for (uint32_t k = 0; k < c->windows; k++)
        json_u64(j, c->start_ns[k]);
    json_array_end(j);
}

static void put_map(const struct blame_map *m, struct json *j)
{
    json_key(j, "map");
    json_array(j);
    for (uint32_t i = 0; i < m->points; i++) {
        json_array(j);
        json_f64(j, m->share[i]);
        json_f64(j, m->right[i]);
        json_array_end(j);
    }
    json_array_end(j);
}

enum status scene_evidence(struct shelf *s, const struct scene_ask *q, struct json *j,
                           const char **why)
{
    struct blame_case c;
    struct blame_map map;
    ST_TRY(scene_build(s, q, &c, why));
    enum status st = scene_map(s, q->known_ns, &map);
    if (st == ST_OK && (uint64_t)c.signals * c.windows > SCENE_EVIDENCE_MAX)
        st = ST_FULL;
    if (st == ST_OK) {
        put_question(&c, q, j);
        put_names(&c, j);
        put_graph(&c, j);
        put_map(&map, j);
        st = put_signals(&c, j);
    }
    blame_case_fini(&c);
    return st;
}
