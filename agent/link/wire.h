// Wire: one encrypted connection to the controller, and what its monitor saw of it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LINK_WIRE_H
#define KEDGE_AGENT_LINK_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/envelope.h"

#define WIRE_MESSAGE_MAX (4u << 20) // bytes of one frame taken from the controller

enum wire_event {
    WIRE_NOTHING,
    WIRE_READY,   // the handshake succeeded: a new connection
    WIRE_LOST,    // the connection ended; it is being made again by itself
    WIRE_REFUSED, // our key was refused: this socket will never try again
    WIRE_BROKEN,  // the handshake failed for another reason, as with a wrong server key
};

struct wire_settings {
    const char *endpoint; // tcp://host:port
    uint8_t server_key[32];
    uint8_t public_key[32];
    uint8_t secret_key[32];
    uint64_t reconnect_min_ms; // > 0; between two tries of the same socket
    uint64_t reconnect_max_ms; // > 0; the delay doubles up to this
};

struct wire;

// Makes the socket and begins to connect. Borrows the settings for the call. The secret
// is given to libzmq and wiped from here. ST_RANGE (endpoint), ST_IO, ST_NOMEM.
MUST_USE enum status wire_open(void *context, const struct wire_settings *settings,
                               struct wire **out);
void wire_close(struct wire *w);

// The next thing that the monitor saw. Never blocks.
enum wire_event wire_watch(struct wire *w);

// Sends all frames or none, without blocking. ST_AGAIN when it is full or cut off,
// ST_IO.
MUST_USE enum status wire_send(struct wire *w, const struct envelope *e);

// The next message, lent until the next call on it. ST_EMPTY; ST_CORRUPT for one that
// is no envelope, which is gone then.
MUST_USE enum status wire_take(struct wire *w, struct envelope *out);

// Waits until the connection, one of `fds` or the time says something. With no wire it
// waits for the rest.
void wire_wait(struct wire *w, const int *fd, uint32_t fds, int timeout_ms);

#endif
