// Ends: libzmq's monitor of a socket, for one kind of event.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/ends.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <zmq.h>

#include "common/base/log.h"

enum status ends_open(void *context, void *port, const char *name, void **out)
{
    int none = 0;
    void *s = NULL;
    if (zmq_socket_monitor(port, name, ZMQ_EVENT_DISCONNECTED) == 0)
        s = zmq_socket(context, ZMQ_PAIR);
    if (s && zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_setsockopt(s, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
        zmq_connect(s, name) == 0) {
        *out = s;
        return ST_OK;
    }
    log_line(LOG_ERROR, "a port cannot be watched", "why=%s", zmq_strerror(errno));
    ends_close(port, s);
    return ST_IO;
}

void ends_close(void *port, void *ends)
{
    if (port)
        (void)zmq_socket_monitor(port, NULL, 0);
    if (ends)
        (void)zmq_close(ends);
}

// An event is u16 number and i32 value, as they lie in memory; then its address.
enum status ends_take(void *ends, int *fd)
{
    uint8_t event[6];
    char address[256];
    int32_t value;
    if (zmq_recv(ends, event, sizeof event, ZMQ_DONTWAIT) != (int)sizeof event)
        return ST_EMPTY;
    (void)zmq_recv(ends, address, sizeof address, ZMQ_DONTWAIT);
    memcpy(&value, event + 2, sizeof value);
    *fd = value;
    return ST_OK;
}
