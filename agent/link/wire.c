// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.h"

#include <errno.h>
#include <stdio.h>
#include <zmq.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define FDS_MAX 128

struct wire {
    void *socket;
    void *monitor;
    zmq_msg_t frame[ENVELOPE_FRAMES_MAX];
    uint32_t frames; // that hold a message
};

// Settings of the agent's socket; the reasons for each stand in the storage page.
static const struct int_row {
    int option;
    int value;
} int_rows[] = {
    {ZMQ_LINGER, 0},    // the spool is the truth
    {ZMQ_IMMEDIATE, 1}, // nothing is queued for a peer that is not there
    {ZMQ_SNDHWM, 4},
    {ZMQ_RCVHWM, 64},
    {ZMQ_CONNECT_TIMEOUT, 5000},
    {ZMQ_HEARTBEAT_IVL, 10000},
    {ZMQ_HEARTBEAT_TIMEOUT,
     30000}, // and no TTL: that would be quadratic at the other end
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 60},
    {ZMQ_HANDSHAKE_IVL, 30000},
};

static bool set(void *socket, int option, const void *value, size_t size)
{
    return zmq_setsockopt(socket, option, value, size) == 0;
}

static bool configure(void *socket, const struct wire_settings *s)
{
    for (size_t i = 0; i < sizeof int_rows / sizeof int_rows[0]; i++)
        if (!set(socket, int_rows[i].option, &int_rows[i].value, sizeof(int)))
            return false;
    int64_t message_max = WIRE_MESSAGE_MAX;
    int reconnect_min = (int)s->reconnect_min_ms;
    int reconnect_max = (int)s->reconnect_max_ms;
    return set(socket, ZMQ_RECONNECT_IVL, &reconnect_min, sizeof reconnect_min) &&
           set(socket, ZMQ_RECONNECT_IVL_MAX, &reconnect_max, sizeof reconnect_max) &&
           set(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof message_max) &&
           set(socket, ZMQ_CURVE_SERVERKEY, s->server_key, 32) &&
           set(socket, ZMQ_CURVE_PUBLICKEY, s->public_key, 32) &&
           set(socket, ZMQ_CURVE_SECRETKEY, s->secret_key, 32);
}

static enum status open_monitor(void *context, struct wire *w)
{
    char name[64];
    (void)snprintf(name, sizeof name, "inproc://kedge.link.%016llx",
                   (unsigned long long)random_os());
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(w->socket, name, events) != 0)
        return ST_IO;
    w->monitor = zmq_socket(context, ZMQ_PAIR);
    int none = 0;
    if (!w->monitor || !set(w->monitor, ZMQ_LINGER, &none, sizeof none) ||
        zmq_connect(w->monitor, name) != 0)
        return ST_IO;
    return ST_OK;
}

enum status wire_open(void *context, const struct wire_settings *settings,
                      struct wire **out)
{
    struct wire *w = MEM_NEW(struct wire);
    if (!w)
        return ST_NOMEM;
    w->socket = zmq_socket(context, ZMQ_DEALER);
    enum status st = w->socket && configure(w->socket, settings) ? ST_OK : ST_IO;
    if (st == ST_OK)
        st = open_monitor(context, w);
    if (st == ST_OK && zmq_connect(w->socket, settings->endpoint) != 0)
        st = errno == EINVAL || errno == EPROTONOSUPPORT ? ST_RANGE : ST_IO;
    if (st != ST_OK) {
        wire_close(w);
        return st;
    }
    *out = w;
    return ST_OK;
}

static void drop_frames(struct wire *w)
{
    for (uint32_t i = 0; i < w->frames; i++)
        (void)zmq_msg_close(&w->frame[i]);
    w->frames = 0;
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    drop_frames(w);
    if (w->socket) {
        (void)zmq_socket_monitor(w->socket, NULL, 0);
        (void)zmq_close(w->socket);
    }
    if (w->monitor)
        (void)zmq_close(w->monitor);
    mem_free(w);
}

static enum wire_event event_of(uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return WIRE_READY;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return WIRE_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return WIRE_BROKEN;
    case ZMQ_EVENT_DISCONNECTED:
        return WIRE_LOST;
    default:
        return WIRE_NOTHING;
    }
}

enum wire_event wire_watch(struct wire *w)
{
    // Each event is two frames: number and value, then the endpoint.
    zmq_msg_t first, second;
    zmq_msg_init(&first);
    zmq_msg_init(&second);
    enum wire_event event = WIRE_NOTHING;
    if (zmq_msg_recv(&first, w->monitor, ZMQ_DONTWAIT) >= 2) {
        event = event_of(load_le16(zmq_msg_data(&first)));
        if (zmq_msg_more(&first) && zmq_msg_recv(&second, w->monitor, ZMQ_DONTWAIT) < 0)
            event = WIRE_NOTHING;
    }
    (void)zmq_msg_close(&first);
    (void)zmq_msg_close(&second);
    return event;
}

enum status wire_send(struct wire *w, const struct envelope *e)
{
    struct span frame[ENVELOPE_FRAMES_MAX];
    uint32_t frames = envelope_frames(e, frame);
    for (uint32_t i = 0; i < frames; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < frames ? ZMQ_SNDMORE : 0);
        while (zmq_send(w->socket, frame[i].data, frame[i].size, flags) < 0) {
            if (errno == EINTR)
                continue;
            // Only the first frame can be refused for want of room.
            return errno == EAGAIN && i == 0 ? ST_AGAIN : ST_IO;
        }
    }
    return ST_OK;
}

// Takes all frames of one message, and keeps as many as an envelope may have.
static enum status take_frames(struct wire *w)
{
    bool is_more = true;
    uint32_t extra = 0;
    while (is_more) {
        zmq_msg_t surplus;
        bool is_kept = w->frames < ENVELOPE_FRAMES_MAX;
        zmq_msg_t *frame = is_kept ? &w->frame[w->frames] : &surplus;
        zmq_msg_init(frame);
        int got;
        do
            got = zmq_msg_recv(frame, w->socket, ZMQ_DONTWAIT);
        while (got < 0 && errno == EINTR);
        is_more = got >= 0 && zmq_msg_more(frame);
        if (got >= 0 && is_kept)
            w->frames++;
        else
            (void)zmq_msg_close(frame);
        extra += !is_kept;
        if (got < 0)
            return errno == EAGAIN && w->frames == 0 ? ST_EMPTY : ST_CORRUPT;
    }
    return extra > 0 ? ST_CORRUPT : ST_OK;
}

enum status wire_take(struct wire *w, struct envelope *out)
{
    drop_frames(w);
    ST_TRY(take_frames(w));
    struct span frame[ENVELOPE_FRAMES_MAX];
    for (uint32_t i = 0; i < w->frames; i++)
        frame[i] = span_of(zmq_msg_data(&w->frame[i]), zmq_msg_size(&w->frame[i]));
    return envelope_of_frames(frame, w->frames, out);
}

void wire_wait(struct wire *w, const int *fd, uint32_t fds, int timeout_ms)
{
    zmq_pollitem_t item[FDS_MAX + 2];
    int items = 0;
    for (uint32_t i = 0; i < fds && i < FDS_MAX; i++)
        item[items++] = (zmq_pollitem_t){.fd = fd[i], .events = ZMQ_POLLIN};
    if (w) {
        item[items++] = (zmq_pollitem_t){.socket = w->socket, .events = ZMQ_POLLIN};
        item[items++] = (zmq_pollitem_t){.socket = w->monitor, .events = ZMQ_POLLIN};
    }
    (void)zmq_poll(item, items, timeout_ms);
}
