// Scene: the case of an incident, put together from what the store keeps.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "controller/log/lineage.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/watch/scene_facts.h"
#include "controller/watch/scene_model.h"
#include "proto/messages/record.h"

#define MODELS_MAX BLAME_ENTITIES_MAX
#define EVENT_POOL 65536u

struct scene {
    struct shelf *s;
    const struct scene_ask *q;
    struct blame_case *c;
    uint32_t *model; // numbers of those with pulses
    uint32_t models;
    uint64_t at_ns, window_ns, start_ns;
    uint32_t windows;
    uint8_t *memory; // of events
    const char *why;
};

static uint64_t known_of(const struct scene *n)
{
    return n->q->known_ns ? n->q->known_ns : UINT64_MAX;
}

// --- Who is there

static int by_length(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// Every model with a pulse; the newest end, and the usual length of a window.
static enum status look_around(struct scene *n)
{
    struct shelf_key prefix = shelf_key_of('n');
    struct shelf_walk walk;
    struct span key;
    uint64_t newest = 0, *length = mem_zero(MODELS_MAX, sizeof *length);
    if (!length)
        return ST_NOMEM;
    shelf_walk_init(&walk, n->s, SHELF_CATALOG, &prefix);
    enum status st;
    while ((st = shelf_walk_next(&walk, &key, NULL)) == ST_OK &&
           n->models < MODELS_MAX) {
        uint64_t end, span;
        uint32_t model = key.size == 5 ? load_be32(key.data + 1) : 0;
        enum status found = scene_newest(n->s, model, &end, &span);
        if (found == ST_NOTFOUND)
            continue;
        if (found != ST_OK) {
            mem_free(length);
            return found;
        }
        newest = end > newest ? end : newest;
        length[n->models] = span;
        n->model[n->models++] = model;
    }
    if (n->models) {
        qsort(length, n->models, sizeof *length, by_length);
        n->window_ns = length[n->models / 2];
        n->at_ns = n->q->at_ns ? n->q->at_ns : newest - 1;
    }
    mem_free(length);
    return st == ST_EMPTY ? ST_OK : st;
}

// --- Time

static enum status set_axis(struct scene *n)
{
    uint64_t window = n->window_ns, reported = n->at_ns / window;
    uint64_t back = SCENE_BEFORE + BLAME_LOOK_BACK;
    uint64_t start[SCENE_BEFORE + BLAME_LOOK_BACK + BLAME_LOOK_AHEAD + 1];
    uint64_t first = reported > back ? reported - back : 0;
    n->start_ns = first * window;
    n->windows = (uint32_t)(reported - first) + BLAME_LOOK_AHEAD + 1;
    for (uint32_t k = 0; k < n->windows; k++)
        start[k] = n->start_ns + k * window;
    return blame_case_open(n->c, start, n->windows, window);
}

// --- What they measured

static enum status add_models(struct scene *n)
{
    struct scene_room room;
    struct scene_axis axis = {.start_ns = n->start_ns,
                              .window_ns = n->window_ns,
                              .known_ns = known_of(n),
                              .windows = n->windows,
                              .usual = n->windows - BLAME_LOOK_AHEAD - 1};
    axis.usual = axis.usual > BLAME_LOOK_BACK ? axis.usual - BLAME_LOOK_BACK : 1;
    ST_TRY(scene_room_init(&room, n->windows));
    enum status st = ST_OK;
    for (uint32_t i = 0; i < n->models && st == ST_OK; i++)
        st = scene_model(n->s, n->model[i], &axis, &room, n->c);
    scene_room_fini(&room);
    return st;
}

// Points of a KPI on their way into windows. A point that was told anew replaces the
// older one, as soon as that was known.
struct points {
    double *series; // NULL: none yet
    double count[SCENE_BEFORE + BLAME_LOOK_BACK + BLAME_LOOK_AHEAD + 1];
    uint64_t at_ns; // of the point that waits
    double value;
    bool waits;
};

static void take_point(const struct scene *n, struct points *p)
{
    if (!p->waits)
        return;
    uint64_t k = (p->at_ns - n->start_ns) / n->window_ns;
    p->count[k]++;
    double *to = &p->series[k];
    *to = p->count[k] == 1 ? p->value : *to + (p->value - *to) / p->count[k];
    p->waits = false;
}

static enum status add_point(struct scene *n, struct span name, uint64_t at_ns,
                             double value, struct points *p)
{
    uint32_t e;
    if (!p->series) {
        ST_TRY(blame_case_entity(n->c, name, &e));
        ST_TRY(blame_case_signal(n->c, e, span_text("kpi"), &p->series));
    }
    if (at_ns != p->at_ns)
        take_point(n, p);
    p->at_ns = at_ns;
    p->value = value;
    p->waits = true;
    return ST_OK;
}

// The mean of the points of `signal` in each window, as the entity `name`.
static enum status add_points(struct scene *n, struct span signal, struct span name,
                              bool *is_there)
{
    struct shelf_key prefix = key_signal_of(signal);
    struct points p = {.series = NULL};
    struct shelf_walk walk;
    struct span key, value;
    enum status st;
    shelf_walk_init(&walk, n->s, SHELF_COMPONENT, &prefix);
    walk.at = key_signal(signal, n->start_ns, 0); // begin where the windows do
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK) {
        uint64_t at, known;
        if (!key_signal_read(key, prefix.size, &at, &known) || value.size != 8)
            continue;
        if (at >= n->start_ns + n->windows * n->window_ns)
            break;
        if (at >= n->start_ns && known <= known_of(n))
            ST_TRY(add_point(n, name, at, load_le_f64(value.data), &p));
    }
    take_point(n, &p);
    *is_there = p.series != NULL;
    return st == ST_EMPTY ? ST_OK : st;
}

