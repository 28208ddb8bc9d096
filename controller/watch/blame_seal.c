// Blame case, sealed: everything in order, the question resolved.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/watch/blame.h"

#define SEARCH_FIRST 6u // a split needs some windows before it

struct named {
    struct span name;
    uint32_t index;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return span_compare(x->name, y->name);
}

static enum status order_entities(struct blame_case *c)
{
    struct named *list = mem_zero(c->entities + 1, sizeof *list);
    if (!list)
        return ST_NOMEM;
    for (uint32_t i = 0; i < c->entities; i++)
        list[i] = (struct named){c->entity[i].name, i};
    qsort(list, c->entities, sizeof *list, by_name);
    for (uint32_t i = 0; i < c->entities; i++)
        c->entity[list[i].index].order = i;
    mem_free(list);
    return ST_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct blame_signal *x = a, *y = b;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

static int by_downstream(const void *a, const void *b)
{
    const struct blame_edge *x = a, *y = b;
    if (x->downstream != y->downstream)
        return x->downstream < y->downstream ? -1 : 1;
    return x->upstream < y->upstream ? -1 : x->upstream > y->upstream;
}

static int by_time(const void *a, const void *b)
{
    const struct blame_event *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

static int by_fact(const void *a, const void *b)
{
    const struct blame_fact *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->entity < y->entity ? -1 : x->entity > y->entity;
}

static void sort_facts(struct blame_case *c)
{
    uint32_t kept = 0;
    if (c->facts)
        qsort(c->fact, c->facts, sizeof *c->fact, by_fact);
    for (uint32_t i = 0; i < c->facts; i++)
        if (kept == 0 || by_fact(&c->fact[i], &c->fact[kept - 1]) != 0)
            c->fact[kept++] = c->fact[i];
    c->facts = kept;
}

static void sort_all(struct blame_case *c)
{
    if (c->signals)
        qsort(c->signal, c->signals, sizeof *c->signal, by_place);
    if (c->events)
        qsort(c->event, c->events, sizeof *c->event, by_time);
    if (!c->edges)
        return;
    qsort(c->edge, c->edges, sizeof *c->edge, by_downstream);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < c->edges; i++)
        if (by_downstream(&c->edge[i], &c->edge[kept - 1]) != 0)
            c->edge[kept++] = c->edge[i];
    c->edges = kept;
}

// Both directions as lists one behind the other.
static enum status link_edges(struct blame_case *c)
{
    c->up_at = mem_zero(c->entities + 2, sizeof *c->up_at);
    c->down_at = mem_zero(c->entities + 2, sizeof *c->down_at);
    c->up = mem_zero(c->edges + 1, sizeof *c->up);
    c->down = mem_zero(c->edges + 1, sizeof *c->down);
    if (!c->up_at || !c->down_at || !c->up || !c->down)
        return ST_NOMEM;
    for (uint32_t i = 0; i < c->edges; i++) {
        c->up_at[c->edge[i].downstream + 2]++;
        c->down_at[c->edge[i].upstream + 2]++;
    }
    for (uint32_t e = 2; e < c->entities + 2; e++) {
        c->up_at[e] += c->up_at[e - 1];
        c->down_at[e] += c->down_at[e - 1];
    }
    for (uint32_t i = 0; i < c->edges; i++) {
        c->up[c->up_at[c->edge[i].downstream + 1]++] = c->edge[i].upstream;
        c->down[c->down_at[c->edge[i].upstream + 1]++] = c->edge[i].downstream;
    }
    return ST_OK;
}

// The last window that begins at or before `t`; 0 when all are later.
static uint32_t window_at(const struct blame_case *c, uint64_t t)
{
    uint32_t k = 0;
    while (k + 1 < c->windows && c->start_ns[k + 1] <= t)
        k++;
    return k;
}

// The first window that begins at or after `t`; c->windows when none does.
static uint32_t window_from(const struct blame_case *c, uint64_t t)
{
    uint32_t k = 0;
    while (k < c->windows && c->start_ns[k] < t)
        k++;
    return k;
}

static enum status place_times(struct blame_case *c, const struct blame_question *q)
{
    c->first = q->from_ns ? window_from(c, q->from_ns) : 0;
    c->reported = window_at(c, q->reported_ns);
    uint32_t back = c->reported > BLAME_LOOK_BACK ? c->reported - BLAME_LOOK_BACK : 0;
    c->search = q->search_ns ? window_at(c, q->search_ns) : back;
    if (c->search < c->first + SEARCH_FIRST)
        c->search = c->first + SEARCH_FIRST;
    c->last = c->reported + BLAME_LOOK_AHEAD;
    uint32_t end = q->to_ns ? window_at(c, q->to_ns) : c->windows - 1;
    if (c->last > end)
        c->last = end;
    return c->search <= c->last && c->first < c->search ? ST_OK : ST_RANGE;
}

static bool begins(struct span name, const char *text)
{
    size_t n = strlen(text);
    return name.size > n && memcmp(name.data, text, n) == 0;
}

// A thing with nothing but a KPI, or known to nobody but the question, is no cause.
static void mark_pseudo(struct blame_case *c)
{
    uint32_t i = 0;
    for (uint32_t e = 0; e < c->entities; e++) {
        bool all_kpi = c->entity[e].signals > 0;
        for (; i < c->signals && c->signal[i].entity == e; i++)
            all_kpi &= c->kind[c->signal[i].name].family == BLAME_KPI;
        struct span n = c->entity[e].name;
        bool is_named = n.data[0] == '@' || begins(n, "kpi:") ||
                        begins(n, "endpoint:") || begins(n, "consumer:");
        c->entity[e].is_pseudo =
            all_kpi || (c->entity[e].signals == 0 && (is_named || e == c->kpi));
    }
}

static void find_series(struct blame_case *c, const struct blame_question *q)
{
    for (uint32_t i = 0; i < c->signals; i++) {
        const struct blame_signal *s = &c->signal[i];
        if (s->entity != c->kpi)
            continue;
        bool fits = span_equal(c->name[s->name], q->kpi_signal) ||
                    (q->kpi_signal.size == 0 && c->entity[c->kpi].signals == 1);
        if (fits)
            c->kpi_signal = i;
    }
    struct span name = q->kpi_signal;
    if (c->kpi_signal != BLAME_NONE) {
        c->kpi_name = c->signal[c->kpi_signal].name;
        name = c->name[c->kpi_name];
    }
    if (name.size) {
        enum blame_family f = blame_kind_of(name).family;
        c->kpi_kind = f == BLAME_KPI ? BLAME_UNKNOWN : f;
    }
}

// Whether the fact names the segment: "eu", or with its key "region=eu".
static bool is_segment(const struct blame_case *c, const struct blame_fact *f,
                       struct span segment, bool *same_key)
{
    struct span key = c->name[f->key], value = c->name[f->value];
    size_t n = 0;
    while (n < segment.size && segment.data[n] != '=')
        n++;
    if (n == segment.size) {
        *same_key = true;
        return span_equal(value, segment);
    }
    *same_key = span_equal(key, span_of(segment.data, n));
    return *same_key &&
           span_equal(value, span_of(segment.data + n + 1, segment.size - n - 1));
}

// Leaves out what lies in another segment and not in this one. What nobody placed is
// everywhere.
static enum status restrict_to(struct blame_case *c, struct span segment)
{
    uint32_t key = BLAME_NONE;
    bool same_key;
    for (uint32_t i = 0; i < c->facts && key == BLAME_NONE; i++)
        if (is_segment(c, &c->fact[i], segment, &same_key))
            key = c->fact[i].key;
    if (key == BLAME_NONE)
        return ST_RANGE;
    for (uint32_t i = 0; i < c->facts; i++)
        if (c->fact[i].key == key)
            c->entity[c->fact[i].entity].is_elsewhere = true;
    for (uint32_t i = 0; i < c->facts; i++)
        if (is_segment(c, &c->fact[i], segment, &same_key) && c->fact[i].key == key)
            c->entity[c->fact[i].entity].is_elsewhere = false;
    return ST_OK;
}

enum status blame_case_seal(struct blame_case *c, const struct blame_question *q)
{
    if (c->is_sealed)
        return ST_RANGE;
    if (q->kpi.size)
        ST_TRY(blame_case_entity(c, q->kpi, &c->kpi));
    ST_TRY(place_times(c, q));
    ST_TRY(order_entities(c));
    sort_all(c);
    sort_facts(c);
    if (q->segment.size)
        ST_TRY(restrict_to(c, q->segment));
    ST_TRY(link_edges(c));
    if (c->kpi != BLAME_NONE)
        find_series(c, q);
    mark_pseudo(c);
    c->is_sealed = true;
    return ST_OK;
}
