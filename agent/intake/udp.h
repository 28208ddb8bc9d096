// Udp: the StatsD door. One datagram holds one or several lines.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_UDP_H
#define KEDGE_AGENT_INTAKE_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/mapping.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define UDP_DATAGRAMS_A_TURN 2000

struct udp_settings {
    const char *listen;     // "127.0.0.1:8125", "[::1]:8125"; port 0: any that is free
    struct mapping mapping; // model, version, prefix; borrowed until close
};

struct udp_stats {
    uint64_t port;
    uint64_t datagrams;
    uint64_t lines;
    uint64_t malformed;
    uint64_t lost; // datagrams for which the kernel had no room
    uint64_t bytes;
    uint64_t rates; // that counters became
};

struct udp;

// Binds. Keeps the sink. ST_RANGE (no such address), ST_EXISTS (it is taken), ST_IO,
// ST_NOMEM.
MUST_USE enum status udp_open(const struct udp_settings *settings,
                              const struct observation_sink *sink, struct udp **out);
void udp_close(struct udp *u); // NULL is fine

int udp_fd(const struct udp *u); // for poll

// Reads at most UDP_DATAGRAMS_A_TURN; true when there may be more.
bool udp_turn(struct udp *u, uint64_t now_ns);

struct udp_stats udp_stats(const struct udp *u);

#endif
