// SPDX-License-Identifier: Apache-2.0
#include "controller/log/cases.h"

#include <string.h>

#include "common/base/mem.h"
#include "controller/log/audit.h"
#include "controller/log/keys.h"

#define PAPER_BYTES_MAX (512u * 1024u)

enum status paper_init(struct paper *p)
{
    *p = (struct paper){0};
    buf_init(&p->old, PAPER_BYTES_MAX);
    buf_init(&p->fresh, PAPER_BYTES_MAX);
    p->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    if (!p->memory)
        return ST_NOMEM;
    pool_init(&p->pool, p->memory, MESSAGE_POOL_BYTES);
    return ST_OK;
}

void paper_fini(struct paper *p)
{
    buf_fini(&p->old);
    buf_fini(&p->fresh);
    mem_free(p->memory);
    *p = (struct paper){0};
}

enum status paper_read(struct paper *p, const struct message *m, struct span bytes,
                       void *out)
{
    buf_clear(&p->old);
    buf_put_span(&p->old, bytes);
    ST_TRY(p->old.failed);
    pool_clear(&p->pool);
    return message_decode(m, buf_span(&p->old), &p->pool, out);
}

uint64_t case_number(const uint8_t id[CASE_ID_BYTES])
{
    return load_be64(id + 8);
}

void case_id(uint64_t number, uint8_t id[CASE_ID_BYTES])
{
    memset(id, 0, 8);
    store_be64(id + 8, number);
}

enum status cases_open_of(struct shelf *s, uint32_t model, uint8_t id[CASE_ID_BYTES],
                          bool *is_open)
{
    struct shelf_key key = key_state('o', model);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    *is_open = st == ST_OK;
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    if (bytes.size != CASE_ID_BYTES)
        return ST_CORRUPT;
    memcpy(id, bytes.data, CASE_ID_BYTES);
    return ST_OK;
}

enum status cases_set_open(struct shelf *s, uint32_t model, const uint8_t *id)
{
    struct shelf_key key = key_state('o', model);
    if (id)
        return shelf_put(s, SHELF_STATE, &key, span_of(id, CASE_ID_BYTES));
    enum status st = shelf_del(s, SHELF_STATE, &key);
    return st == ST_NOTFOUND ? ST_OK : st;
}

enum status cases_read(struct paper *p, struct shelf *s,
                       const uint8_t id[CASE_ID_BYTES], struct record_alert *out)
{
    struct shelf_key key = key_alert(id);
    struct span bytes;
    ST_TRY(shelf_get(s, SHELF_ALERT, &key, &bytes));
    return paper_read(p, &record_alert_message, bytes, out);
}

enum status cases_write(struct paper *p, struct shelf *s, const struct record_alert *a,
                        const char *event, const struct span *actor,
                        const struct fold_moment *now, struct effects *out)
{
    buf_clear(&p->fresh);
    ST_TRY(message_encode(&record_alert_message, a, &p->fresh, NULL));
    struct shelf_key key = key_alert(a->alert);
    ST_TRY(shelf_put(s, SHELF_ALERT, &key, buf_span(&p->fresh)));
    if (!event)
        return ST_OK;
    const struct audit_change change = {
        .actor_kind = actor ? ACTOR_USER : ACTOR_SYSTEM,
        .actor = actor ? *actor : span_text(""),
        .event = event,
        .object = a->model,
        .before = buf_span(&p->old),
        .after = buf_span(&p->fresh),
        .detail = a->state == ALERT_CLOSED ? a->closed_why : a->why,
    };
    ST_TRY(audit_append(s, now, &change));
    const struct effect effect = {.kind = EFFECT_ALERT,
                                  .text = span_text(event),
                                  .bytes = span_of(a->alert, CASE_ID_BYTES)};
    return effects_add(out, &effect);
}
