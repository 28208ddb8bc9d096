// Ask: questions and commands of operators, and hosts that want to enrol.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/sign.h"
#include "controller/ask_incident.h"
#include "controller/core.h"
#include "controller/gate/door.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "controller/rights.h"
#include "proto/messages/catalog.h"
#include "proto/messages/record.h"

#define EXIT_USAGE 2
#define EXIT_NOTFOUND 3
#define EXIT_DENIED 4
#define EXIT_BUSY 7
#define OWN_ARGS 8 // that the controller adds
#define TOKEN_LIFE_NS (3600 * NS_PER_S)
#define SILENT_NS FLEET_SILENCE_NS

static const char *const roles[] = {"viewer", "operator", "approver", "admin",
                                    "auditor"};

// A question on its way in.
struct question {
    const struct line_message *m;
    struct query q;
    char name[129], role[16]; // of who asks
    struct record_operator who;
};

// --- Answers

void ask_send(struct core *c, const uint8_t id[5], uint64_t query, uint8_t code,
              struct span json)
{
    struct line_head h = {.kind = LINE_ANSWER};
    memcpy(h.id, id, sizeof h.id);
    struct answer a = {.id = query, .code = code};
    do {
        size_t size = json.size < ANSWER_PART_MAX ? json.size : ANSWER_PART_MAX;
        a.json = span_of(json.data, size);
        a.last = size == json.size;
        buf_clear(&c->frame);
        if (message_encode(&answer_message, &a, &c->frame, NULL) != ST_OK)
            return;
        struct span frame[] = {span_text(answer_message.type), buf_span(&c->frame)};
        if (line_send(c->line, &h, frame, 2) != ST_OK)
            c->must_stop = true;
        json = span_of(json.data + size, json.size - size);
        a.part++;
    } while (!a.last);
}

static void refuse(struct core *c, const struct question *q, uint8_t code,
                   const char *why)
{
    ask_send(c, q->m->head.id, q->q.id, code, span_text(why));
}

// The line that a host enrols with. The secret in it was never stored.
static enum status write_join_line(struct core *c, const struct waiter *w,
                                   struct buf *line)
{
    const struct settings_file *f = &c->settings->file;
    char text[ENROL_ENDPOINTS_MAX][300];
    struct span endpoint[ENROL_ENDPOINTS_MAX];
    struct span root = span_of(c->settings->root, sizeof c->settings->root);
    struct join_token t = {.endpoint = endpoint,
                           .root = &root,
                           .roots = 1,
                           .expires_s = w->token_expires_s};
    for (size_t i = 0; i < f->announce.count && i < ENROL_ENDPOINTS_MAX; i++) {
        (void)snprintf(text[i], sizeof text[0], "tcp://%s:%llu", f->announce.item[i],
                       (unsigned long long)f->port + 1);
        endpoint[t.endpoints++] = span_text(text[i]);
    }
    if (t.endpoints == 0)
        endpoint[t.endpoints++] = span_text(c->settings->enrol_endpoint);
    memcpy(t.fleet, c->settings->fleet, sizeof t.fleet);
    memcpy(t.id, w->token_id, sizeof t.id);
    memcpy(t.seed, w->token_seed, sizeof t.seed);
    memcpy(t.server_curve, c->settings->enrol_key.pub, sizeof t.server_curve);
    enum status st = join_token_write(&t, line);
    mem_wipe(&t, sizeof t);
    return st;
}

static void answer_token(struct core *c, const struct waiter *w)
{
    struct buf line, out;
    struct json j;
    buf_init(&line, JOIN_TOKEN_LINE_MAX + 64);
    buf_init(&out, 4096);
    enum status st = write_join_line(c, w, &line);
    if (st == ST_OK) {
        json_init(&j, &out);
        json_object(&j);
        json_key_hex(&j, "token", span_of(w->token_id, sizeof w->token_id));
        json_key_text(&j, "line", buf_span(&line));
        json_key_time(&j, "expires", w->token_expires_s * NS_PER_S);
        json_object_end(&j);
        ask_send(c, w->id, w->query, 0, buf_span(&out));
    } else {
        ask_send(c, w->id, w->query, EXIT_BUSY,
                 span_text("the join line could not be written"));
    }
    if (line.data)
        mem_wipe(line.data, line.size);
    if (out.data)
        mem_wipe(out.data, out.size);
    buf_fini(&line);
    buf_fini(&out);
}

