// Guest: what this process shares with the agent: its models, the lanes of its threads
// and one connection.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_CLIENT_GUEST_H
#define KEDGE_AGENT_CLIENT_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/client/kedge.h"
#include "agent/client/writer.h"
#include "common/base/status.h"

#define GUEST_PATH_MAX 108
#define GUEST_TEND_NS UINT64_C(1000000000)

// A model as this process knows it. Never freed: rows may name it as long as the
// process lives. What stands here is written before a handle is given out.
struct kedge_model {
    uint32_t number;
    uint32_t features;
    uint8_t *kind;   // enum kedge_kind of each feature
    uint8_t *packet; // LANE_HAS_MODEL
    size_t packet_size;
    uint32_t opened; // handles given out
    // What threads without a lane lost; another lane tells it (see lane_losses).
    _Atomic uint64_t unsent;
    _Atomic uint64_t unsent_refused;
    _Atomic uint64_t unsent_beside;
};

// The lock guards everything but the writers, each of which belongs to the thread that
// has taken it. It is held for some system calls that do not wait.
struct guest {
    pthread_mutex_t lock;
    char path[GUEST_PATH_MAX];
    uint32_t slots;
    bool is_set; // path and slots are known
    int fd;      // connection; -1: none
    uint64_t tried_ns;
    struct kedge_model *model[LANE_MODELS_MAX];
    uint32_t models;
    _Atomic uint32_t has_unsent; // some model has
    _Atomic uint64_t barren_ns;  // when a thread last found no lane
    struct writer writer[KEDGE_THREADS_MAX];
    _Atomic uint64_t observed[KEDGE_THREADS_MAX][LANE_MODELS_MAX];
};

extern struct guest guest;

// The writer of this thread; NULL: it has none yet. Initial-exec: no call and no
// allocation on the way to it, also in a library that was loaded late.
extern _Thread_local struct writer *guest_mine
    __attribute__((tls_model("initial-exec")));

// Takes a writer for this thread and makes its lane known. NULL: there is none; then it
// is not tried again for a second, so that rows stay cheap.
struct writer *guest_take(uint64_t now_ns);

// Coarse wall clock, 4 ms and 5 ns: the events of a model need no better one.
uint64_t guest_now(void);

// Looks whether the agent is there, and for it when it is not: at most once a second
// for each thread, without waiting. Leaves errno alone.
void guest_tend(struct writer *w, uint64_t now_ns);

// Prepares the process the first time it is called.
void guest_begin(void);

// --- attach.c, under the lock

// Opens the connection and tells everything. Fine when the agent is away.
void attach_open(struct guest *g, uint64_t now_ns);

// Whether the agent has closed it.
bool attach_is_lost(const struct guest *g);
void attach_close(struct guest *g);

// Tells one more model or lane; closes the connection when it cannot.
void attach_model(struct guest *g, const struct kedge_model *m);
void attach_lane(struct guest *g, const struct writer *w);

#endif
