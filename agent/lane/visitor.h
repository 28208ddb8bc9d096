// Visitor: one process that has made its models and lanes known, and its connection.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LANE_VISITOR_H
#define KEDGE_AGENT_LANE_VISITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/lane/form.h"
#include "agent/lane/tap.h"
#include "common/base/status.h"

#define VISITOR_LANES_MAX 256

struct visitor {
    bool is_here; // else the place is free
    int fd;       // -1: it has gone, and what it left is still being read
    bool has_hello;
    struct ucred peer;
    struct form *form[LANE_MODELS_MAX];
    struct tap *lane;
    uint32_t lanes;
};

// Buffers that all visitors share, one at a time.
struct visitor_rooms {
    uint8_t packet[LANE_PACKET_MAX];
    uint8_t record[LANE_RECORD_MAX];
};

// What the door is asked before a lane is taken in: false refuses it. It may move it
// on.
struct visitor_hooks {
    void *self;
    bool (*may_add)(void *self, struct tap *fresh);
};

// Takes up a connection; owns the descriptor from now on.
void visitor_init(struct visitor *v, int fd);
void visitor_fini(struct visitor *v);

// Takes the packets that have come. ST_OK: all of them; ST_CLOSED: it has gone, its
// connection is closed, its lanes are still there; anything else: it broke the rules,
// and is to be sent away.
MUST_USE enum status visitor_hear(struct visitor *v, struct visitor_rooms *rooms,
                                  const struct visitor_hooks *hooks);

// Takes lane number `i` away; another one takes its number.
void visitor_drop_lane(struct visitor *v, uint32_t i);

#endif
