// What the files of blame share: the scale of a signal, its splits, the graph.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_INSIDE_H
#define KEDGE_CONTROLLER_WATCH_BLAME_INSIDE_H

#include "controller/watch/blame.h"

#define MOVED 0.7       // evidence from which on something counts as having moved
#define EFFECT_FREE 3.0 // scales that are still noise
#define EFFECT_MAX 60.0

// The middle and the scale of a signal before the search began.
struct scale {
    double middle, spread;
    double noise; // the spread before any floor
    double unit;  // of errors: 1 for shares, 100 for percentages
};

// How a signal divides at each split from c->search on.
struct splits {
    uint32_t count;
    double *posterior; // one for each split, summing to 1; all 0 when nothing is known
    struct blame_onset onset;
};

// What one signal says.
struct trace {
    struct blame_onset onset;
    double evidence;
    bool has_windows; // any value from the search's start on, near the report
};

double median_of(double *v, uint32_t n); // reorders v; n > 0

// One scale for each signal; `out` has c->signals. ST_NOMEM.
MUST_USE enum status scale_all(const struct blame_case *c, struct scale *out);

// Memory of one thread that divides series.
struct divider {
    double *z, *posterior;
};
MUST_USE enum status divider_init(struct divider *d, const struct blame_case *c);
void divider_fini(struct divider *d);

// Divides the signal at each split from c->search to `last`; out->posterior is d's.
void divide(const struct blame_case *c, struct divider *d, const double *value,
            const struct scale *s, uint32_t last, struct splits *out);

// The evidence of every signal. `out` has c->signals, `kpi` the onset found.
MUST_USE enum status trace_all(const struct blame_case *c, struct trace *out,
                               struct blame_onset *kpi);

// The families of every entity, before anything is explained.
struct family {
    double value;    // best + 0.2 x second
    uint32_t signal; // the best, or BLAME_NONE
};
struct entity_view {
    struct family family[BLAME_FAMILIES];
    double out_drift, in_drift; // evidence of the best signal of each; negative: none
    uint32_t out_signal, in_signal;
    double evidence; // best family + 0.2 x second
    uint32_t signal; // the strongest
    bool has_windows, has_signals;
    bool is_source;
    double source; // what its children say of it
    struct blame_onset source_onset;
    bool is_calm; // of a source: no child moved in any family
};
void views_fill(const struct blame_case *c, const struct trace *trace,
                struct entity_view *view);

// Best family + 0.2 x second.
double entity_value(const double value[BLAME_FAMILIES]);

// Sources without signals, by their children. ST_NOMEM.
MUST_USE enum status sources_judge(const struct blame_case *c,
                                   const struct trace *trace, struct entity_view *view);

// The event of the entity that fits an onset in window `k`, or BLAME_NONE.
uint32_t event_near(const struct blame_case *c, uint32_t entity, uint32_t k);

// Marks what reaches `entity` (upwards) in `seen` (c->entities bytes, zeroed by the
// caller), itself included; gives the count. `queue` has c->entities.
uint32_t graph_reach(const struct blame_case *c, uint32_t entity, uint8_t *seen,
                     uint32_t *queue);

// Share of the evidence of what reaches the KPI that lies at or downstream of each
// entity. ST_NOMEM.
MUST_USE enum status graph_coverage(const struct blame_case *c, const uint8_t *reaches,
                                    const struct entity_view *view, double *out);

#endif
