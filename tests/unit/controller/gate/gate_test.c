// The gate against real CURVE sockets: who comes in, who is cut off, and that nobody
// comes in unguarded.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/gate/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/trust/keys.h"
#include "common/trust/sign.h"
#include "controller/gate/door.h"
#include "controller/gate/line.h"
#include "controller/gate/peers.h"
#include "controller/gate/port.h"
#include "controller/gate/zap.h"
#include "controller/log/tape.h"
#include "proto/messages/catalog.h"
#include "proto/messages/session.h"
#include "proto/messages/window.h"

#define WAIT_MS 5000
#define SILENCE_MS 300

struct rig {
    void *context, *line;
    struct zap *zap;
    struct gate *gate;
    struct key_pair agent, enrol, op;
    char agents[64], enrolment[64], ops[64];
    pthread_t zap_thread, gate_thread;
};

static void *run_zap(void *p)
{
    zap_run(p);
    return NULL;
}

static void *run_gate(void *p)
{
    gate_run(p);
    return NULL;
}

static bool is_free(int port)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool free_now = bind(s, (const struct sockaddr *)&a, sizeof a) == 0;
    (void)close(s);
    return free_now;
}

static void name_ports(struct rig *r)
{
    static int next;
    int base = 42000 + (int)(getpid() % 500) * 30 + 3 * next++;
    while (!is_free(base) || !is_free(base + 1) || !is_free(base + 2))
        base++;
    (void)snprintf(r->agents, sizeof r->agents, "tcp://127.0.0.1:%d", base);
    (void)snprintf(r->enrolment, sizeof r->enrolment, "tcp://127.0.0.1:%d", base + 1);
    (void)snprintf(r->ops, sizeof r->ops, "tcp://127.0.0.1:%d", base + 2);
}

static struct gate_options options_of(const struct rig *r)
{
    struct gate_options o = {.agent_endpoint = r->agents,
                             .enrol_endpoint = r->enrolment,
                             .op_endpoint = r->ops,
                             .keyring = span_text("ring"),
                             .zap = "inproc://zap",
                             .line = "inproc://line"};
    memcpy(o.agent_secret, r->agent.secret, 32);
    memcpy(o.enrol_secret, r->enrol.secret, 32);
    memcpy(o.op_secret, r->op.secret, 32);
    memcpy(o.enrol_public, r->enrol.pub, 32);
    return o;
}

static int setup(void **state)
{
    struct rig *r = MEM_NEW(struct rig);
    r->context = zmq_ctx_new();
    name_ports(r);
    bool is_fine = keys_make(KEY_CURVE, &r->agent) == ST_OK &&
                   keys_make(KEY_CURVE, &r->enrol) == ST_OK &&
                   keys_make(KEY_CURVE, &r->op) == ST_OK &&
                   line_bind(r->context, "inproc://line", &r->line) == ST_OK &&
                   zap_open(r->context, "inproc://zap", &r->zap) == ST_OK;
    struct gate_options o = options_of(r);
    is_fine = is_fine && gate_open(r->context, &o, &r->gate) == ST_OK;
    is_fine = is_fine && gate_listen(r->gate, &o) == ST_OK;
    if (!is_fine)
        return -1;
    (void)pthread_create(&r->zap_thread, NULL, run_zap, r->zap);
    (void)pthread_create(&r->gate_thread, NULL, run_gate, r->gate);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    struct line_head stop = {.kind = LINE_STOP};
    (void)!line_send(r->line, &stop, NULL, 0);
    (void)pthread_join(r->gate_thread, NULL);
    gate_close(r->gate);
    (void)pthread_join(r->zap_thread, NULL);
    zap_close(r->zap);
    line_close(r->line);
    (void)zmq_ctx_term(r->context);
    mem_free(r);
    return 0;
}

// --- Clients

struct client {
    void *context, *socket; // a context of its own: as another process
    struct key_pair key;
};

