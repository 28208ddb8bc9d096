// The fleet: who is there, how long silent, and what every model's state is.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/mem.h"
#include "common/base/table.h"
#include "common/base/text.h"
#include "controller/log/progress.h"
#include "controller/query/inside.h"

#define MODELS_MAX 400000u
#define AGENT_DIGITS_MIN 8u // of an id that is given in part

static const char *const agent_states[] = {"pending", "active", "suspended", "revoked",
                                           "retired"};

static const char *agent_state(uint8_t state)
{
    return state < 5 ? agent_states[state] : "unknown";
}

static uint64_t last_heard(const struct call *c, const struct record_agent *a)
{
    uint64_t live = c->ask->heard ? c->ask->heard(c->ask->heard_self, a->agent) : 0;
    return live > a->seen ? live : a->seen;
}

static bool is_silent(const struct call *c, const struct record_agent *a)
{
    return a->state == AGENT_ACTIVE &&
           last_heard(c, a) + c->ask->silent_ns < c->ask->now_ns;
}

struct tally_of_agents {
    uint32_t seen, silent;
};

// As it is now, where that is known; else as its record has it.
static bool look_at(const struct call *c, const struct record_agent *a,
                    struct query_presence *p)
{
    return a->state == AGENT_ACTIVE && c->ask->presence &&
           c->ask->presence(c->ask->heard_self, a->agent, p);
}

static void write_presence(struct call *c, const struct query_presence *p)
{
    json_key_time(c->j, "since", p->since_ns);
    json_key_i64(c->j, "clock_skew_ms", p->skew_ms);
    json_key_u64(c->j, "spooled", p->spool_entries);
    json_key_cstr(c->j, "address", p->address);
    if (!p->twin_host)
        return;
    json_key(c->j, "cloned");
    json_object(c->j);
    json_key_cstr(c->j, "host", p->host);
    json_key_cstr(c->j, "address", p->address);
    json_key_cstr(c->j, "other_host", p->twin_host);
    json_key_cstr(c->j, "other_address", p->twin_address);
    json_object_end(c->j);
}

// By its host, or by its id or the beginning of it, as tables show it.
static bool is_asked_for(const struct call *c, const struct record_agent *a)
{
    struct span asked = call_arg(c, "agent");
    if (asked.size == 0 || span_equal(asked, a->host))
        return true;
    struct buf id;
    buf_init(&id, 64);
    text_put_hex(&id, span_of(a->agent, sizeof a->agent));
    bool is_it = asked.size >= AGENT_DIGITS_MIN && asked.size <= id.size &&
                 memcmp(asked.data, id.data, asked.size) == 0;
    buf_fini(&id);
    return is_it;
}

static enum status write_agent(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct tally_of_agents *t = with;
    struct record_agent a;
    (void)rest;
    ST_TRY(records_read(value, &record_agent_message, c->pool, &a));
    if (!is_asked_for(c, &a))
        return ST_OK;
    t->seen++;
    json_object(c->j);
    json_key_hex(c->j, "agent", span_of(a.agent, sizeof a.agent));
    json_key_text(c->j, "host", a.host);
    struct query_presence p = {.state =
                                   is_silent(c, &a) ? "silent" : agent_state(a.state)};
    bool is_known = look_at(c, &a, &p);
    json_key_cstr(c->j, "state", p.state);
    if (is_known)
        write_presence(c, &p);
    json_key_text(c->j, "software", a.software);
    json_key_time(c->j, "enrolled", a.created);
    json_key_time(c->j, "heard", last_heard(c, &a));
    json_key(c->j, "models");
    json_array(c->j);
    for (uint32_t i = 0; i < a.models; i++)
        json_text(c->j, a.model[i]);
    json_array_end(c->j);
    json_object_end(c->j);
    bool is_there = strcmp(p.state, "alive") == 0 || strcmp(p.state, "skewed") == 0;
    t->silent += is_known ? !is_there : is_silent(c, &a);
    return ST_OK;
}

static enum status write_agents(struct call *c, struct tally_of_agents *t)
{
    struct shelf_key prefix = key_agents();
    json_key(c->j, "agents");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AGENT, &prefix, write_agent, t));
    json_array_end(c->j);
    return ST_OK;
}

enum status answer_agent_list(struct call *c)
{
    struct tally_of_agents t = {0};
    struct span asked = call_arg(c, "agent");
    ST_TRY(write_agents(c, &t));
    if (asked.size && t.seen == 0)
        return call_refuse(c, CODE_NOT_FOUND,
                           "no agent '%.*s': kedge agent list names all of them",
                           (int)asked.size, (const char *)asked.data);
    return ST_OK;
}

struct tally_of_states {
    uint32_t need_you, fine, unknown, silent;
    struct table *speakers; // by model
};

// The agents that speak of one model.
struct speakers {
    uint32_t all, silent;
    const char *why;
    uint64_t rows_ns; // newest row of any
};

