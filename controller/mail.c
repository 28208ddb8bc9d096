// Mail: the messages that go to agents and to hosts that enrol.
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/trust/sign.h"
#include "controller/core.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "controller/log/references.h"
#include "proto/messages/catalog.h"
#include "proto/messages/enrol.h"
#include "proto/messages/order.h"
#include "proto/messages/record.h"
#include "proto/messages/reference.h"

#define CREDIT 4u // reports of one agent that may wait for their acknowledgement
// Models whose baselines are sent at a hello, and names that are looked at to find
// them; beyond, the agent's beats say which it serves, some at each.
#define REFERENCES_AT_HELLO 32u
#define NAMES_AT_HELLO 1024u
#define REFERENCES_A_BEAT 64u

// Sends to an agent what c->frame holds, and settles that many of its reports.
static void tell(struct core *c, const uint8_t *agent, uint32_t settled,
                 enum wire_kind kind, struct span body, struct span sigs)
{
    struct line_head h = {.kind = LINE_TELL, .number = settled};
    memcpy(h.agent, agent, sizeof h.agent);
    struct span frame[] = {span_text(wire_row(kind)->message->type), body, sigs};
    uint32_t frames = body.size == 0 ? 0 : sigs.size == 0 ? 2 : 3;
    if (line_send(c->line, &h, frame, frames) != ST_OK)
        c->must_stop = true;
}

static bool encode(struct core *c, const struct message *m, const void *in)
{
    const char *fault = NULL;
    buf_clear(&c->frame);
    enum status st = message_encode(m, in, &c->frame, &fault);
    if (st != ST_OK)
        log_line(LOG_ERROR, "a message could not be written", "type=%s field=%s why=%s",
                 m->type, fault ? fault : "", status_text(st));
    return st == ST_OK;
}

// --- Acknowledgements

struct settled {
    uint64_t done[CORE_GROUP];
    struct ack_refusal refused[CORE_GROUP];
    struct ack ack;
};

static void add_answers(struct core *c, const uint8_t *agent, const uint8_t *boot,
                        struct settled *s)
{
    for (uint32_t i = 0; i < effects_len(c->effects); i++) {
        const struct effect *e = effects_at(c->effects, i);
        bool is_ours = (e->kind == EFFECT_ACK || e->kind == EFFECT_REFUSE) &&
                       memcmp(e->agent, agent, 16) == 0 &&
                       memcmp(e->boot, boot, 16) == 0;
        if (!is_ours)
            continue;
        if (e->kind == EFFECT_ACK && s->ack.dones < CORE_GROUP)
            s->done[s->ack.dones++] = e->number;
        else if (e->kind == EFFECT_REFUSE && s->ack.refusals < CORE_GROUP)
            s->refused[s->ack.refusals++] =
                (struct ack_refusal){.seq = e->number, .code = e->text, .why = e->more};
    }
}

static bool was_before(const struct core *c, uint32_t i)
{
    const struct effect *e = effects_at(c->effects, i);
    for (uint32_t k = 0; k < i; k++) {
        const struct effect *b = effects_at(c->effects, k);
        if ((b->kind == EFFECT_ACK || b->kind == EFFECT_REFUSE) &&
            memcmp(b->agent, e->agent, 16) == 0 && memcmp(b->boot, e->boot, 16) == 0)
            return true;
    }
    return false;
}

// One message for each agent and boot.
static void send_answers(struct core *c)
{
    for (uint32_t i = 0; i < effects_len(c->effects); i++) {
        const struct effect *e = effects_at(c->effects, i);
        if ((e->kind != EFFECT_ACK && e->kind != EFFECT_REFUSE) || was_before(c, i))
            continue;
        struct settled s;
        s.ack = (struct ack){0};
        memcpy(s.ack.boot, e->boot, sizeof s.ack.boot);
        s.ack.done = s.done;
        s.ack.refused = s.refused;
        add_answers(c, e->agent, e->boot, &s);
        if (encode(c, &ack_message, &s.ack))
            tell(c, e->agent, 0, WIRE_ACK, buf_span(&c->frame), (struct span){0});
    }
}

