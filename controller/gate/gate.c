// Gate: one loop over three ports, the line and the ZAP handler.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "controller/gate/door.h"
#include "controller/gate/ends.h"
#include "controller/gate/line.h"
#include "controller/gate/peers.h"
#include "controller/gate/port.h"
#include "controller/gate/zap.h"
#include "controller/log/tape.h"
#include "proto/messages/catalog.h"

#define POLL_MS 200
#define ZAP_SILENCE_NS (3 * NS_PER_S)
// Time that the whole process did not run (a stopped machine, a debugger, a starved
// processor) is no silence of the handler: a turn counts as this much at most.
#define ZAP_TURN_NS (250 * NS_PER_MS)
#define COUNTS_NS NS_PER_S
#define SEND_MAX 128 // messages for one agent: a greeting brings its baselines at once
#define ENDS "inproc://kedge.gate.ends"
#define TAKE_MAX 64 // messages from one port before the others have their turn

struct gate {
    void *agents, *enrol, *ops, *line, *zap, *ends;
    struct peers *peers;
    struct door *door;
    struct gate_counts counts;
    uint32_t under_way;
    uint64_t under_way_bytes; // an estimate: falls with the number, not with the bytes
    uint64_t zap_ns, zap_silence_ns; // last looked at; silent for
    uint64_t counts_ns, now_ns;
    bool must_stop;
};

static enum status open_ports(struct gate *g, void *context,
                              const struct gate_options *o)
{
    struct port_options port = {.endpoint = o->agent_endpoint,
                                .domain = PORT_DOMAIN_AGENT,
                                .secret = o->agent_secret,
                                .frame_bytes = PORT_AGENT_FRAME_BYTES,
                                .handshake_ms = 30000,
                                .receive_hwm = 4,
                                .send_hwm = SEND_MAX};
    ST_TRY(port_open(context, &port, &g->agents));
    ST_TRY(ends_open(context, g->agents, ENDS, &g->ends));
    port = (struct port_options){.endpoint = o->enrol_endpoint,
                                 .domain = PORT_DOMAIN_ENROL,
                                 .secret = o->enrol_secret,
                                 .frame_bytes = PORT_ENROL_FRAME_BYTES,
                                 .handshake_ms = 5000,
                                 .receive_hwm = 2,
                                 .send_hwm = 4};
    ST_TRY(port_open(context, &port, &g->enrol));
    port = (struct port_options){.endpoint = o->op_endpoint,
                                 .domain = PORT_DOMAIN_OP,
                                 .secret = o->op_secret,
                                 .frame_bytes = PORT_OP_FRAME_BYTES,
                                 .handshake_ms = 5000,
                                 .receive_hwm = 4,
                                 .send_hwm = 1024};
    return port_open(context, &port, &g->ops);
}

enum status gate_open(void *context, const struct gate_options *o, struct gate **out)
{
    struct gate *g = MEM_NEW(struct gate);
    if (!g)
        return ST_NOMEM;
    struct door_options door = {.keyring = o->keyring};
    memcpy(door.fleet, o->fleet, sizeof door.fleet);
    memcpy(door.curve, o->enrol_public, sizeof door.curve);
    enum status st = peers_open(&g->peers);
    if (st == ST_OK)
        st = door_open(&door, &g->door);
    if (st == ST_OK)
        st = zap_connect(context, o->zap, &g->zap);
    if (st == ST_OK)
        st = line_connect(context, o->line, &g->line);
    if (st == ST_OK)
        st = open_ports(g, context, o);
    if (st != ST_OK) {
        gate_close(g);
        return st;
    }
    g->zap_ns = clock_mono_ns();
    *out = g;
    return ST_OK;
}

void gate_close(struct gate *g)
{
    if (!g)
        return;
    ends_close(g->agents, g->ends);
    port_close(g->agents);
    port_close(g->enrol);
    port_close(g->ops);
    line_close(g->line);
    if (g->zap) {
        if (zap_stop(g->zap) != ST_OK)
            log_line(LOG_WARN, "the authentication handler was not told to stop", "");
        (void)zmq_close(g->zap);
    }
    door_close(g->door);
    peers_close(g->peers);
    mem_free(g);
}

// --- From agents

static void hostile(struct gate *g, struct peer *p, const struct port_message *m,
                    enum status why)
{
    g->counts.hostile++;
    p->hostile++;
    // The first few are worth a line each; a flood is not.
    if ((p->hostile & (p->hostile - 1)) == 0)
        log_line(LOG_WARN, "agent cut off for a message that breaks the rules",
                 "why=%s times=%llu", status_name(why), (unsigned long long)p->hostile);
    port_cut(m->fd);
    p->is_connected = false;
}

