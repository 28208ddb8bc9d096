// Fleet: what is known of each agent right now: its session, its last sign of life, and
// whether its models still speak.
//
// Nothing here is durable. After a restart every agent says hello again.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FLEET_FLEET_H
#define KEDGE_CONTROLLER_FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/fleet/wheel.h"
#include "proto/messages/session.h"

#define FLEET_AGENTS_MAX 200000u
#define FLEET_MODELS_MAX 400000u // of all agents together; others have no state
// Three beats missed: nothing comes through any more.
#define FLEET_SILENCE_NS UINT64_C(35000000000)
// An agent whose connection ended is back within this, or it is dead.
#define FLEET_GRACE_NS UINT64_C(15000000000)
// A model without a row for so long, and for three windows, is silent.
#define FLEET_MODEL_SILENCE_NS UINT64_C(180000000000)
// Clocks further apart are told.
#define FLEET_SKEW_MS 5000
#define FLEET_BOOTS 4u // remembered of an agent, to know a clone by
#define FLEET_TOLD_ALL UINT32_MAX

enum fleet_state {
    FLEET_ALIVE,     // it breathes
    FLEET_SKEWED,    // it breathes, and its clock is wrong
    FLEET_LINK_DOWN, // nothing comes through, and no end of its connection was seen:
                     // the network, or the whole machine
    FLEET_DEAD, // its end of the connection was closed: the process is gone
    FLEET_STATES
};

// One start of an agent that was seen under its key.
struct fleet_boot {
    uint8_t boot[16];
    char host[129], address[64];
};

struct fleet_agent {
    struct wheel_timer timer; // first: a timer is its agent
    bool is_model;            // false; see fleet_model
    uint8_t agent[16];
    uint8_t boot[16];
    uint8_t sess[16]; // nonce of its newest connection; orders repeat it
    uint8_t hb[16];   // nonce of its newest beat; zeros before the first
    char host[129];
    uint64_t hello_ns; // wall
    uint64_t seen_ns;  // wall, of its last message
    uint64_t seen_mono;
    int64_t skew_ms; // its clock less ours, at the last hello or beat
    uint64_t spool_entries;
    uint64_t spool_bytes;
    uint32_t told; // models of its beats whose baselines it was sent
    enum fleet_state state;
    uint64_t state_ns;  // wall, since when
    uint64_t gone_mono; // when its connection ended; 0: it is there
    // A key that is used on two machines at once: a start that was followed by another
    // one, and then came back. Both are named.
    struct fleet_boot known[FLEET_BOOTS]; // the newest first
    struct fleet_boot twin;
    uint64_t twin_ns; // wall, when it was last seen; 0: never
    struct fleet_model *models;
};

// One model on one agent.
struct fleet_model {
    struct wheel_timer timer; // first: a timer is its model
    bool is_model;            // true
    struct fleet_agent *agent;
    char name[129];
    uint64_t rows_mono; // when its last row was reported
    uint64_t rows_ns;   // the same as wall; 0: none since the start
    uint64_t limit_ns;  // without a row for so long it is silent
    bool is_silent;
    struct fleet_model *next; // of the same agent
};

struct fleet_times {
    uint64_t silence_ns, grace_ns, model_silence_ns; // 0: as above
};

struct fleet;

MUST_USE enum status fleet_open(const struct fleet_times *times, struct fleet **out);
void fleet_close(struct fleet *f);

// Now, for the calls below; before the others in each turn of the loop.
void fleet_now(struct fleet *f, uint64_t wall_ns, uint64_t mono_ns);

// `address` may be NULL. *is_twin: its key is used on two machines (told once an hour).
// ST_FULL, ST_NOMEM.
MUST_USE enum status fleet_hello(struct fleet *f, const uint8_t agent[16],
                                 const struct hello *h, const char *address,
                                 bool *is_twin);
// Of an agent that has said hello; others are ignored. Says whether it is the first
// since then.
bool fleet_beat(struct fleet *f, const uint8_t agent[16], const struct beat *b);
// How many of its models' baselines it was sent since its hello.
void fleet_told(struct fleet *f, const uint8_t agent[16], uint32_t models);
void fleet_seen(struct fleet *f, const uint8_t agent[16]);
// A window of that length came, with so many rows.
void fleet_window(struct fleet *f, const uint8_t agent[16], struct span model,
                  uint64_t length_ns, uint64_t rows);
// Its connection has ended.
void fleet_gone(struct fleet *f, const uint8_t agent[16]);
void fleet_forget(struct fleet *f, const uint8_t agent[16]);

// One change of state that time alone has brought; false: there is none left. Exactly
// one of the two is not NULL.
struct fleet_change {
    const struct fleet_agent *agent;
    const struct fleet_model *model;
};
bool fleet_turn(struct fleet *f, struct fleet_change *out);

// NULL: not heard of since the start.
const struct fleet_agent *fleet_get(const struct fleet *f, const uint8_t agent[16]);
// Walks all; start with *at = 0, NULL at the end.
const struct fleet_agent *fleet_next(const struct fleet *f, size_t *at);
const struct fleet_model *fleet_next_model(const struct fleet *f, size_t *at);
// Whether one came since its hello.
bool fleet_has_beat(const struct fleet_agent *a);
bool fleet_is_alive(const struct fleet_agent *a, uint64_t wall_ns);
const char *fleet_state_name(enum fleet_state s);

#endif
