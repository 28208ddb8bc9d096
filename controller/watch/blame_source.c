// Blame: sources that nobody measures, judged by what their children say.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

#define DEPLOY_EARLY 1.0 // windows: the change may look later than the onset by this,
#define DEPLOY_LATE 2.0  // and earlier by that

uint32_t event_near(const struct blame_case *c, uint32_t entity, uint32_t k)
{
    double window = (double)c->window_ns;
    uint32_t best = BLAME_NONE;
    double nearest = 0;
    for (uint32_t i = 0; i < c->events; i++) {
        if (c->event[i].entity != entity)
            continue;
        double lag = ((double)c->start_ns[k] - (double)c->event[i].at_ns) / window;
        if (lag < -DEPLOY_EARLY || lag > DEPLOY_LATE)
            continue;
        if (best == BLAME_NONE || fabs(lag) < nearest) {
            best = i;
            nearest = fabs(lag);
        }
    }
    return best;
}

// What the children of one source show.
struct children {
    uint32_t all, counting, moved;
    double *evidence;
    double *best, *low, *high; // their onsets
};

static void ask_child(const struct trace *trace, const struct entity_view *v,
                      struct children *k)
{
    if (!v->has_signals)
        return;
    k->all++;
    k->moved += v->evidence > MOVED;
    bool use_in = v->in_signal != BLAME_NONE;
    double e = use_in ? v->in_drift : v->out_drift;
    uint32_t i = use_in ? v->in_signal : v->out_signal;
    if (i == BLAME_NONE || !(e > MOVED))
        return;
    k->evidence[k->counting] = e;
    k->best[k->counting] = trace[i].onset.best;
    k->low[k->counting] = trace[i].onset.low;
    k->high[k->counting] = trace[i].onset.high;
    k->counting++;
}

static void judge(const struct blame_case *c, uint32_t e, const struct trace *trace,
                  const struct entity_view *view, struct children *k,
                  struct entity_view *out)
{
    k->all = k->counting = k->moved = 0;
    for (uint32_t i = c->down_at[e]; i < c->down_at[e + 1]; i++)
        if (c->down[i] != c->kpi)
            ask_child(trace, &view[c->down[i]], k);
    out->is_source = true;
    out->is_calm = k->all > 0 && k->moved == 0;
    if (k->counting == 0)
        return;
    uint32_t n = k->counting;
    struct blame_onset onset = {.is_known = true,
                                .best = (uint32_t)median_of(k->best, n),
                                .low = (uint32_t)median_of(k->low, n),
                                .high = (uint32_t)ceil(median_of(k->high, n))};
    bool lone = k->all == 1 && event_near(c, e, onset.best) != BLAME_NONE;
    if (n < 2 && !lone)
        return;
    double share = (double)n / k->all;
    out->source = 0.9 * median_of(k->evidence, n) * share * sqrt(share);
    if (n >= 3)
        out->source *= 1.15;
    out->source_onset = onset;
}

enum status sources_judge(const struct blame_case *c, const struct trace *trace,
                          struct entity_view *view)
{
    double *room = mem_zero((size_t)4 * (c->entities + 1), sizeof *room);
    if (!room)
        return ST_NOMEM;
    size_t n = c->entities + 1;
    struct children k = {
        .evidence = room, .best = room + n, .low = room + 2 * n, .high = room + 3 * n};
    for (uint32_t e = 0; e < c->entities; e++)
        if (!view[e].has_signals && !c->entity[e].is_pseudo)
            judge(c, e, trace, view, &k, &view[e]);
    mem_free(room);
    return ST_OK;
}
