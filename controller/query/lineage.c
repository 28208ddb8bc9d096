// Lineage: what feeds what at a time, what is wrong with it, and what has changed; and
// the business signals.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/lineage.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "controller/query/inside.h"

// The lineage of a time. ST_NOTFOUND: none was declared by then, and that was said.
static enum status read_at(struct call *c, uint64_t at, struct lineage *out,
                           uint64_t *from)
{
    struct span text;
    struct lineage_fault fault;
    enum status st = lineage_at(c->s, at, UINT64_MAX, &text, from);
    if (st == ST_OK)
        st = lineage_parse(text, out, &fault);
    return st;
}

// The argument "at"; now when it is absent. False: refused already.
static bool read_time(struct call *c, uint64_t *at)
{
    struct span v = call_arg(c, "at");
    *at = c->ask->now_ns;
    if (v.size == 0 || text_time(v, at) == ST_OK)
        return true;
    (void)call_refuse(c, CODE_USAGE, "at: write it like 2026-03-01T00:00:00Z");
    return false;
}

static enum status say_none(struct call *c)
{
    return call_refuse(c, CODE_NOT_FOUND,
                       "no lineage holds at that time: kedge lineage import FILE");
}

static void write_edge(struct call *c, const struct lineage *l, uint32_t i)
{
    json_object(c->j);
    json_key_text(c->j, "upstream", l->node[l->edge[i].up]);
    json_key_text(c->j, "downstream", l->node[l->edge[i].down]);
    json_key_time(c->j, "from", l->edge[i].from_ns);
    json_key_time(c->j, "until", l->edge[i].until_ns);
    json_object_end(c->j);
}

enum status answer_lineage_show(struct call *c)
{
    struct lineage l;
    uint64_t at, from;
    if (!read_time(c, &at))
        return ST_OK;
    enum status st = read_at(c, at, &l, &from);
    if (st == ST_NOTFOUND)
        return say_none(c);
    ST_TRY(st);
    json_key_time(c->j, "from", from);
    json_key_u64(c->j, "nodes", l.nodes);
    json_key_u64(c->j, "edges", l.edges);
    json_key(c->j, "lineage");
    json_array(c->j);
    for (uint32_t i = 0; i < l.edges; i++)
        if (lineage_holds(&l.edge[i], at))
            write_edge(c, &l, i);
    json_array_end(c->j);
    lineage_fini(&l);
    return ST_OK;
}

// --- Check

static void write_finding(struct call *c, const char *what, struct span name,
                          uint32_t *n)
{
    json_object(c->j);
    json_key_cstr(c->j, "what", what);
    json_key_text(c->j, "name", name);
    json_object_end(c->j);
    (*n)++;
}

static enum status find_circles(struct call *c, const struct lineage *l, uint32_t *n)
{
    uint32_t count;
    uint8_t *mark = mem_zero(l->nodes + 1, 1);
    if (!mark)
        return ST_NOMEM;
    enum status st = lineage_circles(l, mark, &count);
    for (uint32_t i = 0; i < l->nodes && st == ST_OK; i++)
        if (mark[i])
            write_finding(c, "on a circle", l->node[i], n);
    mem_free(mark);
    return st;
}

static enum status find_unknown(struct call *c, const struct lineage *l, uint32_t *n)
{
    for (uint32_t i = 0; i < l->nodes; i++) {
        uint32_t no;
        if (!lineage_is_model(l->node[i]))
            continue;
        // What feeds nothing may be a consumer; a model in the middle must be known.
        bool feeds = false;
        for (uint32_t e = 0; e < l->edges && !feeds; e++)
            feeds = l->edge[e].up == i;
        enum status st = names_model(c->s, l->node[i], &no);
        if (st == ST_NOTFOUND && feeds)
            write_finding(c, "a model that nobody has reported", l->node[i], n);
        else if (st != ST_NOTFOUND)
            ST_TRY(st);
    }
    return ST_OK;
}

struct orphans {
    const struct lineage *l;
    uint32_t *n;
};

static enum status find_orphan(struct call *c, struct span rest, struct span value,
                               void *with)
{
    const struct orphans *o = with;
    (void)value;
    if (rest.size && !table_get(o->l->by_name, rest))
        write_finding(c, "a model without an edge", rest, o->n);
    return ST_OK;
}

