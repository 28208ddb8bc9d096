// History: change events, and the models that agents report and nobody has added.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/inside.h"

#include "controller/log/keys.h"
#include "controller/log/records.h"

enum status history_event(struct fold *f, struct shelf *s, struct record_event *e)
{
    ST_TRY(shelf_next_number(s, "event", &e->number));
    e->wall = f->moment.now_ns;
    struct shelf_key k = key_event(e->at, e->number);
    return records_put(s, SHELF_EVENT, &k, &record_event_message, e);
}

enum status history_seen(struct fold *f, struct shelf *s, struct span model,
                         uint64_t at, struct span host)
{
    struct shelf_key known = key_model(model), unknown = key_unknown(model);
    struct span v;
    enum status st = shelf_get(s, SHELF_CATALOG, &known, &v);
    if (st == ST_NOTFOUND)
        st = shelf_get(s, SHELF_CATALOG, &unknown, &v);
    if (st != ST_NOTFOUND)
        return st;
    struct record_event e = {.at = at,
                             .wall = f->moment.now_ns,
                             .kind = span_text("unknown_model"),
                             .model = model,
                             .host = host,
                             .text = span_text("reported, but nobody has added it")};
    return records_put(s, SHELF_CATALOG, &unknown, &record_event_message, &e);
}

enum status fold_audit(struct fold *f, struct shelf *s, uint8_t actor_kind,
                       struct span actor, const char *event, struct span object,
                       struct span detail)
{
    struct audit_change c = {.actor_kind = actor_kind,
                             .actor = actor,
                             .event = event,
                             .object = object,
                             .detail = detail};
    return audit_append(s, &f->moment, &c);
}
