// Limits: what the agent may take of its host, and how it makes do with less.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LIMITS_H
#define KEDGE_AGENT_LIMITS_H

#include <stdint.h>

#include "common/base/json.h"

#define LIMITS_LEVELS 4 // 0: none is near; 3: the hardest pressed

// Memory: over the limit the agent first gives back what it does not need, then goes up
// a level each second: windows become 4, 16 and 64 times as long, and from level 2 on
// are counted without sketches where a baseline has cells. It goes down again when 10
// seconds were under three quarters of the limit. Processor: what a second may not take
// waits for the next one, in the lanes, sockets and files that it comes from.
struct limits {
    uint64_t memory_bytes; // 0: no limit
    uint64_t cpu_percent;  // of one core; 0: no limit
    uint32_t level;
    uint64_t resident; // bytes, when last looked at
    uint64_t over;     // how often it was over the limit
    uint64_t paused_ns;
    double cpu_share; // of the last whole second
    uint64_t next_look_ns;
    uint64_t calm_ns; // since when it is well under the limit
    uint64_t second_ns, second_cpu_ns;
};

// Looks once a second, at instants of the monotonic clock.
void limits_turn(struct limits *l, uint64_t mono_ns);

// How much longer a window is at this level.
uint32_t limits_coarseness(const struct limits *l);

// How long to rest now; the time is counted as paused.
uint64_t limits_pause_ns(struct limits *l, uint64_t mono_ns);

void limits_status(const struct limits *l, struct json *out);

#endif