void mail_acks(struct core *c, uint32_t from, uint32_t n)
{
    send_answers(c);
    for (uint32_t i = from; i < from + n; i++) {
        const struct gathered *g = &c->group[i];
        if (g->is_report)
            tell(c, g->agent, 1, WIRE_ACK, (struct span){0}, (struct span){0});
    }
}

void mail_poison(struct core *c, const struct gathered *g)
{
    struct entry_report r;
    if (g->entry.kind == TAPE_COMMAND)
        ask_fail(c, g, "the controller could not do it: see its log");
    if (!g->is_report || entry_read_report(g->entry.body, &r) != ST_OK)
        return;
    struct ack_refusal refusal = {.code = span_text("internal"),
                                  .why = span_text("the controller could not take it")};
    struct ack a = {.refused = &refusal, .refusals = 1};
    bool is_told = wire_place(r.body, a.boot, &refusal.seq) == ST_OK &&
                   encode(c, &ack_message, &a);
    tell(c, g->agent, 1, WIRE_ACK, is_told ? buf_span(&c->frame) : (struct span){0},
         (struct span){0});
}

// --- Greetings

void mail_welcome(struct core *c, const uint8_t *agent, uint64_t ring)
{
    struct welcome w = {.server_ms = c->wall_ns / NS_PER_MS,
                        .credit = CREDIT,
                        .window_max = wire_row(WIRE_WINDOW)->bytes_max,
                        .jitter_ms = 5000};
    if (ring < c->settings->ring)
        w.keyring = buf_span(&c->settings->keyring);
    memcpy(w.fleet, c->settings->fleet, sizeof w.fleet);
    memcpy(w.agent, agent, sizeof w.agent);
    if (encode(c, &welcome_message, &w))
        tell(c, agent, 0, WIRE_WELCOME, buf_span(&c->frame), (struct span){0});
}

// --- References

static void tell_all(struct core *c, struct shelf *s, uint32_t model)
{
    struct shelf_key prefix = key_hosts(model);
    struct shelf_walk w;
    struct span key;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while (shelf_walk_next(&w, &key, NULL) == ST_OK) {
        if (key.size == 1 + 4 + 16)
            tell(c, key.data + 5, 0, WIRE_REFERENCE, buf_span(&c->frame),
                 (struct span){0});
    }
}

// Leaves the message in c->frame.
static bool load_reference(struct core *c, struct shelf *s, uint32_t model,
                           uint32_t version)
{
    buf_clear(&c->frame);
    enum status st = references_read(s, model, version, &c->pool, &c->frame);
    if (st != ST_OK && st != ST_NOTFOUND)
        log_line(LOG_WARN, "a reference was not sent", "model=%u version=%u why=%s",
                 model, version, status_text(st));
    return st == ST_OK;
}

void mail_reference(struct core *c, struct shelf *s, struct span model,
                    struct span version, const uint8_t *agent)
{
    static const uint8_t nobody[16];
    uint32_t model_no, version_no;
    pool_clear(&c->pool);
    if (names_model(s, model, &model_no) != ST_OK ||
        names_version(s, model_no, version, &version_no) != ST_OK ||
        !load_reference(c, s, model_no, version_no))
        return;
    if (memcmp(agent, nobody, sizeof nobody) == 0)
        tell_all(c, s, model_no);
    else
        tell(c, agent, 0, WIRE_REFERENCE, buf_span(&c->frame), (struct span){0});
}

// Every version of the model that has a baseline: a version that is rolled back to is
// counted by its own from its first row on.
static void tell_versions(struct core *c, struct shelf *s, struct span model,
                          const uint8_t *agent)
{
    uint32_t number;
    if (names_model(s, model, &number) != ST_OK)
        return;
    struct shelf_key prefix = key_baselines_of(number);
    struct shelf_walk w;
    struct span key;
    size_t used = c->pool.used;
    shelf_walk_init(&w, s, SHELF_CATALOG, &prefix);
    while (shelf_walk_next(&w, &key, NULL) == ST_OK) {
        if (key.size == 9 && load_reference(c, s, number, load_be32(key.data + 5)))
            tell(c, agent, 0, WIRE_REFERENCE, buf_span(&c->frame), (struct span){0});
        c->pool.used = used;
    }
}

