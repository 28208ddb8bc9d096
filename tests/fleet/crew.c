// Crew: one epoll over the sockets of thousands of agents.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/crew.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "proto/messages/attest.h"
#include "proto/messages/session.h"
#include "proto/messages/window.h"
#include "tests/fleet/recording.h"

#define CREDIT_MAX 8u
#define BEAT_NS (10 * NS_PER_S)
#define HELLO_AGAIN_NS (5 * NS_PER_S)
#define LOST_NS (60 * NS_PER_S) // unanswered for so long: the connection is gone
#define SWEEP_NS (50 * NS_PER_MS)
#define CONNECT_AT_ONCE 25u // in a sweep: agents start with a delay of their own
#define EVENTS 256
#define BODY_MAX (1u << 20)

// A report that waits for its acknowledgement, and all that is needed to write it anew.
struct flight {
    bool is_attest;
    uint64_t seq, due_ns;
    uint32_t turn;
};

struct member {
    void *socket;
    uint32_t number;
    bool is_welcome, has_returned;
    uint8_t boot[16];
    uint64_t seq, hello_ns, answer_ns;
    uint32_t attested; // models whose attestation was sent
    uint32_t turn;     // windows that were sent
    uint32_t due;      // windows that are due
    uint32_t credit, flights;
    struct flight flight[CREDIT_MAX];
};

struct crew {
    const struct swarm_share *share;
    const struct swarm_plan *plan;
    struct swarm_tally *tally;
    enum swarm_phase phase;
    uint32_t members, connected; // the first so many have a socket
    struct member *member;
    void *context;
    int epoll;
    struct buf body;
    struct pool pool;
    uint8_t *memory;
    uint64_t now_ns, start_ns, sweep_ns, beats, beat_start_ns, slots;
    double interval_ns; // between two windows of this worker; 0: none
};

// --- Sending

