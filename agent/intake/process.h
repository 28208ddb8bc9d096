// Process: what /proc says of a process and of all that it started.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PROCESS_H
#define KEDGE_AGENT_INTAKE_PROCESS_H

#include <stdint.h>

#include "common/base/status.h"

struct process {
    uint64_t began; // ticks since the system's start; tells apart two of one number
    double cpu_s;   // of all, and of those that ended
    double rss_mib; // pages that several share are counted for each
    double fds;     // NaN: not allowed to look
    double threads;
    double processes;
};

// The process and its descendants, at most `most` of them, each with at most `fds_most`
// descriptors. ST_NOTFOUND: there is none, or it only waits to be taken leave of.
MUST_USE enum status process_look(uint64_t pid, uint32_t most, uint32_t fds_most,
                                  struct process *out);

// The number that a file holds. ST_NOTFOUND, ST_CORRUPT.
MUST_USE enum status process_of_file(const char *pidfile, uint64_t *pid);

#endif
