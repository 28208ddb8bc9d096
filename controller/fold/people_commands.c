// People commands: tokens, agents' states, operators.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/commands.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/text.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "proto/messages/session.h"

#define TOKEN_LIFE_NS (3600 * NS_PER_S)
#define TOKEN_LIFE_NS_MAX (7 * 24 * 3600 * NS_PER_S)
#define TOKEN_USES_MAX 1024u

static enum status say_hex(const struct order_of *o, const char *key, struct span id)
{
    struct buf b;
    struct json j;
    buf_init(&b, 1024);
    json_init(&j, &b);
    json_object(&j);
    json_key_hex(&j, key, id);
    json_object_end(&j);
    enum status st = b.failed != ST_OK ? b.failed : command_done(o, buf_span(&b));
    buf_fini(&b);
    return st;
}

static enum status audit_id(const struct order_of *o, struct span id,
                            struct span detail)
{
    struct buf hex;
    buf_init(&hex, 128);
    text_put_hex(&hex, id);
    enum status st =
        hex.failed != ST_OK ? hex.failed : command_audit(o, buf_span(&hex), detail);
    buf_fini(&hex);
    return st;
}

// The controller has drawn the token's key; `id` and `pub` are what may be kept of it.
enum status command_token_mint(const struct order_of *o)
{
    struct record_token t = {.created = o->f->moment.now_ns,
                             .created_by = o->c->actor,
                             .uses_left = 1,
                             .env = entry_arg(o->c, "env"),
                             .host = entry_arg(o->c, "host"),
                             .require_approval =
                                 entry_arg(o->c, "require-approval").size > 0};
    uint64_t life = TOKEN_LIFE_NS, count = 1;
    if (!command_duration_arg(o, "expires", &life) || life == 0 ||
        life > TOKEN_LIFE_NS_MAX)
        return command_refused(o, EXIT_USAGE, "expires: at most 7d, like 1h");
    if (!command_u64_arg(o, "count", &count) || count == 0 || count > TOKEN_USES_MAX)
        return command_refused(o, EXIT_USAGE, "count: 1..1024");
    if (entry_arg(o->c, "pub").size == 0 ||
        !command_hex_arg(o, "id", t.id, sizeof t.id) ||
        !command_hex_arg(o, "pub", t.pub, sizeof t.pub))
        return command_refused(o, EXIT_USAGE, "the token has no key");
    t.expires = t.created + life;
    t.uses_left = (uint32_t)count;
    t.model = command_list_arg(o, "models", &t.models);
    static const struct span all = {(const uint8_t *)"*", 1};
    if (t.models == 0) {
        t.model = &all;
        t.models = 1;
    }
    struct shelf_key k = key_token(t.id);
    enum status st = records_put(o->s, SHELF_AGENT, &k, &record_token_message, &t);
    if (st == ST_RANGE)
        return command_refused(o, EXIT_USAGE, "env, host or models is out of bounds");
    if (st != ST_OK)
        return st;
    ST_TRY(audit_id(o, span_of(t.id, sizeof t.id), entry_arg(o->c, "models")));
    return say_hex(o, "token", span_of(t.id, sizeof t.id));
}

// --- Agents

