// Incident: what people do with one.
//
// What the answer to "why?" was at that moment comes along with the command, found by
// the controller before it was logged: so the record keeps what was said, and a fold
// does not depend on how answers are found.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/base/text.h"
#include "controller/log/keys.h"
#include "controller/watch/incident_inside.h"

enum {
    CODE_FINE = 0,
    CODE_USAGE = 2,
    CODE_NOT_FOUND = 3,
    CODE_DENIED = 4,
    CODE_CONFLICT = 6
};

struct order {
    struct incident_desk *d;
    struct shelf *s;
    const struct entry_command *c;
    const struct fold_moment *now;
    struct effects *out;
    struct span suspect[INCIDENT_SUSPECTS_MAX];
};

static enum status answer(const struct order *o, uint32_t code, const char *text,
                          struct span json)
{
    const struct effect e = {.kind = EFFECT_ANSWER,
                             .number = o->c->request,
                             .code = code,
                             .text = span_text(text),
                             .bytes = json};
    return effects_add(o->out, &e);
}

static enum status refuse(const struct order *o, uint32_t code, const char *text)
{
    return answer(o, code, text, span_text(""));
}

static enum status done(const struct order *o, const char *state)
{
    struct buf b;
    buf_init(&b, 256);
    buf_printf(&b, "{\"incident\":%llu,\"state\":\"%s\"}",
               (unsigned long long)case_number(o->d->record.incident), state);
    enum status st =
        b.failed != ST_OK ? b.failed : answer(o, CODE_FINE, "", buf_span(&b));
    buf_fini(&b);
    return st;
}

// The answer that the controller found, if it found one.
static void keep_answer(struct order *o, struct record_incident *i)
{
    struct span list = entry_arg(o->c, "@suspects");
    uint64_t answered = 0;
    if (text_u64(entry_arg(o->c, "@answered"), &answered) != ST_OK || answered == 0)
        return;
    i->answered = answered;
    i->answer = o->c->blob.size <= INCIDENT_ANSWER_MAX ? o->c->blob : span_text("");
    i->verdict = entry_arg(o->c, "@verdict");
    if (text_f64(entry_arg(o->c, "@share"), &i->share) != ST_OK)
        i->share = 0;
    if (text_f64(entry_arg(o->c, "@confidence"), &i->confidence) != ST_OK)
        i->confidence = 0;
    if (text_hex(entry_arg(o->c, "@evidence"), i->evidence, sizeof i->evidence) !=
        ST_OK)
        memset(i->evidence, 0, sizeof i->evidence);
    i->suspects = 0;
    i->suspect = o->suspect;
    while (list.size && i->suspects < INCIDENT_SUSPECTS_MAX) {
        const uint8_t *end = memchr(list.data, ',', list.size);
        size_t n = end ? (size_t)(end - list.data) : list.size;
        o->suspect[i->suspects++] = span_of(list.data, n);
        n += end != NULL;
        list = span_of(list.data + n, list.size - n);
    }
}

static enum status write(struct order *o, struct span detail)
{
    char event[64];
    size_t n = o->c->verb.size < sizeof event ? o->c->verb.size : sizeof event - 1;
    memcpy(event, o->c->verb.data, n);
    event[n] = '\0';
    return incidents_write(&o->d->paper, o->s, &o->d->record, event, &o->c->actor,
                           detail, o->now);
}

// Reads the incident that is named. False: refused already, *st says how that went.
static bool find(struct order *o, enum status *st)
{
    uint8_t id[CASE_ID_BYTES];
    uint64_t number;
    if (text_u64(entry_arg(o->c, "incident"), &number) != ST_OK) {
        *st = refuse(o, CODE_USAGE, "an incident is named by its number");
        return false;
    }
    case_id(number, id);
    *st = incidents_read(&o->d->paper, o->s, id, &o->d->record);
    if (*st == ST_NOTFOUND) {
        *st = refuse(o, CODE_NOT_FOUND, "no such incident: see kedge incident list");
        return false;
    }
    return *st == ST_OK;
}