void ask_answer(struct core *c, const struct effect *e)
{
    struct waiter *w = core_waiter(c, e->number);
    if (!w)
        return;
    if (w->is_token && e->code == 0)
        answer_token(c, w);
    else
        ask_send(c, w->id, w->query, (uint8_t)e->code, e->code ? e->text : e->bytes);
    mem_wipe(w, sizeof *w);
}

void ask_fail(struct core *c, const struct gathered *g, const char *why)
{
    struct entry_command e;
    if (entry_read_command(g->entry.body, &e) != ST_OK)
        return;
    struct effect failed = {.kind = EFFECT_ANSWER,
                            .number = e.request,
                            .code = EXIT_BUSY,
                            .text = span_text(why)};
    ask_answer(c, &failed);
}

// --- Who asks

static enum status find_operator(struct core *c, struct shelf *s, struct question *q)
{
    struct shelf_key k = key_operator_curve(q->m->head.key);
    struct span name;
    ST_TRY(shelf_get(s, SHELF_AGENT, &k, &name));
    if (name.size >= sizeof q->name)
        return ST_CORRUPT;
    memcpy(q->name, name.data, name.size);
    q->name[name.size] = 0;
    struct record_operator *p = &q->who;
    struct shelf_key record = key_operator(span_text(q->name));
    ST_TRY(records_get(s, SHELF_AGENT, &record, &record_operator_message, &c->pool, p));
    bool is_good = p->revoked == 0 && (p->expires == 0 || p->expires > c->wall_ns) &&
                   memcmp(p->curve, q->m->head.key, 32) == 0 &&
                   p->role < sizeof roles / sizeof roles[0];
    if (!is_good)
        return ST_DENIED;
    (void)snprintf(q->role, sizeof q->role, "%s", roles[p->role]);
    return ST_OK;
}

// --- Queries

static uint64_t heard(void *self, const uint8_t *agent)
{
    const struct fleet_agent *a = fleet_get(self, agent);
    return a ? a->seen_ns : 0;
}

static bool presence(void *self, const uint8_t *agent, struct query_presence *out)
{
    const struct fleet_agent *a = fleet_get(self, agent);
    if (!a)
        return false;
    *out = (struct query_presence){.state = fleet_state_name(a->state),
                                   .since_ns = a->state_ns,
                                   .skew_ms = a->skew_ms,
                                   .spool_entries = a->spool_entries,
                                   .host = a->host,
                                   .address = a->known[0].address};
    if (a->twin_ns > 0) {
        out->twin_host = a->twin.host;
        out->twin_address = a->twin.address;
    }
    return true;
}

static bool speaking(void *self, size_t *at, struct query_speaking *out)
{
    const struct fleet_model *m = fleet_next_model(self, at);
    if (!m)
        return false;
    bool is_away = m->agent->state > FLEET_SKEWED;
    *out = (struct query_speaking){.model = span_text(m->name),
                                   .is_silent = m->is_silent || is_away,
                                   .why = is_away ? fleet_state_name(m->agent->state)
                                                  : "no rows",
                                   .host = m->agent->host,
                                   .rows_ns = m->rows_ns};
    return true;
}