static bool send_body(struct crew *c, struct member *m, const struct message *what)
{
    const char *type = what->type;
    if (zmq_send(m->socket, type, strlen(type), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return false;
    if (zmq_send(m->socket, c->body.data, c->body.size, ZMQ_DONTWAIT) < 0)
        swarm_die("half a message was sent: %s", zmq_strerror(errno));
    return true;
}

static bool send_message(struct crew *c, struct member *m, const struct message *what,
                         const void *in)
{
    const char *fault = "";
    buf_clear(&c->body);
    if (message_encode(what, in, &c->body, &fault) != ST_OK)
        swarm_die("%s cannot be written: %s", what->type, fault);
    return send_body(c, m, what);
}

static void send_hello(struct crew *c, struct member *m)
{
    char host[32];
    (void)snprintf(host, sizeof host, "swarm-%05u", m->number);
    struct hello h = {.host = span_text(host),
                      .software = span_text("swarm"),
                      .time_ms = clock_wall_ns() / NS_PER_MS};
    memcpy(h.boot, m->boot, sizeof h.boot);
    random_os_bytes(h.sess, sizeof h.sess);
    if (send_message(c, m, &hello_message, &h))
        m->hello_ns = c->now_ns;
}

// Models are dealt out: agent 3 of 10 has 3, 13, 23; or they are shared when there are
// more agents than models.
static uint32_t models_of(const struct crew *c, const struct member *m)
{
    const struct swarm_plan *p = c->plan;
    if (p->models <= p->agents)
        return 1;
    return (p->models - m->number + p->agents - 1) / p->agents;
}

static void name_model(const struct crew *c, const struct member *m, uint32_t turn,
                       char out[32])
{
    uint32_t n = models_of(c, m);
    uint32_t model =
        n == 1 ? m->number % c->plan->models : m->number + turn % n * c->plan->agents;
    (void)snprintf(out, 32, "swarm-%05u", model);
}

static bool send_attest(struct crew *c, struct member *m, const struct flight *f)
{
    char model[32];
    name_model(c, m, f->turn, model);
    struct attest a = {.seq = f->seq,
                       .model = span_text(model),
                       .version = span_text(SWARM_VERSION),
                       .at = c->share->ground->first_ns,
                       .wall = clock_wall_ns(),
                       .cause = span_text("start")};
    memcpy(a.boot, m->boot, sizeof a.boot);
    return send_message(c, m, &attest_message, &a);
}

static bool send_window(struct crew *c, struct member *m, const struct flight *f)
{
    char model[32];
    name_model(c, m, f->turn, model);
    uint32_t round = f->turn / models_of(c, m);
    uint64_t start = c->share->ground->first_ns + round * c->plan->window_ns;
    struct window w = {.seq = f->seq,
                       .model = span_text(model),
                       .version = span_text(SWARM_VERSION),
                       .start = start,
                       .end = start + c->plan->window_ns,
                       .watermark = start + c->plan->window_ns,
                       .sent = clock_wall_ns(),
                       .rows = c->plan->rows,
                       .observed = c->plan->rows,
                       .feature =
                           recording_window(c->share->recording, round + m->number),
                       .features = c->plan->features};
    memcpy(w.boot, m->boot, sizeof w.boot);
    return send_message(c, m, &window_message, &w);
}

static bool send_flight(struct crew *c, struct member *m, const struct flight *f)
{
    bool is_sent = f->is_attest ? send_attest(c, m, f) : send_window(c, m, f);
    if (is_sent) {
        c->tally->sent++;
        c->tally->bytes += c->body.size;
        m->answer_ns = c->now_ns;
    }
    return is_sent;
}

static bool launch(struct crew *c, struct member *m, struct flight f)
{
    f.seq = m->seq + 1;
    if (!m->is_welcome || m->flights >= m->credit || !send_flight(c, m, &f))
        return false;
    m->seq++;
    m->flight[m->flights++] = f;
    return true;
}

// Sends what is due and has credit.
static void send_due(struct crew *c, struct member *m)
{
    uint32_t models = models_of(c, m);
    while (m->attested < models && c->phase >= SWARM_ATTEST &&
           launch(c, m, (struct flight){.is_attest = true, .turn = m->attested}))
        m->attested++;
    if (m->attested < models || (c->phase != SWARM_REPORT && c->phase != SWARM_DRAIN &&
                                 c->phase != SWARM_RETURN))
        return;
    bool is_flood = c->plan->is_flood && c->phase == SWARM_REPORT;
    while (is_flood || m->turn < m->due) {
        uint64_t slot = (uint64_t)m->turn * c->members + (uint64_t)(m - c->member);
        struct flight f = {.turn = m->turn, .due_ns = c->now_ns};
        if (!c->plan->is_flood && c->phase != SWARM_RETURN)
            f.due_ns = c->start_ns + (uint64_t)((double)slot * c->interval_ns);
        if (!launch(c, m, f))
            return;
        m->turn++;
    }
}

// --- Taking

static void land(struct crew *c, struct member *m, uint64_t seq)
{
    for (uint32_t i = 0; i < m->flights; i++) {
        if (m->flight[i].seq != seq)
            continue;
        struct flight f = m->flight[i];
        m->flight[i] = m->flight[--m->flights];
        if (!f.is_attest) {
            c->tally->acked++;
            m->has_returned = true;
        }
        if (!f.is_attest && (c->phase == SWARM_REPORT || c->phase == SWARM_DRAIN))
            latency_add(&c->tally->latency,
                        c->now_ns > f.due_ns ? (c->now_ns - f.due_ns) / NS_PER_US : 0);
        return;
    }
    c->tally->repeated++;
}

static void take_ack(struct crew *c, struct member *m, struct span body)
{
    struct ack a;
    if (message_decode(&ack_message, body, &c->pool, &a) != ST_OK)
        swarm_die("an acknowledgement cannot be read");
    if (memcmp(a.boot, m->boot, sizeof a.boot) != 0)
        return;
    for (uint32_t i = 0; i < a.dones; i++)
        land(c, m, a.done[i]);
    for (uint32_t i = 0; i < a.refusals; i++) {
        if (c->tally->refused++ == 0)
            (void)fprintf(stderr, "refused: %.*s\n", (int)a.refused[i].why.size,
                          (const char *)a.refused[i].why.data);
        land(c, m, a.refused[i].seq);
    }
}

static void take_welcome(struct crew *c, struct member *m, struct span body)
{
    struct welcome w;
    if (message_decode(&welcome_message, body, &c->pool, &w) != ST_OK)
        swarm_die("a welcome cannot be read");
    m->is_welcome = true;
    m->credit = w.credit < CREDIT_MAX ? w.credit : CREDIT_MAX;
    for (uint32_t i = 0; i < m->flights; i++)
        (void)send_flight(c, m, &m->flight[i]);
}

static void take_frames(struct crew *c, struct member *m, zmq_msg_t *type)
{
    zmq_msg_t body;
    zmq_msg_init(&body);
    bool is_first = true;
    zmq_msg_t *last = type;
    while (zmq_msg_more(last)) {
        if (zmq_msg_recv(&body, m->socket, ZMQ_DONTWAIT) < 0)
            break;
        c->tally->received += zmq_msg_size(&body);
        struct span what = span_of(zmq_msg_data(type), zmq_msg_size(type));
        struct span in = span_of(zmq_msg_data(&body), zmq_msg_size(&body));
        pool_clear(&c->pool);
        if (is_first && span_is(what, ack_message.type))
            take_ack(c, m, in);
        else if (is_first && span_is(what, welcome_message.type))
            take_welcome(c, m, in);
        is_first = false;
        last = &body;
    }
    zmq_msg_close(&body);
}

static void take_all(struct crew *c, struct member *m)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(m->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN)) {
        zmq_msg_t type;
        zmq_msg_init(&type);
        if (zmq_msg_recv(&type, m->socket, ZMQ_DONTWAIT) >= 0)
            take_frames(c, m, &type);
        zmq_msg_close(&type);
        send_due(c, m);
    }
}