static struct client client_of(const char *endpoint, const uint8_t *server,
                               const struct key_pair *key)
{
    struct client c = {.context = zmq_ctx_new()};
    if (key)
        c.key = *key;
    else
        assert_int_equal(keys_make(KEY_CURVE, &c.key), ST_OK);
    c.socket = zmq_socket(c.context, ZMQ_DEALER);
    int none = 0;
    assert_int_equal(zmq_setsockopt(c.socket, ZMQ_LINGER, &none, sizeof none), 0);
    if (server) {
        assert_int_equal(zmq_setsockopt(c.socket, ZMQ_CURVE_SERVERKEY, server, 32), 0);
        assert_int_equal(zmq_setsockopt(c.socket, ZMQ_CURVE_PUBLICKEY, c.key.pub, 32),
                         0);
        assert_int_equal(
            zmq_setsockopt(c.socket, ZMQ_CURVE_SECRETKEY, c.key.secret, 32), 0);
    }
    assert_int_equal(zmq_connect(c.socket, endpoint), 0);
    return c;
}

static void close_client(struct client *c)
{
    (void)zmq_close(c->socket);
    (void)zmq_ctx_term(c->context);
}

static void send_two(struct client *c, const char *type, struct span body)
{
    assert_true(zmq_send(c->socket, type, strlen(type), ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(c->socket, body.data, body.size, 0) >= 0);
}

static void send_message(struct client *c, enum wire_kind kind, const void *m)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    assert_int_equal(message_encode(wire_row(kind)->message, m, &b, NULL), ST_OK);
    send_two(c, wire_row(kind)->message->type, buf_span(&b));
    buf_fini(&b);
}

static void say_hello(struct client *c)
{
    struct hello h = {.boot = {1},
                      .sess = {2},
                      .host = span_text("web-1"),
                      .software = span_text("1"),
                      .time_ms = 1};
    send_message(c, WIRE_HELLO, &h);
}

static void send_window(struct client *c, uint64_t seq)
{
    struct window w = {.boot = {1},
                       .seq = seq,
                       .model = span_text("m"),
                       .version = span_text("v"),
                       .start = 1,
                       .end = 2};
    send_message(c, WIRE_WINDOW, &w);
}

// The type of the next message from the gate; "" when there is none in time.
static void next_type(struct client *c, int ms, char out[80])
{
    zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLIN};
    out[0] = 0;
    if (zmq_poll(&item, 1, ms) != 1)
        return;
    int n = zmq_recv(c->socket, out, 79, 0);
    out[n < 0 ? 0 : n] = 0;
    int more = 1;
    size_t size = sizeof more;
    while (zmq_getsockopt(c->socket, ZMQ_RCVMORE, &more, &size) == 0 && more) {
        char rest[4096];
        (void)zmq_recv(c->socket, rest, sizeof rest, 0);
    }
}

// The next message on the line of that kind; false when none comes in time.
static bool take_kind(struct rig *r, enum line_kind kind, int ms,
                      struct line_message *m)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
    while (clock_mono_ns() < end) {
        zmq_pollitem_t item = {.socket = r->line, .events = ZMQ_POLLIN};
        (void)zmq_poll(&item, 1, 20);
        while (line_take(r->line, m) == ST_OK) {
            if (m->head.kind == kind)
                return true;
            line_drop(m);
        }
    }
    return false;
}

static void expect_nothing(struct rig *r, enum line_kind kind)
{
    struct line_message m;
    assert_false(take_kind(r, kind, SILENCE_MS, &m));
}

static struct line_head admit(struct rig *r, const struct client *c, uint8_t n)
{
    struct line_head h = {.kind = LINE_ALLOW, .scope = ZAP_AGENT};
    memcpy(h.key, c->key.pub, 32);
    memset(h.agent, n, 16);
    assert_int_equal(line_send(r->line, &h, NULL, 0), ST_OK);
    return h;
}

// A client whose key was admitted before it connects.
static struct client agent_of(struct rig *r, uint8_t n)
{
    struct client key_only = {0};
    assert_int_equal(keys_make(KEY_CURVE, &key_only.key), ST_OK);
    (void)admit(r, &key_only, n);
    (void)usleep(20000); // the handler has it before the handshake begins
    return client_of(r->agents, r->agent.pub, &key_only.key);
}

