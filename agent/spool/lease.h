// Lease: up to which entry things were offered, in a file that needs no room to change.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_LEASE_H
#define KEDGE_AGENT_SPOOL_LEASE_H

#include <stdint.h>

#include "common/base/status.h"

// Two slots, written in turn, each with a CRC: a torn one leaves the other. Changing it
// allocates no disk block, so it works on a full disk too.
struct lease {
    int fd;
    uint64_t turn;  // of the newest slot
    uint64_t start; // everything up to (start, seq) counts as offered
    uint64_t seq;
};

// ST_IO, ST_FULL. A new or damaged file offers everything: better not merged than
// twice.
MUST_USE enum status lease_open(const char *path, struct lease *out);
void lease_close(struct lease *l);

// Durable when it returns ST_OK. ST_IO.
MUST_USE enum status lease_set(struct lease *l, uint64_t start, uint64_t seq);

#endif