static void query(struct core *c, struct shelf *s, const struct question *q)
{
    struct query_ask ask = {.verb = q->q.verb,
                            .arg = q->q.arg,
                            .args = q->q.args,
                            .role = span_text(q->role),
                            .now_ns = c->wall_ns,
                            .silent_ns = SILENT_NS,
                            .heard = heard,
                            .presence = presence,
                            .speaking = speaking,
                            .guest = ask_incident_guest(),
                            .heard_self = c->fleet};
    struct buf out;
    uint8_t code = 0;
    buf_init(&out, QUERY_JSON_MAX);
    enum status st = query_answer(c->query, s, &ask, &out, &code);
    if (st == ST_OK)
        ask_send(c, q->m->head.id, q->q.id, code, buf_span(&out));
    else
        refuse(c, q, EXIT_BUSY, status_text(st));
    buf_fini(&out);
}

// --- Commands

// A token's key is drawn here; the log gets its public half.
static enum status draw_token(struct core *c, struct entry_command *e, struct waiter *w,
                              struct buf *hex)
{
    uint64_t life = TOKEN_LIFE_NS;
    uint8_t pub[32];
    struct span expires = entry_arg(e, "expires");
    if (expires.size > 0)
        ST_TRY(text_duration(expires, &life));
    ST_TRY(sign_make(w->token_seed));
    ST_TRY(sign_public(w->token_seed, pub));
    random_os_bytes(w->token_id, sizeof w->token_id);
    w->token_expires_s = (c->wall_ns + life) / NS_PER_S;
    w->is_token = true;
    text_put_hex(hex, span_of(w->token_id, sizeof w->token_id));
    text_put_hex(hex, span_of(pub, sizeof pub));
    if (hex->failed != ST_OK || e->args + 2 > ENTRY_ARGS_MAX)
        return ST_RANGE;
    e->arg[e->args++] = (struct entry_arg){span_text("id"), span_of(hex->data, 16)};
    e->arg[e->args++] =
        (struct entry_arg){span_text("pub"), span_of(hex->data + 16, 64)};
    return ST_OK;
}

static void fill_command(const struct question *q, struct entry_command *e)
{
    e->verb = q->q.verb;
    e->actor = span_text(q->name);
    e->role = span_text(q->role);
    e->blob = q->q.blob;
    for (uint32_t i = 0; i < q->q.args && e->args + OWN_ARGS < ENTRY_ARGS_MAX; i++) {
        // What the controller itself puts in must not come from outside.
        bool is_ours =
            (span_is(q->q.verb, "agent.token") &&
             (span_is(q->q.arg[i].key, "id") || span_is(q->q.arg[i].key, "pub"))) ||
            (q->q.arg[i].key.size && q->q.arg[i].key.data[0] == '@');
        if (!is_ours)
            e->arg[e->args++] = (struct entry_arg){q->q.arg[i].key, q->q.arg[i].value};
    }
}

static void command(struct core *c, struct shelf *s, const struct question *q)
{
    struct waiter *w = core_wait(c);
    if (!w) {
        refuse(c, q, EXIT_BUSY, "too many commands wait: try again");
        return;
    }
    uint8_t random[ENTRY_RANDOM];
    random_os_bytes(random, sizeof random);
    struct entry_command e = {.request = w->request,
                              .random = span_of(random, sizeof random)};
    struct buf hex;
    buf_init(&hex, 256);
    fill_command(q, &e);
    memcpy(w->id, q->m->head.id, sizeof w->id);
    w->query = q->q.id;
    enum status st = ST_OK;
    if (span_is(q->q.verb, "agent.token"))
        st = draw_token(c, &e, w, &hex);
    struct ask_said said;
    ask_incident_add(s, c->wall_ns, &e, &said);
    buf_clear(&c->body);
    entry_put_command(&c->body, &e);
    ask_said_fini(&said);
    if (st == ST_OK)
        st = core_gather(c, TAPE_COMMAND, buf_span(&c->body), NULL);
    if (st != ST_OK) {
        refuse(c, q, st == ST_FULL ? EXIT_BUSY : EXIT_USAGE, status_text(st));
        mem_wipe(w, sizeof *w);
    }
    buf_fini(&hex);
}