static void wait_hello(struct rig *r, uint8_t n)
{
    struct line_message m;
    assert_true(take_kind(r, LINE_HELLO, WAIT_MS, &m));
    assert_int_equal(m.head.agent[0], n);
    line_drop(&m);
}

// Waits until a count has come up to `least`.
static void wait_count(struct rig *r, size_t offset, uint64_t least)
{
    uint64_t now = 0;
    struct line_message m;
    while (now < least) {
        assert_true(take_kind(r, LINE_COUNTS, WAIT_MS, &m));
        memcpy(&now, m.frame[0].data + offset, sizeof now);
        line_drop(&m);
    }
}

#define WAIT_COUNT(r, name, least)                                                     \
    wait_count(r, offsetof(struct gate_counts, name), least)

// --- Who comes in

static void an_admitted_agent_is_heard_and_answered(void **state)
{
    struct rig *r = *state;
    struct client c = agent_of(r, 7);
    say_hello(&c);
    wait_hello(r, 7);
    send_window(&c, 1);
    struct line_message m;
    assert_true(take_kind(r, LINE_REPORT, WAIT_MS, &m));
    assert_int_equal(m.head.tape, TAPE_WINDOW);
    assert_int_equal(m.head.agent[15], 7);
    assert_memory_equal(m.head.key, c.key.pub, 32);
    assert_int_equal(m.frames, 1);
    line_drop(&m);
    struct line_head h = {.kind = LINE_TELL, .number = 1};
    memset(h.agent, 7, 16);
    struct span frame[] = {span_text("kedge.ack.v1"), span_text("x")};
    assert_int_equal(line_send(r->line, &h, frame, 2), ST_OK);
    char type[80];
    next_type(&c, WAIT_MS, type);
    assert_string_equal(type, "kedge.ack.v1");
    close_client(&c);
}

static void an_unknown_key_is_refused(void **state)
{
    struct rig *r = *state;
    struct client c = client_of(r->agents, r->agent.pub, NULL);
    say_hello(&c);
    expect_nothing(r, LINE_HELLO);
    WAIT_COUNT(r, zap_refused, 1);
    close_client(&c);
}

static void a_key_of_one_port_does_not_open_another(void **state)
{
    struct rig *r = *state;
    struct client a = agent_of(r, 1);
    struct client op = client_of(r->ops, r->op.pub, &a.key);
    send_two(&op, "kedge.query.v1", span_text("x"));
    expect_nothing(r, LINE_QUERY);
    close_client(&op);
    close_client(&a);
}

static void peers_without_curve_are_refused(void **state)
{
    struct rig *r = *state;
    const char *ports[] = {r->agents, r->enrolment, r->ops};
    for (int i = 0; i < 3; i++) {
        struct client c = client_of(ports[i], NULL, NULL);
        say_hello(&c);
        struct line_message m;
        assert_false(take_kind(r, LINE_HELLO, 100, &m));
        char type[80];
        next_type(&c, 50, type);
        assert_string_equal(type, "");
        close_client(&c);
    }
}

static void nothing_is_believed_before_hello(void **state)
{
    struct rig *r = *state;
    struct client c = agent_of(r, 3);
    send_window(&c, 1);
    expect_nothing(r, LINE_REPORT);
    say_hello(&c);
    wait_hello(r, 3);
    send_window(&c, 1);
    struct line_message m;
    assert_true(take_kind(r, LINE_REPORT, WAIT_MS, &m));
    line_drop(&m);
    close_client(&c);
}

static void a_revoked_agent_is_cut_off_at_once_and_stays_out(void **state)
{
    struct rig *r = *state;
    struct client c = agent_of(r, 4);
    say_hello(&c);
    wait_hello(r, 4);
    struct line_head h = {.kind = LINE_FORBID, .scope = ZAP_AGENT};
    memcpy(h.key, c.key.pub, 32);
    assert_int_equal(line_send(r->line, &h, NULL, 0), ST_OK);
    (void)usleep(50000);
    for (uint64_t i = 1; i <= 20; i++)
        send_window(&c, i);
    say_hello(&c);
    expect_nothing(r, LINE_REPORT);
    WAIT_COUNT(r, zap_refused, 1); // it came again, and was told no
    close_client(&c);
}

