// Link: over real CURVE to a small controller, through refusals, losses and silence.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "agent/link/link.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/codec.h"

#define ENTRIES 40

// The controller: a ROUTER with its own ZAP handler, worked by the test's one thread.
struct fake {
    void *context, *router, *zap;
    char endpoint[64];
    uint8_t pub[32], secret[32];
    bool is_refusing;
    int asked; // ZAP requests
    // What came last.
    uint8_t id[32];
    size_t id_size;
    int hellos, beats, entries;
    uint8_t sess[16];
    uint64_t seq[ENTRIES * 4];
};

// The agent's side: a spool of numbered entries, and what the link told.
struct side {
    struct link *link;
    bool is_there[ENTRIES + 1];
    size_t body_bytes;
    int online, sessions, lost, orders, references;
    uint8_t sess[16];
};

static uint8_t agent_pub[32], agent_secret[32];
static uint8_t fleet[16] = "fleet", agent_id[16] = "agent", boot[16] = "boot";

static void make_keys(uint8_t pub[32], uint8_t secret[32])
{
    char p[41], s[41];
    assert_int_equal(zmq_curve_keypair(p, s), 0);
    assert_non_null(zmq_z85_decode(pub, p));
    assert_non_null(zmq_z85_decode(secret, s));
}

// --- The controller

static void fake_bind(struct fake *f)
{
    int one = 1, none = 0;
    f->router = zmq_socket(f->context, ZMQ_ROUTER);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_CURVE_SERVER, &one, sizeof one), 0);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_CURVE_SECRETKEY, f->secret, 32), 0);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(zmq_setsockopt(f->router, ZMQ_ZAP_DOMAIN, "test", 4), 0);
    assert_int_equal(
        zmq_bind(f->router, f->endpoint[0] ? f->endpoint : "tcp://127.0.0.1:*"), 0);
    size_t size = sizeof f->endpoint;
    assert_int_equal(zmq_getsockopt(f->router, ZMQ_LAST_ENDPOINT, f->endpoint, &size),
                     0);
}

static void fake_open(struct fake *f)
{
    *f = (struct fake){0};
    make_keys(f->pub, f->secret);
    f->context = zmq_ctx_new();
    f->zap = zmq_socket(f->context, ZMQ_REP);
    assert_int_equal(zmq_bind(f->zap, "inproc://zeromq.zap.01"), 0);
    fake_bind(f);
}

static void fake_unbind(struct fake *f)
{
    if (f->router)
        zmq_close(f->router);
    f->router = NULL;
}

static void fake_close(struct fake *f)
{
    fake_unbind(f);
    zmq_close(f->zap);
    zmq_ctx_term(f->context);
}

