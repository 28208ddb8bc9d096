// Muster: a few hosts enrol at a time, each on a connection of its own.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/muster.h"

#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/trust/sign.h"
#include "controller/cli/answer.h"
#include "controller/cli/client.h"
#include "proto/envelope.h"
#include "proto/messages/enrol.h"
#include "tests/fleet/recording.h"

#define AT_ONCE 48u
#define TOKEN_USES 1024u
#define MESSAGE_MAX 65536
#define STEP_NS (240 * NS_PER_S)
#define CODE_CONFLICT 6
#define REFUSALS_MAX 100u

struct guest {
    void *socket; // NULL: a free place
    uint32_t number;
    struct key_pair curve, sign;
    uint64_t until_ns;
};

struct muster {
    const struct swarm_share *share;
    struct client *client;
    struct buf json;
    struct buf line, token_bytes;
    struct join_token token;
    uint32_t token_left, refusals;
    uint8_t *memory; // of the pools
    struct pool token_pool, pool;
    void *context;
    struct guest guest[AT_ONCE];
};

// --- As an operator

static uint8_t ask(struct muster *m, const char *verb, struct pair *arg, uint32_t args,
                   struct span blob)
{
    uint8_t code = 0;
    enum status st = client_ask(m->client, verb, arg, args, blob, &m->json, &code);
    if (st != ST_OK)
        swarm_die("%s: %s", verb, status_text(st));
    return code;
}

static void must_ask(struct muster *m, const char *verb, struct pair *arg,
                     uint32_t args, struct span blob)
{
    uint8_t code = ask(m, verb, arg, args, blob);
    if (code != 0 && code != CODE_CONFLICT) // there already: so much the better
        swarm_die("%s: %.*s", verb, (int)m->json.size, (const char *)m->json.data);
}

static void open_client(struct muster *m)
{
    struct buf why;
    buf_init(&why, 4096);
    if (client_open(m->share->plan->config, &m->client, &why) != ST_OK)
        swarm_die("%s", why.size ? buf_cstr(&why) : "no kedge.conf");
    buf_fini(&why);
    buf_init(&m->json, CLIENT_ANSWER_MAX);
}

static void mint(struct muster *m)
{
    struct pair arg[] = {{span_text("count"), span_text("1024")},
                         {span_text("expires"), span_text("1h")},
                         {span_text("models"), span_text("swarm-*")}};
    must_ask(m, "agent.token", arg, 3, span_text(""));
    buf_clear(&m->line);
    buf_clear(&m->token_bytes);
    pool_clear(&m->token_pool);
    if (answer_text(buf_span(&m->json), "line", &m->line) != ST_OK ||
        join_token_read(buf_span(&m->line), &m->token_bytes, &m->token_pool,
                        &m->token) != ST_OK)
        swarm_die("the token cannot be read");
    m->token_left = TOKEN_USES;
}

// --- As hosts that enrol

static void send_out(struct guest *g, const struct message *what, const void *in)
{
    struct buf body;
    buf_init(&body, MESSAGE_MAX);
    if (message_encode(what, in, &body, NULL) != ST_OK ||
        zmq_send(g->socket, what->type, strlen(what->type), ZMQ_SNDMORE) < 0 ||
        zmq_send(g->socket, body.data, body.size, 0) < 0)
        swarm_die("%s cannot be sent", what->type);
    buf_fini(&body);
}

static void begin(struct muster *m, struct guest *g, uint32_t number)
{
    if (m->token_left == 0)
        mint(m);
    m->token_left--;
    int none = 0;
    char host[32], endpoint[300];
    struct span e = m->token.endpoint[0];
    (void)snprintf(host, sizeof host, "swarm-%05u", number);
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", (int)e.size,
                   (const char *)e.data);
    *g = (struct guest){.number = number, .until_ns = clock_mono_ns() + STEP_NS};
    if (keys_make(KEY_CURVE, &g->curve) != ST_OK ||
        keys_make(KEY_SIGN, &g->sign) != ST_OK)
        swarm_die("no keys");
    g->socket = zmq_socket(m->context, ZMQ_DEALER);
    if (!g->socket ||
        zmq_setsockopt(g->socket, ZMQ_CURVE_SERVERKEY, m->token.server_curve, 32) ||
        zmq_setsockopt(g->socket, ZMQ_CURVE_PUBLICKEY, g->curve.pub, 32) ||
        zmq_setsockopt(g->socket, ZMQ_CURVE_SECRETKEY, g->curve.secret, 32) ||
        zmq_setsockopt(g->socket, ZMQ_LINGER, &none, sizeof none) ||
        zmq_connect(g->socket, endpoint))
        swarm_die("%s: %s", endpoint, zmq_strerror(zmq_errno()));
    struct enrol_hello hello = {.facts.hostname = span_text(host)};
    memcpy(hello.token_id, m->token.id, sizeof hello.token_id);
    send_out(g, &enrol_hello_message, &hello);
}

