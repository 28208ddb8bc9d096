// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/ancestry.h"

#include <string.h>

#include "common/base/mem.h"
#include "controller/log/lineage.h"

struct ancestry {
    bool is_read;
    uint64_t from_ns, number; // of the text that is kept
    uint8_t *text;
    struct lineage lineage;
    uint32_t *up_at, *up; // edges of each node: up_at[n] .. up_at[n + 1]
    uint8_t *mark;
    struct ancestor found[ANCESTRY_MAX];
    uint32_t node[ANCESTRY_MAX];
};

enum status ancestry_open(struct ancestry **out)
{
    *out = MEM_NEW(struct ancestry);
    return *out ? ST_OK : ST_NOMEM;
}

void ancestry_drop(struct ancestry *a)
{
    lineage_fini(&a->lineage);
    mem_free(a->text);
    mem_free(a->up_at);
    mem_free(a->up);
    mem_free(a->mark);
    *a = (struct ancestry){.is_read = false};
}

void ancestry_close(struct ancestry *a)
{
    if (!a)
        return;
    ancestry_drop(a);
    mem_free(a);
}

// Edges one behind the other, by what they lead to.
static enum status link(struct ancestry *a)
{
    const struct lineage *l = &a->lineage;
    a->up_at = mem_zero(l->nodes + 2, sizeof *a->up_at);
    a->up = mem_zero(l->edges + 1, sizeof *a->up);
    a->mark = mem_zero(l->nodes + 1, 1);
    if (!a->up_at || !a->up || !a->mark)
        return ST_NOMEM;
    for (uint32_t i = 0; i < l->edges; i++)
        a->up_at[l->edge[i].down + 2]++;
    for (uint32_t n = 2; n < l->nodes + 2; n++)
        a->up_at[n] += a->up_at[n - 1];
    for (uint32_t i = 0; i < l->edges; i++)
        a->up[a->up_at[l->edge[i].down + 1]++] = i;
    return ST_OK;
}

static enum status read(struct ancestry *a, struct span text)
{
    struct lineage_fault fault;
    a->text = mem_copy(text);
    if (!a->text)
        return ST_NOMEM;
    ST_TRY(lineage_parse(span_of(a->text, text.size), &a->lineage, &fault));
    return link(a);
}

static enum status refresh(struct ancestry *a, struct shelf *s, uint64_t at_ns)
{
    struct span text;
    uint64_t from, number;
    ST_TRY(lineage_number(s, &number));
    enum status st = lineage_at(s, at_ns, UINT64_MAX, &text, &from);
    if (st == ST_NOTFOUND)
        ancestry_drop(a);
    ST_TRY(st);
    if (a->is_read && a->from_ns == from && a->number == number)
        return ST_OK;
    ancestry_drop(a);
    st = read(a, text);
    if (st != ST_OK) {
        ancestry_drop(a);
        return st;
    }
    a->is_read = true;
    a->from_ns = from;
    a->number = number;
    return ST_OK;
}

static uint32_t add_parents(struct ancestry *a, uint32_t node, uint64_t at_ns,
                            struct ancestor by, uint32_t n)
{
    const struct lineage *l = &a->lineage;
    for (uint32_t i = a->up_at[node]; i < a->up_at[node + 1]; i++) {
        const struct lineage_edge *e = &l->edge[a->up[i]];
        if (n == ANCESTRY_MAX || a->mark[e->up] || !lineage_holds(e, at_ns))
            continue;
        a->mark[e->up] = 1;
        a->node[n] = e->up;
        a->found[n++] = (struct ancestor){.name = l->node[e->up],
                                          .hops = by.hops + 1,
                                          .is_model = lineage_is_model(l->node[e->up]),
                                          .is_direct = by.is_direct && !by.is_model};
    }
    return n;
}

enum status ancestry_of(struct ancestry *a, struct shelf *s, struct span name,
                        uint64_t at_ns, const struct ancestor **out, uint32_t *count)
{
    *out = a->found;
    *count = 0;
    enum status st = refresh(a, s, at_ns);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    uintptr_t there = (uintptr_t)table_get(a->lineage.by_name, name);
    if (!there)
        return ST_OK;
    uint32_t self = (uint32_t)(there - 1);
    a->mark[self] = 1;
    // The thing itself is no model here: its own parents are direct.
    uint32_t n = add_parents(a, self, at_ns, (struct ancestor){.is_direct = true}, 0);
    for (uint32_t i = 0; i < n; i++)
        n = add_parents(a, a->node[i], at_ns, a->found[i], n);
    a->mark[self] = 0;
    for (uint32_t i = 0; i < n; i++)
        a->mark[a->node[i]] = 0;
    *count = n;
    return ST_OK;
}
