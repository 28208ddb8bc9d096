// Incident: which one an alert belongs to.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "common/drift/verdict.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "controller/watch/incident_inside.h"

#define NEAR_WINDOWS 3u // onsets so far apart may be one cause's
#define NEAR_LEAST_NS (15 * 60 * NS_PER_S)

enum status suspected_get(struct shelf *s, struct span name, uint8_t id[CASE_ID_BYTES],
                          uint64_t *onset_ns)
{
    struct shelf_key key = key_suspected(name);
    struct span value;
    ST_TRY(shelf_get(s, SHELF_ALERT, &key, &value));
    if (value.size != CASE_ID_BYTES + 8)
        return ST_CORRUPT;
    memcpy(id, value.data, CASE_ID_BYTES);
    *onset_ns = load_be64(value.data + CASE_ID_BYTES);
    return ST_OK;
}

enum status suspected_put(struct shelf *s, struct span name,
                          const uint8_t id[CASE_ID_BYTES], uint64_t onset_ns)
{
    uint8_t value[CASE_ID_BYTES + 8];
    struct shelf_key key = key_suspected(name);
    memcpy(value, id, CASE_ID_BYTES);
    store_be64(value + CASE_ID_BYTES, onset_ns);
    return shelf_put(s, SHELF_ALERT, &key, span_of(value, sizeof value));
}

bool incident_takes(const struct record_incident *i, uint64_t now_ns)
{
    if (i->state == INCIDENT_CLEARED)
        return now_ns <= i->cleared_event + REOPEN_NS;
    return i->state != INCIDENT_CLOSED;
}

static bool is_near(const struct incident_alert *a, uint64_t onset_ns)
{
    uint64_t off =
        a->onset_ns > onset_ns ? a->onset_ns - onset_ns : onset_ns - a->onset_ns;
    uint64_t reach = NEAR_WINDOWS * a->window_ns;
    return off <= (reach > NEAR_LEAST_NS ? reach : NEAR_LEAST_NS);
}

static void set_cause(struct incident_place *p, struct span cause, const char *kind)
{
    size_t n = cause.size < INCIDENT_CAUSE_MAX ? cause.size : INCIDENT_CAUSE_MAX;
    memcpy(p->cause, cause.data, n);
    p->cause[n] = '\0';
    p->kind = kind;
}

static void take_place(const struct record_incident *i, struct incident_place *p)
{
    memcpy(p->incident, i->incident, CASE_ID_BYTES);
    p->cause[0] = '\0';
    p->is_new = false;
    p->is_reopened = i->state == INCIDENT_CLEARED;
    p->is_outside = span_is(i->kind, OUTSIDE);
    p->has_paged = i->tier == TIER_PAGE && !p->is_reopened;
}

