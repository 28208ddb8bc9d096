// Incidents: what goes back to one cause, what it cost, and whether it happened before.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/incidents.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/drift/verdict.h"
#include "controller/query/incident_inside.h"

static const char *const states[] = {"open", "acked", "cleared", "closed"};

// Seconds from `from` to `until`; null when one of them is not known.
static void write_seconds(struct call *c, const char *key, uint64_t from,
                          uint64_t until)
{
    json_key(c->j, key);
    if (from == 0 || until == 0)
        json_null(c->j);
    else
        json_f64(c->j, until > from ? (double)(until - from) / 1e9 : 0);
}

struct cost {
    uint64_t rows;
    uint32_t members;
};

static enum status add_member(struct call *c, struct span rest, struct span value,
                              void *with)
{
    struct cost *cost = with;
    struct record_member m;
    (void)rest;
    ST_TRY(records_read(value, &record_member_message, c->pool, &m));
    cost->rows += m.rows;
    cost->members++;
    return ST_OK;
}

static enum status cost_of(struct call *c, const struct record_incident *i,
                           struct cost *out)
{
    struct shelf_key prefix = key_members(i->incident);
    *out = (struct cost){.rows = 0};
    return call_walk(c, SHELF_ALERT, &prefix, add_member, out);
}

enum status incident_write(struct call *c, const struct record_incident *i)
{
    struct cost cost;
    uint64_t over = i->cleared_event;
    ST_TRY(cost_of(c, i, &cost));
    json_key_u64(c->j, "incident", case_number(i->incident));
    json_key_cstr(c->j, "state", states[i->state & 3]);
    json_key_cstr(c->j, "tier", tier_name(i->tier));
    json_key_text(c->j, "cause", i->cause);
    json_key_text(c->j, "kind", i->kind);
    json_key_text(c->j, "model", i->model);
    json_key_text(c->j, "kpi", i->kpi);
    json_key_time(c->j, "onset", i->onset);
    json_key_time(c->j, "noticed", i->noticed ? i->noticed : i->opened_event);
    json_key_time(c->j, "opened", i->opened);
    json_key_time(c->j, "acked", i->acked);
    json_key_text(c->j, "acked_by", i->acked_by);
    json_key_time(c->j, "cleared", i->cleared_event);
    json_key_time(c->j, "closed", i->closed);
    json_key_text(c->j, "closed_by", i->closed_by);
    json_key_text(c->j, "closed_why", i->closed_why);
    json_key_text(c->j, "true_cause", i->true_cause);
    json_key_u64(c->j, "alerts", i->alerts);
    json_key_u64(c->j, "open_alerts", i->open_alerts);
    json_key_u64(c->j, "reopened", i->reopened);
    write_seconds(c, "detect_s", i->onset, i->opened_event);
    write_seconds(c, "recover_s", i->onset, over);
    json_key_u64(c->j, "served_while_bad", cost.rows);
    return ST_OK;
}

// --- List

struct means {
    double detect, recover;
    uint64_t detected, recovered;
};

static enum status write_row(struct call *c, struct span rest, struct span value,
                             void *with)
{
    struct means *m = with;
    struct record_incident i;
    (void)rest;
    ST_TRY(records_read(value, &record_incident_message, c->pool, &i));
    struct span model = call_arg(c, "model"), state = call_arg(c, "state");
    bool is_meant =
        (model.size == 0 || span_equal(model, i.model) || span_equal(model, i.cause)) &&
        (state.size == 0 || span_is(state, states[i.state & 3]));
    if (!is_meant)
        return ST_OK;
    if (i.opened_event > i.onset && !span_is(i.kind, "asked")) {
        m->detect += (double)(i.opened_event - i.onset) / 1e9;
        m->detected++;
    }
    if (i.cleared_event > i.onset) {
        m->recover += (double)(i.cleared_event - i.onset) / 1e9;
        m->recovered++;
    }
    json_object(c->j);
    ST_TRY(incident_write(c, &i));
    json_object_end(c->j);
    return ST_OK;
}

