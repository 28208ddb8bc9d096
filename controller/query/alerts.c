// Alerts: what moved and what did not, in words and figures; and the answer to "why?".
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/text.h"
#include "common/drift/verdict.h"
#include "controller/log/cases.h"
#include "controller/log/serving.h"
#include "controller/query/inside.h"

static const char *const states[] = {"open", "acked", "cleared", "closed"};

static bool is_contribution(const struct record_finding *f)
{
    return span_is(f->signal, "contribution");
}

static void put_span(struct buf *b, struct span s)
{
    buf_put_span(b, s);
}

// "loss rose from 33.5 to 251" - what a person would say of one finding.
static void put_words(struct buf *b, const struct record_finding *f)
{
    if (is_contribution(f)) {
        buf_put_text(b, "relation of ");
        put_span(b, f->feature);
        buf_printf(b, " to the prediction went from %+.2f to %+.2f", f->before, f->now);
    } else if (span_is(f->signal, "level")) {
        put_span(b, f->feature);
        buf_printf(b, " %s from %.4g to %.4g", f->direction < 0 ? "fell" : "rose",
                   f->before, f->now);
    } else if (span_is(f->signal, "missing")) {
        buf_put_text(b, "missing share of ");
        put_span(b, f->feature);
        buf_printf(b, " went from %.1f %% to %.1f %%", 100 * f->before, 100 * f->now);
    } else {
        buf_put_text(b, "distribution of ");
        put_span(b, f->feature);
        buf_put_text(b, " moved (");
        put_span(b, f->signal);
        buf_printf(b, " %s, effect %.2f)", f->direction < 0 ? "down" : "up", f->effect);
    }
}

static void write_words(struct call *c, const char *key, const struct record_finding *f)
{
    struct buf b;
    buf_init(&b, 1024);
    put_words(&b, f);
    json_key_text(c->j, key, buf_span(&b));
    buf_fini(&b);
}

static void write_finding(struct call *c, const struct record_finding *f)
{
    json_object(c->j);
    json_key_text(c->j, "feature", f->feature);
    json_key_text(c->j, "signal", f->signal);
    json_key_cstr(c->j, "tier", tier_name(f->tier));
    json_key_cstr(c->j, "direction", f->direction < 0 ? "down" : "up");
    json_key_f64(c->j, "effect", f->effect);
    json_key_f64(c->j, "evidence", f->evidence);
    json_key_f64(c->j, "before", f->before);
    json_key_f64(c->j, "now", f->now);
    json_key_time(c->j, "since", f->onset);
    write_words(c, "text", f);
    json_object_end(c->j);
}

// Labels speak first, then what the model does with its inputs, then the inputs.
static int weight_of(const struct record_finding *f)
{
    if (f->tier < TIER_WARN)
        return 0;
    if (span_is(f->signal, "level"))
        return span_is(f->feature, "loss") ? 4 : 3;
    return is_contribution(f) ? 2 : 1;
}

static const struct record_finding *strongest(const struct record_alert *a)
{
    const struct record_finding *best = NULL;
    for (uint32_t i = 0; i < a->findings; i++)
        if (weight_of(&a->finding[i]) > (best ? weight_of(best) : 0))
            best = &a->finding[i];
    return best;
}

static void write_diagnosis(struct call *c, const struct record_alert *a)
{
    json_key(c->j, "diagnosis");
    json_object(c->j);
    json_key_text(c->j, "cause", a->diagnosis);
    json_key_u64(c->j, "row", a->row);
    json_key_text(c->j, "decision", a->decision);
    json_key_text(c->j, "code", a->code);
    json_key_text(c->j, "reason", a->why);
    json_key(c->j, "symptoms");
    json_object(c->j);
    for (uint32_t i = 0; i < a->symbols; i++) {
        char key[32] = {0};
        size_t n = a->symbol[i].key.size < 31 ? a->symbol[i].key.size : 31;
        memcpy(key, a->symbol[i].key.data, n);
        json_key_text(c->j, key, a->symbol[i].value);
    }
    json_object_end(c->j);
    json_object_end(c->j);
}

