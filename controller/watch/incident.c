// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/incident.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/drift/verdict.h"
#include "controller/log/keys.h"
#include "controller/watch/incident_inside.h"

#define PARENTS_NOTED 64u // direct ancestors of an alert that are held for its cause

enum status incident_desk_open(struct incident_desk **out)
{
    struct incident_desk *d = MEM_NEW(struct incident_desk);
    if (!d)
        return ST_NOMEM;
    enum status st = paper_init(&d->paper);
    if (st == ST_OK)
        st = paper_init(&d->member);
    if (st == ST_OK)
        st = ancestry_open(&d->ancestry);
    if (st != ST_OK) {
        incident_desk_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void incident_desk_close(struct incident_desk *d)
{
    if (!d)
        return;
    paper_fini(&d->paper);
    paper_fini(&d->member);
    ancestry_close(d->ancestry);
    mem_free(d);
}

void incident_desk_drop(struct incident_desk *d)
{
    ancestry_drop(d->ancestry);
}

// --- Joining

// A fresh record of this place in d->record; its texts are lent by place and alert.
static enum status begin(struct incident_desk *d, struct shelf *s,
                         const struct incident_alert *a, const struct incident_place *p,
                         const struct fold_moment *now)
{
    uint64_t number;
    ST_TRY(shelf_next_number(s, "incident", &number));
    buf_clear(&d->paper.old);
    d->record = (struct record_incident){.cause = span_text(p->cause),
                                         .kind = span_text(p->kind),
                                         .model = a->model,
                                         .state = INCIDENT_OPEN,
                                         .onset = a->onset_ns,
                                         .opened = now->now_ns,
                                         .opened_event = a->end_ns};
    case_id(number, d->record.incident);
    struct shelf_key active = key_active(d->record.incident);
    return shelf_put(s, SHELF_ALERT, &active, span_text("1"));
}

static enum status go_on(struct incident_desk *d, struct shelf *s,
                         const struct incident_alert *a, const struct incident_place *p)
{
    ST_TRY(incidents_read(&d->paper, s, p->incident, &d->record));
    if (p->cause[0]) {
        d->record.cause = span_text(p->cause);
        d->record.kind = span_text(p->kind);
    }
    if (a->onset_ns < d->record.onset)
        d->record.onset = a->onset_ns;
    if (!p->is_reopened)
        return ST_OK;
    // Cleared is armed: what comes now is news, and calls again.
    d->record.state = INCIDENT_OPEN;
    d->record.tier = 0;
    d->record.reopened++;
    d->record.cleared = d->record.cleared_event = 0;
    return ST_OK;
}

static enum status put_member(struct incident_desk *d, struct shelf *s,
                              const struct incident_alert *a,
                              const uint8_t alert[CASE_ID_BYTES],
                              const struct fold_moment *now)
{
    struct record_member m = {.model = a->model,
                              .version = a->version,
                              .onset = a->onset_ns,
                              .joined = now->now_ns,
                              .joined_event = a->end_ns,
                              .rows = a->rows};
    memcpy(m.alert, alert, CASE_ID_BYTES);
    struct shelf_key of = key_incident_of(alert);
    ST_TRY(shelf_put(s, SHELF_ALERT, &of, span_of(d->record.incident, CASE_ID_BYTES)));
    return incidents_put_member(s, d->record.incident, &m);
}

// What feeds it may be the cause of others as well; the cause itself is known by name.
static enum status note_suspects(struct incident_desk *d, struct shelf *s,
                                 const struct incident_alert *a)
{
    const struct ancestor *list;
    uint32_t n = 0, noted = 0;
    const uint8_t *id = d->record.incident;
    ST_TRY(suspected_put(s, d->record.cause, id, a->onset_ns));
    if (a->is_own)
        return ST_OK;
    ST_TRY(ancestry_of(d->ancestry, s, a->model, a->onset_ns, &list, &n));
    for (uint32_t i = 0; i < n && noted < PARENTS_NOTED; i++) {
        if (!list[i].is_direct)
            continue;
        ST_TRY(suspected_put(s, list[i].name, id, a->onset_ns));
        noted++;
    }
    return ST_OK;
}

enum status incident_join(struct incident_desk *d, struct shelf *s,
                          const struct incident_alert *a,
                          const struct incident_place *place,
                          const uint8_t alert[CASE_ID_BYTES], uint8_t tier,
                          const struct fold_moment *now)
{
    struct record_incident *i = &d->record;
    if (place->is_new)
        ST_TRY(begin(d, s, a, place, now));
    else
        ST_TRY(go_on(d, s, a, place));
    if (place->is_new && place->is_outside)
        ST_TRY(storm_gather(d, s, now));
    i->alerts++;
    i->open_alerts++;
    i->tier = tier > i->tier ? tier : i->tier;
    if (a->end_ns > i->updated_event)
        i->updated_event = a->end_ns;
    ST_TRY(put_member(d, s, a, alert, now));
    ST_TRY(note_suspects(d, s, a));
    const char *event = place->is_new        ? "incident.open"
                        : place->is_reopened ? "incident.reopen"
                                             : "incident.join";
    return incidents_write(&d->paper, s, i, event, NULL, a->model, now);
}

// --- While it lasts

enum status incident_heard(struct incident_desk *d, struct shelf *s,
                           const uint8_t alert[CASE_ID_BYTES], uint8_t tier,
                           uint64_t rows, uint64_t end_ns,
                           const struct fold_moment *now)
{
    uint8_t id[CASE_ID_BYTES];
    struct record_member m;
    enum status st = incidents_of_alert(s, alert, id);
    if (st == ST_NOTFOUND) // opened before incidents were kept
        return ST_OK;
    ST_TRY(st);
    ST_TRY(incidents_member(&d->member, s, id, alert, &m));
    m.rows += rows;
    ST_TRY(incidents_put_member(s, id, &m));
    ST_TRY(incidents_read(&d->paper, s, id, &d->record));
    if (tier <= d->record.tier)
        return ST_OK;
    d->record.tier = tier;
    d->record.updated_event = end_ns;
    return incidents_write(&d->paper, s, &d->record, "incident.tier", NULL, m.model,
                           now);
}

enum status incident_left(struct incident_desk *d, struct shelf *s,
                          const uint8_t alert[CASE_ID_BYTES], uint64_t end_ns,
                          const struct fold_moment *now)
{
    uint8_t id[CASE_ID_BYTES];
    struct record_member m;
    enum status st = incidents_of_alert(s, alert, id);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(incidents_member(&d->member, s, id, alert, &m));
    if (m.left_event)
        return ST_OK;
    m.left_event = end_ns;
    ST_TRY(incidents_put_member(s, id, &m));
    ST_TRY(incidents_read(&d->paper, s, id, &d->record));
    struct record_incident *i = &d->record;
    i->open_alerts -= i->open_alerts > 0;
    if (end_ns > i->updated_event)
        i->updated_event = end_ns;
    bool is_clear = i->open_alerts == 0 && i->state < INCIDENT_CLEARED;
    if (is_clear) {
        i->state = INCIDENT_CLEARED;
        i->cleared = now->now_ns;
        i->cleared_event = end_ns;
    }
    return incidents_write(&d->paper, s, i,
                           is_clear ? "incident.clear" : "incident.leave", NULL,
                           m.model, now);
}

enum status incident_ties(struct incident_desk *d, struct shelf *s,
                          const uint8_t alert[CASE_ID_BYTES], struct incident_ties *out)
{
    uint8_t id[CASE_ID_BYTES];
    struct record_incident i;
    *out = (struct incident_ties){.is_outside = false};
    enum status st = incidents_of_alert(s, alert, id);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(incidents_read(&d->member, s, id, &i));
    out->is_outside = span_is(i.kind, OUTSIDE);
    out->has_paged = i.tier == TIER_PAGE;
    return ST_OK;
}