static enum status hear(struct call *c, struct table *speakers)
{
    struct query_speaking q;
    size_t at = 0;
    while (c->ask->speaking && c->ask->speaking(c->ask->heard_self, &at, &q)) {
        struct speakers *s = table_get(speakers, q.model);
        if (!s) {
            s = MEM_NEW(struct speakers);
            enum status st = s ? table_put(speakers, q.model, s) : ST_NOMEM;
            if (st != ST_OK) {
                mem_free(s);
                return st;
            }
        }
        s->all++;
        s->silent += q.is_silent;
        s->why = q.is_silent ? q.why : s->why;
        s->rows_ns = q.rows_ns > s->rows_ns ? q.rows_ns : s->rows_ns;
    }
    return ST_OK;
}

static enum status write_model(struct call *c, struct span name, struct span value,
                               void *with)
{
    struct tally_of_states *t = with;
    (void)value;
    uint32_t model;
    struct progress_model progress = {0};
    enum status st = names_model(c->s, name, &model);
    if (st == ST_OK)
        ST_TRY(progress_get_model(c->s, model, &progress));
    const char *state = "no data";
    if (st == ST_OK)
        write_state_of_model(c, model, &state);
    // Nobody hears anything of it: then whatever was thought of it before is old.
    const struct speakers *speakers = table_get(t->speakers, name);
    bool is_silent = speakers && speakers->silent == speakers->all;
    if (is_silent && strcmp(state, "ok") == 0)
        state = "silent";
    t->silent += is_silent;
    bool needs_you = strcmp(state, "warn") == 0 || strcmp(state, "page") == 0;
    t->need_you += needs_you;
    t->fine += strcmp(state, "ok") == 0;
    t->unknown += strcmp(state, "no data") == 0;
    json_object(c->j);
    json_key_text(c->j, "model", name);
    json_key_cstr(c->j, "state", state);
    json_key_time(c->j, "judged_until", progress.judged_ns);
    if (speakers) {
        json_key_u64(c->j, "hosts", speakers->all);
        json_key_u64(c->j, "silent_hosts", speakers->silent);
        json_key_cstr(c->j, "why", speakers->why);
        json_key_time(c->j, "last_row", speakers->rows_ns);
    }
    json_object_end(c->j);
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status write_unknown(struct call *c, struct span name, struct span value,
                                 void *with)
{
    (void)value;
    (void)with;
    json_object(c->j);
    json_key_text(c->j, "model", name);
    json_key_cstr(c->j, "state", "unknown");
    json_object_end(c->j);
    return ST_OK;
}

static enum status write_fleet(struct call *c, struct tally_of_states *t)
{
    struct tally_of_agents agents = {0};
    struct shelf_key models = key_models(), unknowns = key_unknowns();
    ST_TRY(hear(c, t->speakers));
    json_key_time(c->j, "now", c->ask->now_ns);
    ST_TRY(write_agents(c, &agents));
    json_key(c->j, "models");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_CATALOG, &models, write_model, t));
    ST_TRY(call_walk(c, SHELF_CATALOG, &unknowns, write_unknown, NULL));
    json_array_end(c->j);
    json_key(c->j, "summary");
    json_object(c->j);
    json_key_u64(c->j, "need_you", t->need_you);
    json_key_u64(c->j, "fine", t->fine);
    json_key_u64(c->j, "without_data", t->unknown);
    json_key_u64(c->j, "silent_models", t->silent);
    json_key_u64(c->j, "silent_agents", agents.silent);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_fleet_status(struct call *c)
{
    struct tally_of_states t = {0};
    ST_TRY(table_open(MODELS_MAX, &t.speakers));
    enum status st = write_fleet(c, &t);
    table_close(t.speakers, mem_free);
    return st;
}

static enum status write_token(struct call *c, struct span rest, struct span value,
                               void *with)
{
    (void)rest;
    (void)with;
    struct record_token t;
    ST_TRY(records_read(value, &record_token_message, c->pool, &t));
    json_object(c->j);
    json_key_hex(c->j, "token", span_of(t.id, sizeof t.id));
    json_key_u64(c->j, "uses_left", t.uses_left);
    json_key_time(c->j, "expires", t.expires);
    json_key_text(c->j, "host", t.host);
    json_key_text(c->j, "by", t.created_by);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_token_list(struct call *c)
{
    struct shelf_key prefix = key_tokens();
    json_key(c->j, "tokens");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AGENT, &prefix, write_token, NULL));
    json_array_end(c->j);
    return ST_OK;
}

static const char *const roles[] = {"viewer", "operator", "approver", "admin",
                                    "auditor"};

static enum status write_operator(struct call *c, struct span rest, struct span value,
                                  void *with)
{
    (void)rest;
    (void)with;
    struct record_operator p;
    ST_TRY(records_read(value, &record_operator_message, c->pool, &p));
    json_object(c->j);
    json_key_text(c->j, "name", p.name);
    json_key_cstr(c->j, "role",
                  p.role < sizeof roles / sizeof *roles ? roles[p.role] : "unknown");
    json_key(c->j, "models");
    json_array(c->j);
    for (uint32_t i = 0; i < p.models; i++)
        json_text(c->j, p.model[i]);
    json_array_end(c->j);
    json_key_time(c->j, "created", p.created);
    json_key_time(c->j, "expires", p.expires);
    json_key_time(c->j, "revoked", p.revoked);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_operator_list(struct call *c)
{
    struct shelf_key prefix = key_operators();
    json_key(c->j, "operators");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_AGENT, &prefix, write_operator, NULL));
    json_array_end(c->j);
    return ST_OK;
}
