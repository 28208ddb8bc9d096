// Blame: scores, order, verdict, and a reason for everybody else.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/blame.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define EXPLAINED_MAX 0.75 // a parent takes at most so much
#define LATE_PARENT 0.3    // a parent that moved later explains so much
#define AS_PARENT 1.05     // a source counts a little more as its children's parent
#define NO_PATH 0.05
#define NO_PATH_SURE 0.5 // of the confidence
#define CONTRADICTED_SURE 0.7
#define OWN_OF_KPI 0.35
#define CHANGED 1.8
#define KPI_MOVED 3.0    // gain or effect from which on the KPI counts as having moved
#define STANDS_ALONE 0.9 // share of a suspect without a rival
#define STILL_KPI_SURE 0.4 // at most, where the KPI shows nothing
#define STANDS_OUT 0.3     // evidence below which the first suspect is none

// --- Explaining away

struct parent {
    double value;
    uint32_t entity;
};

// What a parent has of the kind that would explain `family` here, and when it began.
static double offer_of(const struct entity_view *p, const struct trace *trace,
                       enum blame_family family, uint32_t *onset)
{
    if (p->is_source) {
        *onset = p->source_onset.best;
        return family == BLAME_DRIFT ? AS_PARENT * p->source : 0;
    }
    uint32_t i = family == BLAME_DRIFT ? p->out_signal : p->family[family].signal;
    if (i == BLAME_NONE)
        return 0;
    *onset = trace[i].onset.best;
    return family == BLAME_DRIFT ? p->out_drift : p->family[family].value;
}

static struct parent best_parent(const struct blame_case *c, uint32_t e,
                                 const struct entity_view *view,
                                 const struct trace *trace, enum blame_family family)
{
    struct parent best = {0, BLAME_NONE};
    uint32_t own = trace[view[e].family[family].signal].onset.best;
    for (uint32_t i = c->up_at[e]; i < c->up_at[e + 1]; i++) {
        uint32_t onset = 0, p = c->up[i];
        double value = offer_of(&view[p], trace, family, &onset);
        if (onset > own + 1)
            value *= LATE_PARENT;
        bool wins =
            value > best.value || (value == best.value && value > 0 &&
                                   c->entity[p].order < c->entity[best.entity].order);
        if (wins)
            best = (struct parent){value, p};
    }
    return best;
}

// The entity's value when its parents are heard; names the parent that took most.
static double explain(const struct blame_case *c, uint32_t e,
                      const struct entity_view *view, const struct trace *trace,
                      struct blame_finding *f)
{
    static const enum blame_family kinds[] = {BLAME_DRIFT, BLAME_LATENCY, BLAME_ERRORS};
    const struct entity_view *v = &view[e];
    double value[BLAME_FAMILIES];
    for (int i = 0; i < BLAME_FAMILIES; i++)
        value[i] = v->family[i].value;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum blame_family k = kinds[i];
        if (!(value[k] > 0))
            continue;
        struct parent p = best_parent(c, e, view, trace, k);
        double ratio = fmin(1, p.value / value[k]);
        bool is_main = v->family[k].signal == v->signal;
        if (is_main && ratio > 0.5) {
            f->explained_by = p.entity;
            f->explained = ratio;
        }
        value[k] *= 1 - EXPLAINED_MAX * ratio;
    }
    return entity_value(value);
}

// --- Scores

struct board {
    struct trace *trace;
    struct entity_view *view;
    uint8_t *reaches;
    double *coverage;
    uint32_t *queue;
};

static void board_fini(struct board *b)
{
    mem_free(b->trace);
    mem_free(b->view);
    mem_free(b->reaches);
    mem_free(b->coverage);
    mem_free(b->queue);
}

static enum status board_init(struct board *b, const struct blame_case *c)
{
    *b = (struct board){.trace = mem_zero(c->signals + 1, sizeof *b->trace),
                        .view = mem_zero(c->entities + 1, sizeof *b->view),
                        .reaches = mem_zero(c->entities + 1, sizeof *b->reaches),
                        .coverage = mem_zero(c->entities + 1, sizeof *b->coverage),
                        .queue = mem_zero(c->entities + 1, sizeof *b->queue)};
    if (b->trace && b->view && b->reaches && b->coverage && b->queue)
        return ST_OK;
    board_fini(b);
    return ST_NOMEM;
}

