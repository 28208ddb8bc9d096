// Line: a pair of inproc sockets.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/line.h"

#include <errno.h>

#include <zmq.h>

#include "common/base/log.h"
#include "common/base/mem.h"

static enum status open_end(void *context, const char *name,
                            int (*attach)(void *socket, const char *name), void **out)
{
    void *s = zmq_socket(context, ZMQ_PAIR);
    int none = 0;
    if (s && zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_setsockopt(s, ZMQ_SNDHWM, &none, sizeof none) == 0 &&
        zmq_setsockopt(s, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
        attach(s, name) == 0) {
        *out = s;
        return ST_OK;
    }
    log_line(LOG_ERROR, "line not opened", "name=%s why=%s", name, zmq_strerror(errno));
    if (s)
        (void)zmq_close(s);
    return ST_IO;
}

enum status line_bind(void *context, const char *name, void **out)
{
    return open_end(context, name, zmq_bind, out);
}

enum status line_connect(void *context, const char *name, void **out)
{
    return open_end(context, name, zmq_connect, out);
}

void line_close(void *line)
{
    if (line)
        (void)zmq_close(line);
}

enum status line_send(void *line, const struct line_head *head,
                      const struct span *frame, uint32_t frames)
{
    if (zmq_send(line, head, sizeof *head, frames > 0 ? ZMQ_SNDMORE : 0) < 0)
        return ST_CLOSED;
    for (uint32_t i = 0; i < frames; i++) {
        int flags = i + 1 < frames ? ZMQ_SNDMORE : 0;
        if (zmq_send(line, frame[i].data, frame[i].size, flags) < 0)
            return ST_CLOSED;
    }
    return ST_OK;
}

enum status line_pass(void *line, const struct line_head *head, void *const *held,
                      uint32_t frames)
{
    if (zmq_send(line, head, sizeof *head, frames > 0 ? ZMQ_SNDMORE : 0) < 0)
        return ST_CLOSED;
    for (uint32_t i = 0; i < frames; i++) {
        if (zmq_msg_send(held[i], line, i + 1 < frames ? ZMQ_SNDMORE : 0) < 0)
            return ST_CLOSED;
    }
    return ST_OK;
}

void line_drop(struct line_message *m)
{
    for (uint32_t i = 0; i < m->frames; i++) {
        (void)zmq_msg_close(m->held[i]);
        mem_free(m->held[i]);
    }
    m->frames = 0;
}

static enum status take_frame(void *line, struct line_message *out)
{
    zmq_msg_t *m = mem_zero(1, sizeof *m);
    if (!m)
        return ST_NOMEM;
    zmq_msg_init(m);
    if (zmq_msg_recv(m, line, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(m);
        mem_free(m);
        return ST_CLOSED;
    }
    out->frame[out->frames] = span_of(zmq_msg_data(m), zmq_msg_size(m));
    out->held[out->frames++] = m;
    return ST_OK;
}

static bool has_more(void *line)
{
    int more = 0;
    size_t size = sizeof more;
    return zmq_getsockopt(line, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

enum status line_take(void *line, struct line_message *out)
{
    out->frames = 0;
    int n = zmq_recv(line, &out->head, sizeof out->head, ZMQ_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ST_EMPTY : ST_CLOSED;
    while (has_more(line)) {
        enum status st =
            out->frames < LINE_FRAMES_MAX ? take_frame(line, out) : ST_CLOSED;
        if (st != ST_OK) {
            line_drop(out);
            return st;
        }
    }
    return ST_OK;
}
