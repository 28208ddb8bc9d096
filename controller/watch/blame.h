// Blame: which model caused the incident? From windows, lineage and events to a ranked
// and reasoned answer.
//
// Pure: no clock, no store, no thread. The same case gives the same bits, whatever the
// order of its entities, and names decide nothing but ties.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_H
#define KEDGE_CONTROLLER_WATCH_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/watch/blame_case.h"

#define BLAME_RULES 2u      // number of this set of rules and constants
#define BLAME_STATE_MAX 64u // points of an isotonic map
#define BLAME_LOOK_BACK 24u // windows before the reported one that are searched
#define BLAME_LOOK_AHEAD 3u // windows behind it that are used
#define BLAME_SUSPECTS 10u  // listed at most
#define BLAME_SURE 0.5      // below it the answer opens with "Not sure"

enum blame_verdict { BLAME_CAUSE, BLAME_NOT_SURE, BLAME_NOTHING };

// Why an entity is no suspect. A blind one is never cleared.
enum blame_reason {
    BLAME_SUSPECT,
    BLAME_EXPLAINED,   // what it shows comes from a parent
    BLAME_NO_SHIFT,    // it did not move
    BLAME_TOO_EARLY,   // it moved before, and has been steady since
    BLAME_TOO_LATE,    // it moved after the KPI
    BLAME_NO_PATH,     // it cannot reach the KPI
    BLAME_WEAK,        // it moved, much less than others
    BLAME_CHILDREN_OK, // a source whose children stood still
    BLAME_BLIND,       // it sent no window when it mattered
    BLAME_OUTSIDE,     // the KPI's own, not a suspect
    BLAME_ELSEWHERE,   // in another segment than the one asked about
    BLAME_REASONS,
};

// When something moved: the split that divides the windows best, and the windows that
// hold 90 % of the posterior. Windows are indexes of the case.
struct blame_onset {
    bool is_known;
    uint32_t best, low, high;
    double gain;        // of the best split
    double effect;      // signed, in scales; 0 when it is no contrast to before
    double before, now; // medians on both sides, in the signal's own unit
};

struct blame_finding {
    uint32_t entity;
    enum blame_reason reason;
    bool is_blind;          // may be a suspect at the same time
    double evidence;        // before explaining away and coverage
    double score;           // after everything
    double share;           // score^3 over all score^3: 0..1
    uint32_t signal;        // the strongest, BLAME_NONE for a source
    enum blame_family kind; // of the strongest
    struct blame_onset onset;
    uint32_t explained_by; // the parent, or BLAME_NONE
    double explained;      // its share of what is seen here, 0..1
    double coverage;       // share of the evidence lying at or downstream of it
    uint32_t event;        // the change that fits, or BLAME_NONE
    bool is_source;        // judged by its children
};

// Maps the certainty of the first suspect to how often such answers were right. It
// never claims more than its highest point.
struct blame_map {
    uint32_t points; // 0: neutral, the certainty itself, at most BLAME_NEUTRAL_MAX
    double share[BLAME_STATE_MAX]; // certainties, rising
    double right[BLAME_STATE_MAX]; // not falling
};
#define BLAME_NEUTRAL_MAX 0.6

struct blame_answer {
    enum blame_verdict verdict;
    double certainty;  // of the first suspect: its share, as far as it covers the damage
    double confidence; // mapped
    struct blame_onset kpi;
    bool has_kpi_series;
    uint32_t reaching;             // entities from which the KPI can be reached
    uint32_t entities;             // looked at
    uint32_t *rank;                // entities, best first
    uint32_t suspects;             // of them, listed
    struct blame_finding *finding; // one for each entity of the case, by index
};

// Judges the case. `map` may be NULL: neutral. ST_RANGE when the case was not sealed
// (blame_case_seal) or the times do not fit in it; ST_NOMEM.
//
// Cost: signals x range x medians of 18 values; 40 bytes a signal and split.
MUST_USE enum status blame_run(const struct blame_case *c, const struct blame_map *map,
                               struct blame_answer *out);
void blame_answer_fini(struct blame_answer *a); // a zeroed one is fine

double blame_map_apply(const struct blame_map *map, double share);

// Fits the map to closed incidents: `share` and whether the first suspect was right,
// `n` of them in any order. Source: pool adjacent violators (Ayer et al. 1955). Fewer
// than 10 give the neutral map. ST_NOMEM.
MUST_USE enum status blame_map_fit(const double *share, const bool *right, uint32_t n,
                                   struct blame_map *out);

// The shortest way from the entity to the KPI, itself first, the KPI last; ties go by
// name. At most `max` steps; 0 when there is no path.
uint32_t blame_path(const struct blame_case *c, uint32_t entity, uint32_t *step,
                    uint32_t max);

const char *blame_verdict_text(enum blame_verdict v);
const char *blame_reason_text(enum blame_reason r);

#endif