static void pass_on(struct gate *g, const struct peer *p, enum line_kind kind,
                    enum tape_kind tape, const struct port_message *m)
{
    struct line_head head = {.kind = (uint8_t)kind, .tape = (uint8_t)tape};
    memcpy(head.agent, p->agent, sizeof head.agent);
    memcpy(head.key, p->key, sizeof head.key);
    if (kind == LINE_HELLO) {
        const char *address = zmq_msg_gets(m->held[0], "Peer-Address");
        (void)snprintf(head.address, sizeof head.address, "%s", address ? address : "");
    }
    // Behind the type: the body, and a receipt's signatures.
    if (line_pass(g->line, &head, m->held + 1, m->frames - 1) != ST_OK)
        g->must_stop = true;
}

static enum tape_kind tape_of(enum wire_kind kind)
{
    switch (kind) {
    case WIRE_WINDOW:
        return TAPE_WINDOW;
    case WIRE_ATTEST:
        return TAPE_ATTEST;
    case WIRE_NOTICE:
        return TAPE_NOTICE;
    default:
        return TAPE_RECEIPT;
    }
}

static void take_report(struct gate *g, struct peer *p, const struct wire_row *row,
                        const struct port_message *m)
{
    uint8_t boot[16];
    uint64_t seq;
    enum status st = wire_place(m->frame[1], boot, &seq);
    if (st != ST_OK) {
        hostile(g, p, m, st);
        return;
    }
    if (p->under_way >= (g->under_way < PEERS_BUSY ? PEERS_CREDIT : PEERS_SHARE)) {
        g->counts.overdrawn++;
        p->dropped++;
        if (peers_overdraws(p, g->now_ns))
            hostile(g, p, m, ST_FULL);
        return;
    }
    p->under_way++;
    p->reports++;
    g->under_way++;
    g->under_way_bytes += m->frame[1].size;
    g->counts.reports++;
    g->counts.bytes += m->frame[1].size;
    pass_on(g, p, LINE_REPORT, tape_of(row->kind), m);
}

// A hello makes its connection the peer's; anything else counts only on that one.
static bool is_current(struct gate *g, struct peer *p, enum wire_kind kind,
                       const struct port_message *m)
{
    enum peers_place place = peers_place(p, m->id);
    if (place == PEERS_OLDER)
        return false;
    if (kind != WIRE_HELLO)
        return place == PEERS_SAME;
    p->is_connected = true;
    memcpy(p->id, m->id, sizeof p->id);
    return peers_place_at(g->peers, p, m->fd) == ST_OK;
}

static void take_agent(struct gate *g, const struct port_message *m)
{
    struct peer *p = peers_by_key(g->peers, m->key);
    if (!p) {
        // Revoked while connected: ZAP asks only at the handshake.
        g->counts.refused++;
        port_cut(m->fd);
        return;
    }
    struct envelope e;
    const struct wire_row *row;
    enum status st = wire_open(m->frame, m->frames, &e, &row);
    if (st == ST_NOTFOUND || st == ST_VERSION) {
        p->dropped++; // a later agent says more than we know
        return;
    }
    if (st == ST_OK && (row->port != WIRE_AGENT_PORT || row->way != WIRE_UP))
        st = ST_CORRUPT;
    if (st != ST_OK) {
        hostile(g, p, m, st);
        return;
    }
    if (!is_current(g, p, row->kind, m)) {
        p->dropped++;
        return;
    }
    if (row->is_durable)
        take_report(g, p, row, m);
    else if (!peers_may_speak(p, g->now_ns))
        hostile(g, p, m, ST_FULL);
    else
        pass_on(g, p, row->kind == WIRE_HELLO ? LINE_HELLO : LINE_BEAT, 0, m);
}

// Connections that are over: the fold decides what that means.
static void take_ends(struct gate *g)
{
    int fd;
    while (ends_take(g->ends, &fd) == ST_OK) {
        struct peer *p = peers_by_fd(g->peers, fd);
        if (!p)
            continue;
        struct line_head head = {.kind = LINE_LOST};
        memcpy(head.agent, p->agent, sizeof head.agent);
        p->is_connected = false;
        if (peers_place_at(g->peers, p, -1) != ST_OK ||
            line_send(g->line, &head, NULL, 0) != ST_OK)
            g->must_stop = true;
    }
}

// --- From hosts that enrol, and from operators

static void send_enrol(struct gate *g, const uint8_t id[5], enum wire_kind kind,
                       struct span body)
{
    struct span frame[] = {span_text(wire_row(kind)->message->type), body};
    if (port_send(g->enrol, id, frame, 2) != ST_OK)
        g->counts.unsent++;
}

static void refuse_enrol(struct gate *g, const uint8_t id[5], uint32_t code,
                         const char *why)
{
    struct enrol_refusal r = {.code = code, .why = span_text(why)};
    struct buf b;
    buf_init(&b, 1024);
    if (message_encode(&enrol_refusal_message, &r, &b, NULL) == ST_OK)
        send_enrol(g, id, WIRE_ENROL_REFUSAL, buf_span(&b));
    buf_fini(&b);
}

