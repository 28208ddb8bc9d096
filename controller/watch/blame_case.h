// Blame case: what is known of an incident, compact and in memory.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_CASE_H
#define KEDGE_CONTROLLER_WATCH_BLAME_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/base/table.h"

#define BLAME_NONE UINT32_MAX
#define BLAME_ENTITIES_MAX 65536u
#define BLAME_SIGNALS_MAX 1048576u
#define BLAME_EDGES_MAX 1048576u
#define BLAME_EVENTS_MAX 262144u
#define BLAME_FACTS_MAX 1048576u
#define BLAME_WINDOWS_MAX 16384u
#define BLAME_CELLS_MAX (64u << 20) // values over all signals: 512 MiB
#define BLAME_NAME_MAX 256u         // bytes of an entity's or signal's name

enum blame_family {
    BLAME_DRIFT,
    BLAME_LATENCY,
    BLAME_ERRORS,
    BLAME_TRAFFIC,
    BLAME_SELF, // CPU, memory, system calls, network
    BLAME_KPI,
    BLAME_FAMILIES,
    BLAME_UNKNOWN = BLAME_FAMILIES,
};

// What a signal is, told by its name ("p95", "availability.Average", "out_drift").
struct blame_kind {
    enum blame_family family;
    bool is_good;  // more is better: success, availability
    bool is_input; // drift of inputs
    bool is_outer; // of the node, the network, the kernel: half weight
};
struct blame_kind blame_kind_of(struct span name);
const char *blame_family_text(enum blame_family f);

struct blame_entity {
    struct span name;
    uint32_t order;    // its place by name, after sealing
    bool is_pseudo;    // a KPI, not a thing that could be a cause
    bool is_elsewhere; // in another segment than the one that was asked about
    uint32_t signals;  // how many it has
};

struct blame_signal {
    uint32_t entity;
    uint32_t name; // index into names
    double *value; // one for each window, NaN = missing
};

struct blame_edge {
    uint32_t upstream, downstream;
};

struct blame_event {
    uint32_t entity;
    uint64_t at_ns;
    uint32_t text;   // index into names: "deploy"
    uint32_t detail; // index into names, or BLAME_NONE: "v6 -> v7 by ci-bot"
};

// What an entity is or has besides: "host=web-3", "rack=r2", "segment=eu".
struct blame_fact {
    uint32_t entity;
    uint32_t key, value; // indexes into names
};

struct blame_case {
    uint64_t window_ns;
    uint64_t *start_ns; // of each window, rising
    uint32_t windows;

    struct blame_entity *entity;
    uint32_t entities;
    struct blame_signal *signal; // by entity, after sealing
    uint32_t signals;
    struct blame_edge *edge; // by downstream, after sealing; each once
    uint32_t edges;
    struct blame_event *event; // by time, after sealing
    uint32_t events;
    struct blame_fact *fact; // by key, value and entity, after sealing; each once
    uint32_t facts;
    struct span *name; // of signals, events and facts, each once
    struct blame_kind *kind;
    uint32_t names;

    // The question.
    uint32_t kpi;               // entity, or BLAME_NONE
    uint32_t kpi_signal;        // signal, or BLAME_NONE: no series of its own
    enum blame_family kpi_kind; // BLAME_UNKNOWN when nobody said
    uint32_t kpi_name;          // name of the KPI's statistic, or BLAME_NONE
    uint32_t first;             // the windows before it are not used at all
    uint32_t search;            // the first split
    uint32_t reported;          // the window in which it was noticed
    uint32_t last;              // the last window that is used

    // Made by sealing: edges of each entity, both ways. From up_at[e] to up_at[e + 1].
    uint32_t *up_at, *up, *down_at, *down;
    bool is_sealed;

    uint32_t rooms[7]; // capacity of the arrays above
    struct table *by_name, *by_text, *by_signal;
};

// A case of `windows` (1..BLAME_WINDOWS_MAX) windows that begin at `start_ns`, rising.
// Copies them. ST_RANGE, ST_NOMEM.
MUST_USE enum status blame_case_open(struct blame_case *c, const uint64_t *start_ns,
                                     uint32_t windows, uint64_t window_ns);
void blame_case_fini(struct blame_case *c); // a zeroed one is fine

// The entity of that name; made when it is not there. ST_RANGE (name), ST_FULL,
// ST_NOMEM.
MUST_USE enum status blame_case_entity(struct blame_case *c, struct span name,
                                       uint32_t *out);
// The same, but ST_NOTFOUND when it is not there.
MUST_USE enum status blame_case_find(const struct blame_case *c, struct span name,
                                     uint32_t *out);

// A new signal of the entity, all missing; *value is lent for filling, and still valid
// once the case is sealed. ST_EXISTS when the entity has it: *value is that one's.
// ST_FULL, ST_NOMEM, ST_RANGE.
MUST_USE enum status blame_case_signal(struct blame_case *c, uint32_t entity,
                                       struct span name, double **value);
MUST_USE enum status blame_case_edge(struct blame_case *c, uint32_t upstream,
                                     uint32_t downstream);
MUST_USE enum status blame_case_event(struct blame_case *c, uint32_t entity,
                                      uint64_t at_ns, struct span text);
// The same with a line for people; one that is too long is left out.
MUST_USE enum status blame_case_event_told(struct blame_case *c, uint32_t entity,
                                           uint64_t at_ns, struct span text,
                                           struct span detail);

MUST_USE enum status blame_case_fact(struct blame_case *c, uint32_t entity,
                                     struct span key, struct span value);

// The value of the entity's fact of that key, as an index into names; BLAME_NONE. After
// sealing.
uint32_t blame_case_fact_of(const struct blame_case *c, uint32_t entity,
                            const char *key);

// Gives a text its place among the names, ahead of its use: two cases with the same
// entities and names in the same order are sealed into the same order.
MUST_USE enum status blame_case_name(struct blame_case *c, struct span text);

// What is asked: the KPI's entity and, if it has a series, the signal's name (empty:
// none, or its only one), when it was noticed. A time of 0 is not given: `from` drops
// what is older, `search` bounds the splits, `to` ends the windows used.
struct blame_question {
    struct span kpi, kpi_signal;
    uint64_t reported_ns, from_ns, search_ns, to_ns;
    // "eu" or "region=eu": what is known to be in another one is left out. Empty: all.
    struct span segment;
};

// Sorts everything, resolves the question. Must be the last call. ST_RANGE when the
// times leave no window to search, or nothing is in that segment; ST_NOMEM.
MUST_USE enum status blame_case_seal(struct blame_case *c,
                                     const struct blame_question *q);

#endif