static void write_alert(struct call *c, const struct record_alert *a)
{
    const struct record_finding *best = strongest(a);
    json_key_u64(c->j, "alert", case_number(a->alert));
    json_key_text(c->j, "model", a->model);
    json_key_text(c->j, "version", a->version);
    json_key_cstr(c->j, "state", states[a->state & 3]);
    json_key_cstr(c->j, "tier", tier_name(a->tier));
    json_key_time(c->j, "onset", a->onset);
    json_key_time(c->j, "opened", a->opened_event);
    json_key_time(c->j, "updated", a->updated_event);
    json_key_time(c->j, "closed", a->closed_event);
    json_key_text(c->j, "closed_why", a->closed_why);
    json_key_text(c->j, "acked_by", a->acked_by);
    json_key_text(c->j, "common", pairs_get(a->symbol, a->symbols, "common"));
    if (best)
        write_words(c, "headline", best);
    else
        json_key_cstr(c->j, "headline", "worse than the version before it");
    write_diagnosis(c, a);
    json_key(c->j, "signals");
    json_array(c->j);
    for (uint32_t i = 0; i < a->findings; i++)
        if (a->finding[i].tier >= TIER_WARN)
            write_finding(c, &a->finding[i]);
    json_array_end(c->j);
    json_key(c->j, "quiet");
    json_array(c->j);
    for (uint32_t i = 0; i < a->findings; i++)
        if (a->finding[i].tier < TIER_WARN && !is_contribution(&a->finding[i]))
            json_text(c->j, a->finding[i].feature);
    json_array_end(c->j);
    json_key(c->j, "plan");
    if (case_number(a->plan))
        json_u64(c->j, case_number(a->plan));
    else
        json_null(c->j);
}

static enum status write_row(struct call *c, struct span rest, struct span value,
                             void *with)
{
    (void)rest;
    (void)with;
    struct record_alert a;
    ST_TRY(records_read(value, &record_alert_message, c->pool, &a));
    struct span model = call_arg(c, "model");
    bool wants_open = span_is(call_arg(c, "state"), "open");
    if ((model.size && !span_equal(model, a.model)) ||
        (wants_open && a.state == ALERT_CLOSED))
        return ST_OK;
    json_object(c->j);
    write_alert(c, &a);
    json_object_end(c->j);
    return ST_OK;
}

enum status answer_alert_list(struct call *c)
{
    enum status known = call_model_filter(c);
    if (known != ST_OK)
        return known == ST_NOTFOUND ? ST_OK : known;
    struct shelf_key prefix = key_alerts();
    json_key(c->j, "alerts");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_ALERT, &prefix, write_row, NULL));
    json_array_end(c->j);
    return ST_OK;
}

enum status answer_alert_show(struct call *c)
{
    uint64_t number;
    uint8_t id[CASE_ID_BYTES];
    struct record_alert a;
    if (text_u64(call_arg(c, "alert"), &number) != ST_OK)
        return call_refuse(c, CODE_USAGE, "an alert is named by its number");
    case_id(number, id);
    struct shelf_key key = key_alert(id);
    enum status st =
        records_get(c->s, SHELF_ALERT, &key, &record_alert_message, c->pool, &a);
    if (st == ST_NOTFOUND)
        return call_refuse(c, CODE_NOT_FOUND, "no alert %llu: kedge alert list",
                           (unsigned long long)number);
    ST_TRY(st);
    write_alert(c, &a);
    return ST_OK;
}

// The model's gravest alert, open or not; of equal ones the newest.
struct newest {
    struct span model;
    bool is_found;
    uint8_t tier;
    uint8_t id[CASE_ID_BYTES];
};

static enum status keep_newest(struct call *c, struct span rest, struct span value,
                               void *with)
{
    struct newest *n = with;
    struct record_alert a;
    (void)rest;
    ST_TRY(records_read(value, &record_alert_message, c->pool, &a));
    if (!span_equal(a.model, n->model) || a.tier < n->tier)
        return ST_OK;
    n->is_found = true;
    n->tier = a.tier;
    memcpy(n->id, a.alert, sizeof n->id);
    return ST_OK;
}