static void take_challenge(struct muster *m, struct guest *g, struct span in)
{
    struct enrol_challenge challenge;
    if (message_decode(&enrol_challenge_message, in, &m->pool, &challenge) != ST_OK)
        swarm_die("a challenge cannot be read");
    char host[32];
    (void)snprintf(host, sizeof host, "swarm-%05u", g->number);
    struct enrol_claim claim = {.agent_time_ms = clock_wall_ns() / NS_PER_MS,
                                .host = span_text(host)};
    memcpy(claim.fleet, m->token.fleet, sizeof claim.fleet);
    memcpy(claim.token_id, m->token.id, sizeof claim.token_id);
    memcpy(claim.nonce, challenge.nonce, sizeof claim.nonce);
    memcpy(claim.agent_curve, g->curve.pub, 32);
    memcpy(claim.agent_sign, g->sign.pub, 32);
    memcpy(claim.server_curve, m->token.server_curve, 32);
    struct buf body;
    buf_init(&body, MESSAGE_MAX);
    struct span type = span_text(ENROL_CLAIM_TYPE);
    struct enrol_request r = {0};
    enum status st = message_encode(&enrol_claim_message, &claim, &body, NULL);
    r.body = buf_span(&body);
    if (st != ST_OK || sign_body(m->token.seed, type, r.body, r.sig_token) != ST_OK ||
        sign_body(g->sign.secret, type, r.body, r.sig_agent) != ST_OK)
        swarm_die("a request cannot be signed");
    send_out(g, &enrol_request_message, &r);
    buf_fini(&body);
}

static void take_grant(struct muster *m, struct guest *g, struct span in)
{
    struct swarm_ground *ground = m->share->ground;
    struct enrol_grant grant;
    if (message_decode(&enrol_grant_message, in, &m->pool, &grant) != ST_OK ||
        grant.endpoints == 0 || grant.endpoint[0].size >= sizeof ground->endpoint)
        swarm_die("a grant cannot be read");
    // Every worker writes the same there.
    memcpy(ground->endpoint, grant.endpoint[0].data, grant.endpoint[0].size);
    memcpy(ground->server_key, grant.server_curve, sizeof ground->server_key);
    struct swarm_identity *id = &ground->identity[g->number];
    memcpy(id->curve_public, g->curve.pub, 32);
    memcpy(id->curve_secret, g->curve.secret, 32);
    memcpy(id->agent, grant.agent, sizeof id->agent);
    id->is_enrolled = true;
    (void)zmq_close(g->socket);
    g->socket = NULL;
}

// A busy controller says so: then it is asked again.
static void take_refusal(struct muster *m, struct guest *g, struct span in)
{
    struct enrol_refusal r = {0};
    uint32_t number = g->number;
    if (message_decode(&enrol_refusal_message, in, &m->pool, &r) != ST_OK ||
        ++m->refusals > REFUSALS_MAX)
        swarm_die("host %u was not enrolled: %u %.*s", number, r.code, (int)r.why.size,
                  r.why.size ? (const char *)r.why.data : "");
    (void)zmq_close(g->socket);
    m->token_left = 0;
    begin(m, g, number);
}

