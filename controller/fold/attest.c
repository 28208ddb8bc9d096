// Attest: which version a host serves, from when on.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/attest.h"

#include <string.h>

#include "controller/fold/inside.h"
#include "controller/log/progress.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/log/records.h"

struct claim {
    struct admission a;
    struct attest said;
    struct record_attest now; // what is kept of it
    struct span was;          // version before; empty: none
    uint32_t model, version;
    bool is_change;
};

// Event time of the change: as the agent says, else how far the host's data are; 0
// while no row has told: from the beginning, as far as anybody knows. The wall clock is
// no substitute, since events may be replayed.
static uint64_t time_of(const struct claim *c, const struct progress_host *h)
{
    return c->said.at > 0 ? c->said.at : h->watermark;
}

static enum status find_before(struct fold *f, struct shelf *s, struct claim *c)
{
    struct shelf_key prefix = key_served_by(c->model, c->a.report->agent);
    struct record_attest before;
    struct span v;
    enum status st = shelf_last(s, SHELF_AGENT, &prefix, NULL, &v);
    if (st == ST_NOTFOUND) {
        c->is_change = true;
        return ST_OK;
    }
    if (st == ST_OK)
        st = records_read(v, &record_attest_message, &f->pool, &before);
    if (st != ST_OK)
        return st;
    c->was = before.version;
    c->is_change = !span_equal(before.version, c->said.version) ||
                   memcmp(before.digest, c->said.digest, sizeof before.digest) != 0;
    // Two changes at one event time: the later one stands behind the earlier.
    if (c->now.at <= before.at)
        c->now.at = before.at + 1;
    return ST_OK;
}

static enum status note_version(struct fold *f, struct shelf *s, const struct claim *c)
{
    struct shelf_key k = key_version(c->model, c->said.version);
    struct record_version v;
    enum status st =
        records_get(s, SHELF_CATALOG, &k, &record_version_message, &f->pool, &v);
    if (st == ST_NOTFOUND) {
        v = (struct record_version){.model = c->said.model,
                                    .version = c->said.version,
                                    .created = f->moment.now_ns,
                                    .created_by = span_text("agent"),
                                    .note =
                                        span_text("served before it was registered")};
        memcpy(v.artifact, c->said.digest, sizeof v.artifact);
        st = ST_OK;
    }
    if (st != ST_OK)
        return st;
    if (v.first_event == 0) {
        v.first_event = c->now.at;
        v.first_wall = f->moment.now_ns;
    }
    v.last_event = c->now.at;
    if (v.state == VERSION_REGISTERED)
        v.state = VERSION_SERVING;
    return records_put(s, SHELF_CATALOG, &k, &record_version_message, &v);
}

static enum status keep_change(struct fold *f, struct shelf *s, struct claim *c)
{
    struct shelf_key k = key_served(c->model, c->a.report->agent, c->now.at);
    c->now.before = c->was;
    ST_TRY(records_put(s, SHELF_AGENT, &k, &record_attest_message, &c->now));
    ST_TRY(note_version(f, s, c));
    struct record_event e = {.at = c->now.at,
                             .kind = span_text("deploy"),
                             .model = c->said.model,
                             .version = c->said.version,
                             .host = c->a.agent.host,
                             .actor = c->a.agent.host,
                             .text = c->said.cause};
    ST_TRY(history_event(f, s, &e));
    return fold_audit(f, s, ACTOR_AGENT, c->a.agent.host, "deploy", c->said.model,
                      c->said.version);
}

static enum status tell(struct fold *f, struct shelf *s, const struct claim *c)
{
    static const uint8_t none[16];
    bool has_order = memcmp(c->said.order, none, sizeof none) != 0;
    struct judged_attest a = {
        .model = c->said.model,
        .version = c->said.version,
        .was = c->was,
        .model_no = c->model,
        .version_no = c->version,
        .agent = c->a.report->agent,
        .host = c->a.agent.host,
        .digest = span_of(c->said.digest, sizeof c->said.digest),
        .at_ns = c->now.at,
        .wall_ns = c->said.wall,
        .cause = c->said.cause,
        .order = span_of(c->said.order, has_order ? sizeof c->said.order : 0)};
    if (f->judge.attest)
        ST_TRY(f->judge.attest(f->judge.self, s, &a, &f->moment, f->o.effects));
    if (f->act.attest)
        ST_TRY(f->act.attest(f->act.self, s, &a, &f->moment, f->o.effects));
    return ST_OK;
}

static enum status fold_claim(struct fold *f, struct shelf *s, struct claim *c)
{
    const uint8_t *agent = c->a.report->agent;
    struct progress_host h;
    ST_TRY(progress_get_host(s, c->model, agent, &h));
    c->now = (struct record_attest){.host = c->a.agent.host,
                                    .model = c->said.model,
                                    .version = c->said.version,
                                    .at = time_of(c, &h),
                                    .wall = c->said.wall,
                                    .cause = c->said.cause};
    memcpy(c->now.agent, agent, sizeof c->now.agent);
    memcpy(c->now.digest, c->said.digest, sizeof c->now.digest);
    memcpy(c->now.order, c->said.order, sizeof c->now.order);
    ST_TRY(find_before(f, s, c));
    if (c->is_change)
        ST_TRY(keep_change(f, s, c));
    // A host that attests is alive: windows wait for its first one.
    h.seen_ns = f->moment.now_ns;
    h.version = c->version;
    ST_TRY(progress_put_host(s, c->model, agent, &h));
    ST_TRY(history_seen(f, s, c->said.model, c->now.at, c->a.agent.host));
    return tell(f, s, c);
}

// What serves there now is counted by its own baseline as soon as can be.
static enum status want_reference(struct fold *f, const struct claim *c)
{
    struct effect x = {
        .kind = EFFECT_REFERENCE, .text = c->said.model, .more = c->said.version};
    memcpy(x.agent, c->a.report->agent, sizeof x.agent);
    return effects_add(f->o.effects, &x);
}

enum status report_attest(struct fold *f, struct shelf *s, const struct entry_report *r)
{
    struct claim c = {0};
    ST_TRY(admit_report(f, s, r, &c.a));
    if (!c.a.is_welcome)
        return ST_OK;
    if (c.a.is_repeated)
        return admit_done(f, s, &c.a);
    if (message_decode(&attest_message, r->body, &f->pool, &c.said) != ST_OK)
        return admit_refuse(f, &c.a, "corrupt", "not an attestation");
    if (!admit_model(&c.a.agent, c.said.model))
        return admit_refuse(f, &c.a, "scope", "the grant does not cover this model");
    enum status st = names_model_new(s, c.said.model, &c.model);
    if (st == ST_OK)
        st = names_version_new(s, c.model, c.said.version, &c.version);
    if (st == ST_RANGE)
        return admit_refuse(f, &c.a, "full", "too many models or versions");
    if (st != ST_OK)
        return st;
    ST_TRY(fold_claim(f, s, &c));
    if (c.is_change)
        ST_TRY(want_reference(f, &c));
    return admit_done(f, s, &c.a);
}