static void write_changes(struct call *c, const struct serving *serving,
                          const struct record_alert *a)
{
    json_key(c->j, "changes");
    json_array(c->j);
    for (uint32_t i = 0; i < serving->hosts; i++) {
        const struct serving_host *h = &serving->host[i];
        struct buf b;
        buf_init(&b, 512);
        if (h->before[0] &&
            (span_is(a->version, h->version) || span_is(a->version, h->before)))
            buf_printf(&b, "%s: %s -> %s by %s", h->host, h->before, h->version,
                       h->by_order ? "rollback" : "deployment");
        if (b.size) {
            json_object(c->j);
            json_key_time(c->j, "at", h->at_ns);
            json_key_text(c->j, "what", buf_span(&b));
            json_object_end(c->j);
        }
        buf_fini(&b);
    }
    json_array_end(c->j);
}

// What is open besides, for it is why the model is not "ok" now.
struct also {
    const uint8_t *but;
    struct span model;
    uint64_t rank;
};

static enum status write_also(struct call *c, struct span rest, struct span value,
                              void *with)
{
    struct also *also = with;
    struct record_alert a;
    (void)rest;
    ST_TRY(records_read(value, &record_alert_message, c->pool, &a));
    if (!span_equal(a.model, also->model) || a.state == ALERT_CLOSED ||
        memcmp(a.alert, also->but, CASE_ID_BYTES) == 0)
        return ST_OK;
    json_object(c->j);
    json_key_u64(c->j, "rank", ++also->rank);
    write_alert(c, &a);
    json_object_end(c->j);
    return ST_OK;
}

static enum status write_suspect(struct call *c, uint32_t model, const uint8_t *id)
{
    struct record_alert a;
    struct serving serving;
    struct shelf_key key = key_alert(id);
    ST_TRY(records_get(c->s, SHELF_ALERT, &key, &record_alert_message, c->pool, &a));
    ST_TRY(serving_read(c->s, model, &serving));
    bool is_version = span_is(a.decision, "rollback");
    json_key_cstr(c->j, "verdict",
                  is_version ? "the version" : "not the version, as far as is known");
    json_key(c->j, "suspects");
    json_array(c->j);
    json_object(c->j);
    json_key_u64(c->j, "rank", 1);
    write_alert(c, &a);
    write_changes(c, &serving, &a);
    json_object_end(c->j);
    serving_fini(&serving);
    struct also also = {.but = id, .model = a.model, .rank = 1};
    struct shelf_key alerts = key_alerts();
    ST_TRY(call_walk(c, SHELF_ALERT, &alerts, write_also, &also));
    json_array_end(c->j);
    return ST_OK;
}

// Asked by a KPI, an endpoint or a time: the whole fleet is looked at.
static enum status answer_incident(struct call *c)
{
    const char *fault = "";
    enum status st = c->ask->guest->why(c->s, c->ask, c->j, &fault);
    if (st == ST_NOTFOUND)
        return call_refuse(c, CODE_NOT_FOUND, "%s", fault);
    if (st == ST_RANGE)
        return call_refuse(c, CODE_USAGE, "%s", fault);
    return st;
}

enum status answer_why(struct call *c)
{
    bool is_wide = call_arg(c, "kpi").size || call_arg(c, "endpoint").size ||
                   call_arg(c, "at").size || call_arg(c, "segment").size ||
                   call_arg(c, "known").size;
    if (is_wide && c->ask->guest)
        return answer_incident(c);
    struct newest n = {0};
    uint32_t model;
    struct shelf_key prefix = key_alerts();
    if (call_arg(c, "model").size == 0)
        return call_refuse(c, CODE_USAGE, "which model? kedge why NAME");
    enum status st = call_model(c, &n.model, &model);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    json_key_text(c->j, "model", n.model);
    ST_TRY(call_walk(c, SHELF_ALERT, &prefix, keep_newest, &n));
    if (n.is_found)
        return write_suspect(c, model, n.id);
    json_key_cstr(c->j, "verdict", "nothing stands out");
    json_key(c->j, "suspects");
    json_array(c->j);
    json_array_end(c->j);
    return ST_OK;
}
