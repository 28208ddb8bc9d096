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
#include "common/drift/baseline.h"
#include "common/trust/sign.h"
#include "controller/core.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"
#include "proto/messages/catalog.h"
#include "proto/messages/enrol.h"
#include "proto/messages/order.h"
#include "proto/messages/record.h"
#include "proto/messages/reference.h"

#define CREDIT 4u // reports of one agent that may wait for their acknowledgement
#define SKETCH_EVERY 10u
#define REFERENCES_MAX 256u // sent at a hello; others follow the agent's attestations

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

static int by_name(const void *a, const void *b)
{
    const struct reference_feature *x = a, *y = b;
    return span_compare(x->name, y->name);
}

static enum status fill_features(const struct baseline *b, struct buf *grids,
                                 struct reference_feature *out)
{
    size_t at[WINDOW_FEATURES_MAX];
    uint32_t n = baseline_features(b); // at most that many: the caller has looked
    for (uint32_t i = 0; i < n; i++) {
        const struct baseline_feature *f = baseline_feature(b, i);
        at[i] = grids->size;
        if (f->grid)
            grid_encode(f->grid, grids);
        out[i] = (struct reference_feature){
            .name = span_text(f->name), .role = f->role, .kind = f->kind};
        out[i].grid.size = grids->size - at[i];
    }
    if (grids->failed != ST_OK)
        return grids->failed;
    // The buffer has stopped moving: now its places are good.
    for (uint32_t i = 0; i < n; i++)
        out[i].grid.data = grids->data + at[i];
    qsort(out, n, sizeof *out, by_name);
    return ST_OK;
}

static enum status write_reference(struct core *c, const struct record_baseline *r,
                                   const struct baseline *b)
{
    uint32_t n = baseline_features(b);
    struct reference_feature *feature = pool_take(&c->pool, n + 1, sizeof *feature);
    if (!feature || n > WINDOW_FEATURES_MAX)
        return ST_FULL;
    struct buf grids;
    buf_init(&grids, 8u << 20);
    enum status st = fill_features(b, &grids, feature);
    struct reference m = {.model = r->model,
                          .version = r->version,
                          .window_ns = baseline_window_ns(b),
                          .sketch_every = SKETCH_EVERY,
                          .feature = feature,
                          .features = n};
    memcpy(m.baseline, r->digest, sizeof m.baseline);
    memcpy(m.key, baseline_key(b), sizeof m.key);
    if (st == ST_OK && !encode(c, &reference_message, &m))
        st = ST_RANGE;
    buf_fini(&grids);
    return st;
}

// Leaves the message in c->frame.
static enum status build_reference(struct core *c, struct span value)
{
    struct record_baseline r;
    struct baseline *b;
    ST_TRY(records_read(value, &record_baseline_message, &c->pool, &r));
    ST_TRY(baseline_decode(r.sealed, &b));
    enum status st = write_reference(c, &r, b);
    baseline_close(b);
    return st;
}

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

void mail_reference(struct core *c, struct shelf *s, struct span model,
                    struct span version, const uint8_t *agent)
{
    static const uint8_t nobody[16];
    uint32_t model_no, version_no;
    struct span value;
    pool_clear(&c->pool);
    if (names_model(s, model, &model_no) != ST_OK ||
        names_version(s, model_no, version, &version_no) != ST_OK)
        return;
    struct shelf_key k = key_baseline(model_no, version_no);
    if (shelf_get(s, SHELF_CATALOG, &k, &value) != ST_OK ||
        build_reference(c, value) != ST_OK)
        return;
    if (memcmp(agent, nobody, sizeof nobody) == 0)
        tell_all(c, s, model_no);
    else
        tell(c, agent, 0, WIRE_REFERENCE, buf_span(&c->frame), (struct span){0});
}

static bool covers(const struct record_agent *a, struct span model)
{
    for (uint32_t i = 0; i < a->models; i++) {
        if (text_glob(a->model[i], model))
            return true;
    }
    return false;
}

// The model's number stands in the baseline's key; its name tells whose it is, without
// the baseline being read.
static bool covers_key(struct shelf *s, const struct record_agent *a, struct span key)
{
    struct buf name;
    buf_init(&name, 256);
    bool is_covered = key.size == 9 &&
                      names_of_model(s, load_be32(key.data + 1), &name) == ST_OK &&
                      covers(a, buf_span(&name));
    buf_fini(&name);
    return is_covered;
}

// Every baseline of every model in the agent's grant.
void mail_references(struct core *c, struct shelf *s, const uint8_t *agent)
{
    struct record_agent a;
    struct shelf_key k = key_agent(agent), prefix = shelf_key_of('b');
    if (records_get(s, SHELF_AGENT, &k, &record_agent_message, &c->pool, &a) != ST_OK)
        return;
    size_t used = c->pool.used;
    struct shelf_walk w;
    struct span key, value;
    uint32_t sent = 0;
    shelf_walk_init(&w, s, SHELF_CATALOG, &prefix);
    while (sent < REFERENCES_MAX && shelf_walk_next(&w, &key, &value) == ST_OK) {
        c->pool.used = used;
        if (!covers_key(s, &a, key) || build_reference(c, value) != ST_OK)
            continue;
        tell(c, agent, 0, WIRE_REFERENCE, buf_span(&c->frame), (struct span){0});
        sent++;
    }
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