static enum status set_active(struct order *o, bool is_active)
{
    struct shelf_key key = key_active(o->d->record.incident);
    if (is_active)
        return shelf_put(o->s, SHELF_ALERT, &key, span_text("1"));
    enum status st = shelf_del(o->s, SHELF_ALERT, &key);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// --- The verbs

static enum status open_one(struct order *o)
{
    struct record_incident *i = &o->d->record;
    struct span kpi = entry_arg(o->c, "kpi"), model = entry_arg(o->c, "model");
    uint64_t at = o->now->now_ns, number;
    struct span text = entry_arg(o->c, "at");
    if (entry_arg(o->c, "endpoint").size)
        kpi = entry_arg(o->c, "endpoint");
    if ((kpi.size == 0) == (model.size == 0))
        return refuse(o, CODE_USAGE, "say --kpi NAME, --endpoint NAME or --model NAME");
    if (text.size && text_time(text, &at) != ST_OK)
        return refuse(o, CODE_USAGE, "at: write it like 2026-03-01T14:05:00Z");
    if (kpi.size > 256 || (model.size && !text_is_name(model)))
        return refuse(o, CODE_USAGE, "that is no name");
    ST_TRY(shelf_next_number(o->s, "incident", &number));
    buf_clear(&o->d->paper.old);
    *i = (struct record_incident){.cause = span_text(""),
                                  .kind = span_text("asked"),
                                  .model = model,
                                  .kpi = kpi,
                                  .noticed = at,
                                  .onset = at,
                                  .opened = o->now->now_ns,
                                  .opened_event = at,
                                  .updated_event = at};
    case_id(number, i->incident);
    keep_answer(o, i);
    uint64_t onset;
    if (text_u64(entry_arg(o->c, "@onset"), &onset) == ST_OK && onset)
        i->onset = onset;
    if (i->suspects)
        i->cause = i->suspect[0];
    ST_TRY(set_active(o, true));
    ST_TRY(write(o, kpi.size ? kpi : model));
    return done(o, "open");
}

static enum status ack(struct order *o)
{
    enum status st;
    struct record_incident *i = &o->d->record;
    if (!find(o, &st))
        return st;
    if (i->state >= INCIDENT_CLEARED)
        return refuse(o, CODE_CONFLICT, "it is over already");
    i->state = INCIDENT_ACKED;
    i->acked = o->now->now_ns;
    i->acked_by = o->c->actor;
    keep_answer(o, i);
    ST_TRY(write(o, entry_arg(o->c, "why")));
    return done(o, "acked");
}

static enum status close_one(struct order *o)
{
    enum status st;
    struct record_incident *i = &o->d->record;
    struct span cause = entry_arg(o->c, "cause");
    if (cause.size == 0 || cause.size > 256)
        return refuse(o, CODE_USAGE,
                      "say what it was: --cause NAME, or --cause none or unknown");
    if (!find(o, &st))
        return st;
    if (i->state == INCIDENT_CLOSED)
        return refuse(o, CODE_CONFLICT, "it is closed: kedge incident reopen first");
    i->state = INCIDENT_CLOSED;
    i->closed = o->now->now_ns;
    i->closed_by = o->c->actor;
    i->closed_why = entry_arg(o->c, "why");
    i->true_cause = cause;
    keep_answer(o, i);
    ST_TRY(set_active(o, false));
    ST_TRY(write(o, cause));
    return done(o, "closed");
}

static enum status reopen(struct order *o)
{
    enum status st;
    struct record_incident *i = &o->d->record;
    if (!find(o, &st))
        return st;
    if (i->state < INCIDENT_CLEARED)
        return refuse(o, CODE_CONFLICT, "it is open");
    i->state = INCIDENT_OPEN;
    i->reopened++;
    i->closed = i->cleared = i->cleared_event = 0;
    i->true_cause = i->closed_why = i->closed_by = span_text("");
    i->acked = 0;
    i->acked_by = span_text("");
    ST_TRY(set_active(o, true));
    ST_TRY(write(o, entry_arg(o->c, "why")));
    return done(o, "open");
}

enum status incident_command(struct incident_desk *d, struct shelf *s,
                             const struct entry_command *c,
                             const struct fold_moment *now, struct effects *out)
{
    static const struct {
        const char *verb;
        enum status (*run)(struct order *o);
    } verbs[] = {{"incident.open", open_one},
                 {"incident.ack", ack},
                 {"incident.close", close_one},
                 {"incident.reopen", reopen}};
    struct order o = {.d = d, .s = s, .c = c, .now = now, .out = out};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!span_is(c->verb, verbs[i].verb))
            continue;
        if (span_is(c->role, "viewer") || span_is(c->role, "auditor"))
            return refuse(&o, CODE_DENIED, "your role does not allow it");
        return verbs[i].run(&o);
    }
    return ST_UNSUPPORTED;
}
