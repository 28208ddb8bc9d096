// Port: settings as a table, and messages whose sender is known.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <zmq.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/trust/keys.h"

// The number of ZMQ_ZAP_ENFORCE_DOMAIN, which Debian's header hides behind its draft
// macro. Without it CURVE lets every key in whenever no handler answers.
#define OPTION_ENFORCE_DOMAIN 93

struct setting {
    int option;
    int value;
};

static const struct setting settings[] = {
    {ZMQ_LINGER, 0},
    {ZMQ_CURVE_SERVER, 1},
    {OPTION_ENFORCE_DOMAIN, 1},
    {ZMQ_ROUTER_MANDATORY,
     1}, // a peer that does not read is an error, not a silent loss
    {ZMQ_ROUTER_HANDOVER, 0}, // nobody takes over another's routing id
    {ZMQ_BACKLOG, 4096},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 30},
    {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
};

static enum status refuse(const struct port_options *o, const char *what)
{
    log_line(LOG_ERROR, "port not opened", "endpoint=%s what=%s why=%s", o->endpoint,
             what, zmq_strerror(errno));
    return errno == ENOMEM ? ST_NOMEM : ST_IO;
}

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static enum status set_all(void *socket, const struct port_options *o)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (set_int(socket, settings[i].option, settings[i].value) != 0)
            return refuse(o, "setting");
    }
    // An int64_t: an int is refused by libzmq.
    bool is_set =
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &o->frame_bytes,
                       sizeof o->frame_bytes) == 0 &&
        set_int(socket, ZMQ_HANDSHAKE_IVL, o->handshake_ms) == 0 &&
        set_int(socket, ZMQ_RCVHWM, o->receive_hwm) == 0 &&
        set_int(socket, ZMQ_SNDHWM, o->send_hwm) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, o->secret, 32) == 0 &&
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, o->domain, strlen(o->domain)) == 0;
    return is_set ? ST_OK : refuse(o, "setting");
}

// Reads back what guards the door.
static enum status check_guard(void *socket, const struct port_options *o)
{
    int enforced = 0;
    char domain[64] = "";
    size_t size = sizeof enforced, domain_size = sizeof domain;
    if (zmq_getsockopt(socket, OPTION_ENFORCE_DOMAIN, &enforced, &size) == 0 &&
        enforced == 1 &&
        zmq_getsockopt(socket, ZMQ_ZAP_DOMAIN, domain, &domain_size) == 0 &&
        strcmp(domain, o->domain) == 0)
        return ST_OK;
    log_line(LOG_ERROR, "port not opened",
             "endpoint=%s why=this libzmq cannot enforce authentication", o->endpoint);
    return ST_UNSUPPORTED;
}

enum status port_open(void *context, const struct port_options *o, void **out)
{
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (!socket)
        return refuse(o, "socket");
    enum status st = set_all(socket, o);
    if (st == ST_OK)
        st = check_guard(socket, o);
    if (st != ST_OK) {
        (void)zmq_close(socket);
        return st;
    }
    *out = socket;
    return ST_OK;
}

enum status port_bind(void *port, const char *endpoint)
{
    struct port_options o = {.endpoint = endpoint};
    return zmq_bind(port, endpoint) == 0 ? ST_OK : refuse(&o, "bind");
}

void port_close(void *port)
{
    if (port)
        (void)zmq_close(port);
}

void port_cut(int fd)
{
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

// --- Taking

static void drop_frame(zmq_msg_t *m)
{
    (void)zmq_msg_close(m);
    mem_free(m);
}

void port_drop(struct port_message *m)
{
    for (uint32_t i = 0; i < m->frames; i++) {
        if (m->held[i])
            drop_frame(m->held[i]);
        m->held[i] = NULL;
    }
    m->frames = 0;
}

static bool has_more(const zmq_msg_t *m)
{
    return zmq_msg_more(m) == 1;
}

// Reads and forgets the rest of a message.
static void drain(void *port)
{
    bool more = true;
    while (more) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        more = zmq_msg_recv(&m, port, ZMQ_DONTWAIT) >= 0 && has_more(&m);
        zmq_msg_close(&m);
    }
}

// Who sent this frame, as CURVE has proven it. Not who it says it is.
static bool identify(zmq_msg_t *m, struct port_message *out)
{
    const char *user = zmq_msg_gets(m, "User-Id");
    out->fd = zmq_msg_get(m, ZMQ_SRCFD);
    return user && keys_of_z85(span_text(user), out->key) == ST_OK;
}

static enum status refuse_message(void *port, struct port_message *m, bool more)
{
    if (more)
        drain(port);
    port_cut(m->fd);
    port_drop(m);
    return ST_CORRUPT;
}

static enum status take_frames(void *port, struct port_message *out)
{
    bool more = true;
    while (more) {
        if (out->frames == PORT_FRAMES_MAX)
            return refuse_message(port, out, true);
        zmq_msg_t *m = mem_zero(1, sizeof *m);
        if (!m) {
            drain(port);
            port_drop(out);
            return ST_NOMEM;
        }
        zmq_msg_init(m);
        if (zmq_msg_recv(m, port, ZMQ_DONTWAIT) < 0) {
            drop_frame(m);
            return refuse_message(port, out, false);
        }
        more = has_more(m);
        out->frame[out->frames] = span_of(zmq_msg_data(m), zmq_msg_size(m));
        out->held[out->frames++] = m;
        if (out->frames == 1 && !identify(m, out))
            return refuse_message(port, out, more);
    }
    return ST_OK;
}

enum status port_take(void *port, struct port_message *out)
{
    *out = (struct port_message){.fd = -1};
    zmq_msg_t id;
    zmq_msg_init(&id);
    if (zmq_msg_recv(&id, port, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        return ST_EMPTY;
    }
    // Ids that libzmq makes begin with a zero byte. Others were chosen by the peer, to
    // look like somebody else.
    const uint8_t *bytes = zmq_msg_data(&id);
    bool is_automatic = zmq_msg_size(&id) == sizeof out->id && bytes[0] == 0;
    if (is_automatic)
        memcpy(out->id, bytes, sizeof out->id);
    else
        out->fd = zmq_msg_get(&id, ZMQ_SRCFD);
    bool more = has_more(&id);
    zmq_msg_close(&id);
    if (!is_automatic || !more)
        return refuse_message(port, out, more);
    return take_frames(port, out);
}

// --- Sending

static enum status failed_send(void)
{
    if (errno == EAGAIN)
        return ST_FULL;
    return errno == EHOSTUNREACH ? ST_CLOSED : ST_IO;
}

enum status port_send(void *port, const uint8_t id[5], const struct span *frame,
                      uint32_t frames)
{
    if (zmq_send(port, id, 5, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return failed_send();
    for (uint32_t i = 0; i < frames; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < frames ? ZMQ_SNDMORE : 0);
        if (zmq_send(port, frame[i].data, frame[i].size, flags) < 0)
            return failed_send();
    }
    return ST_OK;
}