static void the_newest_connection_wins(void **state)
{
    struct rig *r = *state;
    struct client old = agent_of(r, 5);
    say_hello(&old);
    wait_hello(r, 5);
    struct client fresh = client_of(r->agents, r->agent.pub, &old.key);
    say_hello(&fresh);
    wait_hello(r, 5);
    struct line_head h = {.kind = LINE_TELL};
    memset(h.agent, 5, 16);
    struct span frame[] = {span_text("kedge.order.v1"), span_text("x")};
    assert_int_equal(line_send(r->line, &h, frame, 2), ST_OK);
    char type[80];
    next_type(&fresh, WAIT_MS, type);
    assert_string_equal(type, "kedge.order.v1");
    next_type(&old, 100, type);
    assert_string_equal(type, "");
    send_window(&old, 1);
    expect_nothing(r, LINE_REPORT);
    close_client(&old);
    close_client(&fresh);
}

// A peer that announces an id of its own choice, to look like another.
static void a_chosen_routing_id_is_cut_off(void **state)
{
    struct rig *r = *state;
    struct client victim = agent_of(r, 6);
    say_hello(&victim);
    wait_hello(r, 6);
    struct client c = {.context = zmq_ctx_new()};
    assert_int_equal(keys_make(KEY_CURVE, &c.key), ST_OK);
    (void)admit(r, &c, 8);
    (void)usleep(20000);
    c.socket = zmq_socket(c.context, ZMQ_DEALER);
    int none = 0;
    (void)zmq_setsockopt(c.socket, ZMQ_LINGER, &none, sizeof none);
    (void)zmq_setsockopt(c.socket, ZMQ_ROUTING_ID, "victim", 6);
    (void)zmq_setsockopt(c.socket, ZMQ_CURVE_SERVERKEY, r->agent.pub, 32);
    (void)zmq_setsockopt(c.socket, ZMQ_CURVE_PUBLICKEY, c.key.pub, 32);
    (void)zmq_setsockopt(c.socket, ZMQ_CURVE_SECRETKEY, c.key.secret, 32);
    assert_int_equal(zmq_connect(c.socket, r->agents), 0);
    say_hello(&c);
    expect_nothing(r, LINE_HELLO);
    WAIT_COUNT(r, hostile, 1);
    send_window(&victim, 1);
    struct line_message m;
    assert_true(take_kind(r, LINE_REPORT, WAIT_MS, &m));
    line_drop(&m);
    close_client(&c);
    close_client(&victim);
}

// --- What comes in

static void hostile_messages_are_counted_and_their_sender_cut_off(void **state)
{
    struct rig *r = *state;
    static uint8_t large[150000];
    uint8_t claims[] = {0xdd, 0x0f, 0xff, 0xff, 0xff}; // an array of 2^28 items
    struct {
        const char *type;
        struct span body;
    } bad[] = {
        {"no.envelope", span_text("x")},
        {"kedge.window.v1", span_of(claims, sizeof claims)},
        {"kedge.window.v1", span_of(large, sizeof large)}, // beyond its own limit
        {"kedge.window.v1", span_text("")},
        {"kedge.welcome.v1", span_text("x")}}; // ours to say, not theirs
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct client c = agent_of(r, (uint8_t)(20 + i));
        say_hello(&c);
        wait_hello(r, (uint8_t)(20 + i));
        send_two(&c, bad[i].type, bad[i].body);
        WAIT_COUNT(r, hostile, i + 1);
        close_client(&c);
    }
    // A type of tomorrow is skipped, not punished.
    struct client c = agent_of(r, 40);
    say_hello(&c);
    wait_hello(r, 40);
    send_two(&c, "kedge.window.v9", span_text("x"));
    send_two(&c, "kedge.weather.v1", span_text("x"));
    send_window(&c, 1);
    struct line_message m;
    assert_true(take_kind(r, LINE_REPORT, WAIT_MS, &m));
    line_drop(&m);
    close_client(&c);
}

