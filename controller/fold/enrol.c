// Enrol: a host that held a token's key becomes an agent of the fleet.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/enrol.h"

#include <string.h>

#include "common/base/text.h"
#include "common/base/clock.h"
#include "controller/fold/inside.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"

#define USES_MAX 1024u // of one token, remembered so that a repeated request is granted

struct joining {
    const struct entry_agent *e;
    struct record_token token;
    struct record_agent agent;
    bool is_repeat; // the same key has used this token before
};

static enum status answer(struct fold *f, const struct joining *j, uint32_t code,
                          const char *why)
{
    struct effect x = {.kind = EFFECT_GRANT,
                       .number = j->e->request,
                       .code = code,
                       .text = span_text(why)};
    memcpy(x.agent, j->agent.agent, sizeof x.agent);
    return effects_add(f->o.effects, &x);
}

static bool find_use(const struct joining *j)
{
    for (uint32_t i = 0; i < j->token.uses; i++) {
        if (memcmp(j->token.use[i].curve, j->e->curve, 32) == 0)
            return true;
    }
    return false;
}

// 0, or the refusal's code. Unknown and expired tokens look the same from outside.
static uint32_t judge_token(const struct fold *f, struct joining *j, const char **why)
{
    const struct record_token *t = &j->token;
    *why = "no such token, or its time is over";
    if (t->expires <= f->moment.now_ns)
        return 403;
    if (t->host.size > 0 && !text_glob(t->host, j->e->host)) {
        *why = "the token is for another host";
        return 403;
    }
    j->is_repeat = find_use(j);
    if (j->is_repeat)
        return 0;
    *why = "the token was used";
    return t->uses_left == 0 ? 409 : 0;
}

static enum status fill_agent(struct fold *f, struct shelf *s, struct joining *j)
{
    struct shelf_key fleet = key_meta("fleet");
    struct span id;
    ST_TRY(shelf_get(s, SHELF_META, &fleet, &id));
    if (id.size != 16)
        return ST_CORRUPT;
    uint8_t agent[16];
    ST_TRY(enrol_agent_id(id.data, j->e->sign, agent));
    struct shelf_key k = key_agent(agent);
    enum status st =
        records_get(s, SHELF_AGENT, &k, &record_agent_message, &f->pool, &j->agent);
    if (st == ST_NOTFOUND) {
        j->agent = (struct record_agent){.created = f->moment.now_ns};
        st = ST_OK;
    }
    if (st != ST_OK)
        return st;
    struct record_agent *a = &j->agent;
    memcpy(a->agent, agent, sizeof a->agent);
    memcpy(a->curve, j->e->curve, sizeof a->curve);
    memcpy(a->sign, j->e->sign, sizeof a->sign);
    memcpy(a->token, j->e->token, sizeof a->token);
    a->host = j->e->host;
    a->software = j->e->software;
    a->state = j->token.require_approval ? AGENT_PENDING : AGENT_ACTIVE;
    a->gen++;
    a->model = j->token.model;
    a->models = j->token.models;
    a->label = j->token.label;
    a->labels = j->token.labels;
    a->env = j->token.env;
    return ST_OK;
}

static enum status keep_agent(struct fold *f, struct shelf *s, struct joining *j)
{
    struct record_agent *a = &j->agent;
    struct shelf_key k = key_agent(a->agent), curve = key_agent_curve(a->curve);
    ST_TRY(records_put(s, SHELF_AGENT, &k, &record_agent_message, a));
    ST_TRY(shelf_put(s, SHELF_AGENT, &curve, span_of(a->agent, 16)));
    struct effect x = {.kind = EFFECT_KEY,
                       .text = span_text("agent"),
                       .bytes = span_of(a->curve, sizeof a->curve),
                       .code = a->state == AGENT_ACTIVE};
    memcpy(x.agent, a->agent, sizeof x.agent);
    return effects_add(f->o.effects, &x);
}

static enum status spend_token(struct fold *f, struct shelf *s, struct joining *j)
{
    struct record_token *t = &j->token;
    struct token_use *use = pool_take(&f->pool, t->uses + 1, sizeof *use);
    if (!use)
        return ST_FULL;
    if (t->uses > 0)
        memcpy(use, t->use, t->uses * sizeof *use);
    uint32_t at = t->uses < USES_MAX ? t->uses++ : t->uses - 1;
    memcpy(use[at].curve, j->e->curve, 32);
    memcpy(use[at].agent, j->agent.agent, 16);
    t->use = use;
    t->uses_left--;
    struct shelf_key k = key_token(t->id);
    return records_put(s, SHELF_AGENT, &k, &record_token_message, t);
}

enum status enrol_fold(struct fold *f, struct shelf *s, const struct entry_agent *e)
{
    struct joining j = {.e = e};
    struct shelf_key k = key_token(e->token);
    const char *why;
    if (!text_is_name(e->host) || e->software.size > 64 || !text_is_utf8(e->software))
        return answer(f, &j, 400, "a host needs a name");
    enum status st =
        records_get(s, SHELF_AGENT, &k, &record_token_message, &f->pool, &j.token);
    if (st == ST_NOTFOUND)
        return answer(f, &j, 403, "no such token, or its time is over");
    if (st != ST_OK)
        return st;
    uint32_t code = judge_token(f, &j, &why);
    if (code != 0) {
        ST_TRY(fold_audit(f, s, ACTOR_TOKEN, e->host, "enrol.refuse", e->host,
                          span_text(why)));
        return answer(f, &j, code, why);
    }
    ST_TRY(fill_agent(f, s, &j));
    if (!j.is_repeat) {
        ST_TRY(keep_agent(f, s, &j));
        ST_TRY(spend_token(f, s, &j));
        ST_TRY(fold_audit(f, s, ACTOR_TOKEN, j.token.created_by, "agent.enrol", e->host,
                          e->address));
    }
    return answer(f, &j, 0, "");
}

// The first entry of a tape: 16 bytes of fleet id.
enum status meta_fold(struct fold *f, struct shelf *s, struct span body)
{
    struct shelf_key k = key_meta("fleet");
    struct span v;
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st != ST_NOTFOUND || body.size != 16)
        return st == ST_NOTFOUND ? ST_OK : st;
    ST_TRY(shelf_put(s, SHELF_META, &k, body));
    return fold_audit(f, s, ACTOR_SYSTEM, (struct span){0}, "fleet.init",
                      span_text("@fleet"), (struct span){0});
}