static void write_mean(struct call *c, const char *key, double sum, uint64_t n)
{
    json_key(c->j, key);
    if (n)
        json_f64(c->j, sum / (double)n);
    else
        json_null(c->j);
}

enum status answer_incident_list(struct call *c)
{
    struct shelf_key prefix = key_incidents();
    struct means m = {.detect = 0};
    json_key(c->j, "incidents");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_ALERT, &prefix, write_row, &m));
    json_array_end(c->j);
    write_mean(c, "mean_detect_s", m.detect, m.detected);
    write_mean(c, "mean_recover_s", m.recover, m.recovered);
    return ST_OK;
}

// --- Show

static enum status write_member(struct call *c, struct span rest, struct span value,
                                void *with)
{
    struct record_member m;
    (void)rest;
    (void)with;
    ST_TRY(records_read(value, &record_member_message, c->pool, &m));
    json_object(c->j);
    json_key_u64(c->j, "alert", case_number(m.alert));
    json_key_text(c->j, "model", m.model);
    json_key_text(c->j, "version", m.version);
    json_key_time(c->j, "onset", m.onset);
    json_key_time(c->j, "joined", m.joined_event);
    json_key_time(c->j, "left", m.left_event);
    json_key_u64(c->j, "rows", m.rows);
    json_object_end(c->j);
    return ST_OK;
}

static enum status write_members(struct call *c, const struct record_incident *i)
{
    struct shelf_key prefix = key_members(i->incident);
    json_key(c->j, "members");
    json_array(c->j);
    ST_TRY(call_walk(c, SHELF_ALERT, &prefix, write_member, NULL));
    json_array_end(c->j);
    return ST_OK;
}

bool incident_find(struct call *c, struct record_incident *out, enum status *st)
{
    uint64_t number;
    uint8_t id[CASE_ID_BYTES];
    if (text_u64(call_arg(c, "incident"), &number) != ST_OK) {
        *st = call_refuse(c, CODE_USAGE, "an incident is named by its number");
        return false;
    }
    case_id(number, id);
    struct shelf_key key = key_incident(id);
    *st = records_get(c->s, SHELF_ALERT, &key, &record_incident_message, c->pool, out);
    if (*st == ST_NOTFOUND) {
        *st = call_refuse(c, CODE_NOT_FOUND, "no incident %llu: kedge incident list",
                          (unsigned long long)number);
        return false;
    }
    return *st == ST_OK;
}

// The answer that was kept; without one, what is known now (or was at "known").
static enum status write_answer(struct call *c, const struct record_incident *i)
{
    const char *fault = "";
    uint64_t known = 0;
    struct span text = call_arg(c, "known");
    if (text.size && text_time(text, &known) != ST_OK)
        return call_refuse(c, CODE_USAGE, "known: write it like 2026-03-01T14:05:00Z");
    json_key_time(c->j, "answered", known ? known : i->answered);
    json_key(c->j, "answer");
    if (i->answer.size && known == 0) {
        json_raw(c->j, i->answer);
        return ST_OK;
    }
    struct query_asked q = {.kpi = i->kpi,
                            .model = i->kpi.size ? span_text("") : i->model,
                            .at_ns = i->noticed ? i->noticed : i->opened_event - 1,
                            .known_ns = known};
    if (!c->ask->guest || !c->ask->guest->asked) {
        json_null(c->j);
        return ST_OK;
    }
    json_object(c->j);
    enum status st = c->ask->guest->asked(c->s, &q, c->j, &fault);
    if (st == ST_NOTFOUND || st == ST_RANGE) {
        json_key_cstr(c->j, "none", fault);
        st = ST_OK;
    }
    json_object_end(c->j);
    return st;
}

enum status answer_incident_show(struct call *c)
{
    struct record_incident i;
    enum status st;
    if (!incident_find(c, &i, &st))
        return st;
    ST_TRY(incident_write(c, &i));
    json_key_f64(c->j, "confidence", i.confidence);
    json_key_text(c->j, "verdict", i.verdict);
    ST_TRY(write_members(c, &i));
    ST_TRY(incident_write_timeline(c, &i));
    ST_TRY(incident_write_past(c, &i));
    return write_answer(c, &i);
}