// --- Connecting

static void set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
        swarm_die("socket option %d: %s", option, zmq_strerror(errno));
}

static void connect_member(struct crew *c, struct member *m)
{
    static const int options[][2] = {{ZMQ_LINGER, 0},
                                     {ZMQ_SNDHWM, 16},
                                     {ZMQ_IMMEDIATE, 1},
                                     {ZMQ_RECONNECT_IVL, 500},
                                     {ZMQ_RECONNECT_IVL_MAX, 30000},
                                     {ZMQ_CONNECT_TIMEOUT, 30000},
                                     {ZMQ_HANDSHAKE_IVL, 60000}};
    const struct swarm_identity *id = &c->share->ground->identity[m->number];
    m->socket = zmq_socket(c->context, ZMQ_DEALER);
    if (!m->socket)
        swarm_die("socket: %s (raise the limit of open files)", zmq_strerror(errno));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        set(m->socket, options[i][0], options[i][1]);
    int fd;
    size_t size = sizeof fd;
    if (zmq_setsockopt(m->socket, ZMQ_CURVE_SERVERKEY, c->share->ground->server_key,
                       32) != 0 ||
        zmq_setsockopt(m->socket, ZMQ_CURVE_PUBLICKEY, id->curve_public, 32) != 0 ||
        zmq_setsockopt(m->socket, ZMQ_CURVE_SECRETKEY, id->curve_secret, 32) != 0 ||
        zmq_connect(m->socket, c->share->ground->endpoint) != 0 ||
        zmq_getsockopt(m->socket, ZMQ_FD, &fd, &size) != 0)
        swarm_die("%s: %s", c->share->ground->endpoint, zmq_strerror(errno));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        swarm_die("epoll: %s", strerror(errno));
}

static struct crew *open_crew(const struct swarm_share *s)
{
    struct crew *c = MEM_NEW(struct crew);
    c->share = s;
    c->plan = s->plan;
    c->tally = &s->ground->tally[s->worker];
    c->members =
        (s->plan->agents - s->worker + s->plan->workers - 1) / s->plan->workers;
    c->member = mem_zero(c->members, sizeof *c->member);
    c->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    c->context = zmq_ctx_new();
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!c->member || !c->memory || !c->context || c->epoll < 0 ||
        zmq_ctx_set(c->context, ZMQ_MAX_SOCKETS, (int)c->members + 16) != 0)
        swarm_die("worker %u has no memory", s->worker);
    pool_init(&c->pool, c->memory, MESSAGE_POOL_BYTES);
    buf_init(&c->body, BODY_MAX);
    for (uint32_t i = 0; i < c->members; i++) {
        c->member[i].number = s->worker + i * s->plan->workers;
        random_os_bytes(c->member[i].boot, sizeof c->member[i].boot);
    }
    if (s->plan->rate > 0)
        c->interval_ns = 1e9 / (s->plan->rate * c->members / s->plan->agents);
    return c;
}

static void close_crew(struct crew *c)
{
    for (uint32_t i = 0; i < c->members; i++)
        if (c->member[i].socket)
            (void)zmq_close(c->member[i].socket);
    (void)zmq_ctx_term(c->context);
    buf_fini(&c->body);
    mem_free(c->memory);
    mem_free(c->member);
    mem_free(c);
}

// --- Phases

static void send_beat(struct crew *c, struct member *m)
{
    static struct beat_model model[BEAT_MODELS_MAX];
    static char name[BEAT_MODELS_MAX][32];
    struct beat b = {.time_ms = clock_wall_ns() / NS_PER_MS, .model = model};
    random_os_bytes(b.hb, sizeof b.hb);
    for (; b.models < models_of(c, m) && b.models < BEAT_MODELS_MAX; b.models++) {
        name_model(c, m, b.models, name[b.models]);
        model[b.models] = (struct beat_model){.model = span_text(name[b.models]),
                                              .version = span_text(SWARM_VERSION)};
    }
    if (m->is_welcome)
        (void)send_message(c, m, &beat_message, &b);
}

