// Zap: a reply socket, a table of keys, and a socket on which the table is changed.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/zap.h"

#include <errno.h>
#include <string.h>

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/table.h"
#include "common/trust/keys.h"
#include "controller/gate/port.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define FRAMES 7 // version, request, domain, address, identity, mechanism, credentials
#define FRAME_BYTES 256

enum { CHANGE_ALLOW = 1, CHANGE_FORBID = 2, CHANGE_STOP = 3 };

struct change {
    uint8_t what;
    uint8_t scope;
    uint8_t key[32];
};

struct zap {
    void *handler, *control;
    struct table *key[ZAP_SCOPES];
    struct zap_counts counts;
    uint64_t beat_ns;
};

// One request, its frames copied and cut: whatever is longer than we expect is refused.
struct question {
    uint8_t frame[FRAMES][FRAME_BYTES];
    size_t size[FRAMES];
    bool is_whole;
};

static enum status failed(const char *what)
{
    log_line(LOG_ERROR, "authentication handler", "what=%s why=%s", what,
             zmq_strerror(errno));
    return errno == EADDRINUSE ? ST_EXISTS : ST_IO;
}

enum status zap_open(void *context, const char *control, struct zap **out)
{
    struct zap *z = MEM_NEW(struct zap);
    if (!z)
        return ST_NOMEM;
    enum status st = ST_OK;
    for (int i = 0; i < ZAP_SCOPES && st == ST_OK; i++)
        st = table_open(ZAP_KEYS_MAX, &z->key[i]);
    z->handler = zmq_socket(context, ZMQ_REP);
    z->control = zmq_socket(context, ZMQ_PAIR);
    int none = 0;
    if (st == ST_OK && (!z->handler || !z->control))
        st = failed("socket");
    if (st == ST_OK &&
        (zmq_setsockopt(z->handler, ZMQ_LINGER, &none, sizeof none) != 0 ||
         zmq_setsockopt(z->control, ZMQ_LINGER, &none, sizeof none) != 0 ||
         zmq_setsockopt(z->control, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
         zmq_bind(z->handler, ENDPOINT) != 0 || zmq_bind(z->control, control) != 0))
        st = failed("bind");
    if (st != ST_OK) {
        zap_close(z);
        return st;
    }
    *out = z;
    return ST_OK;
}

void zap_close(struct zap *z)
{
    if (!z)
        return;
    if (z->handler)
        (void)zmq_close(z->handler);
    if (z->control)
        (void)zmq_close(z->control);
    for (int i = 0; i < ZAP_SCOPES; i++) {
        if (z->key[i])
            table_close(z->key[i], NULL);
    }
    mem_free(z);
}

// --- The table

static void apply(struct zap *z, const struct change *c)
{
    if (c->scope >= ZAP_SCOPES)
        return;
    struct table *t = z->key[c->scope];
    struct span key = span_of(c->key, sizeof c->key);
    if (c->what == CHANGE_FORBID) {
        (void)table_take(t, key);
    } else if (!table_get(t, key)) {
        enum status st = table_put(t, key, z);
        if (st != ST_OK)
            log_line(LOG_ERROR, "a key was not admitted", "why=%s", status_text(st));
    }
    z->counts.keys[c->scope] = table_len(t);
}

// Takes all changes that wait. False: it must stop.
static bool take_changes(struct zap *z)
{
    struct change c;
    for (;;) {
        int n = zmq_recv(z->control, &c, sizeof c, ZMQ_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n != sizeof c)
            continue;
        if (c.what == CHANGE_STOP)
            return false;
        apply(z, &c);
    }
}

// --- Questions

static bool take_question(struct zap *z, struct question *q)
{
    int at = 0, more = 1;
    q->is_whole = true;
    while (more) {
        uint8_t rest[FRAME_BYTES];
        bool fits = at < FRAMES;
        int n =
            zmq_recv(z->handler, fits ? q->frame[at] : rest, FRAME_BYTES, ZMQ_DONTWAIT);
        if (n < 0)
            return false;
        if (fits && n <= FRAME_BYTES)
            q->size[at] = (size_t)n;
        else
            q->is_whole = false;
        at++;
        size_t size = sizeof more;
        if (zmq_getsockopt(z->handler, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
    }
    q->is_whole = q->is_whole && at == FRAMES;
    return true;
}

static bool frame_is(const struct question *q, int i, const char *text)
{
    return span_is(span_of(q->frame[i], q->size[i]), text);
}

static bool is_allowed(const struct zap *z, const struct question *q)
{
    if (!frame_is(q, 0, "1.0") || !frame_is(q, 5, "CURVE") || q->size[6] != 32)
        return false;
    struct span key = span_of(q->frame[6], 32);
    if (frame_is(q, 2, PORT_DOMAIN_ENROL))
        return true; // any key: the enrolment itself proves the rest
    if (frame_is(q, 2, PORT_DOMAIN_AGENT))
        return table_get(z->key[ZAP_AGENT], key) != NULL;
    if (frame_is(q, 2, PORT_DOMAIN_OP))
        return table_get(z->key[ZAP_OP], key) != NULL;
    return false;
}

static void reply(struct zap *z, const struct question *q, bool allowed)
{
    char user[KEY_Z85_CHARS + 1] = "";
    if (allowed)
        keys_to_z85(q->frame[6], user);
    (void)zmq_send(z->handler, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(z->handler, q->frame[1], q->is_whole ? q->size[1] : 0, ZMQ_SNDMORE);
    // Never 300 ("try later"): libzmq's client then neither retries nor tells.
    (void)zmq_send(z->handler, allowed ? "200" : "400", 3, ZMQ_SNDMORE);
    (void)zmq_send(z->handler, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(z->handler, user, strlen(user), ZMQ_SNDMORE);
    (void)zmq_send(z->handler, "", 0, 0);
}

static void answer(struct zap *z)
{
    struct question q;
    memset(&q, 0, sizeof q);
    while (take_question(z, &q)) {
        bool allowed = q.is_whole && is_allowed(z, &q);
        z->counts.malformed += !q.is_whole;
        z->counts.accepted += allowed;
        z->counts.refused += !allowed;
        reply(z, &q, allowed);
        memset(&q, 0, sizeof q);
    }
}

static void beat(struct zap *z)
{
    uint64_t now = clock_mono_ns();
    if (now - z->beat_ns < ZAP_BEAT_MS * NS_PER_MS)
        return;
    z->beat_ns = now;
    (void)zmq_send(z->control, &z->counts, sizeof z->counts, ZMQ_DONTWAIT);
}

void zap_run(struct zap *z)
{
    for (;;) {
        zmq_pollitem_t item[] = {{.socket = z->control, .events = ZMQ_POLLIN},
                                 {.socket = z->handler, .events = ZMQ_POLLIN}};
        if (zmq_poll(item, 2, ZAP_BEAT_MS) < 0 && errno != EINTR)
            return;
        // Changes first: a key that was admitted before a handshake began counts in it.
        if (!take_changes(z))
            return;
        answer(z);
        beat(z);
    }
}

// --- The far end

enum status zap_connect(void *context, const char *control, void **out)
{
    void *s = zmq_socket(context, ZMQ_PAIR);
    int none = 0;
    if (!s)
        return failed("socket");
    if (zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_setsockopt(s, ZMQ_SNDHWM, &none, sizeof none) != 0 ||
        zmq_connect(s, control) != 0) {
        enum status st = failed("connect");
        (void)zmq_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

static enum status send_change(void *control, uint8_t what, enum zap_scope scope,
                               const uint8_t *key)
{
    struct change c = {.what = what, .scope = (uint8_t)scope};
    if (key)
        memcpy(c.key, key, sizeof c.key);
    return zmq_send(control, &c, sizeof c, 0) < 0 ? ST_CLOSED : ST_OK;
}

enum status zap_allow(void *control, enum zap_scope scope, const uint8_t key[32])
{
    return send_change(control, CHANGE_ALLOW, scope, key);
}

enum status zap_forbid(void *control, enum zap_scope scope, const uint8_t key[32])
{
    return send_change(control, CHANGE_FORBID, scope, key);
}

enum status zap_stop(void *control)
{
    return send_change(control, CHANGE_STOP, ZAP_AGENT, NULL);
}

enum status zap_beat(void *control, struct zap_counts *out)
{
    enum status st = ST_EMPTY;
    struct zap_counts c;
    while (zmq_recv(control, &c, sizeof c, ZMQ_DONTWAIT) == (int)sizeof c) {
        *out = c;
        st = ST_OK;
    }
    return st;
}
