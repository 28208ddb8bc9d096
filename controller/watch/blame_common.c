// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame_common.h"

#include <string.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define MEMBERS_ASKED 512u // of what moved; more of them say the same
#define SHARED_LEAST 0.8
#define LIFT_LEAST 1.5

struct survey {
    const struct blame_case *c;
    uint8_t *moved, *measured; // of each entity
    uint32_t moved_all, measured_all;
    uint32_t *count, *queue; // of each entity
    uint8_t *seen;
    struct blame_common *out;
    uint32_t n;
};

static enum status survey_init(struct survey *v, const struct blame_case *c,
                               const struct blame_answer *a)
{
    size_t n = c->entities + 1;
    *v = (struct survey){.c = c,
                         .moved = mem_zero(n, 1),
                         .measured = mem_zero(n, 1),
                         .count = mem_zero(n, sizeof *v->count),
                         .queue = mem_zero(n, sizeof *v->queue),
                         .seen = mem_zero(n, 1)};
    if (!v->moved || !v->measured || !v->count || !v->queue || !v->seen)
        return ST_NOMEM;
    for (uint32_t e = 0; e < c->entities; e++) {
        const struct blame_finding *f = &a->finding[e];
        v->measured[e] = !c->entity[e].is_pseudo && !c->entity[e].is_elsewhere &&
                         c->entity[e].signals > 0;
        v->moved[e] = v->measured[e] && f->evidence > MOVED;
        v->measured_all += v->measured[e];
        v->moved_all += v->moved[e];
    }
    return ST_OK;
}

static void survey_fini(struct survey *v)
{
    mem_free(v->moved);
    mem_free(v->measured);
    mem_free(v->count);
    mem_free(v->queue);
    mem_free(v->seen);
}

// --- What they share

static struct span name_of(const struct survey *v, const struct blame_common *x)
{
    return x->upstream != BLAME_NONE ? v->c->entity[x->upstream].name
                                     : v->c->name[x->value];
}

static bool is_better(const struct survey *v, const struct blame_common *x,
                      const struct blame_common *y)
{
    if (x->moved_with != y->moved_with)
        return x->moved_with > y->moved_with;
    if (x->all_with != y->all_with)
        return x->all_with < y->all_with;
    return span_compare(name_of(v, x), name_of(v, y)) < 0;
}

static void offer(struct survey *v, struct blame_common x)
{
    x.moved = v->moved_all;
    x.all = v->measured_all;
    double shared = (double)x.moved_with / x.moved;
    double usual = (double)x.all_with / x.all;
    if (shared < SHARED_LEAST || shared < LIFT_LEAST * usual)
        return;
    uint32_t at = v->n < BLAME_COMMON_MAX ? v->n++ : BLAME_COMMON_MAX;
    if (at == BLAME_COMMON_MAX && !is_better(v, &x, &v->out[at - 1]))
        return;
    at -= at == BLAME_COMMON_MAX;
    for (; at > 0 && is_better(v, &x, &v->out[at - 1]); at--)
        v->out[at] = v->out[at - 1];
    v->out[at] = x;
}

// How many of what is measured lie at or behind `e`.
static uint32_t count_behind(struct survey *v, uint32_t e)
{
    const struct blame_case *c = v->c;
    uint32_t n = 0, sum = 0;
    memset(v->seen, 0, c->entities);
    v->queue[n++] = e;
    v->seen[e] = 1;
    for (uint32_t at = 0; at < n; at++) {
        uint32_t x = v->queue[at];
        sum += v->measured[x];
        for (uint32_t i = c->down_at[x]; i < c->down_at[x + 1]; i++)
            if (!v->seen[c->down[i]]) {
                v->seen[c->down[i]] = 1;
                v->queue[n++] = c->down[i];
            }
    }
    return sum;
}

static void ask_lineage(struct survey *v)
{
    const struct blame_case *c = v->c;
    uint32_t asked = 0;
    for (uint32_t e = 0; e < c->entities && asked < MEMBERS_ASKED; e++) {
        if (!v->moved[e])
            continue;
        memset(v->seen, 0, c->entities);
        (void)graph_reach(c, e, v->seen, v->queue);
        for (uint32_t x = 0; x < c->entities; x++)
            v->count[x] += v->seen[x];
        asked++;
    }
    for (uint32_t e = 0; e < c->entities; e++) {
        bool may = v->count[e] >= SHARED_LEAST * asked && !c->entity[e].is_pseudo;
        if (may && asked == v->moved_all)
            offer(v, (struct blame_common){.upstream = e,
                                           .key = BLAME_NONE,
                                           .value = BLAME_NONE,
                                           .moved_with = v->count[e],
                                           .all_with = count_behind(v, e)});
    }
}

static void ask_facts(struct survey *v)
{
    const struct blame_case *c = v->c;
    for (uint32_t i = 0; i < c->facts;) {
        struct blame_common x = {
            .upstream = BLAME_NONE, .key = c->fact[i].key, .value = c->fact[i].value};
        for (; i < c->facts && c->fact[i].key == x.key && c->fact[i].value == x.value;
             i++) {
            x.moved_with += v->moved[c->fact[i].entity];
            x.all_with += v->measured[c->fact[i].entity];
        }
        offer(v, x);
    }
}

