// Fleet: what is known of each agent right now: its session, its last sign of life.
//
// Nothing here is durable. After a restart every agent says hello again.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FLEET_FLEET_H
#define KEDGE_CONTROLLER_FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/messages/session.h"

#define FLEET_AGENTS_MAX 200000u
// Three beats missed: the agent is dead, or cut off.
#define FLEET_SILENCE_NS UINT64_C(35000000000)
#define FLEET_TOLD_ALL UINT32_MAX

struct fleet_agent {
    uint8_t agent[16];
    uint8_t boot[16];
    uint8_t sess[16]; // nonce of its newest connection; orders repeat it
    uint8_t hb[16];   // nonce of its newest beat; zeros before the first
    char host[129];
    uint64_t hello_ns; // wall
    uint64_t seen_ns;  // wall, of its last message
    int64_t skew_ms;   // its clock less ours, at the last hello or beat
    uint64_t spool_entries;
    uint64_t spool_bytes;
    uint32_t told; // models of its beats whose baselines it was sent
};

struct fleet;

MUST_USE enum status fleet_open(struct fleet **out);
void fleet_close(struct fleet *f);

// ST_FULL, ST_NOMEM.
MUST_USE enum status fleet_hello(struct fleet *f, const uint8_t agent[16],
                                 const struct hello *h, uint64_t wall_ns);
// Of an agent that has said hello; others are ignored. Says whether it is the first
// since then.
bool fleet_beat(struct fleet *f, const uint8_t agent[16], const struct beat *b,
                uint64_t wall_ns);
// How many of its models' baselines it was sent since its hello.
void fleet_told(struct fleet *f, const uint8_t agent[16], uint32_t models);
void fleet_seen(struct fleet *f, const uint8_t agent[16], uint64_t wall_ns);
void fleet_forget(struct fleet *f, const uint8_t agent[16]);

// NULL: not heard of since the start.
const struct fleet_agent *fleet_get(const struct fleet *f, const uint8_t agent[16]);
// Walks all; start with *at = 0, NULL at the end.
const struct fleet_agent *fleet_next(const struct fleet *f, size_t *at);
// Whether one came since its hello.
bool fleet_has_beat(const struct fleet_agent *a);
bool fleet_is_alive(const struct fleet_agent *a, uint64_t wall_ns);

#endif
