// Incidents: what happened around one, and the ones before that looked like it.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/query/incident_inside.h"
#include "controller/query/timeline.h"

#define PAST_MAX 3u
#define NAMES_MAX 256u // members and suspects that are compared
#define BEFORE_NS (3600ull * 1000000000u)

// --- One line of time

// What concerns this incident: its own leaves, and events of its members.
struct concern {
    char object[INCIDENT_OBJECT_BYTES];
    const struct span *name;
    uint32_t names;
};

static bool is_named(const struct concern *n, struct span model)
{
    for (uint32_t i = 0; i < n->names; i++)
        if (span_equal(n->name[i], model))
            return true;
    return false;
}

static bool concerns(const struct timeline_row *row, void *with)
{
    const struct concern *n = with;
    return span_is(row->object, n->object) || is_named(n, row->object);
}

// --- Signatures

struct signature {
    struct span name[NAMES_MAX]; // in the pool; sorted, each once
    uint32_t names;
};

static void add_name(struct signature *s, struct span name)
{
    uint32_t at = 0;
    while (at < s->names && span_compare(s->name[at], name) < 0)
        at++;
    bool is_there = at < s->names && span_equal(s->name[at], name);
    if (is_there || s->names == NAMES_MAX || name.size == 0)
        return;
    memmove(&s->name[at + 1], &s->name[at], (s->names - at) * sizeof *s->name);
    s->name[at] = name;
    s->names++;
}

// Copied, for the walk gives the pool's memory back.
static enum status add_member(struct call *c, struct span rest, struct span value,
                              void *with)
{
    struct signature *s = with;
    struct record_member m;
    (void)rest;
    size_t used = c->pool->used;
    ST_TRY(records_read(value, &record_member_message, c->pool, &m));
    if (s->names < NAMES_MAX) {
        uint8_t *copy = mem_copy(m.model);
        if (!copy)
            return ST_NOMEM;
        uint32_t before = s->names;
        add_name(s, span_of(copy, m.model.size));
        if (s->names == before)
            mem_free(copy);
    }
    c->pool->used = used;
    return ST_OK;
}

static void signature_fini(struct signature *s)
{
    for (uint32_t i = 0; i < s->names; i++)
        mem_free((void *)(uintptr_t)s->name[i].data);
    s->names = 0;
}

static enum status add_copy(struct signature *s, struct span name)
{
    uint8_t *copy = mem_copy(name);
    uint32_t before = s->names;
    if (!copy)
        return ST_NOMEM;
    add_name(s, span_of(copy, name.size));
    if (s->names == before)
        mem_free(copy);
    return ST_OK;
}

// Who was in it, and who was suspected first.
static enum status take_signature(struct call *c, const struct record_incident *i,
                                  struct signature *out)
{
    struct shelf_key prefix = key_members(i->incident);
    out->names = 0;
    enum status st = call_walk(c, SHELF_ALERT, &prefix, add_member, out);
    for (uint32_t k = 0; k < i->suspects && k < 3 && st == ST_OK; k++)
        st = add_copy(out, i->suspect[k]);
    if (st == ST_OK && i->kpi.size)
        st = add_copy(out, i->kpi);
    return st;
}

// Shared names over all names.
static double likeness(const struct signature *a, const struct signature *b)
{
    uint32_t i = 0, k = 0, both = 0;
    while (i < a->names && k < b->names) {
        int order = span_compare(a->name[i], b->name[k]);
        both += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    uint32_t all = a->names + b->names - both;
    return all ? (double)both / all : 0;
}

// --- The nearest

struct near {
    double like;
    uint64_t number;
    char cause[257], why[257];
    uint64_t onset;
};

struct search {
    const struct record_incident *of;
    struct signature own, other;
    struct near found[PAST_MAX];
    uint32_t n;
};

static void copy_text(char *out, size_t room, struct span text)
{
    size_t n = text.size < room - 1 ? text.size : room - 1;
    if (n)
        memcpy(out, text.data, n);
    out[n] = '\0';
}

static void keep_near(struct search *s, const struct record_incident *i, double like)
{
    uint32_t at = s->n < PAST_MAX ? s->n++ : PAST_MAX;
    for (; at > 0 && like >= s->found[at - 1].like; at--)
        if (at < PAST_MAX)
            s->found[at] = s->found[at - 1];
    if (at == PAST_MAX)
        return;
    struct near *n = &s->found[at];
    *n = (struct near){
        .like = like, .number = case_number(i->incident), .onset = i->onset};
    copy_text(n->cause, sizeof n->cause, i->true_cause);
    copy_text(n->why, sizeof n->why, i->closed_why);
}

static enum status compare(struct call *c, struct span rest, struct span value,
                           void *with)
{
    struct search *s = with;
    struct record_incident i;
    (void)rest;
    ST_TRY(records_read(value, &record_incident_message, c->pool, &i));
    bool is_past = i.state == INCIDENT_CLOSED && i.true_cause.size &&
                   memcmp(i.incident, s->of->incident, CASE_ID_BYTES) != 0 &&
                   i.opened <= s->of->opened;
    if (!is_past)
        return ST_OK;
    enum status st = take_signature(c, &i, &s->other);
    double like = 0.8 * likeness(&s->own, &s->other);
    like += span_equal(i.true_cause, s->of->cause) ? 0.2 : 0;
    signature_fini(&s->other);
    if (st == ST_OK && like > 0)
        keep_near(s, &i, like);
    return st;
}

enum status incident_write_past(struct call *c, const struct record_incident *i)
{
    struct search *s = MEM_NEW(struct search);
    struct shelf_key prefix = key_incidents();
    if (!s)
        return ST_NOMEM;
    s->of = i;
    enum status st = take_signature(c, i, &s->own);
    if (st == ST_OK)
        st = call_walk(c, SHELF_ALERT, &prefix, compare, s);
    json_key(c->j, "past");
    json_array(c->j);
    for (uint32_t k = 0; k < s->n && st == ST_OK; k++) {
        json_object(c->j);
        json_key_u64(c->j, "incident", s->found[k].number);
        json_key_f64(c->j, "likeness", s->found[k].like);
        json_key_cstr(c->j, "cause", s->found[k].cause);
        json_key_cstr(c->j, "why", s->found[k].why);
        json_key_time(c->j, "onset", s->found[k].onset);
        json_object_end(c->j);
    }
    json_array_end(c->j);
    signature_fini(&s->own);
    mem_free(s);
    return st;
}

enum status incident_write_timeline(struct call *c, const struct record_incident *i)
{
    struct signature *names = MEM_NEW(struct signature);
    struct concern n = {.names = 0};
    if (!names)
        return ST_NOMEM;
    enum status st = take_signature(c, i, names);
    if (st == ST_OK && i->cause.size)
        st = add_copy(names, i->cause);
    incidents_object(i->incident, n.object);
    n.name = names->name;
    n.names = names->names;
    uint64_t until = i->closed ? i->closed : UINT64_MAX;
    struct timeline t = {.from_ns = i->onset > BEFORE_NS ? i->onset - BEFORE_NS : 0,
                         .until_ns = until,
                         .wants = concerns,
                         .with = &n};
    if (st == ST_OK)
        st = timeline_write(c, "timeline", &t);
    signature_fini(names);
    mem_free(names);
    return st;
}
