// Lane: the shared-memory door. Processes that link libkedge hand their rows in here.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LANE_LANE_H
#define KEDGE_AGENT_LANE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define LANE_VISITORS_MAX 256 // processes at one time
#define LANE_LANES_MAX 1024   // of all of them

struct lane_settings {
    const char *path; // a stale socket there is replaced, anything else is refused
    unsigned mode;    // of the socket file, e.g. 0660
};

struct lane_stats {
    uint64_t visitors; // processes that are here, or have left rows behind
    uint64_t lanes;
    uint64_t accepted;
    uint64_t refused; // over a limit
    uint64_t faults;  // visitors and lanes that broke the rules and were sent away
    uint64_t rows;
    uint64_t malformed; // rows that could not be read, or were none of their model
    uint64_t full;      // rows that found no room in their lane
    uint64_t beside;    // labels and metrics that found none
};

struct lane_door;

// Binds, listens. Keeps the sink, copies the settings. ST_IO, ST_EXISTS (a live agent
// has the socket, or the path is no socket), ST_RANGE (path too long), ST_NOMEM.
MUST_USE enum status lane_open(const struct lane_settings *settings,
                               const struct observation_sink *sink,
                               struct lane_door **out);

// Removes the socket file. What the lanes hold waits there for the next agent.
void lane_close(struct lane_door *d);

// Readable when somebody comes, goes or tells of a new lane. Rows wake nobody.
int lane_fd(const struct lane_door *d);

// How soon it wants its turn: 1 ms when a lane was found more than a quarter full, 10
// ms from an eighth on, else 50 ms (less for lanes under 1 MiB); a second when there
// are none.
uint64_t lane_patience_ns(const struct lane_door *d);

// Hears who came, then reads a bounded share of each lane. True: there is more.
bool lane_turn(struct lane_door *d, uint64_t now_ns);

struct lane_stats lane_stats(const struct lane_door *d);

#endif
