// SPDX-License-Identifier: Apache-2.0
#include "agent/act/record.h"

#include "common/base/cursor.h"

void record_put_name(struct buf *out, const char *name)
{
    buf_put_u8(out, (uint8_t)strlen(name));
    buf_put_text(out, name);
}

static enum status record_get_name(struct cursor *c, char out[JOB_NAME_MAX + 1])
{
    uint8_t size;
    struct span s;
    ST_TRY(cursor_u8(c, &size));
    if (size > JOB_NAME_MAX)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(c, size, &s));
    if (size > 0)
        memcpy(out, s.data, size);
    out[size] = '\0';
    return ST_OK;
}

enum status record_get_id(struct cursor *c, uint8_t out[16])
{
    struct span s;
    ST_TRY(cursor_bytes(c, 16, &s));
    memcpy(out, s.data, 16);
    return ST_OK;
}

static enum status record_get_token(struct cursor *c, struct token *out)
{
    ST_TRY(cursor_le64(c, &out->gen));
    return cursor_le64(c, &out->seq);
}

void record_put_token(struct buf *out, struct token t)
{
    buf_put_le64(out, t.gen);
    buf_put_le64(out, t.seq);
}

void record_put_received(struct buf *out, const struct deed *deed, struct span body)
{
    buf_put(out, deed->order, 16);
    buf_put(out, deed->sess, 16);
    record_put_token(out, deed->token);
    record_put_name(out, deed->model);
    buf_put(out, deed->kernel, 16);
    buf_put_le64(out, deed->hb_boot_ns);
    buf_put_le64(out, deed->wall_ns);
    buf_put_span(out, body);
}

enum status record_get_received(struct cursor *c, struct deed *out)
{
    ST_TRY(record_get_id(c, out->order));
    ST_TRY(record_get_id(c, out->sess));
    ST_TRY(record_get_token(c, &out->token));
    ST_TRY(record_get_name(c, out->model));
    ST_TRY(record_get_id(c, out->kernel));
    ST_TRY(cursor_le64(c, &out->hb_boot_ns));
    return cursor_le64(c, &out->wall_ns);
}

void record_put_model(struct buf *out, const struct deed_model *m)
{
    record_put_name(out, m->name);
    record_put_token(out, m->fence);
    buf_put(out, m->fence_order, 16);
    buf_put_u8(out, m->is_locked);
    buf_put_le32(out, m->effects);
    for (int i = 0; i < DEED_EFFECTS_MAX; i++)
        buf_put_le64(out, m->effect_ns[i]);
}

enum status record_get_model(struct cursor *c, struct deed_model *out)
{
    uint8_t locked;
    ST_TRY(record_get_name(c, out->name));
    ST_TRY(record_get_token(c, &out->fence));
    ST_TRY(record_get_id(c, out->fence_order));
    ST_TRY(cursor_u8(c, &locked));
    ST_TRY(cursor_le32(c, &out->effects));
    for (int i = 0; i < DEED_EFFECTS_MAX; i++)
        ST_TRY(cursor_le64(c, &out->effect_ns[i]));
    out->is_locked = locked != 0;
    return cursor_end(c);
}

enum status record_get_done(struct cursor *c, struct deed *out)
{
    ST_TRY(record_get_id(c, out->order));
    ST_TRY(record_get_id(c, out->sess));
    ST_TRY(record_get_token(c, &out->token));
    ST_TRY(record_get_name(c, out->model));
    ST_TRY(cursor_le64(c, &out->wall_ns));
    return cursor_le64(c, &out->number);
}

void record_put_done(struct buf *out, const struct deed *deed)
{
    buf_put(out, deed->order, 16);
    buf_put(out, deed->sess, 16);
    record_put_token(out, deed->token);
    record_put_name(out, deed->model);
    buf_put_le64(out, deed->wall_ns);
    buf_put_le64(out, deed->number);
}

enum status record_append_model(struct journal *j, const struct deed_model *m)
{
    struct buf record;
    buf_init(&record, JOURNAL_BODY_MAX);
    record_put_model(&record, m);
    enum status st = record.failed;
    if (st == ST_OK)
        st = journal_append(j, JOURNAL_MODEL, buf_span(&record), NULL);
    buf_fini(&record);
    return st;
}