// Each agent breathes every 10 s, and not all at once.
static void send_beats(struct crew *c)
{
    uint64_t due = (c->now_ns - c->beat_start_ns) * c->members / BEAT_NS;
    if (due > c->beats + c->members) // it was held up
        c->beats = due - c->members;
    for (; c->beats < due; c->beats++) {
        struct member *m = &c->member[c->beats % c->members];
        send_beat(c, m);
        take_all(c, m);
    }
}

static void send_slots(struct crew *c)
{
    if (c->interval_ns <= 0 || c->plan->is_flood)
        return;
    uint64_t due = (uint64_t)((double)(c->now_ns - c->start_ns) / c->interval_ns) + 1;
    for (; c->slots < due; c->slots++) {
        struct member *m = &c->member[c->slots % c->members];
        m->due++;
        send_due(c, m);
        take_all(c, m);
    }
}

// Greets again who was not welcomed, and looks for answers that never came.
static void sweep(struct crew *c)
{
    if (c->now_ns - c->sweep_ns < SWEEP_NS)
        return;
    c->sweep_ns = c->now_ns;
    for (uint32_t i = 0; i < CONNECT_AT_ONCE && c->connected < c->members; i++)
        connect_member(c, &c->member[c->connected++]);
    for (uint32_t i = 0; i < c->connected; i++) {
        struct member *m = &c->member[i];
        if (m->is_welcome && m->flights > 0 && c->now_ns - m->answer_ns > LOST_NS) {
            m->is_welcome = false;
            c->tally->lost++;
        }
        bool may_greet = m->hello_ns == 0 || c->now_ns - m->hello_ns > HELLO_AGAIN_NS;
        if (!m->is_welcome && may_greet)
            send_hello(c, m);
        else
            send_due(c, m);
        take_all(c, m);
    }
}

static bool member_is_done(const struct crew *c, const struct member *m)
{
    switch (c->phase) {
    case SWARM_CONNECT:
        return m->is_welcome;
    case SWARM_ATTEST:
        return m->attested == models_of(c, m) && m->flights == 0;
    case SWARM_DRAIN:
        return m->flights == 0 && (c->plan->is_flood || m->turn >= m->due);
    case SWARM_RETURN:
        return m->has_returned && m->flights == 0;
    default:
        return true;
    }
}

static void report_if_done(struct crew *c)
{
    if (c->phase == SWARM_REPORT && c->now_ns < c->share->ground->until_ns)
        return;
    for (uint32_t i = 0; i < c->members; i++)
        if (!member_is_done(c, &c->member[i]))
            return;
    c->share->ground->done[c->share->worker] = (int)c->phase + 1;
}

static void enter(struct crew *c, enum swarm_phase phase)
{
    c->phase = phase;
    for (uint32_t i = 0; i < c->members; i++) {
        struct member *m = &c->member[i];
        if (phase == SWARM_RETURN) {
            m->is_welcome = m->has_returned = false;
            m->hello_ns = 0;
            m->due = m->turn + (m->flights == 0);
        }
        if (phase == SWARM_REPORT)
            m->turn = 0;
    }
    if (phase == SWARM_CONNECT)
        c->beat_start_ns = c->now_ns;
    if (phase == SWARM_REPORT)
        c->start_ns = c->now_ns;
    for (uint32_t i = 0; phase == SWARM_REPORT && i < c->members; i++)
        send_due(c, &c->member[i]);
}

static int wait_ms(const struct crew *c)
{
    if (c->phase == SWARM_REPORT && c->interval_ns > 0 && c->interval_ns < 2e6)
        return 1;
    return c->phase == SWARM_REPORT ? 5 : 20;
}

static void turn(struct crew *c)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(c->epoll, event, EVENTS, wait_ms(c));
    c->now_ns = clock_mono_ns();
    for (int i = 0; i < n; i++)
        take_all(c, event[i].data.ptr);
    enum swarm_phase phase = (enum swarm_phase)c->share->ground->phase;
    if (phase != c->phase)
        enter(c, phase);
    sweep(c);
    send_beats(c);
    if (c->phase == SWARM_REPORT)
        send_slots(c);
    report_if_done(c);
}

void crew_run(const struct swarm_share *s)
{
    struct crew *c = open_crew(s);
    c->now_ns = clock_mono_ns();
    enter(c, SWARM_CONNECT);
    while (s->ground->phase != SWARM_END)
        turn(c);
    close_crew(c);
}
