// Profile: adding one to another. What can fail comes first, so a failure changes
// nothing.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "common/sketch/counts.h"
#include "common/sketch/profile_inner.h"

static bool has_sketches(const struct profile *p)
{
    return (p->quantile && quantile_n(p->quantile) > 0) ||
           (p->distinct && !distinct_is_empty(p->distinct)) ||
           (p->topk && topk_total(p->topk) > 0);
}

static bool is_empty(const struct profile *p)
{
    return p->counters.rows == 0 && !has_sketches(p);
}

static enum status check(const struct profile *into, const struct profile *from)
{
    if (is_empty(into))
        return ST_OK;
    if (into->kind != from->kind)
        return ST_CONFLICT;
    if (into->width != from->width && into->kind != PROFILE_CATEGORICAL)
        return ST_CONFLICT;
    if (into->counters.rows && from->counters.rows) {
        if (into->grid_id != from->grid_id || into->cells != from->cells)
            return ST_CONFLICT;
        if (into->counters.rows > PROFILE_ROWS_MAX - from->counters.rows)
            return ST_FULL;
    }
    return ST_OK;
}

// The sketches after merging: into's own ones, or new ones where it has none.
struct merged {
    struct quantile *quantile;
    struct distinct *distinct;
    struct topk *topk;
};

static void keep(struct profile *into, const struct merged *m)
{
    into->quantile = m->quantile;
    into->distinct = m->distinct;
    into->topk = m->topk;
}

// Closes what was opened in vain.
static void drop(const struct profile *into, const struct merged *m)
{
    if (m->quantile != into->quantile)
        quantile_close(m->quantile);
    if (m->distinct != into->distinct)
        distinct_close(m->distinct);
    if (m->topk != into->topk)
        topk_close(m->topk);
}

static enum status open_missing(const struct profile *into, const struct profile *from,
                                struct merged *m)
{
    struct quantile *q = from->quantile;
    if (q && !m->quantile)
        ST_TRY(quantile_open(quantile_type_of(q), quantile_k(q), into->seed,
                             &m->quantile));
    if (from->distinct && !m->distinct)
        ST_TRY(distinct_open(DISTINCT_LG_K, &m->distinct));
    if (from->topk && !m->topk)
        ST_TRY(topk_open(topk_lg_max(from->topk), &m->topk));
    return ST_OK;
}

// Memory that merging needs is taken first: after that, only the first merge of each
// kind of profile can fail, and it leaves all as it was.
static enum status merge_sketches(const struct profile *from, struct merged *m)
{
    if (from->distinct)
        ST_TRY(distinct_prepare(m->distinct));
    if (from->quantile)
        ST_TRY(quantile_merge(m->quantile, from->quantile));
    if (from->topk)
        ST_TRY(topk_merge(m->topk, from->topk));
    return from->distinct ? distinct_merge(m->distinct, from->distinct) : ST_OK;
}

// A grid of `from` may not live as long as `into`, so only its id is taken over.
static void adopt(struct profile *into, const struct profile *from)
{
    if (into->grid_id == from->grid_id)
        return;
    into->grid = NULL;
    into->grid_id = from->grid_id;
    into->cells = from->cells;
    memset(into->cell, 0, sizeof into->cell);
}

static void merge_lone(struct profile *into, const struct profile *from)
{
    if (counters_valid(&from->counters) == 0)
        return;
    if (counters_valid(&into->counters) == 0)
        into->lone = from->lone;
    into->is_varied = into->is_varied || from->is_varied || into->lone != from->lone;
}

static void merge_counts(struct profile *into, const struct profile *from)
{
    if (from->counters.rows == 0)
        return;
    if (into->counters.rows == 0)
        adopt(into, from);
    merge_lone(into, from);
    counters_merge(&into->counters, &from->counters);
    into->run.longest = into->counters.run_longest;
    moments_merge(&into->moments, &from->moments);
    comoments_merge(&into->comoments, &from->comoments);
    counts_add(into->cell, from->cell, into->cells);
}

enum status profile_merge(struct profile *into, const struct profile *from)
{
    assert(into != from);
    if (is_empty(from))
        return ST_OK;
    ST_TRY(check(into, from));
    if (is_empty(into) && (into->kind != from->kind || into->width != from->width))
        profile_blank(into); // what it was opened as does not matter any more
    struct merged m = {into->quantile, into->distinct, into->topk};
    enum status st = open_missing(into, from, &m);
    if (st == ST_OK)
        st = merge_sketches(from, &m);
    if (st != ST_OK) {
        drop(into, &m);
        return st;
    }
    keep(into, &m);
    into->kind = from->kind;
    into->width = from->width;
    merge_counts(into, from);
    return ST_OK;
}