// By id in hex, or by host when just one active agent has it.
static enum status find_agent(const struct order_of *o, struct record_agent *out,
                              uint32_t *found)
{
    struct span want = entry_arg(o->c, "agent");
    uint8_t id[16];
    *found = 0;
    if (text_hex(want, id, sizeof id) == ST_OK) {
        struct shelf_key k = key_agent(id);
        enum status st =
            records_get(o->s, SHELF_AGENT, &k, &record_agent_message, &o->f->pool, out);
        *found = st == ST_OK;
        return st == ST_NOTFOUND ? ST_OK : st;
    }
    struct shelf_key prefix = key_agents();
    struct shelf_walk w;
    struct span v;
    enum status st;
    shelf_walk_init(&w, o->s, SHELF_AGENT, &prefix);
    while ((st = shelf_walk_next(&w, NULL, &v)) == ST_OK) {
        struct record_agent a;
        size_t used = o->f->pool.used;
        ST_TRY(records_read(v, &record_agent_message, &o->f->pool, &a));
        if (span_equal(a.host, want) && a.state != AGENT_REVOKED) {
            *out = a;
            (*found)++;
        } else {
            o->f->pool.used = used;
        }
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static enum status change_agent(const struct order_of *o, struct record_agent *a,
                                uint8_t state)
{
    a->state = state;
    a->gen++;
    if (state == AGENT_REVOKED) {
        a->revoked = o->f->moment.now_ns;
        a->revoked_why = entry_arg(o->c, "why");
    }
    struct shelf_key k = key_agent(a->agent);
    ST_TRY(records_put(o->s, SHELF_AGENT, &k, &record_agent_message, a));
    struct effect x = {.kind = EFFECT_KEY,
                       .text = span_text("agent"),
                       .bytes = span_of(a->curve, sizeof a->curve),
                       .code = state == AGENT_ACTIVE};
    memcpy(x.agent, a->agent, sizeof x.agent);
    return effects_add(o->f->o.effects, &x);
}

enum status command_agent_state(const struct order_of *o)
{
    uint8_t state = span_is(o->c->verb, "agent.approve")   ? AGENT_ACTIVE
                    : span_is(o->c->verb, "agent.suspend") ? AGENT_SUSPENDED
                                                           : AGENT_REVOKED;
    struct record_agent a;
    uint32_t found;
    ST_TRY(find_agent(o, &a, &found));
    if (found == 0)
        return command_refused(o, EXIT_NOTFOUND, "no such agent");
    if (found > 1)
        return command_refused(o, EXIT_CONFLICT,
                               "several agents have this host: give the id");
    if (a.state == AGENT_REVOKED && state != AGENT_REVOKED)
        return command_refused(o, EXIT_CONFLICT, "it is revoked: enrol it anew");
    ST_TRY(change_agent(o, &a, state));
    ST_TRY(audit_id(o, span_of(a.agent, 16), entry_arg(o->c, "why")));
    return say_hex(o, "agent", span_of(a.agent, 16));
}

// What an agent said of itself at its hello: the blob is the body of kedge.hello.v1.
enum status command_agent_note(const struct order_of *o)
{
    struct hello h;
    struct record_agent a;
    uint32_t found;
    ST_TRY(find_agent(o, &a, &found));
    if (found != 1 ||
        message_decode(&hello_message, o->c->blob, &o->f->pool, &h) != ST_OK)
        return command_refused(o, EXIT_NOTFOUND, "no such agent, or no greeting");
    struct agent_executor *list = pool_take(&o->f->pool, h.executors + 1, sizeof *list);
    if (!list)
        return ST_FULL;
    for (uint32_t i = 0; i < h.executors; i++) {
        list[i] = (struct agent_executor){.name = h.executor[i].name,
                                          .kind = h.executor[i].kind};
        memcpy(list[i].digest, h.executor[i].digest, sizeof list[i].digest);
    }
    a.executor = list;
    a.executors = h.executors;
    a.software = h.software;
    struct shelf_key k = key_agent(a.agent);
    ST_TRY(records_put(o->s, SHELF_AGENT, &k, &record_agent_message, &a));
    ST_TRY(audit_id(o, span_of(a.agent, 16), h.software));
    return say_hex(o, "agent", span_of(a.agent, 16));
}

// --- Operators

static const char *const roles[] = {"viewer", "operator", "approver", "admin",
                                    "auditor"};

static enum status tell_operator(const struct order_of *o,
                                 const struct record_operator *p, uint32_t allowed)
{
    struct effect x = {.kind = EFFECT_KEY,
                       .text = span_text("op"),
                       .more = span_text(roles[p->role]),
                       .bytes = span_of(p->curve, sizeof p->curve),
                       .code = allowed};
    return effects_add(o->f->o.effects, &x);
}

enum status command_operator_add(const struct order_of *o)
{
    struct record_operator p = {.name = entry_arg(o->c, "name"),
                                .created = o->f->moment.now_ns};
    struct span role = entry_arg(o->c, "role");
    while (p.role < sizeof roles / sizeof roles[0] && !span_is(role, roles[p.role]))
        p.role++;
    if (!text_is_name(p.name) || p.role == sizeof roles / sizeof roles[0] ||
        entry_arg(o->c, "curve").size == 0 ||
        !command_hex_arg(o, "curve", p.curve, sizeof p.curve))
        return command_refused(o, EXIT_USAGE, "a name, a role and a key are needed");
    struct span expires = entry_arg(o->c, "expires");
    uint64_t life = 0;
    p.model = command_list_arg(o, "models", &p.models);
    if (p.models > RECORD_GLOBS_MAX || (p.models && !p.model) ||
        (expires.size && text_duration(expires, &life) != ST_OK))
        return command_refused(o, EXIT_USAGE, "models or expires is out of bounds");
    p.expires = life ? p.created + life : 0;
    struct shelf_key k = key_operator(p.name), curve = key_operator_curve(p.curve);
    struct span v;
    enum status st = shelf_get(o->s, SHELF_AGENT, &k, &v);
    if (st == ST_OK)
        return command_refused(o, EXIT_CONFLICT, "this name is taken");
    if (st != ST_NOTFOUND)
        return st;
    ST_TRY(records_put(o->s, SHELF_AGENT, &k, &record_operator_message, &p));
    ST_TRY(shelf_put(o->s, SHELF_AGENT, &curve, p.name));
    ST_TRY(tell_operator(o, &p, 1));
    ST_TRY(command_audit(o, p.name, role));
    return say_hex(o, "curve", span_of(p.curve, sizeof p.curve));
}

enum status command_operator_revoke(const struct order_of *o)
{
    struct record_operator p;
    struct shelf_key k = key_operator(entry_arg(o->c, "name"));
    enum status st =
        records_get(o->s, SHELF_AGENT, &k, &record_operator_message, &o->f->pool, &p);
    if (st == ST_NOTFOUND || st == ST_RANGE)
        return command_refused(o, EXIT_NOTFOUND, "no such operator");
    if (st != ST_OK)
        return st;
    p.revoked = o->f->moment.now_ns;
    ST_TRY(records_put(o->s, SHELF_AGENT, &k, &record_operator_message, &p));
    ST_TRY(tell_operator(o, &p, 0));
    ST_TRY(command_audit(o, p.name, (struct span){0}));
    return say_hex(o, "curve", span_of(p.curve, sizeof p.curve));
}