// Models that a grant's pattern covers, while they are few.
struct covered {
    struct span name[REFERENCES_AT_HELLO]; // from the pool
    uint32_t names, looked_at;
    bool has_more; // too many: the agent will say which it serves
};

static enum status cover(struct core *c, struct shelf *s, struct span pattern,
                         struct covered *out)
{
    size_t plain = 0;
    while (plain < pattern.size && !strchr("*?", pattern.data[plain]))
        plain++;
    struct shelf_key prefix = key_model(span_of(pattern.data, plain));
    struct shelf_walk w;
    struct span key;
    enum status st;
    shelf_walk_init(&w, s, SHELF_CATALOG, &prefix);
    while ((st = shelf_walk_next(&w, &key, NULL)) == ST_OK) {
        struct span name = span_of(key.data + 1, key.size - 1);
        bool is_it = text_glob(pattern, name);
        out->has_more = out->looked_at++ >= NAMES_AT_HELLO ||
                        (is_it && out->names == REFERENCES_AT_HELLO);
        if (out->has_more)
            return ST_OK;
        if (!is_it)
            continue;
        uint8_t *copy = pool_take(&c->pool, 1, name.size);
        if (!copy)
            return ST_FULL;
        memcpy(copy, name.data, name.size);
        out->name[out->names++] = span_of(copy, name.size);
    }
    return st == ST_EMPTY ? ST_OK : st;
}

// An agent whose grant covers a few models is told of them at once, before its first
// row. One that might serve any of thousands is told when it has said what it serves.
bool mail_references(struct core *c, struct shelf *s, const uint8_t *agent)
{
    struct record_agent a;
    struct shelf_key k = key_agent(agent);
    struct covered covered = {0};
    if (records_get(s, SHELF_AGENT, &k, &record_agent_message, &c->pool, &a) != ST_OK)
        return true;
    for (uint32_t i = 0; i < a.models && !covered.has_more; i++)
        if (cover(c, s, a.model[i], &covered) != ST_OK)
            return true;
    if (covered.has_more)
        return false;
    for (uint32_t i = 0; i < covered.names; i++)
        tell_versions(c, s, covered.name[i], agent);
    return true;
}

uint32_t mail_served(struct core *c, struct shelf *s, const uint8_t *agent,
                     const struct beat *b, uint32_t from)
{
    uint32_t at = from;
    for (; at < b->models && at - from < REFERENCES_A_BEAT; at++)
        tell_versions(c, s, b->model[at].model, agent);
    return at;
}

// --- Signed: orders and grants

// Signs c->frame as a message of this kind; the signatures' frame goes to `sigs`.
static enum status sign_frame(struct core *c, enum wire_kind kind, struct buf *sigs)
{
    const struct key_pair *key = &c->settings->order_key;
    struct signature sig = {.alg = span_text("ed25519")};
    ST_TRY(sign_kid(key->pub, sig.kid));
    ST_TRY(sign_body(key->secret, span_text(wire_row(kind)->message->type),
                     buf_span(&c->frame), sig.sig));
    return message_encode_list(&signature_message, &sig, 1, sigs, NULL);
}

