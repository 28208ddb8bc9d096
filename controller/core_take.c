// Core, take: what the gate hands on, one message at a time.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "proto/messages/record.h"
#include "proto/messages/window.h"

#define TELL_NS (60 * NS_PER_S) // between two lines about what the gate turned away

// An agent's executors and software stand in its record, for orders to name; a change
// of them is an entry like any other.
static void note_hello(struct core *c, const uint8_t *agent, struct span body)
{
    struct buf hex;
    buf_init(&hex, 64);
    text_put_hex(&hex, span_of(agent, 16));
    struct entry_command e = {.verb = span_text("agent.note"),
                              .actor = span_text("system"),
                              .role = span_text("system"),
                              .args = 1,
                              .blob = body};
    e.arg[0] = (struct entry_arg){span_text("agent"), buf_span(&hex)};
    buf_clear(&c->body);
    entry_put_command(&c->body, &e);
    if (core_gather(c, TAPE_COMMAND, buf_span(&c->body), NULL) != ST_OK)
        log_line(LOG_WARN, "an agent's executors were not noted", "why=busy");
    buf_fini(&hex);
}

static bool same_executors(const struct record_agent *a, const struct hello *h)
{
    if (a->executors != h->executors || !span_equal(a->software, h->software))
        return false;
    for (uint32_t i = 0; i < h->executors; i++) {
        if (!span_equal(a->executor[i].name, h->executor[i].name) ||
            memcmp(a->executor[i].digest, h->executor[i].digest, 32) != 0)
            return false;
    }
    return true;
}

static enum status greet(struct core *c, struct shelf *s, const uint8_t *agent,
                         const struct hello *h, struct span body)
{
    struct record_agent a;
    struct shelf_key k = key_agent(agent);
    ST_TRY(records_get(s, SHELF_AGENT, &k, &record_agent_message, &c->pool, &a));
    if (!same_executors(&a, h))
        note_hello(c, agent, body);
    mail_welcome(c, agent, h->ring);
    if (mail_references(c, s, agent))
        fleet_told(c->fleet, agent, FLEET_TOLD_ALL);
    return ST_OK;
}

// A key that two machines use: a copied disk, as a rule. Nobody but a person can tell
// which of the two is the right one.
static void name_twins(struct core *c, const uint8_t *agent)
{
    const struct fleet_agent *a = fleet_get(c->fleet, agent);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "two machines use one key: %s at %s and %s at %s; enrol one of them "
                   "anew",
                   a->known[0].host, a->known[0].address, a->twin.host,
                   a->twin.address);
    log_line(LOG_WARN, "an agent was cloned", "%s", text);
    struct entry_arg arg[] = {{span_text("kind"), span_text("identity_cloned")},
                              {span_text("host"), span_text(a->host)},
                              {span_text("text"), span_text(text)}};
    if (core_command(c, "event.record", arg, 3) != ST_OK)
        log_line(LOG_WARN, "that was not recorded", "why=busy");
}

static void take_hello(struct core *c, const struct line_message *m)
{
    struct hello h;
    bool is_twin = false;
    pool_clear(&c->pool);
    if (m->frames < 1 ||
        message_decode(&hello_message, m->frame[0], &c->pool, &h) != ST_OK ||
        fleet_hello(c->fleet, m->head.agent, &h, m->head.address, &is_twin) != ST_OK)
        return;
    if (is_twin)
        name_twins(c, m->head.agent);
    struct store_txn *t;
    struct shelf *s;
    if (core_reader(c, &t, &s) != ST_OK)
        return;
    enum status st = greet(c, s, m->head.agent, &h, m->frame[0]);
    store_abort(t);
    if (st != ST_OK)
        log_line(LOG_WARN, "an agent was not greeted", "why=%s", status_text(st));
}

