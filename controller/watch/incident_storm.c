// Incident: when most models move within an hour, the cause lies outside.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "controller/log/keys.h"
#include "controller/watch/incident_inside.h"

// Alerts by their onset, in a ring of five minutes each: be32 of when, be32 how many.
#define SLOT_NS (HOUR_NS / SLOTS_AN_HOUR)
#define SLOTS_AN_HOUR 12u
#define SLOTS 24u
#define RING_BYTES (SLOTS * 8u)

static enum status read_ring(struct shelf *s, uint8_t ring[RING_BYTES])
{
    struct shelf_key key = key_state('h', 0);
    struct span value;
    memset(ring, 0, RING_BYTES);
    enum status st = shelf_get(s, SHELF_STATE, &key, &value);
    if (st == ST_OK && value.size == RING_BYTES)
        memcpy(ring, value.data, RING_BYTES);
    return st == ST_NOTFOUND ? ST_OK : st;
}

// Models with a detector: those that can raise an alert at all.
static enum status count_models(struct shelf *s, uint32_t *out)
{
    struct shelf_key at = key_detector(0, 0);
    *out = 0;
    for (;;) {
        struct span key, value;
        enum status st =
            s->seek(s->self, SHELF_STATE, shelf_key_span(&at), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        if (key.size != at.size || key.data[0] != at.bytes[0])
            return ST_OK;
        (*out)++;
        uint32_t model = load_be32(key.data + 1);
        if (model == UINT32_MAX)
            return ST_OK;
        at = key_detector(model + 1, 0);
    }
}

enum status storm_count(struct shelf *s, uint64_t onset_ns, bool *is_storm)
{
    uint8_t ring[RING_BYTES];
    struct shelf_key key = key_state('h', 0);
    uint32_t slot = (uint32_t)(onset_ns / SLOT_NS), recent = 0, models;
    *is_storm = false;
    ST_TRY(read_ring(s, ring));
    uint8_t *own = ring + (size_t)(slot % SLOTS) * 8;
    // An alert about what lies longer back than the ring is no part of a storm.
    if (load_be32(own) > slot)
        return ST_OK;
    uint32_t n = load_be32(own) == slot ? load_be32(own + 4) : 0;
    store_be32(own, slot);
    store_be32(own + 4, n + 1);
    ST_TRY(shelf_put(s, SHELF_STATE, &key, span_of(ring, RING_BYTES)));
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t when = load_be32(ring + (size_t)i * 8);
        if (when <= slot && when + SLOTS_AN_HOUR > slot)
            recent += load_be32(ring + (size_t)i * 8 + 4);
    }
    if (recent < INCIDENT_STORM_LEAST)
        return ST_OK;
    ST_TRY(count_models(s, &models));
    *is_storm = 2 * (uint64_t)recent > models;
    return ST_OK;
}

// --- Gathering

// Hands one member of `from` on to `to`.
static enum status move_member(struct incident_desk *d, struct shelf *s,
                               const uint8_t from[CASE_ID_BYTES],
                               const uint8_t to[CASE_ID_BYTES],
                               const uint8_t alert[CASE_ID_BYTES], uint32_t *open)
{
    struct record_member m;
    ST_TRY(incidents_member(&d->member, s, from, alert, &m));
    ST_TRY(incidents_put_member(s, to, &m));
    struct shelf_key of = key_incident_of(alert);
    ST_TRY(shelf_put(s, SHELF_ALERT, &of, span_of(to, CASE_ID_BYTES)));
    *open += m.left_event == 0;
    return ST_OK;
}

static enum status move_members(struct incident_desk *d, struct shelf *s,
                                const uint8_t from[CASE_ID_BYTES],
                                const uint8_t to[CASE_ID_BYTES], uint32_t *moved,
                                uint32_t *open)
{
    struct shelf_key prefix = key_members(from);
    struct shelf_walk walk;
    struct span key;
    enum status st;
    shelf_walk_init(&walk, s, SHELF_ALERT, &prefix);
    while ((st = shelf_walk_next(&walk, &key, NULL)) == ST_OK) {
        uint8_t alert[CASE_ID_BYTES];
        if (key.size != prefix.size + CASE_ID_BYTES)
            return ST_CORRUPT;
        memcpy(alert, key.data + prefix.size, CASE_ID_BYTES);
        ST_TRY(move_member(d, s, from, to, alert, open));
        (*moved)++;
    }
    return st == ST_EMPTY ? ST_OK : st;
}

static enum status close_as_part(struct incident_desk *d, struct shelf *s,
                                 struct record_incident *i, const uint8_t *whole,
                                 const struct fold_moment *now)
{
    struct buf why;
    buf_init(&why, 128);
    buf_printf(&why, "part of incident %llu: most models moved within an hour",
               (unsigned long long)case_number(whole));
    i->state = INCIDENT_CLOSED;
    i->closed = now->now_ns;
    i->closed_why = buf_span(&why);
    i->open_alerts = 0;
    enum status st =
        incidents_write(&d->member, s, i, "incident.join", NULL, i->closed_why, now);
    buf_fini(&why);
    struct shelf_key active = key_active(i->incident);
    if (st == ST_OK)
        st = shelf_del(s, SHELF_ALERT, &active);
    return st == ST_NOTFOUND ? ST_OK : st;
}

enum status storm_gather(struct incident_desk *d, struct shelf *s,
                         const struct fold_moment *now)
{
    struct record_incident *whole = &d->record;
    struct shelf_key prefix = key_actives();
    struct shelf_walk walk;
    struct span key;
    enum status st;
    shelf_walk_init(&walk, s, SHELF_ALERT, &prefix);
    while ((st = shelf_walk_next(&walk, &key, NULL)) == ST_OK) {
        struct record_incident part;
        uint8_t id[CASE_ID_BYTES];
        if (key.size != prefix.size + CASE_ID_BYTES)
            return ST_CORRUPT;
        memcpy(id, key.data + prefix.size, CASE_ID_BYTES);
        if (memcmp(id, whole->incident, CASE_ID_BYTES) == 0)
            continue; // not written yet
        ST_TRY(incidents_read(&d->member, s, id, &part));
        bool is_part = !span_is(part.kind, "asked") && !span_is(part.kind, "own") &&
                       part.onset + HOUR_NS >= whole->onset &&
                       part.onset <= whole->onset + HOUR_NS;
        if (!is_part)
            continue;
        ST_TRY(close_as_part(d, s, &part, whole->incident, now));
        ST_TRY(move_members(d, s, id, whole->incident, &whole->alerts,
                            &whole->open_alerts));
        if (part.onset < whole->onset)
            whole->onset = part.onset;
        if (part.tier > whole->tier)
            whole->tier = part.tier;
    }
    return st == ST_EMPTY ? ST_OK : st;
}
