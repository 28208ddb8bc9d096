// SPDX-License-Identifier: Apache-2.0
#include "controller/log/incidents.h"

#include <stdio.h>
#include <string.h>

#include "controller/log/audit.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"

enum status incidents_read(struct paper *p, struct shelf *s,
                           const uint8_t id[CASE_ID_BYTES], struct record_incident *out)
{
    struct shelf_key key = key_incident(id);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_ALERT, &key, &bytes));
    return paper_read(p, &record_incident_message, bytes, out);
}

void incidents_object(const uint8_t id[CASE_ID_BYTES], char out[INCIDENT_OBJECT_BYTES])
{
    (void)snprintf(out, INCIDENT_OBJECT_BYTES, "incident/%llu",
                   (unsigned long long)case_number(id));
}

enum status incidents_write(struct paper *p, struct shelf *s,
                            const struct record_incident *i, const char *event,
                            const struct span *actor, struct span detail,
                            const struct fold_moment *now)
{
    char object[INCIDENT_OBJECT_BYTES];
    buf_clear(&p->fresh);
    ST_TRY(message_encode(&record_incident_message, i, &p->fresh, NULL));
    struct shelf_key key = key_incident(i->incident);
    ST_TRY(shelf_put(s, SHELF_ALERT, &key, buf_span(&p->fresh)));
    incidents_object(i->incident, object);
    const struct audit_change change = {
        .actor_kind = actor ? ACTOR_USER : ACTOR_SYSTEM,
        .actor = actor ? *actor : span_text(""),
        .event = event,
        .object = span_text(object),
        .before = buf_span(&p->old),
        .after = buf_span(&p->fresh),
        .detail = detail,
    };
    return audit_append(s, now, &change);
}

enum status incidents_of_alert(struct shelf *s, const uint8_t alert[CASE_ID_BYTES],
                               uint8_t id[CASE_ID_BYTES])
{
    struct shelf_key key = key_incident_of(alert);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_ALERT, &key, &bytes));
    if (bytes.size != CASE_ID_BYTES)
        return ST_CORRUPT;
    memcpy(id, bytes.data, CASE_ID_BYTES);
    return ST_OK;
}

enum status incidents_member(struct paper *p, struct shelf *s,
                             const uint8_t id[CASE_ID_BYTES],
                             const uint8_t alert[CASE_ID_BYTES],
                             struct record_member *out)
{
    struct shelf_key key = key_member(id, alert);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_ALERT, &key, &bytes));
    return paper_read(p, &record_member_message, bytes, out);
}

enum status incidents_put_member(struct shelf *s, const uint8_t id[CASE_ID_BYTES],
                                 const struct record_member *m)
{
    struct shelf_key key = key_member(id, m->alert);
    return records_put(s, SHELF_ALERT, &key, &record_member_message, m);
}
