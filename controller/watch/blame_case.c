// Blame case: collects entities, signals, lineage and events, and puts them in order.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum {
    ROOM_ENTITY,
    ROOM_SIGNAL,
    ROOM_EDGE,
    ROOM_EVENT,
    ROOM_NAME,
    ROOM_KIND,
    ROOM_FACT
};

// Room for one more item in an array; doubles it.
static enum status grow(struct blame_case *c, int room, void **items, uint32_t used,
                        size_t size, uint32_t limit)
{
    if (used >= limit)
        return ST_FULL;
    if (used < c->rooms[room])
        return ST_OK;
    uint32_t want = c->rooms[room] ? c->rooms[room] * 2 : 64;
    want = want > limit ? limit : want;
    void *more = mem_resize(*items, want, size);
    if (!more)
        return ST_NOMEM;
    *items = more;
    c->rooms[room] = want;
    return ST_OK;
}

enum status blame_case_open(struct blame_case *c, const uint64_t *start_ns,
                            uint32_t windows, uint64_t window_ns)
{
    *c = (struct blame_case){.window_ns = window_ns,
                             .windows = windows,
                             .kpi = BLAME_NONE,
                             .kpi_signal = BLAME_NONE,
                             .kpi_name = BLAME_NONE,
                             .kpi_kind = BLAME_UNKNOWN};
    if (windows == 0 || windows > BLAME_WINDOWS_MAX || window_ns == 0)
        return ST_RANGE;
    for (uint32_t i = 1; i < windows; i++)
        if (start_ns[i] <= start_ns[i - 1])
            return ST_RANGE;
    c->start_ns =
        (uint64_t *)mem_copy(span_of(start_ns, windows * sizeof *c->start_ns));
    if (!c->start_ns || table_open(BLAME_ENTITIES_MAX, &c->by_name) != ST_OK ||
        table_open(BLAME_SIGNALS_MAX, &c->by_text) != ST_OK ||
        table_open(BLAME_SIGNALS_MAX, &c->by_signal) != ST_OK) {
        blame_case_fini(c);
        return ST_NOMEM;
    }
    return ST_OK;
}

void blame_case_fini(struct blame_case *c)
{
    for (uint32_t i = 0; i < c->entities; i++)
        mem_free((void *)(uintptr_t)c->entity[i].name.data);
    for (uint32_t i = 0; i < c->names; i++)
        mem_free((void *)(uintptr_t)c->name[i].data);
    for (uint32_t i = 0; i < c->signals; i++)
        mem_free(c->signal[i].value);
    void *held[] = {c->start_ns, c->entity, c->signal, c->edge, c->event,   c->name,
                    c->kind,     c->up_at,  c->up,     c->down, c->down_at, c->fact};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        mem_free(held[i]);
    table_close(c->by_name, NULL);
    table_close(c->by_text, NULL);
    table_close(c->by_signal, NULL);
    *c = (struct blame_case){0};
}

// --- Names

static enum status own_name(struct span name, struct span *out)
{
    if (name.size == 0 || name.size > BLAME_NAME_MAX)
        return ST_RANGE;
    void *copy = mem_copy(name);
    *out = span_of(copy, name.size);
    return copy ? ST_OK : ST_NOMEM;
}

// Tables keep index + 1 as their pointer.
static uint32_t index_of(const struct table *t, struct span name)
{
    uintptr_t v = (uintptr_t)table_get(t, name);
    return v ? (uint32_t)(v - 1) : BLAME_NONE;
}

enum status blame_case_find(const struct blame_case *c, struct span name, uint32_t *out)
{
    uint32_t i = index_of(c->by_name, name);
    if (i == BLAME_NONE)
        return ST_NOTFOUND;
    *out = i;
    return ST_OK;
}

enum status blame_case_entity(struct blame_case *c, struct span name, uint32_t *out)
{
    if (blame_case_find(c, name, out) == ST_OK)
        return ST_OK;
    struct blame_entity e = {.order = 0};
    ST_TRY(grow(c, ROOM_ENTITY, (void **)&c->entity, c->entities, sizeof e,
                BLAME_ENTITIES_MAX));
    ST_TRY(own_name(name, &e.name));
    enum status st = table_put(c->by_name, name, (void *)((uintptr_t)c->entities + 1));
    if (st != ST_OK) {
        mem_free((void *)(uintptr_t)e.name.data);
        return st;
    }
    c->entity[c->entities] = e;
    *out = c->entities++;
    return ST_OK;
}

