// Swarm: a fleet of thousands of agents in a few processes, to measure a controller.
//
// Each agent has a key, a connection and a boot of its own, and speaks the real wire.
// What it sends was recorded once: windows of rows, counted as an agent counts them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_SWARM_H
#define KEDGE_TESTS_FLEET_SWARM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/trust/keys.h"
#include "tests/fleet/latency.h"

#define SWARM_AGENTS_MAX 60000u
#define SWARM_MODELS_MAX 100000u
#define SWARM_WORKERS_MAX 16u
#define SWARM_VERSION "v1"

// What the command line asks for.
struct swarm_plan {
    const char *config; // the operator's kedge.conf
    uint32_t agents, models, features, rows, sketch_every, workers;
    double rate; // windows a second, of all agents; 0: none
    bool is_flood;
    uint64_t seconds, window_ns;
};

// An agent that has enrolled.
struct swarm_identity {
    bool is_enrolled;
    uint8_t curve_public[32], curve_secret[32];
    uint8_t agent[16];
};

// What the workers do, all in step. The parent says which.
enum swarm_phase {
    SWARM_ENROL,   // agents get their grants
    SWARM_ENTER,   // models and baselines are registered
    SWARM_CONNECT, // every agent was welcomed
    SWARM_ATTEST,  // every agent has said what it serves
    SWARM_REPORT,  // windows, for the time asked for
    SWARM_DRAIN,   // until everything is acknowledged
    SWARM_RETURN,  // the controller was started again: every agent was welcomed, and a
                   // window of it acknowledged
    SWARM_END,
    SWARM_PHASES
};

// One worker's figures.
struct swarm_tally {
    _Atomic uint64_t sent, acked, refused, repeated, bytes, received, lost, owed;
    struct latency latency; // from the moment a window was due to its acknowledgement
};

// Memory that all workers see.
struct swarm_ground {
    _Atomic int phase;
    _Atomic int done[SWARM_WORKERS_MAX]; // phases that this worker has behind it
    _Atomic uint64_t until_ns;           // mono: end of the reporting
    uint64_t first_ns;                   // event time of the first window
    char endpoint[300];                  // of the agents' port
    uint8_t server_key[32];
    struct swarm_tally tally[SWARM_WORKERS_MAX];
    struct swarm_identity identity[SWARM_AGENTS_MAX];
};

struct recording;

// One worker's share: every agent and model whose number leaves `worker` when it is
// divided by the number of workers.
struct swarm_share {
    const struct swarm_plan *plan;
    struct swarm_ground *ground;
    const struct recording *recording;
    uint32_t worker;
};

// Ends the process with a line that says why.
_Noreturn void swarm_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
