// Agent: introduces the rooms of the agent to each other, and turns its one loop.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_AGENT_H
#define KEDGE_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/act/act.h"
#include "agent/doors.h"
#include "agent/grant.h"
#include "agent/limits.h"
#include "agent/link/link.h"
#include "agent/model/registry.h"
#include "agent/settings.h"
#include "agent/spool/spool.h"
#include "agent/status.h"
#include "common/setup/service.h"

// Everything of one running agent. One thread owns all of it; only libzmq's own works
// beside it, so a slow disk holds up the doors' readers, never the model servers: they
// write into a socket's buffer, or are told that it is full.
struct agent {
    const char *folder;
    char journal[4096];
    char executors[4096];
    char host[129];
    uint8_t boot[16];
    struct settings settings;
    struct grant *grant;
    struct service *service;
    struct spool *spool;
    struct registry *registry;
    struct doors *doors;
    struct act *act;
    struct link *link;
    struct status_door *status;
    struct act_model model[SETTINGS_MODELS_MAX];
    struct hello_executor hello_executor[EXECUTORS_MAX];
    struct beat_model beat_model[BEAT_MODELS_MAX];
    struct limits limits;
    int64_t skew_ms;    // as it was told last
    struct instant now; // of this turn
    uint64_t started_ns;
    uint64_t next_spool_ns;
    bool is_full; // the spool did not take something; said once
};

// Opens every part in the order in which they need each other. `why` gets one line.
MUST_USE enum status agent_open(const char *folder, struct agent **out,
                                struct buf *why);
void agent_close(struct agent *a);

// Turns until SIGTERM or SIGINT; gives the exit status.
int agent_run(struct agent *a);

// Reads and checks all files without touching anything. `why` gets the first fault.
MUST_USE enum status agent_check(const char *folder, struct buf *why);

// --- models.c

// NAME in the agent's folder, unless it begins with a slash. ST_RANGE.
MUST_USE enum status agent_path(const struct agent *a, const char *name, char *out,
                                size_t size);

// NULL for an empty text.
const char *agent_text(const char *text);

// Opens the registry, the doors and every model of the settings.
MUST_USE enum status agent_open_models(struct agent *a, struct buf *why);

// Adds one, with what the spool has kept of it. As registry_add, but a state that
// cannot be read is ST_OK, and logged.
MUST_USE enum status agent_add_model(struct agent *a, const struct model_section *m);

// --- wiring.c: how each room's hooks reach the others.
struct registry_hooks agent_registry_hooks(struct agent *a);
struct act_hooks agent_act_hooks(struct agent *a);
struct link_hooks agent_link_hooks(struct agent *a);

#endif