static enum status text_index(struct blame_case *c, struct span text, uint32_t *out)
{
    *out = index_of(c->by_text, text);
    if (*out != BLAME_NONE)
        return ST_OK;
    struct span own;
    ST_TRY(
        grow(c, ROOM_NAME, (void **)&c->name, c->names, sizeof own, BLAME_SIGNALS_MAX));
    ST_TRY(grow(c, ROOM_KIND, (void **)&c->kind, c->names, sizeof *c->kind,
                BLAME_SIGNALS_MAX));
    ST_TRY(own_name(text, &own));
    enum status st = table_put(c->by_text, text, (void *)((uintptr_t)c->names + 1));
    if (st != ST_OK) {
        mem_free((void *)(uintptr_t)own.data);
        return st;
    }
    c->name[c->names] = own;
    c->kind[c->names] = blame_kind_of(own);
    *out = c->names++;
    return ST_OK;
}

enum status blame_case_name(struct blame_case *c, struct span text)
{
    uint32_t index;
    return text_index(c, text, &index);
}

// --- Filling

#define SIGNAL_KEY 8u

static void signal_key(uint32_t entity, uint32_t name, uint8_t out[SIGNAL_KEY])
{
    store_be32(out, entity);
    store_be32(out + 4, name);
}

static uint32_t signal_index(const struct blame_case *c, uint32_t entity,
                             struct span text)
{
    uint8_t key[SIGNAL_KEY];
    uint32_t name = index_of(c->by_text, text);
    if (name == BLAME_NONE)
        return BLAME_NONE;
    signal_key(entity, name, key);
    return index_of(c->by_signal, span_of(key, sizeof key));
}

enum status blame_case_signal(struct blame_case *c, uint32_t entity, struct span name,
                              double **value)
{
    struct blame_signal s = {.entity = entity};
    if (entity >= c->entities)
        return ST_RANGE;
    uint32_t there = signal_index(c, entity, name);
    if (there != BLAME_NONE) {
        *value = c->signal[there].value;
        return ST_EXISTS;
    }
    if ((uint64_t)(c->signals + 1) * c->windows > BLAME_CELLS_MAX)
        return ST_FULL;
    ST_TRY(text_index(c, name, &s.name));
    ST_TRY(grow(c, ROOM_SIGNAL, (void **)&c->signal, c->signals, sizeof s,
                BLAME_SIGNALS_MAX));
    s.value = mem_zero(c->windows, sizeof *s.value);
    if (!s.value)
        return ST_NOMEM;
    uint8_t key[SIGNAL_KEY];
    signal_key(s.entity, s.name, key);
    enum status st = table_put(c->by_signal, span_of(key, sizeof key),
                               (void *)((uintptr_t)c->signals + 1));
    if (st != ST_OK) {
        mem_free(s.value);
        return st;
    }
    for (uint32_t i = 0; i < c->windows; i++)
        s.value[i] = NAN;
    *value = s.value;
    c->signal[c->signals++] = s;
    c->entity[entity].signals++;
    return ST_OK;
}

enum status blame_case_edge(struct blame_case *c, uint32_t upstream,
                            uint32_t downstream)
{
    if (upstream >= c->entities || downstream >= c->entities)
        return ST_RANGE;
    if (upstream == downstream)
        return ST_OK; // says nothing
    ST_TRY(grow(c, ROOM_EDGE, (void **)&c->edge, c->edges, sizeof *c->edge,
                BLAME_EDGES_MAX));
    c->edge[c->edges++] = (struct blame_edge){upstream, downstream};
    return ST_OK;
}