static void many_frames_are_refused(void **state)
{
    struct rig *r = *state;
    struct client c = agent_of(r, 9);
    say_hello(&c);
    wait_hello(r, 9);
    for (int i = 0; i < 1000; i++)
        assert_true(zmq_send(c.socket, "x", 1, i < 999 ? ZMQ_SNDMORE : 0) >= 0);
    WAIT_COUNT(r, hostile, 1);
    close_client(&c);
}

// An agent that does not wait for acknowledgements is stopped at its credit, while
// another is served as ever.
static void a_flood_is_capped_and_hurts_nobody_else(void **state)
{
    struct rig *r = *state;
    struct client flood = agent_of(r, 10), other = agent_of(r, 11);
    say_hello(&flood);
    wait_hello(r, 10);
    say_hello(&other);
    wait_hello(r, 11);
    for (uint64_t i = 1; i <= 2000; i++)
        send_window(&flood, i);
    (void)usleep(200000);
    send_window(&other, 1);
    struct line_message m;
    uint32_t flooded = 0;
    bool heard = false;
    while (take_kind(r, LINE_REPORT, SILENCE_MS, &m)) {
        flooded += m.head.agent[0] == 10;
        heard = heard || m.head.agent[0] == 11;
        line_drop(&m);
    }
    assert_true(heard);
    assert_int_equal(flooded, PEERS_CREDIT);
    WAIT_COUNT(r, overdrawn, 1);
    close_client(&flood);
    close_client(&other);
}

// --- Enrolment

static void take_body(struct client *c, char type[80], struct buf *body)
{
    zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
    int n = zmq_recv(c->socket, type, 79, 0);
    type[n < 0 ? 0 : n] = 0;
    uint8_t bytes[8192];
    n = zmq_recv(c->socket, bytes, sizeof bytes, 0);
    assert_true(n >= 0);
    buf_clear(body);
    buf_put(body, bytes, (size_t)n);
}

struct asking {
    struct client c;
    uint8_t token_seed[32], sign_seed[32];
    struct enrol_claim claim;
};

static void begin_asking(struct rig *r, struct asking *a)
{
    struct buf body;
    char type[80];
    buf_init(&body, 65536);
    a->c = client_of(r->enrolment, r->enrol.pub, NULL);
    assert_int_equal(sign_make(a->token_seed), ST_OK);
    assert_int_equal(sign_make(a->sign_seed), ST_OK);
    struct enrol_hello h = {.token_id = {1}, .facts = {.hostname = span_text("web-1")}};
    send_message(&a->c, WIRE_ENROL_HELLO, &h);
    take_body(&a->c, type, &body);
    assert_string_equal(type, "kedge.enrol.challenge.v1");
    struct enrol_challenge challenge;
    struct pool none;
    pool_init(&none, NULL, 0);
    assert_int_equal(
        message_decode(&enrol_challenge_message, buf_span(&body), &none, &challenge),
        ST_OK);
    assert_true(span_is(challenge.keyring, "ring"));
    a->claim = (struct enrol_claim){.token_id = {1}, .host = span_text("web-1")};
    memcpy(a->claim.nonce, challenge.nonce, 32);
    memcpy(a->claim.agent_curve, a->c.key.pub, 32);
    memcpy(a->claim.server_curve, r->enrol.pub, 32);
    assert_int_equal(sign_public(a->sign_seed, a->claim.agent_sign), ST_OK);
    buf_fini(&body);
}

static void send_request(struct asking *a)
{
    struct buf body;
    buf_init(&body, 65536);
    assert_int_equal(message_encode(&enrol_claim_message, &a->claim, &body, NULL),
                     ST_OK);
    struct enrol_request q = {.body = buf_span(&body)};
    struct span type = span_text(ENROL_CLAIM_TYPE);
    assert_int_equal(sign_body(a->token_seed, type, q.body, q.sig_token), ST_OK);
    assert_int_equal(sign_body(a->sign_seed, type, q.body, q.sig_agent), ST_OK);
    send_message(&a->c, WIRE_ENROL_REQUEST, &q);
    buf_fini(&body);
}

