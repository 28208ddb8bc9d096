// Blame common: what the things that moved share, and in which segment they lie.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_COMMON_H
#define KEDGE_CONTROLLER_WATCH_BLAME_COMMON_H

#include "controller/watch/blame.h"

#define BLAME_COMMON_MAX 3u
#define BLAME_COMMON_LEAST 3u // things that moved; fewer share everything

// "36 of the 37 that moved have rack=r2, and so have 41 of all 2,000."
struct blame_common {
    uint32_t upstream;   // an entity of the lineage, or BLAME_NONE
    uint32_t key, value; // else a fact: indexes into the case's names
    uint32_t moved_with, moved;
    uint32_t all_with, all;
};

// The factors that at least four fifths of what moved share and others do not: those
// of most members first, then the narrowest. ST_NOMEM.
MUST_USE enum status blame_common_find(const struct blame_case *c,
                                       const struct blame_answer *a,
                                       struct blame_common out[BLAME_COMMON_MAX],
                                       uint32_t *count);

// Where, among what lies at or behind an entity, the moved ones are: one fact, or two
// together.
struct blame_segment {
    uint32_t facts; // 0: it is not a question of segments
    uint32_t key[2], value[2];
    uint32_t inside_moved, inside, outside_moved, outside;
};
MUST_USE enum status blame_segment_find(const struct blame_case *c,
                                        const struct blame_answer *a, uint32_t entity,
                                        struct blame_segment *out);

#endif
