// Pair: puts a request and its answer, which come apart, into one row.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PAIR_H
#define KEDGE_AGENT_INTAKE_PAIR_H

#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define PAIR_HELD_MAX 4096        // requests that wait
#define PAIR_BYTES_MAX (8u << 20) // of all of them

struct pair;

struct pair_stats {
    uint64_t joined;
    uint64_t unanswered; // requests that were handed on alone
    uint64_t unasked;    // answers that were
    uint64_t waiting;
};

// A sink before another one, which it keeps. Rows of inputs alone that have an id wait
// for the outputs of the same model, id and place in the request; all else goes
// straight on. `horizon_ns` is how long a request waits; over the limits the oldest
// goes on alone. ST_NOMEM.
MUST_USE enum status pair_open(const struct observation_sink *next, uint64_t horizon_ns,
                               struct pair **out);

// From now on the first row of a request tells how it went: "latency_ms" from its time
// to the answer's, where both have one, and "error", which is 1 when no answer came in
// time although answers do come.
void pair_tell(struct pair *p);

void pair_close(struct pair *p); // NULL is fine; what waits is handed on before

// The sink to give to a door; valid until pair_close.
struct observation_sink pair_sink(struct pair *p);

// Hands on what has waited too long; at UINT64_MAX all that waits.
void pair_turn(struct pair *p, uint64_t now_ns);

struct pair_stats pair_stats(const struct pair *p);

#endif
