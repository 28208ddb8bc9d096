// Blame: what can reach what along the lineage, and how much of the damage it covers.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/watch/blame_inside.h"

uint32_t graph_reach(const struct blame_case *c, uint32_t entity, uint8_t *seen,
                     uint32_t *queue)
{
    uint32_t n = 0;
    queue[n++] = entity;
    seen[entity] = 1;
    for (uint32_t at = 0; at < n; at++)
        for (uint32_t i = c->up_at[queue[at]]; i < c->up_at[queue[at] + 1]; i++)
            if (!seen[c->up[i]]) {
                seen[c->up[i]] = 1;
                queue[n++] = c->up[i];
            }
    return n;
}

// Sums of whole numbers do not depend on the order of the entities.
static uint64_t whole(double evidence)
{
    return (uint64_t)llround(evidence * 4294967296.0);
}

// The evidence at and downstream of `e`, among what reaches the KPI. Marks with the
// number of the walk, so that nothing is cleared in between.
static uint64_t downstream_sum(const struct blame_case *c, const uint8_t *reaches,
                               const struct entity_view *view, uint32_t e,
                               uint32_t *mark, uint32_t *queue)
{
    uint64_t sum = 0;
    uint32_t n = 0;
    queue[n++] = e;
    mark[e] = e + 1;
    for (uint32_t at = 0; at < n; at++) {
        uint32_t x = queue[at];
        sum += whole(view[x].evidence);
        for (uint32_t i = c->down_at[x]; i < c->down_at[x + 1]; i++) {
            uint32_t y = c->down[i];
            if (!reaches[y] || mark[y] == e + 1)
                continue;
            mark[y] = e + 1;
            queue[n++] = y;
        }
    }
    return sum;
}

enum status graph_coverage(const struct blame_case *c, const uint8_t *reaches,
                           const struct entity_view *view, double *out)
{
    uint32_t *mark = mem_zero(c->entities + 1, sizeof *mark);
    uint32_t *queue = mem_zero(c->entities + 1, sizeof *queue);
    uint64_t total = 0;
    for (uint32_t e = 0; e < c->entities; e++)
        if (reaches[e])
            total += whole(view[e].evidence);
    for (uint32_t e = 0; mark && queue && e < c->entities; e++) {
        out[e] = 0;
        // Who shows nothing is no suspect, and needs no walk.
        bool counts = reaches[e] && (view[e].evidence > 0 || view[e].source > 0);
        if (counts && total)
            out[e] = (double)downstream_sum(c, reaches, view, e, mark, queue) /
                     (double)total;
    }
    enum status st = mark && queue ? ST_OK : ST_NOMEM;
    mem_free(mark);
    mem_free(queue);
    return st;
}

// Steps to the KPI, walked upwards from it, until `entity` is met.
static bool measure(const struct blame_case *c, uint32_t entity, uint32_t *steps,
                    uint32_t *queue)
{
    uint32_t n = 0;
    queue[n++] = c->kpi;
    steps[c->kpi] = 1;
    for (uint32_t at = 0; at < n && !steps[entity]; at++)
        for (uint32_t i = c->up_at[queue[at]]; i < c->up_at[queue[at] + 1]; i++)
            if (!steps[c->up[i]]) {
                steps[c->up[i]] = steps[queue[at]] + 1;
                queue[n++] = c->up[i];
            }
    return steps[entity] != 0;
}

// The child one step nearer whose name comes first.
static uint32_t nearer(const struct blame_case *c, uint32_t e, const uint32_t *steps)
{
    uint32_t best = BLAME_NONE;
    for (uint32_t i = c->down_at[e]; i < c->down_at[e + 1]; i++) {
        uint32_t y = c->down[i];
        if (steps[y] + 1 == steps[e] && steps[y] &&
            (best == BLAME_NONE || c->entity[y].order < c->entity[best].order))
            best = y;
    }
    return best;
}

uint32_t blame_path(const struct blame_case *c, uint32_t entity, uint32_t *step,
                    uint32_t max)
{
    if (c->kpi == BLAME_NONE || entity >= c->entities || max == 0)
        return 0;
    uint32_t *steps = mem_zero(c->entities, sizeof *steps);
    uint32_t *queue = mem_zero(c->entities, sizeof *queue);
    uint32_t n = 0;
    if (steps && queue && measure(c, entity, steps, queue))
        for (uint32_t e = entity; e != BLAME_NONE && n < max; e = nearer(c, e, steps)) {
            step[n++] = e;
            if (e == c->kpi)
                break;
        }
    mem_free(steps);
    mem_free(queue);
    return n;
}