// Reads the incident; *fits when the alert may join it.
static enum status look_at(struct incident_desk *d, struct shelf *s,
                           const uint8_t id[CASE_ID_BYTES],
                           const struct incident_alert *a, bool *fits)
{
    enum status st = incidents_read(&d->paper, s, id, &d->record);
    *fits = st == ST_OK && incident_takes(&d->record, a->end_ns);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// The model is held for a cause already, or what it feeds alarmed before it did.
static enum status by_itself(struct incident_desk *d, struct shelf *s,
                             const struct incident_alert *a, struct incident_place *p,
                             bool *done)
{
    uint8_t id[CASE_ID_BYTES];
    uint64_t onset;
    bool fits;
    enum status st = suspected_get(s, a->model, id, &onset);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(look_at(d, s, id, a, &fits));
    bool is_cause = fits && span_equal(d->record.cause, a->model);
    bool is_root = fits && !is_cause && is_near(a, onset) &&
                   d->record.state != INCIDENT_CLEARED &&
                   !span_is(d->record.kind, OUTSIDE) &&
                   !(a->is_own && span_is(d->record.kind, "upstream"));
    if (!is_cause && !is_root)
        return ST_OK;
    take_place(&d->record, p);
    if (is_root)
        set_cause(p, a->model, a->is_own ? "own" : "model");
    *done = true;
    return ST_OK;
}

// An ancestor has an open alert: the nearest one decides.
static enum status by_parent(struct incident_desk *d, struct shelf *s,
                             const struct incident_alert *a,
                             const struct ancestor *parent, struct incident_place *p,
                             bool *done)
{
    uint8_t alert[CASE_ID_BYTES], id[CASE_ID_BYTES];
    uint32_t model;
    bool is_open, fits;
    enum status st = names_model(s, parent->name, &model);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(cases_open_of(s, model, alert, &is_open));
    if (!is_open)
        return ST_OK;
    st = incidents_of_alert(s, alert, id);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    ST_TRY(look_at(d, s, id, a, &fits));
    // What moved long before, or only later, has not moved this one.
    bool is_before = d->record.onset <= a->onset_ns || is_near(a, d->record.onset);
    if (!fits || !is_before || a->onset_ns > d->record.updated_event + HOUR_NS)
        return ST_OK;
    take_place(&d->record, p);
    *done = true;
    return ST_OK;
}

static bool is_among(struct span name, const struct ancestor *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (span_equal(list[i].name, name))
            return true;
    return false;
}

// Another model that it feeds as well moved at the same time.
static enum status by_sibling(struct incident_desk *d, struct shelf *s,
                              const struct incident_alert *a,
                              const struct ancestor *list, uint32_t n, uint32_t i,
                              struct incident_place *p, bool *done)
{
    uint8_t id[CASE_ID_BYTES];
    uint64_t onset;
    bool fits;
    enum status st = suspected_get(s, list[i].name, id, &onset);
    if (st == ST_NOTFOUND || (st == ST_OK && !is_near(a, onset)))
        return ST_OK;
    ST_TRY(st);
    ST_TRY(look_at(d, s, id, a, &fits));
    if (!fits)
        return ST_OK;
    take_place(&d->record, p);
    bool is_single = span_is(d->record.kind, "model");
    if (is_single && !is_among(d->record.cause, list, n))
        set_cause(p, list[i].name, "upstream");
    *done = true;
    return ST_OK;
}

static enum status by_lineage(struct incident_desk *d, struct shelf *s,
                              const struct incident_alert *a, struct incident_place *p,
                              bool *done)
{
    const struct ancestor *list;
    uint32_t n;
    ST_TRY(ancestry_of(d->ancestry, s, a->model, a->onset_ns, &list, &n));
    for (uint32_t i = 0; i < n && !*done; i++)
        if (list[i].is_model)
            ST_TRY(by_parent(d, s, a, &list[i], p, done));
    for (uint32_t i = 0; i < n && !*done; i++)
        if (list[i].is_direct)
            ST_TRY(by_sibling(d, s, a, list, n, i, p, done));
    return ST_OK;
}

static enum status by_storm(struct incident_desk *d, struct shelf *s,
                            const struct incident_alert *a, struct incident_place *p)
{
    uint8_t id[CASE_ID_BYTES];
    uint64_t onset;
    bool fits = false;
    enum status st = suspected_get(s, span_text(OUTSIDE), id, &onset);
    if (st == ST_OK && a->onset_ns <= onset + HOUR_NS)
        ST_TRY(look_at(d, s, id, a, &fits));
    else if (st != ST_NOTFOUND)
        ST_TRY(st);
    if (fits) {
        take_place(&d->record, p);
        return ST_OK;
    }
    p->is_outside = true;
    set_cause(p, span_text(OUTSIDE), OUTSIDE);
    return ST_OK;
}

enum status incident_place(struct incident_desk *d, struct shelf *s,
                           const struct incident_alert *a, struct incident_place *out)
{
    *out = (struct incident_place){.is_new = true};
    set_cause(out, a->model, a->is_own ? "own" : "model");
    bool done = false, is_storm;
    ST_TRY(storm_count(s, a->onset_ns, &is_storm));
    if (is_storm && !a->is_own)
        return by_storm(d, s, a, out);
    struct incident_place found = {.is_new = true};
    ST_TRY(by_itself(d, s, a, &found, &done));
    if (!done && !a->is_own)
        ST_TRY(by_lineage(d, s, a, &found, &done));
    if (done)
        *out = found;
    return ST_OK;
}