static void a_host_that_meets_its_challenge_is_handed_on_and_verified(void **state)
{
    struct rig *r = *state;
    struct asking a;
    begin_asking(r, &a);
    send_request(&a);
    struct line_message m;
    assert_true(take_kind(r, LINE_ENROL, WAIT_MS, &m));
    assert_memory_equal(m.head.key, a.c.key.pub, 32);
    assert_string_equal(m.head.address, "127.0.0.1");
    uint8_t pub[32], other[32], memory[8192];
    struct pool pool;
    struct enrol_claim claim;
    assert_int_equal(sign_public(a.token_seed, pub), ST_OK);
    assert_int_equal(sign_public(a.sign_seed, other), ST_OK);
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(door_verify(m.frame[0], pub, &pool, &claim), ST_OK);
    assert_true(span_is(claim.host, "web-1"));
    assert_int_equal(door_verify(m.frame[0], other, &pool, &claim), ST_DENIED);
    struct line_head h = {.kind = LINE_GRANT};
    memcpy(h.id, m.head.id, 5);
    struct span frame[] = {span_text("kedge.enrol.grant.v1"), span_text("x"),
                           span_text("y")};
    assert_int_equal(line_send(r->line, &h, frame, 3), ST_OK);
    char type[80];
    next_type(&a.c, WAIT_MS, type);
    assert_string_equal(type, "kedge.enrol.grant.v1");
    line_drop(&m);
    close_client(&a.c);
}

static void each_untrue_claim_is_refused(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 5; i++) {
        struct asking a;
        begin_asking(r, &a);
        if (i == 0)
            a.claim.nonce[0] ^= 1;
        else if (i == 1)
            a.claim.agent_curve[0] ^= 1; // not the key of this connection
        else if (i == 2)
            a.claim.server_curve[0] ^= 1;
        else if (i == 3)
            a.claim.fleet[0] ^= 1;
        else
            send_request(&a); // the nonce is used up by the first
        if (i == 4) {
            struct line_message m;
            assert_true(take_kind(r, LINE_ENROL, WAIT_MS, &m));
            line_drop(&m);
        }
        send_request(&a);
        char type[80];
        next_type(&a.c, WAIT_MS, type);
        assert_string_equal(type, "kedge.enrol.refusal.v1");
        expect_nothing(r, LINE_ENROL);
        close_client(&a.c);
    }
}

static void greet(struct door *d, uint8_t n, const char *address, uint64_t now_ns)
{
    struct enrol_hello h = {.token_id = {1}, .facts = {.hostname = span_text("web-1")}};
    struct door_talk who = {
        .id = {0, 0, 0, 0, n}, .address = address, .now_ns = now_ns};
    struct buf in, out;
    buf_init(&in, 4096);
    buf_init(&out, 4096);
    assert_int_equal(message_encode(&enrol_hello_message, &h, &in, NULL), ST_OK);
    assert_int_equal(door_hello(d, &who, buf_span(&in), &out), ST_OK);
    buf_fini(&in);
    buf_fini(&out);
}

static void failed_tries_are_limited_by_address_and_in_all(void **state)
{
    (void)state;
    struct door_options o = {.keyring = span_text("ring")};
    struct door *d;
    assert_int_equal(door_open(&o, &d), ST_OK);
    uint64_t now = 100 * NS_PER_S;
    const uint8_t id[5] = {0, 0, 0, 0, 1};
    greet(d, 1, "10.0.0.1", now);
    for (uint32_t i = 0; i < DOOR_TRIES_ADDRESS; i++) {
        assert_true(door_may_try(d, "10.0.0.1", now));
        door_failed(d, id, now);
    }
    assert_false(door_may_try(d, "10.0.0.1", now));
    assert_true(door_may_try(d, "10.0.0.2", now));
    for (uint8_t n = 2; n < 40; n++) {
        uint8_t other[5] = {0, 0, 0, 0, n};
        char address[32];
        (void)snprintf(address, sizeof address, "10.0.1.%d", n);
        greet(d, n, address, now);
        for (uint32_t i = 0; i < 3; i++)
            door_failed(d, other, now);
    }
    assert_false(door_may_try(d, "10.9.9.9", now)); // somebody tries from everywhere
    assert_true(door_may_try(d, "10.0.0.1", now + 60 * NS_PER_S));
    door_close(d);
}