static void score(const struct blame_case *c, uint32_t e, const struct board *b,
                  struct blame_finding *f)
{
    const struct entity_view *v = &b->view[e];
    *f = (struct blame_finding){.entity = e,
                                .signal = v->signal,
                                .explained_by = BLAME_NONE,
                                .event = BLAME_NONE,
                                .is_source = v->is_source,
                                .coverage = b->coverage[e]};
    f->evidence = v->is_source ? v->source : v->evidence;
    f->onset = v->source_onset;
    f->kind = BLAME_DRIFT;
    if (v->signal != BLAME_NONE) {
        f->onset = b->trace[v->signal].onset;
        f->kind = c->kind[c->signal[v->signal].name].family;
    }
    f->score = v->is_source ? v->source : explain(c, e, b->view, b->trace, f);
    f->score *= b->reaches[e] ? 0.5 + 0.5 * f->coverage : NO_PATH;
    if (e == c->kpi)
        f->score *= OWN_OF_KPI;
    if (f->onset.is_known)
        f->event = event_near(c, e, f->onset.best);
    if (f->event != BLAME_NONE)
        f->score *= CHANGED;
    if (c->entity[e].is_pseudo || c->entity[e].is_elsewhere)
        f->score = 0;
}

// Findings as they are ranked: by score, then by name.
struct place {
    double score;
    uint32_t order, entity;
};