// Orders that wait for this agent. An order quotes a beat of its connection, so the
// first one after the greeting is when they can go.
static void send_waiting(struct core *c, const uint8_t *agent)
{
    struct store_txn *t;
    struct shelf *s;
    if (!c->rooms.act_table.resend || core_reader(c, &t, &s) != ST_OK)
        return;
    enum status st =
        c->rooms.act_table.resend(c->rooms.act_table.self, s, agent, c->late);
    store_abort(t);
    if (st != ST_OK)
        log_line(LOG_WARN, "orders wait for the next tick", "why=%s", status_text(st));
}

// Baselines of what it serves, when the greeting could not bring them.
static void tell_served(struct core *c, const uint8_t *agent, const struct beat *b)
{
    struct store_txn *t;
    struct shelf *s;
    const struct fleet_agent *a = fleet_get(c->fleet, agent);
    if (!a || a->told >= b->models || core_reader(c, &t, &s) != ST_OK)
        return;
    fleet_told(c->fleet, agent, mail_served(c, s, agent, b, a->told));
    store_abort(t);
}

static void take_beat(struct core *c, const struct line_message *m)
{
    struct beat b;
    pool_clear(&c->pool);
    if (m->frames < 1 ||
        message_decode(&beat_message, m->frame[0], &c->pool, &b) != ST_OK)
        return;
    bool is_first = fleet_beat(c->fleet, m->head.agent, &b);
    tell_served(c, m->head.agent, &b);
    if (is_first)
        send_waiting(c, m->head.agent);
}

// Whether the model still has rows; the fold judges the rest.
static void note_window(struct core *c, const struct line_message *m)
{
    struct window w;
    pool_clear(&c->pool);
    if (message_decode(&window_message, m->frame[0], &c->pool, &w) == ST_OK &&
        w.end > w.start)
        fleet_window(c->fleet, m->head.agent, w.model, w.end - w.start, w.rows);
}

static void take_report(struct core *c, const struct line_message *m)
{
    struct entry_report r = {.agent = m->head.agent, .body = m->frame[0]};
    if (m->frames > 1)
        r.sigs = m->frame[1];
    fleet_seen(c->fleet, m->head.agent);
    if (m->head.tape == TAPE_WINDOW)
        note_window(c, m);
    // There is room: the turn takes no more than the group holds.
    if (core_gather_report(c, (enum tape_kind)m->head.tape, &r) != ST_OK)
        log_line(LOG_WARN, "a report was left to be sent again", "why=busy");
}

// What the gate turned away is worth a line when there is more of it, but not a line
// each.
static void take_counts(struct core *c, const struct line_message *m)
{
    if (m->frames != 1 || m->frame[0].size != sizeof c->gate)
        return;
    memcpy(&c->gate, m->frame[0].data, sizeof c->gate);
    const struct gate_counts *g = &c->gate;
    uint64_t bad = g->hostile + g->refused + g->overdrawn + g->zap_refused;
    if (bad == c->told_bad || c->wall_ns - c->told_ns < TELL_NS)
        return;
    c->told_bad = bad;
    c->told_ns = c->wall_ns;
    log_line(LOG_WARN, "turned away at the gate",
             "unknown_keys=%" PRIu64 " hostile=%" PRIu64 " revoked=%" PRIu64
             " over_credit=%" PRIu64 " connected=%" PRIu64,
             g->zap_refused, g->hostile, g->refused, g->overdrawn, g->connected);
}

void core_take(struct core *c, const struct line_message *m)
{
    switch ((enum line_kind)m->head.kind) {
    case LINE_HELLO:
        take_hello(c, m);
        break;
    case LINE_BEAT:
        take_beat(c, m);
        break;
    case LINE_REPORT:
        take_report(c, m);
        break;
    case LINE_QUERY:
        ask_take(c, m);
        break;
    case LINE_ENROL:
        ask_enrol(c, m);
        break;
    case LINE_COUNTS:
        take_counts(c, m);
        break;
    case LINE_LOST:
        fleet_gone(c->fleet, m->head.agent);
        break;
    default:
        c->must_stop = true;
    }
}
