// Probe: looks at a model server from outside: its processes, and its cgroup.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PROBE_H
#define KEDGE_AGENT_INTAKE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define PROBE_PROCESSES_MAX 256 // of one server
#define PROBE_FDS_MAX 100000    // counted of one process

// At least one of pidfile and cgroup is said. Texts are borrowed until close.
struct probe_settings {
    const char *model;
    const char *version; // NULL: the one that is served
    const char *pidfile; // holds the number of the server's first process
    const char *cgroup;  // folder of a version 2 cgroup; systemd's of a unit is
                         // /sys/fs/cgroup/system.slice/NAME.service
    uint64_t interval_ns;
};

struct probe_stats {
    uint64_t looks;
    uint64_t absences; // looks that found no process
    uint64_t restarts;
    uint64_t pid;       // 0: none
    uint64_t processes; // with its descendants
};

struct probe;

// Keeps the sink. Each look gives one row of signals: up (0 or 1) and restart (1 when
// the first process is another one than before); while it is up cpu (share of one core,
// over all descendants), rss_mib, fds, threads and processes; recovery_s once it is
// back; and of the cgroup cgroup.cpu, cgroup.throttled (a share of its periods),
// cgroup.memory_mib and cgroup.oom_kills (since the last look). What cannot be read is
// left out. ST_RANGE, ST_NOMEM.
MUST_USE enum status probe_open(const struct probe_settings *settings,
                                const struct observation_sink *sink,
                                struct probe **out);
void probe_close(struct probe *p); // NULL is fine

// Looks, when it is time.
void probe_turn(struct probe *p, uint64_t now_ns);

struct probe_stats probe_stats(const struct probe *p);

#endif
