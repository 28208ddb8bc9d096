// Budget: what the fleet may page, what was spent, and on which alerts.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/budget.h"

#include "common/drift/verdict.h"
#include "controller/log/cases.h"
#include "controller/query/inside.h"

// A ticket that wanted to be a page: something in it earned one, and no token was
// there.
static bool is_held(const struct record_alert *a)
{
    for (uint32_t i = 0; i < a->findings; i++) {
        const struct record_finding *f = &a->finding[i];
        bool is_loss = span_is(f->signal, "level") &&
                       (span_is(f->feature, "loss") || span_is(f->feature, "bias"));
        if (f->tier == TIER_PAGE || (is_loss && f->tier >= TIER_WARN))
            return a->tier < TIER_PAGE;
    }
    return false;
}

static enum status write_alert(struct call *c, struct span rest, struct span value,
                               void *with)
{
    bool wants_held = *(const bool *)with;
    struct record_alert a;
    (void)rest;
    ST_TRY(records_read(value, &record_alert_message, c->pool, &a));
    if (wants_held ? !is_held(&a) : a.tier < TIER_PAGE)
        return ST_OK;
    json_object(c->j);
    json_key_u64(c->j, "alert", case_number(a.alert));
    json_key_text(c->j, "model", a.model);
    json_key_text(c->j, "version", a.version);
    json_key_time(c->j, "opened", a.opened_event);
    json_key_text(c->j, "cause", a.diagnosis);
    json_object_end(c->j);
    return ST_OK;
}

static enum status write_alerts(struct call *c, const char *key, bool held)
{
    struct shelf_key prefix = key_alerts();
    json_key(c->j, key);
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_ALERT, &prefix, write_alert, &held));
    json_array_end(c->j);
    return ST_OK;
}

static enum status write_bucket(struct call *c)
{
    struct shelf_key key = key_state('b', 0);
    struct span bytes;
    struct budget b;
    enum status st = shelf_get(c->s, SHELF_STATE, &key, &bytes);
    if (st == ST_NOTFOUND) {
        json_key_u64(c->j, "spent", 0);
        return ST_OK;
    }
    ST_TRY(st);
    struct cursor in = {bytes};
    ST_TRY(budget_decode(&in, &b));
    json_key_f64(c->j, "pages_per_week", b.pages_per_week);
    json_key_f64(c->j, "burst", b.burst);
    json_key_u64(c->j, "spent", b.spent);
    json_key_u64(c->j, "held", b.held);
    json_key_f64(c->j, "tokens", b.tokens);
    json_key_time(c->j, "as_of", b.at);
    json_key_time(c->j, "next", budget_next(&b, b.at));
    return ST_OK;
}

enum status answer_budget_show(struct call *c)
{
    struct shelf_key all = key_state('f', 0);
    struct span v;
    bool is_counted = shelf_get(c->s, SHELF_STATE, &all, &v) == ST_OK && v.size == 4;
    json_key_u64(c->j, "models", is_counted ? load_be32(v.data) : 0);
    ST_TRY(write_bucket(c));
    ST_TRY(write_alerts(c, "pages", false));
    return write_alerts(c, "digest", true);
}