// The answer to a challenge that was made at 0 and is met at `age_ns`.
static enum status meet_challenge(struct door *d, const struct door_options *o,
                                  uint64_t age_ns)
{
    static const uint8_t id[5] = {0, 1, 2, 3, 4}, key[32] = {7};
    struct enrol_hello h = {.token_id = {1}, .facts = {.hostname = span_text("web-1")}};
    struct enrol_challenge c;
    struct pool none;
    struct buf b[3];
    for (int i = 0; i < 3; i++)
        buf_init(&b[i], 8192);
    pool_init(&none, NULL, 0);
    assert_int_equal(message_encode(&enrol_hello_message, &h, &b[0], NULL), ST_OK);
    struct door_talk who = {.id = {0, 1, 2, 3, 4}, .address = "a", .wall_ms = 1};
    assert_int_equal(door_hello(d, &who, buf_span(&b[0]), &b[1]), ST_OK);
    assert_int_equal(
        message_decode(&enrol_challenge_message, buf_span(&b[1]), &none, &c), ST_OK);
    struct enrol_claim say = {.token_id = {1}, .host = span_text("web-1")};
    memcpy(say.nonce, c.nonce, 32);
    memcpy(say.agent_curve, key, 32);
    memcpy(say.agent_sign, key, 32);
    memcpy(say.server_curve, o->curve, 32);
    memcpy(say.fleet, o->fleet, 16);
    buf_clear(&b[0]);
    assert_int_equal(message_encode(&enrol_claim_message, &say, &b[0], NULL), ST_OK);
    struct enrol_request q = {
        .body = buf_span(&b[0]), .sig_token = {1}, .sig_agent = {1}};
    assert_int_equal(message_encode(&enrol_request_message, &q, &b[2], NULL), ST_OK);
    enum status st = door_request(d, id, key, buf_span(&b[2]), age_ns);
    for (int i = 0; i < 3; i++)
        buf_fini(&b[i]);
    return st;
}

static void a_nonce_lives_half_a_minute(void **state)
{
    (void)state;
    struct door_options o = {.fleet = {1}, .curve = {9}, .keyring = span_text("ring")};
    struct door *d;
    assert_int_equal(door_open(&o, &d), ST_OK);
    assert_int_equal(meet_challenge(d, &o, 29 * NS_PER_S), ST_OK);
    assert_int_equal(meet_challenge(d, &o, 30 * NS_PER_S), ST_DENIED);
    door_close(d);
}

// --- Guarded, or not at all

static void without_a_handler_nobody_comes_in(void **state)
{
    (void)state;
    void *context = zmq_ctx_new();
    struct rig r;
    struct key_pair key;
    memset(&r, 0, sizeof r);
    name_ports(&r);
    assert_int_equal(keys_make(KEY_CURVE, &key), ST_OK);
    struct port_options o = {.endpoint = r.agents,
                             .domain = PORT_DOMAIN_AGENT,
                             .secret = key.secret,
                             .frame_bytes = PORT_AGENT_FRAME_BYTES,
                             .handshake_ms = 1000,
                             .receive_hwm = 4,
                             .send_hwm = 4};
    void *port;
    assert_int_equal(port_open(context, &o, &port), ST_OK);
    assert_int_equal(port_bind(port, r.agents), ST_OK);
    struct client c = client_of(r.agents, key.pub, NULL);
    say_hello(&c);
    (void)usleep(300000);
    struct port_message m;
    assert_int_equal(port_take(port, &m), ST_EMPTY);
    close_client(&c);
    port_close(port);
    (void)zmq_ctx_term(context);
}