static int by_score(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static enum status rank(const struct blame_case *c, struct blame_answer *out)
{
    struct place *list = mem_zero(c->entities + 1, sizeof *list);
    if (!list)
        return ST_NOMEM;
    for (uint32_t e = 0; e < c->entities; e++)
        list[e] = (struct place){out->finding[e].score, c->entity[e].order, e};
    qsort(list, c->entities, sizeof *list, by_score);
    // From the least to the greatest: the same sum whatever the names.
    double total = 0;
    for (uint32_t i = c->entities; i-- > 0;) {
        double s = list[i].score;
        total += s * s * s;
    }
    for (uint32_t i = 0; i < c->entities; i++) {
        struct blame_finding *f = &out->finding[list[i].entity];
        f->share = total > 0 ? f->score * f->score * f->score / total : 0;
        out->rank[i] = list[i].entity;
        if (f->score > 0 && i < BLAME_SUSPECTS)
            out->suspects = i + 1;
    }
    mem_free(list);
    return ST_OK;
}

// --- Reasons

static enum blame_reason reason_of(const struct blame_case *c, const struct board *b,
                                   const struct blame_answer *a,
                                   const struct blame_finding *f)
{
    const struct entity_view *v = &b->view[f->entity];
    if (c->entity[f->entity].is_pseudo)
        return BLAME_OUTSIDE;
    if (c->entity[f->entity].is_elsewhere)
        return BLAME_ELSEWHERE;
    if (f->is_blind)
        return BLAME_BLIND;
    if (f->explained_by != BLAME_NONE)
        return BLAME_EXPLAINED;
    if (c->kpi != BLAME_NONE && !b->reaches[f->entity] && c->edges)
        return BLAME_NO_PATH;
    if (v->is_source && v->is_calm)
        return BLAME_CHILDREN_OK;
    if (fabs(f->onset.effect) < EFFECT_FREE && !v->is_source)
        return BLAME_NO_SHIFT;
    if (f->onset.low > a->kpi.high + 1)
        return BLAME_TOO_LATE;
    if (f->onset.high + EFFECT_FREE < a->kpi.low)
        return BLAME_TOO_EARLY;
    return BLAME_WEAK;
}

// Without windows nobody is cleared; a source is when all its children stood still.
static bool is_blind(const struct entity_view *v)
{
    return v->is_source ? !v->is_calm : !v->has_windows;
}

static void give_reasons(const struct blame_case *c, const struct board *b,
                         struct blame_answer *a)
{
    for (uint32_t e = 0; e < c->entities; e++) {
        struct blame_finding *f = &a->finding[e];
        f->is_blind = !c->entity[e].is_pseudo && !c->entity[e].is_elsewhere &&
                      is_blind(&b->view[e]);
        f->reason = reason_of(c, b, a, f);
        a->entities += !c->entity[e].is_pseudo;
        a->reaching += !c->entity[e].is_pseudo && b->reaches[e];
    }
    for (uint32_t i = 0; i < a->suspects; i++) {
        struct blame_finding *f = &a->finding[a->rank[i]];
        if (f->reason != BLAME_EXPLAINED && !f->is_blind)
            f->reason = BLAME_SUSPECT;
    }
}

// Did anything that the suspect feeds move before it? Then the lineage may be
// the wrong way round.
static bool is_contradicted(const struct blame_case *c, const struct board *b,
                            const struct blame_finding *f)
{
    if (f->is_source) // its onset is that of what it feeds
        return false;
    for (uint32_t i = c->down_at[f->entity]; i < c->down_at[f->entity + 1]; i++) {
        const struct family *k = &b->view[c->down[i]].family[f->kind];
        if (k->signal != BLAME_NONE && k->value > f->evidence / 2 &&
            b->trace[k->signal].onset.best < f->onset.best)
            return true;
    }
    return false;
}

static void conclude(const struct blame_case *c, const struct board *b,
                     const struct blame_map *map, struct blame_answer *a)
{
    const struct blame_finding *top = a->suspects ? &a->finding[a->rank[0]] : NULL;
    // One that explains little of what moved has a rival that nobody measures.
    a->certainty = top ? top->share * top->coverage : 0;
    a->confidence = top ? blame_map_apply(map, a->certainty) : 0;
    // Without a known way to the KPI it may be chance.
    if (top && c->kpi != BLAME_NONE && !b->reaches[top->entity])
        a->confidence *= NO_PATH_SURE;
    if (top && is_contradicted(c, b, top))
        a->confidence *= CONTRADICTED_SURE;
    a->verdict = a->confidence < BLAME_SURE ? BLAME_NOT_SURE : BLAME_CAUSE;
    bool kpi_moved = !a->has_kpi_series || fabs(a->kpi.effect) >= KPI_MOVED ||
                     a->kpi.gain >= KPI_MOVED;
    if (!top || !kpi_moved || top->evidence < STANDS_OUT)
        a->verdict = BLAME_NOTHING;
    if (!kpi_moved && a->confidence > STILL_KPI_SURE)
        a->confidence = STILL_KPI_SURE;
}

static enum status judge(const struct blame_case *c, const struct blame_map *map,
                         struct board *b, struct blame_answer *a)
{
    ST_TRY(trace_all(c, b->trace, &a->kpi));
    a->has_kpi_series = c->kpi_signal != BLAME_NONE && a->kpi.gain > 0;
    views_fill(c, b->trace, b->view);
    ST_TRY(sources_judge(c, b->trace, b->view));
    if (c->kpi != BLAME_NONE)
        (void)graph_reach(c, c->kpi, b->reaches, b->queue);
    ST_TRY(graph_coverage(c, b->reaches, b->view, b->coverage));
    for (uint32_t e = 0; e < c->entities; e++)
        score(c, e, b, &a->finding[e]);
    ST_TRY(rank(c, a));
    give_reasons(c, b, a);
    conclude(c, b, map, a);
    return ST_OK;
}

enum status blame_run(const struct blame_case *c, const struct blame_map *map,
                      struct blame_answer *out)
{
    struct board b;
    if (!c->is_sealed)
        return ST_RANGE;
    struct blame_answer a = {.rank = mem_zero(c->entities + 1, sizeof *a.rank),
                             .finding = mem_zero(c->entities + 1, sizeof *a.finding)};
    enum status st = a.rank && a.finding ? board_init(&b, c) : ST_NOMEM;
    if (st == ST_OK) {
        st = judge(c, map, &b, &a);
        board_fini(&b);
    }
    if (st == ST_OK)
        *out = a;
    else
        blame_answer_fini(&a);
    return st;
}

void blame_answer_fini(struct blame_answer *a)
{
    mem_free(a->rank);
    mem_free(a->finding);
    *a = (struct blame_answer){0};
}

const char *blame_verdict_text(enum blame_verdict v)
{
    static const char *const text[] = {"likely cause", "Not sure",
                                       "nothing stands out"};
    return text[v];
}

const char *blame_reason_text(enum blame_reason r)
{
    static const char *const text[BLAME_REASONS] = {
        "suspect",
        "explained by what feeds it",
        "no shift",
        "shifted before the KPI and steady since",
        "shifted after the KPI",
        "cannot reach this KPI",
        "moved too little",
        "all that it feeds stood still",
        "sent no window",
        "the KPI itself",
        "in another segment",
    };
    return text[r < BLAME_REASONS ? r : 0];
}
