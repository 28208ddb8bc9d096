// Port: a CURVE server socket with every setting that a hostile network makes needful.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_PORT_H
#define KEDGE_CONTROLLER_GATE_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define PORT_DOMAIN_AGENT "kedge.agent"
#define PORT_DOMAIN_ENROL "kedge.enrol"
#define PORT_DOMAIN_OP "kedge.op"

// Largest frames: a window part is at most 128 KiB. libzmq limits the sealed frame.
#define PORT_AGENT_FRAME_BYTES 262144
#define PORT_ENROL_FRAME_BYTES 65536
#define PORT_OP_FRAME_BYTES (8 << 20)

#define PORT_FRAMES_MAX 3 // of one message, behind the routing id

struct port_options {
    const char *endpoint;  // "tcp://127.0.0.1:7601", for port_bind and for messages
    const char *domain;    // one of the above
    const uint8_t *secret; // 32 bytes, the port's transport key; borrowed for the call
    int64_t frame_bytes;
    int handshake_ms;
    int receive_hwm; // messages waiting for us, per peer
    int send_hwm;    // messages waiting for a peer
};

// Makes a ROUTER, not yet bound. Whatever setting does not hold, it refuses:
// ST_UNSUPPORTED names a libzmq that cannot enforce authentication. ST_IO, ST_NOMEM.
MUST_USE enum status port_open(void *context, const struct port_options *o, void **out);
// Peers may connect from now on. ST_IO.
MUST_USE enum status port_bind(void *port, const char *endpoint);
void port_close(void *port); // NULL is fine

// One message from a peer. All frames are owned by it until port_drop.
struct port_message {
    uint8_t id[5];   // automatic routing id: a zero, then a number that rises
    uint8_t key[32]; // the peer's transport key, proven by CURVE
    int fd;          // its connection; it may be closed already
    uint32_t frames; // 1..PORT_FRAMES_MAX
    struct span frame[PORT_FRAMES_MAX];
    void *held[PORT_FRAMES_MAX]; // zmq_msg_t, so that they can be passed on
};

// Takes the next message without waiting. ST_EMPTY: none. ST_CORRUPT: there was one,
// and it broke a rule (no identity, a chosen routing id, too many frames): its sender's
// connection was cut where it could be found; nothing to drop.
MUST_USE enum status port_take(void *port, struct port_message *out);
void port_drop(struct port_message *m);

// Sends frames to the peer with that routing id. ST_CLOSED: it is gone. ST_FULL: it
// does not read. Never waits.
MUST_USE enum status port_send(void *port, const uint8_t id[5],
                               const struct span *frame, uint32_t frames);

// Ends the connection `fd` if its far end is still the one of `m`.
void port_cut(int fd);

#endif