static void greet_enrol(struct gate *g, const struct port_message *m,
                        const char *address)
{
    struct door_talk who = {.address = address,
                            .now_ns = clock_mono_ns(),
                            .wall_ms = clock_wall_ns() / NS_PER_MS};
    memcpy(who.id, m->id, sizeof who.id);
    struct buf b;
    buf_init(&b, wire_row(WIRE_ENROL_CHALLENGE)->bytes_max);
    enum status st = door_hello(g->door, &who, m->frame[1], &b);
    if (st == ST_OK)
        send_enrol(g, m->id, WIRE_ENROL_CHALLENGE, buf_span(&b));
    else
        refuse_enrol(g, m->id, 400, "malformed");
    buf_fini(&b);
}

static void request_enrol(struct gate *g, const struct port_message *m,
                          const char *address)
{
    enum status st = door_request(g->door, m->id, m->key, m->frame[1], clock_mono_ns());
    if (st != ST_OK) {
        door_failed(g->door, m->id, clock_mono_ns());
        refuse_enrol(g, m->id, st == ST_DENIED ? 403 : 400,
                     st == ST_DENIED ? "the challenge was not met" : "malformed");
        return;
    }
    struct line_head head = {.kind = LINE_ENROL};
    memcpy(head.id, m->id, sizeof head.id);
    memcpy(head.key, m->key, sizeof head.key);
    (void)snprintf(head.address, sizeof head.address, "%s", address);
    g->counts.enrolments++;
    if (line_pass(g->line, &head, m->held + 1, 1) != ST_OK)
        g->must_stop = true;
}

static void take_enrol(struct gate *g, const struct port_message *m)
{
    const char *address = zmq_msg_gets(m->held[0], "Peer-Address");
    struct envelope e;
    const struct wire_row *row;
    if (wire_open(m->frame, m->frames, &e, &row) != ST_OK ||
        row->port != WIRE_ENROL_PORT || row->way != WIRE_UP) {
        g->counts.hostile++;
        port_cut(m->fd);
        return;
    }
    if (!door_may_try(g->door, address ? address : "", clock_mono_ns()))
        refuse_enrol(g, m->id, 429, "too many tries: wait a minute");
    else if (row->kind == WIRE_ENROL_HELLO)
        greet_enrol(g, m, address ? address : "");
    else
        request_enrol(g, m, address ? address : "");
}

static void take_op(struct gate *g, const struct port_message *m)
{
    struct envelope e;
    const struct wire_row *row;
    if (wire_open(m->frame, m->frames, &e, &row) != ST_OK || row->kind != WIRE_QUERY) {
        g->counts.hostile++;
        port_cut(m->fd);
        return;
    }
    struct line_head head = {.kind = LINE_QUERY};
    memcpy(head.id, m->id, sizeof head.id);
    memcpy(head.key, m->key, sizeof head.key);
    g->counts.queries++;
    if (line_pass(g->line, &head, m->held + 1, 1) != ST_OK)
        g->must_stop = true;
}

typedef void taker(struct gate *g, const struct port_message *m);

static void take_some(struct gate *g, void *port, taker *take)
{
    for (int i = 0; i < TAKE_MAX; i++) {
        struct port_message m;
        enum status st = port_take(port, &m);
        if (st == ST_EMPTY)
            return;
        if (st != ST_OK) {
            g->counts.hostile++;
            continue;
        }
        take(g, &m);
        port_drop(&m);
    }
}

// --- From the fold

static void tell_agent(struct gate *g, const struct line_message *m)
{
    uint32_t settled = (uint32_t)m->head.number;
    uint64_t share = g->under_way > 0 ? g->under_way_bytes / g->under_way : 0;
    g->under_way -= settled < g->under_way ? settled : g->under_way;
    g->under_way_bytes = g->under_way > 0 ? share * g->under_way : 0;
    struct peer *p = peers_by_agent(g->peers, m->head.agent);
    if (!p)
        return;
    p->under_way -= settled < p->under_way ? settled : p->under_way;
    if (m->frames == 0)
        return;
    if (!p->is_connected || port_send(g->agents, p->id, m->frame, m->frames) != ST_OK)
        g->counts.unsent++;
}

static void allow(struct gate *g, const struct line_head *h)
{
    enum status st = ST_OK;
    if (h->scope == ZAP_AGENT)
        st = peers_allow(g->peers, h->key, h->agent);
    if (st == ST_OK)
        st = zap_allow(g->zap, (enum zap_scope)h->scope, h->key);
    if (st != ST_OK)
        log_line(LOG_ERROR, "a key was not admitted", "why=%s", status_text(st));
}

