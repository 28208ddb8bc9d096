// Commands: which verb is whose, who may give it, and how it is answered.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/commands.h"

#include <string.h>

#include "common/base/text.h"
#include "controller/fold/expire.h"

// Roles as bits.
enum { OPERATOR = 1, APPROVER = 2, ADMIN = 4, SYSTEM = 8 };

struct verb {
    const char *name;
    unsigned roles;
    enum status (*run)(const struct order_of *o);
};

static const struct verb verbs[] = {
    {"model.add", APPROVER | ADMIN | SYSTEM, command_model_add},
    {"version.add", OPERATOR | APPROVER | ADMIN | SYSTEM, command_version_add},
    {"model.promote", APPROVER | ADMIN | SYSTEM, command_model_promote},
    {"baseline.seal", APPROVER | ADMIN | SYSTEM, command_baseline_seal},
    {"event.record", OPERATOR | APPROVER | ADMIN | SYSTEM, command_event_record},
    {"lineage.import", OPERATOR | APPROVER | ADMIN | SYSTEM, command_lineage_import},
    {"signal.push", OPERATOR | APPROVER | ADMIN | SYSTEM, command_signal_push},
    {"policy.set", APPROVER | ADMIN | SYSTEM, command_policy_set},
    {"agent.token", ADMIN | SYSTEM, command_token_mint},
    {"agent.note", SYSTEM, command_agent_note},
    {"agent.approve", ADMIN | SYSTEM, command_agent_state},
    {"agent.suspend", OPERATOR | APPROVER | ADMIN | SYSTEM, command_agent_state},
    {"agent.revoke", OPERATOR | APPROVER | ADMIN | SYSTEM, command_agent_state},
    {"operator.add", ADMIN | SYSTEM, command_operator_add},
    {"retention.set", SYSTEM, expire_command_retention},
    {"retention.squeeze", SYSTEM, expire_command_squeeze},
    {"operator.revoke", ADMIN | SYSTEM, command_operator_revoke},
};

static unsigned role_bit(struct span role)
{
    static const struct {
        const char *name;
        unsigned bit;
    } roles[] = {{"operator", OPERATOR},
                 {"approver", APPROVER},
                 {"admin", ADMIN},
                 {"system", SYSTEM}};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (span_is(role, roles[i].name))
            return roles[i].bit;
    }
    return 0;
}

static enum status answer(const struct order_of *o, enum exit_code code,
                          struct span json, const char *why)
{
    struct effect x = {.kind = EFFECT_ANSWER,
                       .number = o->c->request,
                       .code = (uint32_t)code,
                       .text = span_text(why),
                       .bytes = json};
    return effects_add(o->f->o.effects, &x);
}

enum status command_done(const struct order_of *o, struct span json)
{
    return answer(o, EXIT_FINE, json, "");
}

enum status command_refused(const struct order_of *o, enum exit_code code,
                            const char *why)
{
    return answer(o, code, (struct span){0}, why);
}

enum status command_audit(const struct order_of *o, struct span object,
                          struct span detail)
{
    char event[64];
    size_t size = o->c->verb.size < sizeof event ? o->c->verb.size : sizeof event - 1;
    memcpy(event, o->c->verb.data, size);
    event[size] = 0;
    bool is_system = span_is(o->c->role, "system");
    struct audit_change c = {.actor_kind = is_system ? ACTOR_SYSTEM : ACTOR_USER,
                             .actor = o->c->actor,
                             .from = o->c->from,
                             .event = event,
                             .object = object,
                             .after = o->c->blob,
                             .detail = detail};
    return audit_append(o->s, &o->f->moment, &c);
}

bool command_u64_arg(const struct order_of *o, const char *key, uint64_t *out)
{
    struct span v = entry_arg(o->c, key);
    return v.size == 0 || text_u64(v, out) == ST_OK;
}

bool command_duration_arg(const struct order_of *o, const char *key, uint64_t *out)
{
    struct span v = entry_arg(o->c, key);
    return v.size == 0 || text_duration(v, out) == ST_OK;
}

bool command_time_arg(const struct order_of *o, const char *key, uint64_t *out)
{
    struct span v = entry_arg(o->c, key);
    return v.size == 0 || text_time(v, out) == ST_OK;
}

bool command_hex_arg(const struct order_of *o, const char *key, uint8_t *out,
                     size_t size)
{
    struct span v = entry_arg(o->c, key);
    return v.size == 0 || text_hex(v, out, size) == ST_OK;
}

// Pieces between commas; empty ones are left out.
const struct span *command_list_arg(const struct order_of *o, const char *key,
                                    uint32_t *n)
{
    struct span left = entry_arg(o->c, key);
    struct span *list = pool_take(&o->f->pool, RECORD_GLOBS_MAX, sizeof *list);
    *n = 0;
    while (list && left.size > 0 && *n < RECORD_GLOBS_MAX) {
        const uint8_t *comma = memchr(left.data, ',', left.size);
        size_t size = comma ? (size_t)(comma - left.data) : left.size;
        if (size > 0)
            list[(*n)++] = span_of(left.data, size);
        size += comma != NULL;
        left = span_of(left.data + size, left.size - size);
    }
    return list;
}

static enum status run_own(const struct order_of *o)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!span_is(o->c->verb, verbs[i].name))
            continue;
        if (!(verbs[i].roles & role_bit(o->c->role)))
            return command_refused(o, EXIT_DENIED, "your role does not allow it");
        enum status st = verbs[i].run(o);
        // The table of a record has the last word on what fits into it.
        return st == ST_RANGE
                   ? command_refused(o, EXIT_USAGE, "an argument is out of bounds")
                   : st;
    }
    return command_refused(o, EXIT_USAGE, "no such command");
}

// What the wire has checked already, and a tape that was tampered with has not.
static bool is_sane(const struct entry_command *c)
{
    bool sane = text_is_utf8(c->actor) && c->actor.size <= 128 && c->verb.size <= 64 &&
                text_is_utf8(c->verb);
    for (uint32_t i = 0; i < c->args; i++)
        sane = sane && c->arg[i].value.size <= FIELD_ITEM_MAX &&
               text_is_utf8(c->arg[i].value);
    return sane;
}

enum status command_fold(struct fold *f, struct shelf *s, const struct entry_command *c)
{
    struct order_of o = {.f = f, .s = s, .c = c};
    enum status st = ST_UNSUPPORTED;
    if (!is_sane(c))
        return command_refused(&o, EXIT_USAGE,
                               "arguments are text of at most 512 bytes");
    if (f->act.command)
        st = f->act.command(f->act.self, s, c, &f->moment, f->o.effects);
    if (st == ST_UNSUPPORTED && f->judge.command)
        st = f->judge.command(f->judge.self, s, c, &f->moment, f->o.effects);
    return st == ST_UNSUPPORTED ? run_own(&o) : st;
}