// Called in every turn, also without a ROUTER: its sessions end only when this socket
// has seen that they do.
// Version, request id, domain, address, identity, mechanism, key.
static void fake_judge(struct fake *f)
{
    uint8_t frame[8][64];
    int sizes[8], n = 0, more = 1;
    size_t more_size = sizeof more;
    while (more && n < 8) {
        sizes[n] = zmq_recv(f->zap, frame[n], sizeof frame[n], n ? 0 : ZMQ_DONTWAIT);
        if (sizes[n] < 0)
            return;
        n++;
        assert_int_equal(zmq_getsockopt(f->zap, ZMQ_RCVMORE, &more, &more_size), 0);
    }
    f->asked++;
    bool is_known = n == 7 && memcmp(frame[6], agent_pub, 32) == 0 && !f->is_refusing;
    (void)zmq_send(f->zap, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(f->zap, frame[1], (size_t)sizes[1], ZMQ_SNDMORE);
    (void)zmq_send(f->zap, is_known ? "200" : "400", 3, ZMQ_SNDMORE);
    (void)zmq_send(f->zap, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(f->zap, "agent", 5, ZMQ_SNDMORE);
    (void)zmq_send(f->zap, "", 0, 0);
}

static void fake_send(struct fake *f, const char *type, struct span body,
                      bool with_sigs)
{
    (void)zmq_send(f->router, f->id, f->id_size, ZMQ_SNDMORE);
    (void)zmq_send(f->router, type, strlen(type), ZMQ_SNDMORE);
    (void)zmq_send(f->router, body.data, body.size, with_sigs ? ZMQ_SNDMORE : 0);
    if (with_sigs)
        (void)zmq_send(f->router, "\x90", 1, 0);
}

static void fake_say(struct fake *f, const struct message *m, const void *in)
{
    struct buf body;
    buf_init(&body, 65536);
    assert_int_equal(message_encode(m, in, &body, NULL), ST_OK);
    fake_send(f, m->type, buf_span(&body), false);
    buf_fini(&body);
}

static void fake_welcome(struct fake *f, uint32_t credit, uint32_t window_max)
{
    struct welcome w = {.server_ms = clock_wall_ns() / NS_PER_MS + 60000,
                        .credit = credit,
                        .window_max = window_max};
    memcpy(w.fleet, fleet, 16);
    memcpy(w.agent, agent_id, 16);
    fake_say(f, &welcome_message, &w);
}

static void fake_ack(struct fake *f, uint64_t seq, bool is_refused)
{
    struct ack_refusal no = {seq, span_text("corrupt"), span_text("why")};
    struct ack ack = {0};
    memcpy(ack.boot, boot, 16);
    if (is_refused) {
        ack.refused = &no;
        ack.refusals = 1;
    } else {
        ack.done = &seq;
        ack.dones = 1;
    }
    fake_say(f, &ack_message, &ack);
}

// Takes one message of the agent; its type, or NULL.
static const char *fake_take(struct fake *f)
{
    static char type[64];
    static uint8_t body[300000];
    static uint8_t memory[65536];
    struct pool pool;
    int n = zmq_recv(f->router, f->id, sizeof f->id, ZMQ_DONTWAIT);
    if (n < 0)
        return NULL;
    f->id_size = (size_t)n;
    n = zmq_recv(f->router, type, sizeof type - 1, 0);
    assert_in_range(n, 1, 63);
    type[n] = '\0';
    n = zmq_recv(f->router, body, sizeof body, 0);
    pool_init(&pool, memory, sizeof memory);
    if (strcmp(type, hello_message.type) == 0) {
        struct hello h;
        assert_int_equal(
            message_decode(&hello_message, span_of(body, (size_t)n), &pool, &h), ST_OK);
        assert_memory_equal(h.boot, boot, 16);
        assert_true(span_is(h.host, "host-1"));
        memcpy(f->sess, h.sess, 16);
        f->hellos++;
    } else if (strcmp(type, beat_message.type) == 0) {
        f->beats++;
    } else {
        f->seq[f->entries++] = load_le64(body);
    }
    return type;
}

// --- The agent's side

static enum status offer(void *self, struct link_cursor *at, struct link_item *out)
{
    static uint8_t body[300000];
    struct side *s = self;
    for (uint64_t seq = at->seq + 1; seq <= ENTRIES; seq++) {
        if (!s->is_there[seq])
            continue;
        at->seq = seq;
        store_le64(body, seq);
        *out = (struct link_item){.seq = seq,
                                  .type = span_text("kedge.window.v1"),
                                  .body = span_of(body, s->body_bytes)};
        memcpy(out->boot, boot, 16);
        return ST_OK;
    }
    return ST_EMPTY;
}

static void done(void *self, const struct link_place *entry)
{
    struct side *s = self;
    assert_memory_equal(entry->boot, boot, 16);
    s->is_there[entry->seq] = false;
}

static void online(void *self, bool is_online)
{
    struct side *s = self;
    s->online += is_online ? 1 : -1;
}

static void session(void *self, const uint8_t *sess)
{
    struct side *s = self;
    s->sessions += sess != NULL;
    s->lost += sess == NULL;
    if (sess)
        memcpy(s->sess, sess, 16);
}

static void welcome(void *self, const struct welcome *w)
{
    (void)self;
    assert_true(w->credit > 0);
}

static void hello(void *self, struct hello *h)
{
    (void)self;
    h->ring = 3;
}

static void beat(void *self, struct beat *b, uint64_t boot_ns)
{
    (void)self;
    assert_true(boot_ns > 0);
    b->spool_entries = 1;
}

static void order(void *self, const struct envelope *e)
{
    struct side *s = self;
    s->orders++;
    assert_int_equal(e->sigs.size, 1);
}

static void reference(void *self, struct span body)
{
    struct side *s = self;
    s->references++;
    assert_true(span_is(body, "ref"));
}

static void side_open(struct side *s, const struct fake *f, const uint8_t *server_key)
{
    struct link_settings settings = {
        .endpoint = {f->endpoint},
        .endpoints = 1,
        .host = "host-1",
        .backoff_min_ns = 50 * NS_PER_MS,
        .backoff_max_ns = 400 * NS_PER_MS,
        .beat_ns = NS_PER_S,
    };
    memcpy(settings.server_key, server_key, 32);
    memcpy(settings.public_key, agent_pub, 32);
    memcpy(settings.secret_key, agent_secret, 32);
    memcpy(settings.fleet, fleet, 16);
    memcpy(settings.agent, agent_id, 16);
    memcpy(settings.boot, boot, 16);
    const struct link_hooks hooks = {s,       offer, done, online, session,
                                     welcome, hello, beat, order,  reference};
    *s = (struct side){.body_bytes = 100};
    assert_int_equal(link_open(&settings, &hooks, &s->link), ST_OK);
}

// Both turn for a while, or until the condition holds.
#define TURN_UNTIL(s, f, ms, condition)                                                \
    do {                                                                               \
        uint64_t end_ = clock_mono_ns() + (ms)*NS_PER_MS, next_;                       \
        while (!(condition) && clock_mono_ns() < end_) {                               \
            link_turn((s)->link, clock_wall_ns(), clock_mono_ns(), clock_boot_ns(),    \
                      &next_);                                                         \
            fake_judge(f);                                                             \
            link_wait((s)->link, NULL, 0, 1);                                          \
        }                                                                              \
    } while (0)

static const char *await(struct side *s, struct fake *f, const char *type)
{
    const char *got = NULL;
    TURN_UNTIL(s, f, 10000, (got = fake_take(f)) && strcmp(got, type) == 0);
    return got;
}

static void connect_up(struct side *s, struct fake *f, uint32_t credit, uint32_t most)
{
    assert_non_null(await(s, f, "kedge.hello.v1"));
    fake_welcome(f, credit, most);
    TURN_UNTIL(s, f, 5000, link_stats(s->link).state == LINK_UP);
    assert_int_equal(link_stats(s->link).state, LINK_UP);
}

static int setup(void **state)
{
    log_setup("test", LOG_ERROR + 1, false);
    make_keys(agent_pub, agent_secret);
    *state = NULL;
    return 0;
}

// --- The promises

static void greets_breathes_and_sends_within_its_credit(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    for (int i = 1; i <= ENTRIES; i++)
        s.is_there[i] = true;
    connect_up(&s, &f, 2, 200000);
    assert_memory_equal(s.sess, f.sess, 16);
    assert_int_equal(s.online, 1);
    TURN_UNTIL(&s, &f, 1300, (fake_take(&f), false));
    assert_int_equal(f.entries, 2); // and no more before an acknowledgement
    assert_true(f.beats >= 2);
    assert_in_range(link_stats(s.link).offset_ms, 59000, 61000);
    for (int i = 0; i < ENTRIES; i++) {
        TURN_UNTIL(&s, &f, 5000, (fake_take(&f), f.entries > i));
        assert_int_equal(f.seq[i], i + 1); // in order
        fake_ack(&f, f.seq[i], i % 5 == 4);
    }
    TURN_UNTIL(&s, &f, 5000, link_stats(s.link).in_flight == 0);
    struct link_stats stats = link_stats(s.link);
    assert_int_equal(stats.acked, ENTRIES - ENTRIES / 5);
    assert_int_equal(stats.rejected, ENTRIES / 5);
    for (int i = 1; i <= ENTRIES; i++)
        assert_false(s.is_there[i]);
    link_close(s.link);
    fake_close(&f);
}

static void sends_again_after_the_controller_was_away(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    for (int i = 1; i <= 3; i++)
        s.is_there[i] = true;
    connect_up(&s, &f, 4, 200000);
    TURN_UNTIL(&s, &f, 5000, (fake_take(&f), f.entries == 3));
    fake_ack(&f, 2, false);
    TURN_UNTIL(&s, &f, 5000, !s.is_there[2]);
    uint8_t first[16];
    memcpy(first, f.sess, 16);
    fake_unbind(&f);
    TURN_UNTIL(&s, &f, 5000, link_stats(s.link).state == LINK_CONNECTING);
    assert_int_equal(s.lost, 1);
    assert_int_equal(s.online, 0);
    TURN_UNTIL(&s, &f, 300, false);
    fake_bind(&f);
    f.entries = 0;
    connect_up(&s, &f, 4, 200000);
    assert_memory_not_equal(first, f.sess, 16); // a nonce for each connection
    TURN_UNTIL(&s, &f, 5000, (fake_take(&f), f.entries == 2));
    assert_int_equal(f.seq[0], 1);
    assert_int_equal(f.seq[1], 3);
    link_close(s.link);
    fake_close(&f);
}

static void tries_a_refused_key_again_with_a_new_socket(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    f.is_refusing = true;
    side_open(&s, &f, f.pub);
    TURN_UNTIL(&s, &f, 10000, link_stats(s.link).refusals >= 3);
    assert_true(f.asked >= 3);
    assert_int_equal(s.sessions, 0);
    f.is_refusing = false; // somebody approved it
    connect_up(&s, &f, 4, 200000);
    link_close(s.link);
    fake_close(&f);
}

static void tells_nothing_to_a_controller_with_another_key(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    uint8_t other[32], secret[32];
    fake_open(&f);
    make_keys(other, secret);
    side_open(&s, &f, other);
    s.is_there[1] = true;
    TURN_UNTIL(&s, &f, 1500, (fake_take(&f), false));
    assert_int_equal(f.asked, 0);
    assert_int_equal(f.entries + f.hellos, 0);
    assert_int_equal(s.sessions, 0);
    link_close(s.link);
    fake_close(&f);
}

static void never_sends_what_no_frame_can_carry(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    s.body_bytes = LINK_ENTRY_MAX + 1;
    s.is_there[1] = true;
    connect_up(&s, &f, 4, 1u << 30);
    TURN_UNTIL(&s, &f, 5000, !s.is_there[1]);
    s.body_bytes = LINK_ENTRY_MAX;
    s.is_there[2] = true;
    TURN_UNTIL(&s, &f, 5000, (fake_take(&f), f.entries == 1));
    assert_int_equal(f.seq[0], 2);
    struct link_stats stats = link_stats(s.link);
    assert_int_equal(stats.oversize, 1);
    assert_int_equal(stats.losses, 0);
    link_close(s.link);
    fake_close(&f);
}

static void hands_on_what_it_knows_and_counts_what_it_does_not(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    assert_non_null(await(&s, &f, "kedge.hello.v1"));
    fake_send(&f, "kedge.order.v1", span_text("early"), true); // before the welcome
    fake_welcome(&f, 4, 200000);
    TURN_UNTIL(&s, &f, 5000, link_stats(s.link).state == LINK_UP);
    fake_send(&f, "kedge.order.v1", span_text("o"), true);
    fake_send(&f, "kedge.reference.v1", span_text("ref"), false);
    fake_send(&f, "kedge.tomorrow.v1", span_text("x"), false);
    fake_send(&f, "no type at all", span_text("x"), false);
    fake_send(&f, "kedge.ack.v1", span_text("\xc1\xc1"), false);
    fake_send(&f, "kedge.reference.v1", span_text("ref"), false);
    TURN_UNTIL(&s, &f, 5000, s.references == 2);
    struct link_stats stats = link_stats(s.link);
    assert_int_equal(s.orders, 1);
    assert_int_equal(s.references, 2);
    assert_int_equal(stats.strange, 2);
    assert_int_equal(stats.malformed, 2);
    assert_int_equal(stats.state, LINK_UP);
    link_close(s.link);
    fake_close(&f);
}

static void leaves_a_controller_that_is_silent_or_means_another_agent(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    assert_non_null(await(&s, &f, "kedge.hello.v1"));
    uint64_t next, skip = 11 * NS_PER_S; // no welcome within ten seconds
    link_turn(s.link, clock_wall_ns(), clock_mono_ns() + skip, clock_boot_ns(), &next);
    assert_int_equal(link_stats(s.link).state, LINK_WAITING);
    assert_int_equal(s.lost, 1);
    link_close(s.link);

    side_open(&s, &f, f.pub);
    assert_non_null(await(&s, &f, "kedge.hello.v1"));
    agent_id[0] ^= 1;
    fake_welcome(&f, 4, 200000);
    agent_id[0] ^= 1;
    TURN_UNTIL(&s, &f, 5000, link_stats(s.link).state == LINK_WAITING);
    assert_int_equal(link_stats(s.link).state, LINK_WAITING);
    assert_int_equal(s.online, 0);
    link_close(s.link);
    fake_close(&f);
}

static void connects_anew_when_nothing_is_acknowledged(void **state)
{
    (void)state;
    struct fake f;
    struct side s;
    fake_open(&f);
    side_open(&s, &f, f.pub);
    s.is_there[1] = true;
    connect_up(&s, &f, 4, 200000);
    TURN_UNTIL(&s, &f, 5000, (fake_take(&f), f.entries == 1));
    uint64_t next;
    link_turn(s.link, clock_wall_ns(), clock_mono_ns() + 61 * NS_PER_S, clock_boot_ns(),
              &next);
    assert_int_equal(link_stats(s.link).state, LINK_WAITING);
    assert_true(s.is_there[1]);
    link_close(s.link);
    fake_close(&f);
}

static void wants_an_endpoint(void **state)
{
    (void)state;
    struct link *l = NULL;
    struct link_settings settings = {.endpoints = 0};
    struct link_hooks hooks = {0};
    assert_int_equal(link_open(&settings, &hooks, &l), ST_RANGE);
    settings.endpoints = LINK_ENDPOINTS_MAX + 1;
    assert_int_equal(link_open(&settings, &hooks, &l), ST_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets_breathes_and_sends_within_its_credit),
        cmocka_unit_test(sends_again_after_the_controller_was_away),
        cmocka_unit_test(tries_a_refused_key_again_with_a_new_socket),
        cmocka_unit_test(tells_nothing_to_a_controller_with_another_key),
        cmocka_unit_test(never_sends_what_no_frame_can_carry),
        cmocka_unit_test(hands_on_what_it_knows_and_counts_what_it_does_not),
        cmocka_unit_test(leaves_a_controller_that_is_silent_or_means_another_agent),
        cmocka_unit_test(connects_anew_when_nothing_is_acknowledged),
        cmocka_unit_test(wants_an_endpoint),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