static enum status find_all(struct call *c, const struct lineage *l, uint32_t *n)
{
    struct shelf_key prefix = key_model_number(span_of(NULL, 0));
    struct orphans o = {.l = l, .n = n};
    ST_TRY(find_circles(c, l, n));
    ST_TRY(find_unknown(c, l, n));
    return call_walk(c, SHELF_CATALOG, &prefix, find_orphan, &o);
}

enum status answer_lineage_check(struct call *c)
{
    struct lineage l;
    uint64_t at, from;
    uint32_t found = 0;
    if (!read_time(c, &at))
        return ST_OK;
    enum status st = read_at(c, at, &l, &from);
    if (st == ST_NOTFOUND)
        return say_none(c);
    ST_TRY(st);
    json_key_u64(c->j, "nodes", l.nodes);
    json_key_u64(c->j, "edges", l.edges);
    json_key(c->j, "findings");
    json_array(c->j);
    st = find_all(c, &l, &found);
    json_array_end(c->j);
    json_key_cstr(c->j, "verdict", found ? "look at these" : "fine");
    if (found)
        c->code = CODE_UNHEALTHY;
    lineage_fini(&l);
    return st;
}

// --- Diff

static bool has_edge(const struct lineage *l, uint64_t at, struct span up,
                     struct span down)
{
    for (uint32_t i = 0; i < l->edges; i++)
        if (lineage_holds(&l->edge[i], at) && span_equal(l->node[l->edge[i].up], up) &&
            span_equal(l->node[l->edge[i].down], down))
            return true;
    return false;
}

// The edges of `l` at `at` that `other` has not at `other_at`.
static void write_missing(struct call *c, const char *key, const struct lineage *l,
                          uint64_t at, const struct lineage *other, uint64_t other_at)
{
    json_key(c->j, key);
    json_array(c->j);
    for (uint32_t i = 0; i < l->edges; i++)
        if (lineage_holds(&l->edge[i], at) &&
            !has_edge(other, other_at, l->node[l->edge[i].up],
                      l->node[l->edge[i].down]))
            write_edge(c, l, i);
    json_array_end(c->j);
}

enum status answer_lineage_diff(struct call *c)
{
    struct lineage before = {0}, now = {0};
    uint64_t at, from = 0, from_now = 0;
    if (!read_time(c, &at))
        return ST_OK;
    enum status st = read_at(c, at, &before, &from);
    if (st == ST_NOTFOUND)
        st = ST_OK; // all of it is new
    if (st == ST_OK)
        st = read_at(c, c->ask->now_ns, &now, &from_now);
    if (st == ST_OK) {
        json_key_time(c->j, "before", from);
        json_key_time(c->j, "after", from_now);
        write_missing(c, "added", &now, c->ask->now_ns, &before, at);
        write_missing(c, "removed", &before, at, &now, c->ask->now_ns);
    }
    lineage_fini(&before);
    lineage_fini(&now);
    return st == ST_NOTFOUND ? say_none(c) : st;
}

// --- Business signals

struct signal_row {
    char name[129];
    uint64_t points, last_ns;
    double last;
};

static void flush_signal(struct call *c, const struct signal_row *r)
{
    if (r->points == 0)
        return;
    json_object(c->j);
    json_key_cstr(c->j, "signal", r->name);
    json_key_u64(c->j, "points", r->points);
    json_key_time(c->j, "last", r->last_ns);
    json_key_f64(c->j, "value", r->last);
    json_object_end(c->j);
}

static enum status count_point(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct signal_row *r = with;
    uint64_t at, known;
    size_t n = rest.size ? rest.data[0] : 0;
    if (n > 128 || !key_signal_read(rest, n + 1, &at, &known) || value.size != 8)
        return ST_CORRUPT;
    if (!span_is(span_of(rest.data + 1, n), r->name)) {
        flush_signal(c, r);
        *r = (struct signal_row){.points = 0};
        memcpy(r->name, rest.data + 1, n);
    }
    r->points += r->points == 0 || at != r->last_ns; // told anew: still one
    r->last_ns = at;
    r->last = load_le_f64(value.data);
    return ST_OK;
}

enum status answer_signal_list(struct call *c)
{
    struct shelf_key prefix = key_signals();
    struct signal_row row = {.points = 0};
    json_key(c->j, "signals");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_COMPONENT, &prefix, count_point, &row));
    flush_signal(c, &row);
    json_array_end(c->j);
    return ST_OK;
}