// A signal may be told by segment: NAME/SEGMENT.
static enum status add_kpi(struct scene *n, struct span name, bool *is_there)
{
    struct buf own;
    *is_there = false;
    if (n->q->segment.size) {
        buf_init(&own, 2 * BLAME_NAME_MAX);
        buf_put_span(&own, name);
        buf_put_text(&own, "/");
        buf_put_span(&own, n->q->segment);
        enum status st = own.failed;
        if (st == ST_OK)
            st = add_points(n, buf_span(&own), name, is_there);
        buf_fini(&own);
        ST_TRY(st);
    }
    return *is_there ? ST_OK : add_points(n, name, name, is_there);
}

static enum status add_lineage(struct scene *n)
{
    struct span text;
    struct lineage l;
    struct lineage_fault fault;
    uint64_t from;
    enum status st = lineage_at(n->s, n->at_ns, known_of(n), &text, &from);
    if (st == ST_NOTFOUND)
        return ST_OK; // the answer will be "Not sure"
    ST_TRY(st);
    ST_TRY(lineage_parse(text, &l, &fault));
    for (uint32_t i = 0; i < l.edges && st == ST_OK; i++) {
        uint32_t up, down;
        if (!lineage_holds(&l.edge[i], n->at_ns))
            continue;
        st = blame_case_entity(n->c, l.node[l.edge[i].up], &up);
        if (st == ST_OK)
            st = blame_case_entity(n->c, l.node[l.edge[i].down], &down);
        if (st == ST_OK)
            st = blame_case_edge(n->c, up, down);
    }
    lineage_fini(&l);
    return st;
}

static enum status add_event(struct scene *n, struct span value)
{
    struct record_event e;
    struct pool pool;
    uint32_t entity;
    pool_init(&pool, n->memory, EVENT_POOL);
    ST_TRY(records_read(value, &record_event_message, &pool, &e));
    if (e.model.size == 0 || e.kind.size == 0 || e.wall > known_of(n))
        return ST_OK;
    ST_TRY(blame_case_entity(n->c, e.model, &entity));
    return blame_case_event_told(n->c, entity, e.at, e.kind, e.text);
}

static enum status add_events(struct scene *n)
{
    struct shelf_key at = key_event(n->start_ns, 0);
    uint64_t end = n->start_ns + n->windows * n->window_ns;
    struct span key, value;
    enum status st =
        n->s->seek(n->s->self, SHELF_EVENT, shelf_key_span(&at), &key, &value);
    for (uint32_t i = 0; st == ST_OK && i < BLAME_EVENTS_MAX; i++) {
        if (key.size != 16 || load_be64(key.data) >= end)
            break;
        at = key_event(load_be64(key.data), load_be64(key.data + 8) + 1);
        ST_TRY(add_event(n, value));
        st = n->s->seek(n->s->self, SHELF_EVENT, shelf_key_span(&at), &key, &value);
    }
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status fill(struct scene *n)
{
    struct span name = n->q->kpi.size ? n->q->kpi : n->q->model;
    struct blame_question q = {
        .kpi = name, .reported_ns = n->at_ns, .segment = n->q->segment};
    bool has_points = false;
    uint32_t e;
    ST_TRY(add_models(n));
    ST_TRY(add_lineage(n));
    if (n->q->kpi.size)
        ST_TRY(add_kpi(n, name, &has_points));
    if (blame_case_find(n->c, name, &e) != ST_OK) {
        n->why = "nothing by that name has values or stands in the lineage";
        return ST_NOTFOUND;
    }
    ST_TRY(add_events(n));
    ST_TRY(scene_facts(n->s, n->start_ns, n->c));
    if (!n->q->kpi.size)
        q.kpi_signal = span_text("out_drift");
    return blame_case_seal(n->c, &q);
}

static enum status build(struct scene *n)
{
    ST_TRY(look_around(n));
    if (n->models == 0) {
        n->why = "no model has sent a window yet";
        return ST_NOTFOUND;
    }
    ST_TRY(set_axis(n));
    enum status st = fill(n);
    if (st != ST_OK)
        blame_case_fini(n->c);
    if (st == ST_RANGE)
        n->why = n->q->segment.size
                     ? "nothing is in that segment, or too few windows before that time"
                     : "too few windows before that time";
    return st;
}

enum status scene_build(struct shelf *s, const struct scene_ask *q,
                        struct blame_case *out, const char **why)
{
    struct scene n = {.s = s,
                      .q = q,
                      .c = out,
                      .model = mem_zero(MODELS_MAX, sizeof *n.model),
                      .memory = mem_zero(1, EVENT_POOL),
                      .why = ""};
    enum status st = n.model && n.memory ? build(&n) : ST_NOMEM;
    mem_free(n.model);
    mem_free(n.memory);
    *why = n.why;
    return st;
}
