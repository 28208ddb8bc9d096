// Inner: what the spool's own files share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_INNER_H
#define KEDGE_AGENT_SPOOL_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/spool/group.h"
#include "agent/spool/lease.h"
#include "agent/spool/reel.h"
#include "agent/spool/spool.h"
#include "agent/spool/stock.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/codec.h"

#define SPOOL_GROUP_BYTES_MAX (16u << 20)
#define SPOOL_WAITING_MAX 1024

// A group that the disk had no room for. Its states and entries are known to nobody
// yet.
struct waiting {
    struct buf group;
    uint32_t entries;
};

struct spool {
    struct spool_settings settings;
    uint8_t boot[16];
    uint64_t start; // of this run of the agent
    uint64_t next_seq;
    uint64_t group_seq; // next_seq when the group began
    struct reel *reel;
    struct lease lease;
    struct stock stock;
    struct buf group;
    uint32_t group_entries;
    struct waiting waiting[SPOOL_WAITING_MAX];
    uint32_t waiting_first, waitings;
    uint64_t waiting_bytes;
    uint64_t offered_start, offered_seq; // the last that was really handed out
    bool is_online;
    struct buf lent; // what spool_offer and spool_state_get lend
    struct spool_stats stats;
    void *pool_memory;
    struct pool pool;
};

// Writes a group and carries it out; `entries` is how many it adds. As reel_append.
MUST_USE enum status spool_write(struct spool *s, struct span group, uint32_t entries);

// Gives back what the lease has beyond what was really offered.
void spool_lease_down(struct spool *s);

// --- thrift.c

// Merges and compacts until the limits are kept, or nothing more can be done for now.
void thrift_make_room(struct spool *s);

// Frees the oldest segment if little or nothing in it lives; under pressure also when a
// part of it does. True when one went.
bool thrift_compact(struct spool *s, bool is_pressed);

#endif