static void a_gate_without_a_handler_does_not_open(void **state)
{
    (void)state;
    struct rig r;
    memset(&r, 0, sizeof r);
    name_ports(&r);
    r.context = zmq_ctx_new();
    assert_int_equal(keys_make(KEY_CURVE, &r.agent), ST_OK);
    assert_int_equal(line_bind(r.context, "inproc://line", &r.line), ST_OK);
    assert_int_equal(zap_open(r.context, "inproc://zap", &r.zap), ST_OK);
    struct zap *second;
    assert_int_equal(zap_open(r.context, "inproc://zap2", &second), ST_EXISTS);
    struct gate_options o = options_of(&r);
    assert_int_equal(gate_open(r.context, &o, &r.gate), ST_OK);
    assert_int_equal(gate_listen(r.gate, &o), ST_OK);
    // The handler never runs: the gate notices its silence, and ends.
    (void)pthread_create(&r.gate_thread, NULL, run_gate, r.gate);
    struct line_message m;
    assert_true(take_kind(&r, LINE_GONE, 6 * WAIT_MS, &m));
    assert_int_equal(m.head.number, ST_CLOSED);
    line_drop(&m);
    (void)pthread_join(r.gate_thread, NULL);
    gate_close(r.gate);
    zap_close(r.zap);
    line_close(r.line);
    (void)zmq_ctx_term(r.context);
}

// As after a restart of the controller: agents knock before its ports are there.
static void known_agents_are_let_in_from_the_first_moment(void **state)
{
    (void)state;
    enum { AGENTS = 20 };
    struct rig *r = MEM_NEW(struct rig);
    struct client c[AGENTS];
    name_ports(r);
    r->context = zmq_ctx_new();
    assert_int_equal(keys_make(KEY_CURVE, &r->agent), ST_OK);
    assert_int_equal(keys_make(KEY_CURVE, &r->enrol), ST_OK);
    assert_int_equal(keys_make(KEY_CURVE, &r->op), ST_OK);
    for (int i = 0; i < AGENTS; i++) {
        c[i] = client_of(r->agents, r->agent.pub, NULL);
        say_hello(&c[i]);
    }
    assert_int_equal(line_bind(r->context, "inproc://line", &r->line), ST_OK);
    assert_int_equal(zap_open(r->context, "inproc://zap", &r->zap), ST_OK);
    (void)pthread_create(&r->zap_thread, NULL, run_zap, r->zap);
    struct gate_options o = options_of(r);
    assert_int_equal(gate_open(r->context, &o, &r->gate), ST_OK);
    for (int i = 0; i < AGENTS; i++)
        (void)admit(r, &c[i], (uint8_t)(i + 1));
    assert_int_equal(gate_listen(r->gate, &o), ST_OK);
    (void)pthread_create(&r->gate_thread, NULL, run_gate, r->gate);
    bool heard[AGENTS + 1] = {false};
    for (int i = 0; i < AGENTS; i++) {
        struct line_message m;
        assert_true(take_kind(r, LINE_HELLO, WAIT_MS, &m));
        heard[m.head.agent[0]] = true;
        line_drop(&m);
    }
    for (int i = 1; i <= AGENTS; i++)
        assert_true(heard[i]);
    for (int i = 0; i < AGENTS; i++)
        close_client(&c[i]);
    void *rig = r;
    assert_int_equal(teardown(&rig), 0);
}

int main(void)
{
#define WITH_GATE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_GATE(an_admitted_agent_is_heard_and_answered),
        WITH_GATE(an_unknown_key_is_refused),
        WITH_GATE(a_key_of_one_port_does_not_open_another),
        WITH_GATE(peers_without_curve_are_refused),
        WITH_GATE(nothing_is_believed_before_hello),
        WITH_GATE(a_revoked_agent_is_cut_off_at_once_and_stays_out),
        WITH_GATE(the_newest_connection_wins),
        WITH_GATE(a_chosen_routing_id_is_cut_off),
        WITH_GATE(hostile_messages_are_counted_and_their_sender_cut_off),
        WITH_GATE(many_frames_are_refused),
        WITH_GATE(a_flood_is_capped_and_hurts_nobody_else),
        WITH_GATE(a_host_that_meets_its_challenge_is_handed_on_and_verified),
        WITH_GATE(each_untrue_claim_is_refused),
        cmocka_unit_test(known_agents_are_let_in_from_the_first_moment),
        cmocka_unit_test(failed_tries_are_limited_by_address_and_in_all),
        cmocka_unit_test(a_nonce_lives_half_a_minute),
        cmocka_unit_test(without_a_handler_nobody_comes_in),
        cmocka_unit_test(a_gate_without_a_handler_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