static void take(struct muster *m, struct guest *g)
{
    char type[ENVELOPE_TYPE_MAX];
    static uint8_t body[MESSAGE_MAX], sigs[MESSAGE_MAX];
    int n = zmq_recv(g->socket, type, sizeof type, 0);
    int size = zmq_recv(g->socket, body, sizeof body, 0), more = 0;
    size_t more_size = sizeof more;
    if (zmq_getsockopt(g->socket, ZMQ_RCVMORE, &more, &more_size) == 0 && more)
        (void)zmq_recv(g->socket, sigs, sizeof sigs, 0);
    if (n < 0 || n > (int)sizeof type || size < 0 || size > (int)sizeof body)
        swarm_die("an answer to the enrolment is too long");
    struct span what = span_of(type, (size_t)n), in = span_of(body, (size_t)size);
    pool_clear(&m->pool);
    g->until_ns = clock_mono_ns() + STEP_NS;
    if (span_is(what, enrol_challenge_message.type))
        take_challenge(m, g, in);
    else if (span_is(what, enrol_grant_message.type))
        take_grant(m, g, in);
    else
        take_refusal(m, g, in);
}

static void wait_for_guests(struct muster *m)
{
    zmq_pollitem_t item[AT_ONCE];
    struct guest *who[AT_ONCE];
    int n = 0;
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        if (!m->guest[i].socket)
            continue;
        who[n] = &m->guest[i];
        item[n] = (zmq_pollitem_t){.socket = who[n]->socket, .events = ZMQ_POLLIN};
        n++;
    }
    (void)zmq_poll(item, n, 1000);
    for (int i = 0; i < n; i++) {
        if (item[i].revents & ZMQ_POLLIN)
            take(m, who[i]);
        else if (clock_mono_ns() > who[i]->until_ns)
            swarm_die("host %u: no answer to its enrolment", who[i]->number);
    }
}

// The next agent of the share that is not enrolled, or the number of all agents.
static uint32_t next_agent(const struct swarm_share *s, uint32_t from)
{
    uint32_t at = from;
    while (at < s->plan->agents && s->ground->identity[at].is_enrolled)
        at += s->plan->workers;
    return at;
}

static void enrol_all(struct muster *m)
{
    const struct swarm_plan *plan = m->share->plan;
    uint32_t next = next_agent(m->share, m->share->worker), busy;
    do {
        busy = 0;
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            if (!m->guest[i].socket && next < plan->agents) {
                begin(m, &m->guest[i], next);
                next = next_agent(m->share, next + plan->workers);
            }
            busy += m->guest[i].socket != NULL;
        }
        if (busy > 0)
            wait_for_guests(m);
    } while (busy > 0);
}

void muster_enrol(const struct swarm_share *s)
{
    if (next_agent(s, s->worker) >= s->plan->agents)
        return;
    struct muster *m = MEM_NEW(struct muster);
    m->share = s;
    m->memory = mem_zero(2, MESSAGE_POOL_BYTES);
    m->context = zmq_ctx_new();
    pool_init(&m->token_pool, m->memory, MESSAGE_POOL_BYTES);
    pool_init(&m->pool, m->memory + MESSAGE_POOL_BYTES, MESSAGE_POOL_BYTES);
    buf_init(&m->line, 4096);
    buf_init(&m->token_bytes, 4096);
    open_client(m);
    enrol_all(m);
    client_close(m->client);
    (void)zmq_ctx_term(m->context);
    buf_fini(&m->json);
    buf_fini(&m->line);
    buf_fini(&m->token_bytes);
    mem_free(m->memory);
    mem_free(m);
}

void muster_enter(const struct swarm_share *s)
{
    struct muster *m = MEM_NEW(struct muster);
    m->share = s;
    open_client(m);
    for (uint32_t i = s->worker; i < s->plan->models; i += s->plan->workers) {
        char name[32];
        (void)snprintf(name, sizeof name, "swarm-%05u", i);
        struct pair model[] = {{span_text("model"), span_text(name)},
                               {span_text("owner"), span_text("swarm")}};
        struct pair version[] = {{span_text("model"), span_text(name)},
                                 {span_text("version"), span_text(SWARM_VERSION)}};
        must_ask(m, "model.add", model, 2, span_text(""));
        must_ask(m, "version.add", version, 2, span_text(""));
        must_ask(m, "baseline.seal", version, 2, recording_baseline(s->recording));
    }
    client_close(m->client);
    buf_fini(&m->json);
    mem_free(m);
}