static void forbid(struct gate *g, const struct line_head *h)
{
    int fd = -1;
    if (zap_forbid(g->zap, (enum zap_scope)h->scope, h->key) != ST_OK)
        g->must_stop = true;
    if (h->scope == ZAP_AGENT)
        peers_forbid(g->peers, h->key, &fd);
    port_cut(fd);
}

static void obey(struct gate *g, const struct line_message *m)
{
    switch ((enum line_kind)m->head.kind) {
    case LINE_TELL:
        tell_agent(g, m);
        break;
    case LINE_ANSWER:
    case LINE_GRANT:
        if (m->head.kind == LINE_GRANT && m->head.number != 0)
            door_failed(g->door, m->head.id, clock_mono_ns());
        if (port_send(m->head.kind == LINE_ANSWER ? g->ops : g->enrol, m->head.id,
                      m->frame, m->frames) != ST_OK)
            g->counts.unsent++;
        break;
    case LINE_ALLOW:
        allow(g, &m->head);
        break;
    case LINE_FORBID:
        forbid(g, &m->head);
        break;
    default:
        g->must_stop = true;
    }
}

static void take_line(struct gate *g)
{
    struct line_message m;
    enum status st;
    while ((st = line_take(g->line, &m)) == ST_OK) {
        obey(g, &m);
        line_drop(&m);
    }
    if (st != ST_EMPTY)
        g->must_stop = true;
}

enum status gate_listen(struct gate *g, const struct gate_options *o)
{
    take_line(g);
    if (g->must_stop)
        return ST_CLOSED;
    ST_TRY(port_bind(g->agents, o->agent_endpoint));
    ST_TRY(port_bind(g->enrol, o->enrol_endpoint));
    return port_bind(g->ops, o->op_endpoint);
}

// --- The loop

static void say_gone(struct gate *g, enum status why)
{
    struct line_head head = {.kind = LINE_GONE, .number = (uint64_t)why};
    if (line_send(g->line, &head, NULL, 0) != ST_OK)
        log_line(LOG_WARN, "nobody hears that the gate has ended", "");
}

// False when the handler is dead: without it nobody can be told from anybody.
static bool check_zap(struct gate *g, uint64_t now_ns)
{
    struct zap_counts c;
    uint64_t turn = now_ns - g->zap_ns;
    g->zap_ns = now_ns;
    g->zap_silence_ns += turn < ZAP_TURN_NS ? turn : ZAP_TURN_NS;
    if (zap_beat(g->zap, &c) == ST_OK) {
        g->zap_silence_ns = 0;
        g->counts.zap_accepted = c.accepted;
        g->counts.zap_refused = c.refused;
        g->counts.agents = c.keys[ZAP_AGENT];
    }
    return g->zap_silence_ns < ZAP_SILENCE_NS;
}

static void say_counts(struct gate *g, uint64_t now_ns)
{
    if (now_ns - g->counts_ns < COUNTS_NS)
        return;
    g->counts_ns = now_ns;
    g->counts.connected = peers_connected(g->peers);
    struct line_head head = {.kind = LINE_COUNTS};
    struct span frame = span_of(&g->counts, sizeof g->counts);
    if (line_send(g->line, &head, &frame, 1) != ST_OK)
        g->must_stop = true;
}

static bool is_full(const struct gate *g)
{
    return g->under_way >= GATE_UNDER_WAY_MAX ||
           g->under_way_bytes >= GATE_UNDER_WAY_BYTES;
}

static void turn(struct gate *g)
{
    // While the fold has enough to do, agents wait in their own queues.
    zmq_pollitem_t item[] = {{.socket = g->line, .events = ZMQ_POLLIN},
                             {.socket = g->enrol, .events = ZMQ_POLLIN},
                             {.socket = g->ops, .events = ZMQ_POLLIN},
                             {.socket = g->zap, .events = ZMQ_POLLIN},
                             {.socket = g->ends, .events = ZMQ_POLLIN},
                             {.socket = g->agents, .events = ZMQ_POLLIN}};
    if (zmq_poll(item, is_full(g) ? 5 : 6, POLL_MS) < 0 && errno != EINTR) {
        g->must_stop = true;
        return;
    }
    g->now_ns = clock_mono_ns();
    take_line(g);
    take_ends(g);
    take_some(g, g->ops, take_op);
    take_some(g, g->enrol, take_enrol);
    if (!is_full(g))
        take_some(g, g->agents, take_agent);
}

void gate_run(struct gate *g)
{
    enum status why = ST_OK;
    while (!g->must_stop && why == ST_OK) {
        turn(g);
        uint64_t now = clock_mono_ns();
        if (!check_zap(g, now)) {
            log_line(LOG_ERROR, "the controller stops",
                     "why=the authentication handler is dead");
            why = ST_CLOSED;
        }
        say_counts(g, now);
    }
    say_gone(g, why);
}