static void take_question(struct core *c, struct shelf *s, struct question *q)
{
    enum status st = find_operator(c, s, q);
    if (st != ST_OK)
        refuse(c, q, EXIT_DENIED, "this key belongs to no operator");
    else if (!rights_allow(span_text(q->role), q->q.verb))
        refuse(c, q, EXIT_DENIED, "your role does not allow it: kedge user list");
    // The same words as for a model that is not there: who may not see it learns
    // nothing.
    else if (!rights_cover(&q->who, &q->q))
        refuse(c, q, EXIT_NOTFOUND, "no such model: name one of yours");
    else if (query_knows(q->q.verb))
        query(c, s, q);
    else if (q->q.args + OWN_ARGS > ENTRY_ARGS_MAX)
        refuse(c, q, EXIT_USAGE, "too many arguments");
    else if (c->is_stuck || c->is_full)
        refuse(c, q, EXIT_BUSY,
               "the store takes nothing at the moment: see the controller's log");
    else
        command(c, s, q);
}

void ask_take(struct core *c, const struct line_message *m)
{
    struct question q = {.m = m};
    struct store_txn *t;
    struct shelf *s;
    pool_clear(&c->pool);
    if (m->frames != 1 ||
        message_decode(&query_message, m->frame[0], &c->pool, &q.q) != ST_OK)
        return;
    if (core_reader(c, &t, &s) != ST_OK) {
        refuse(c, &q, EXIT_BUSY, "the store cannot be read");
        return;
    }
    take_question(c, s, &q);
    store_abort(t);
}

// --- Enrolment

// The token's public key, or a key that nothing verifies under: an unknown token takes
// the same time and gets the same answer as a wrong one.
static enum status find_token(struct core *c, const uint8_t *id, uint8_t pub[32])
{
    struct store_txn *t;
    struct shelf *s;
    struct record_token token;
    struct shelf_key k = key_token(id);
    ST_TRY(core_reader(c, &t, &s));
    enum status st =
        records_get(s, SHELF_AGENT, &k, &record_token_message, &c->pool, &token);
    store_abort(t);
    if (st == ST_NOTFOUND)
        memcpy(pub, c->settings->root, 32);
    else if (st == ST_OK)
        memcpy(pub, token.pub, 32);
    return st == ST_NOTFOUND ? ST_OK : st;
}

static void gather_enrol(struct core *c, const struct line_message *m,
                         const struct enrol_claim *claim)
{
    struct waiter *w = core_wait(c);
    if (!w) {
        mail_enrol_refusal(c, m->head.id, 429, span_text("busy: try again"));
        return;
    }
    memcpy(w->id, m->head.id, sizeof w->id);
    w->is_host = true;
    struct entry_agent e = {.request = w->request,
                            .token = claim->token_id,
                            .curve = claim->agent_curve,
                            .sign = claim->agent_sign,
                            .host = claim->host,
                            .address = span_text(m->head.address)};
    buf_clear(&c->body);
    entry_put_agent(&c->body, &e);
    if (core_gather(c, TAPE_AGENT, buf_span(&c->body), NULL) != ST_OK) {
        mail_enrol_refusal(c, m->head.id, 429, span_text("busy: try again"));
        memset(w, 0, sizeof *w);
    }
}

void ask_enrol(struct core *c, const struct line_message *m)
{
    struct enrol_claim claim;
    uint8_t pub[32];
    pool_clear(&c->pool);
    if (m->frames != 1 || door_claim(m->frame[0], &c->pool, &claim) != ST_OK ||
        find_token(c, claim.token_id, pub) != ST_OK)
        return;
    if (door_verify(m->frame[0], pub, &c->pool, &claim) != ST_OK) {
        log_line(LOG_WARN, "an enrolment was refused", "address=%s", m->head.address);
        mail_enrol_refusal(c, m->head.id, 403,
                           span_text("no such token, or its time is over"));
        return;
    }
    gather_enrol(c, m, &claim);
}
