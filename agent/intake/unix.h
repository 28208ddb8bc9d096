// Unix: the socket door. Local model servers write JSON lines or msgpack maps to it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_UNIX_H
#define KEDGE_AGENT_INTAKE_UNIX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define UNIX_CLIENTS_MAX 256
#define UNIX_UIDS_MAX 64

struct unix_settings {
    const char *path;  // a stale socket there is replaced, anything else is refused
    unsigned mode;     // of the socket file, e.g. 0660
    const char *model; // assumed where a line names none; may be NULL
    const uint32_t
        *uid;      // who may connect, beside the agent's own user; borrowed for the
    uint32_t uids; // call, at most UNIX_UIDS_MAX; 0: all whom the mode lets in
};

struct unix_stats {
    uint64_t clients; // connected now
    uint64_t accepted;
    uint64_t refused; // over UNIX_CLIENTS_MAX
    uint64_t denied;  // of users that may not
    uint64_t lines;   // or maps
    uint64_t malformed;
    uint64_t oversize; // lines over OBSERVATION_LINE_MAX, skipped to their end
    uint64_t bytes;
};

struct unix_door;

// Binds, listens. Keeps the sink, copies the settings. ST_IO, ST_EXISTS (a live agent
// has the socket, or the path is no socket), ST_RANGE (path too long, too many users),
// ST_NOMEM.
MUST_USE enum status unix_open(const struct unix_settings *settings,
                               const struct observation_sink *sink,
                               struct unix_door **out);

// Closes the clients, removes the socket file.
void unix_close(struct unix_door *d);

// Readable whenever unix_turn has something to do; for poll.
int unix_fd(const struct unix_door *d);

// Accepts and reads without blocking, at most 4 MiB a turn in fair shares of the
// clients. Says whether something was left for the next turn (unix_fd is readable then
// as well).
bool unix_turn(struct unix_door *d, uint64_t now_ns);

struct unix_stats unix_stats(const struct unix_door *d);

#endif
