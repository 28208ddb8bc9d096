// Scene: the case of an incident, put together from what the store keeps.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SCENE_H
#define KEDGE_CONTROLLER_WATCH_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"
#include "controller/watch/blame.h"

#define SCENE_BEFORE 60u // windows before the search: what is usual

// What was asked. One of `kpi` (a signal's or endpoint's name) and `model` is given.
struct scene_ask {
    struct span kpi, model;
    uint64_t at_ns;      // when it was noticed; 0: now, the end of the newest window
    uint64_t known_ns;   // only what was known by then (fold time); 0: all
    struct span segment; // "eu" or "region=eu"; empty: all
};

// Builds and seals the case from pulses, lineage, events and the KPI's own points.
// ST_NOTFOUND: nothing by that name, or no windows yet (`*why` says which). ST_RANGE:
// too few windows before that time. ST_FULL, ST_NOMEM, ST_CORRUPT, the shelf's.
MUST_USE enum status scene_build(struct shelf *s, const struct scene_ask *q,
                                 struct blame_case *out, const char **why);

// Builds, blames, and writes the members of the answer; `as_text` gives one member
// `text` for people instead. As scene_build.
MUST_USE enum status scene_answer(struct shelf *s, const struct scene_ask *q,
                                  bool as_text, struct json *j, const char **why);

// The answer as an incident keeps it: short, and with a digest of all that it was taken
// from. Owned; scene_said_fini frees.
struct scene_said {
    const char *verdict;
    double share, confidence;
    uint64_t onset_ns;    // of the KPI
    struct buf suspects;  // names between commas, best first
    struct buf answer;    // JSON
    uint8_t evidence[32]; // blame_digest of the case
};
MUST_USE enum status scene_say(struct shelf *s, const struct scene_ask *q,
                               struct scene_said *out, const char **why);
void scene_said_fini(struct scene_said *r); // a zeroed one is fine

// Writes members from which the same answer can be found without a store: windows,
// lineage, events, facts, the question and the map. `values` is base64url of
// little-endian doubles. ST_FULL: more than SCENE_EVIDENCE_MAX values. As scene_build.
#define SCENE_EVIDENCE_MAX (4u << 20)
MUST_USE enum status scene_evidence(struct shelf *s, const struct scene_ask *q,
                                    struct json *j, const char **why);

// What closed incidents of this site taught by `known_ns` (0: all of them). Neutral
// when there are too few.
MUST_USE enum status scene_map(struct shelf *s, uint64_t known_ns,
                               struct blame_map *out);

#endif