enum status blame_case_event_told(struct blame_case *c, uint32_t entity, uint64_t at_ns,
                                  struct span text, struct span detail)
{
    struct blame_event e = {.entity = entity, .at_ns = at_ns, .detail = BLAME_NONE};
    if (entity >= c->entities)
        return ST_RANGE;
    ST_TRY(text_index(c, text, &e.text));
    if (detail.size && detail.size <= BLAME_NAME_MAX)
        ST_TRY(text_index(c, detail, &e.detail));
    ST_TRY(
        grow(c, ROOM_EVENT, (void **)&c->event, c->events, sizeof e, BLAME_EVENTS_MAX));
    c->event[c->events++] = e;
    return ST_OK;
}

enum status blame_case_event(struct blame_case *c, uint32_t entity, uint64_t at_ns,
                             struct span text)
{
    return blame_case_event_told(c, entity, at_ns, text, span_of(NULL, 0));
}

enum status blame_case_fact(struct blame_case *c, uint32_t entity, struct span key,
                            struct span value)
{
    struct blame_fact f = {.entity = entity};
    if (entity >= c->entities)
        return ST_RANGE;
    ST_TRY(text_index(c, key, &f.key));
    ST_TRY(text_index(c, value, &f.value));
    ST_TRY(grow(c, ROOM_FACT, (void **)&c->fact, c->facts, sizeof f, BLAME_FACTS_MAX));
    c->fact[c->facts++] = f;
    return ST_OK;
}

uint32_t blame_case_fact_of(const struct blame_case *c, uint32_t entity,
                            const char *key)
{
    uint32_t name = index_of(c->by_text, span_text(key));
    for (uint32_t i = 0; i < c->facts && name != BLAME_NONE; i++)
        if (c->fact[i].key == name && c->fact[i].entity == entity)
            return c->fact[i].value;
    return BLAME_NONE;
}

// --- Kinds

static uint8_t small(uint8_t letter)
{
    return letter >= 'A' && letter <= 'Z' ? (uint8_t)(letter + 32) : letter;
}

static bool has(struct span name, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= name.size; i++) {
        size_t k = 0;
        while (k < n && small(name.data[i + k]) == (uint8_t)part[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

// The first row that fits decides, so "latency of errors" would be latency.
static const struct {
    const char *part;
    struct blame_kind kind;
} kinds[] = {
    {"kpi", {BLAME_KPI, false, false, false}},
    {"in_drift", {BLAME_DRIFT, false, true, false}},
    {"input", {BLAME_DRIFT, false, true, false}},
    {"drift", {BLAME_DRIFT, false, false, false}},
    {"loss", {BLAME_DRIFT, false, false, false}},
    {"lat", {BLAME_LATENCY, false, false, false}},
    {"p50", {BLAME_LATENCY, false, false, false}},
    {"p90", {BLAME_LATENCY, false, false, false}},
    {"p95", {BLAME_LATENCY, false, false, false}},
    {"p99", {BLAME_LATENCY, false, false, false}},
    {"duration", {BLAME_LATENCY, false, false, false}},
    {"availab", {BLAME_ERRORS, true, false, false}},
    {"success", {BLAME_ERRORS, true, false, false}},
    {"err", {BLAME_ERRORS, false, false, false}},
    {"fail", {BLAME_ERRORS, false, false, false}},
    {"missing", {BLAME_ERRORS, false, false, false}},
    {"node", {BLAME_SELF, false, false, true}},
    {"net", {BLAME_SELF, false, false, true}},
    {"syscall", {BLAME_SELF, false, false, true}},
    {"socket", {BLAME_SELF, false, false, true}},
    {"vol", {BLAME_TRAFFIC, false, false, false}},
    {"request", {BLAME_TRAFFIC, false, false, false}},
    {"workload", {BLAME_TRAFFIC, false, false, false}},
    {"load", {BLAME_TRAFFIC, false, false, false}},
    {"rows", {BLAME_TRAFFIC, false, false, false}},
    {"traffic", {BLAME_TRAFFIC, false, false, false}},
};

struct blame_kind blame_kind_of(struct span name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (has(name, kinds[i].part))
            return kinds[i].kind;
    return (struct blame_kind){BLAME_SELF, false, false, false};
}

const char *blame_family_text(enum blame_family f)
{
    static const char *const text[] = {"drift",   "latency", "errors", "traffic",
                                       "its own", "kpi",     "unknown"};
    return text[f <= BLAME_UNKNOWN ? f : BLAME_UNKNOWN];
}
