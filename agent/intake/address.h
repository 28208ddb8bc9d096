// Address: "HOST:PORT" or "[HOST]:PORT" of an agent.conf, the host in figures.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_ADDRESS_H
#define KEDGE_AGENT_INTAKE_ADDRESS_H

#include <sys/socket.h>

#include "common/base/status.h"

struct address {
    struct sockaddr_storage at;
    socklen_t size;
};

// ST_RANGE: it is none.
MUST_USE enum status address_of(const char *text, struct address *out);

// The port that a socket was given.
unsigned address_port(int fd);

#endif
