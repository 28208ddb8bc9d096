// SPDX-License-Identifier: Apache-2.0
#include "controller/query/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "controller/query/inside.h"

#define POOL_BYTES (8u << 20)
#define FAULT_MAX 1024u
#define API_VERSION "kedge/v1"

struct query_room {
    uint8_t *memory;
    struct pool pool;
    struct buf fault;
};

static const struct verb {
    const char *name;
    enum status (*answer)(struct call *c);
} verbs[] = {
    {"fleet.status", answer_fleet_status},
    {"agent.list", answer_agent_list},
    {"token.list", answer_token_list},
    {"operator.list", answer_operator_list},
    {"model.list", answer_model_list},
    {"feature.list", answer_feature_list},
    {"feature.show", answer_feature_show},
    {"query", answer_query},
    {"model.show", answer_model_show},
    {"model.history", answer_model_history},
    {"model.key", answer_model_key},
    {"baseline.show", answer_baseline_show},
    {"baseline.newest", answer_baseline_newest},
    {"alert.list", answer_alert_list},
    {"alert.show", answer_alert_show},
    {"why", answer_why},
    {"budget.show", answer_budget_show},
    {"rollback.status", answer_rollback_status},
    {"audit.log", answer_audit_log},
    {"audit.export", answer_audit_export},
    {"audit.verify", answer_audit_verify},
    {"audit.counts", answer_audit_counts},
    {"event.list", answer_event_list},
    {"policy.show", answer_policy_show},
    {"lineage.show", answer_lineage_show},
    {"lineage.check", answer_lineage_check},
    {"lineage.diff", answer_lineage_diff},
    {"signal.list", answer_signal_list},
    {"incident.list", answer_incident_list},
    {"incident.show", answer_incident_show},
    {"incident.export", answer_incident_export},
};

enum status query_open(struct query_room **out)
{
    struct query_room *q = MEM_NEW(struct query_room);
    if (!q)
        return ST_NOMEM;
    q->memory = mem_zero(1, POOL_BYTES);
    if (!q->memory) {
        query_close(q);
        return ST_NOMEM;
    }
    pool_init(&q->pool, q->memory, POOL_BYTES);
    buf_init(&q->fault, FAULT_MAX);
    *out = q;
    return ST_OK;
}

void query_close(struct query_room *q)
{
    if (!q)
        return;
    buf_fini(&q->fault);
    mem_free(q->memory);
    mem_free(q);
}

static const struct verb *find_verb(struct span name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (span_is(name, verbs[i].name))
            return &verbs[i];
    return NULL;
}

bool query_knows(struct span verb)
{
    return find_verb(verb) != NULL;
}

enum status query_answer(struct query_room *q, struct shelf *s,
                         const struct query_ask *ask, struct buf *out, uint8_t *code)
{
    const struct verb *verb = find_verb(ask->verb);
    if (!verb)
        return ST_UNSUPPORTED;
    struct json j;
    pool_clear(&q->pool);
    buf_clear(&q->fault);
    buf_clear(out);
    json_init(&j, out);
    struct call c = {.s = s, .ask = ask, .j = &j, .pool = &q->pool, .fault = &q->fault};
    json_object(&j);
    json_key_cstr(&j, "apiVersion", API_VERSION);
    ST_TRY(verb->answer(&c));
    json_object_end(&j);
    *code = c.code;
    if (c.code > CODE_UNHEALTHY) {
        buf_clear(out);
        buf_put_span(out, buf_span(&q->fault));
    }
    return out->failed;
}

struct span call_arg(const struct call *c, const char *key)
{
    return pairs_get(c->ask->arg, c->ask->args, key);
}

enum status call_refuse(struct call *c, uint8_t code, const char *fmt, ...)
{
    char line[FAULT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_clear(c->fault);
    buf_put_text(c->fault, line);
    c->code = code;
    return ST_OK;
}

enum status call_model(struct call *c, struct span *name, uint32_t *no)
{
    *name = call_arg(c, "model");
    enum status st = names_model(c->s, *name, no);
    if (st == ST_NOTFOUND)
        ST_TRY(call_refuse(
            c, CODE_NOT_FOUND, "no model '%.*s': kedge model list names all of them",
            (int)name->size, name->size ? (const char *)name->data : ""));
    return st;
}

enum status call_model_filter(struct call *c)
{
    struct span name;
    uint32_t no;
    return call_arg(c, "model").size ? call_model(c, &name, &no) : ST_OK;
}

enum status call_walk(struct call *c, enum shelf_table table,
                      const struct shelf_key *prefix, call_each *each, void *with)
{
    struct shelf_walk walk;
    shelf_walk_init(&walk, c->s, table, prefix);
    if (prefix->size == 0) // a whole table: begin at the least key there can be
        walk.at = (struct shelf_key){.size = 1};
    struct span key, value;
    enum status st;
    while ((st = shelf_walk_next(&walk, &key, &value)) == ST_OK) {
        size_t used = c->pool->used;
        struct span rest = span_of(key.data + prefix->size, key.size - prefix->size);
        ST_TRY(each(c, rest, value, with));
        c->pool->used = used;
    }
    return st == ST_EMPTY ? ST_OK : st;
}