enum status blame_common_find(const struct blame_case *c, const struct blame_answer *a,
                              struct blame_common out[BLAME_COMMON_MAX],
                              uint32_t *count)
{
    struct survey v;
    *count = 0;
    enum status st = survey_init(&v, c, a);
    v.out = out;
    if (st == ST_OK && v.moved_all >= BLAME_COMMON_LEAST) {
        ask_lineage(&v);
        ask_facts(&v);
        *count = v.n;
    }
    survey_fini(&v);
    return st;
}

// --- In which segment

#define PURE 0.8 // of what precision and recall say together
#define PAIR_GAIN 0.05
#define SINGLES 16u

// One way to cut: the entities of one fact, or of two.
struct cut {
    uint32_t from[2]; // where the facts begin in the case
    uint32_t facts;
    uint32_t inside_moved, inside;
    double value; // F1 of "inside" as a guess at "moved"
};

static bool same_fact(const struct blame_fact *a, const struct blame_fact *b)
{
    return a->key == b->key && a->value == b->value;
}

static double f1(uint32_t both, uint32_t inside, uint32_t moved)
{
    return inside + moved ? 2.0 * both / (inside + moved) : 0;
}

// v->seen marks what lies behind the suspect; v->count is free for marks.
static struct cut measure_cut(struct survey *v, uint32_t a, uint32_t b, uint32_t moved)
{
    const struct blame_case *c = v->c;
    struct cut cut = {.from = {a, b}, .facts = b == BLAME_NONE ? 1 : 2};
    memset(v->count, 0, c->entities * sizeof *v->count);
    if (b != BLAME_NONE)
        for (uint32_t i = b; i < c->facts && same_fact(&c->fact[i], &c->fact[b]); i++)
            v->count[c->fact[i].entity] = 1;
    for (uint32_t i = a; i < c->facts && same_fact(&c->fact[i], &c->fact[a]); i++) {
        uint32_t e = c->fact[i].entity;
        if (!v->seen[e] || !v->measured[e] || (b != BLAME_NONE && !v->count[e]))
            continue;
        cut.inside++;
        cut.inside_moved += v->moved[e];
    }
    cut.value = f1(cut.inside_moved, cut.inside, moved);
    return cut;
}

static void keep_best(const struct survey *v, struct cut *list, uint32_t *n,
                      struct cut cut)
{
    const struct blame_fact *f = v->c->fact;
    uint32_t at = *n < SINGLES ? (*n)++ : SINGLES;
    for (; at > 0; at--) {
        const struct cut *o = &list[at - 1];
        bool wins =
            cut.value > o->value || (cut.value == o->value &&
                                     span_compare(v->c->name[f[cut.from[0]].value],
                                                  v->c->name[f[o->from[0]].value]) < 0);
        if (!wins)
            break;
        if (at < SINGLES)
            list[at] = *o;
    }
    if (at < SINGLES)
        list[at] = cut;
}

static struct cut best_cut(struct survey *v, uint32_t moved)
{
    const struct blame_case *c = v->c;
    struct cut list[SINGLES], best = {.facts = 0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->facts; i++)
        if (i == 0 || !same_fact(&c->fact[i], &c->fact[i - 1]))
            keep_best(v, list, &n, measure_cut(v, i, BLAME_NONE, moved));
    if (n)
        best = list[0];
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            if (c->fact[list[i].from[0]].key == c->fact[list[k].from[0]].key)
                continue;
            struct cut cut = measure_cut(v, list[i].from[0], list[k].from[0], moved);
            if (cut.value > best.value + (best.facts == 1 ? PAIR_GAIN : 0))
                best = cut;
        }
    return best;
}

static void tell(const struct survey *v, const struct cut *cut, uint32_t moved,
                 uint32_t all, struct blame_segment *out)
{
    bool is_one = cut->facts && cut->value >= PURE && cut->inside < all;
    if (!is_one)
        return;
    *out = (struct blame_segment){.facts = cut->facts,
                                  .inside_moved = cut->inside_moved,
                                  .inside = cut->inside,
                                  .outside_moved = moved - cut->inside_moved,
                                  .outside = all - cut->inside};
    for (uint32_t i = 0; i < cut->facts; i++) {
        out->key[i] = v->c->fact[cut->from[i]].key;
        out->value[i] = v->c->fact[cut->from[i]].value;
    }
}

enum status blame_segment_find(const struct blame_case *c, const struct blame_answer *a,
                               uint32_t entity, struct blame_segment *out)
{
    struct survey v;
    *out = (struct blame_segment){.facts = 0};
    enum status st = survey_init(&v, c, a);
    if (st == ST_OK && c->facts) {
        uint32_t moved = 0, all = count_behind(&v, entity);
        for (uint32_t e = 0; e < c->entities; e++)
            moved += v.seen[e] && v.moved[e];
        if (moved >= BLAME_COMMON_LEAST) {
            struct cut cut = best_cut(&v, moved);
            tell(&v, &cut, moved, all, out);
        }
    }
    survey_fini(&v);
    return st;
}