// The order of an INTENT that was read back. What is known only now is filled in: the
// connection's nonce, the newest heartbeat, the time.
void mail_order(struct core *c, const struct effect *e)
{
    struct order o;
    pool_clear(&c->pool);
    if (message_decode(&order_message, e->bytes, &c->pool, &o) != ST_OK) {
        log_line(LOG_ERROR, "an order was not sent", "why=it could not be read back");
        return;
    }
    const struct fleet_agent *a = fleet_get(c->fleet, o.agent);
    // The agent tells an order's age by the beat that it quotes: one of this
    // connection.
    if (!a || !fleet_is_alive(a, c->wall_ns) || !fleet_has_beat(a)) {
        log_line(LOG_INFO, "an order waits for its agent", "model=%.*s",
                 (int)o.model.size, (const char *)o.model.data);
        return;
    }
    memcpy(o.sess, a->sess, sizeof o.sess);
    memcpy(o.hb, a->hb, sizeof o.hb);
    o.ring = c->settings->ring;
    o.issued_ms = c->wall_ns / NS_PER_MS;
    struct buf sigs;
    buf_init(&sigs, 1024);
    if (encode(c, &order_message, &o) && sign_frame(c, WIRE_ORDER, &sigs) == ST_OK) {
        tell(c, o.agent, 0, WIRE_ORDER, buf_span(&c->frame), buf_span(&sigs));
        log_line(LOG_INFO, "order sent", "host=%s model=%.*s action=%.*s to=%.*s",
                 a->host, (int)o.model.size, (const char *)o.model.data,
                 (int)o.action.size, (const char *)o.action.data,
                 (int)o.to_version.size, (const char *)o.to_version.data);
    }
    buf_fini(&sigs);
}

static void send_enrol(struct core *c, const uint8_t id[5], enum wire_kind kind,
                       uint32_t code, struct span sigs)
{
    struct line_head h = {.kind = LINE_GRANT, .number = code};
    memcpy(h.id, id, sizeof h.id);
    struct span frame[] = {span_text(wire_row(kind)->message->type),
                           buf_span(&c->frame), sigs};
    if (line_send(c->line, &h, frame, sigs.size > 0 ? 3 : 2) != ST_OK)
        c->must_stop = true;
}

void mail_enrol_refusal(struct core *c, const uint8_t id[5], uint32_t code,
                        struct span why)
{
    struct enrol_refusal r = {.code = code, .why = why};
    if (encode(c, &enrol_refusal_message, &r))
        send_enrol(c, id, WIRE_ENROL_REFUSAL, code, (struct span){0});
}

static uint32_t list_endpoints(const struct core *c, char (*text)[300],
                               struct span *out)
{
    const struct settings_file *f = &c->settings->file;
    uint32_t n = 0;
    for (size_t i = 0; i < f->announce.count && n < ENROL_ENDPOINTS_MAX; i++)
        (void)snprintf(text[n++], sizeof text[0], "tcp://%s:%" PRIu64,
                       f->announce.item[i], f->port);
    if (n == 0)
        (void)snprintf(text[n++], sizeof text[0], "%s", c->settings->agent_endpoint);
    for (uint32_t i = 0; i < n; i++)
        out[i] = span_text(text[i]);
    return n;
}

void mail_grant(struct core *c, struct shelf *s, const struct effect *e,
                const struct waiter *w)
{
    struct record_agent a;
    struct shelf_key k = key_agent(e->agent);
    pool_clear(&c->pool);
    if (records_get(s, SHELF_AGENT, &k, &record_agent_message, &c->pool, &a) != ST_OK)
        return;
    char text[ENROL_ENDPOINTS_MAX][300];
    struct span endpoint[ENROL_ENDPOINTS_MAX];
    struct enrol_grant g = {
        .state = span_text(a.state == AGENT_ACTIVE ? "active" : "pending"),
        .model = a.model,
        .models = a.models,
        .label = a.label,
        .labels = a.labels,
        .endpoint = endpoint,
        .endpoints = list_endpoints(c, text, endpoint),
        .keyring = buf_span(&c->settings->keyring)};
    memcpy(g.fleet, c->settings->fleet, sizeof g.fleet);
    memcpy(g.agent, a.agent, sizeof g.agent);
    memcpy(g.server_curve, c->settings->agent_key.pub, sizeof g.server_curve);
    struct buf sigs;
    buf_init(&sigs, 1024);
    if (encode(c, &enrol_grant_message, &g) &&
        sign_frame(c, WIRE_ENROL_GRANT, &sigs) == ST_OK)
        send_enrol(c, w->id, WIRE_ENROL_GRANT, 0, buf_span(&sigs));
    buf_fini(&sigs);
}
