// The bytes of an outcome, as they stand in the journal.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/deed.h"

#include "common/base/cursor.h"

#define OUTCOME_FORMAT 2 // 1 had no plan

static void put_text(struct buf *out, const char *text)
{
    buf_put_varint(out, strlen(text));
    buf_put_text(out, text);
}

static enum status get_text(struct cursor *c, char *out, size_t out_size)
{
    uint64_t size;
    struct span s;
    ST_TRY(cursor_varint(c, &size));
    if (size >= out_size)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(c, size, &s));
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] == 0)
            return ST_CORRUPT;
    if (s.size > 0)
        memcpy(out, s.data, s.size);
    out[s.size] = '\0';
    return ST_OK;
}

static enum status get_bytes(struct cursor *c, uint8_t *out, size_t size)
{
    struct span s;
    ST_TRY(cursor_bytes(c, size, &s));
    if (size > 0)
        memcpy(out, s.data, size);
    return ST_OK;
}

void outcome_put(struct buf *out, const struct outcome *o)
{
    buf_put_u8(out, OUTCOME_FORMAT);
    buf_put_u8(out, (uint8_t)o->state);
    put_text(out, o->code);
    put_text(out, o->before);
    put_text(out, o->after);
    buf_put(out, o->after_digest, 32);
    buf_put_le64(out, o->started_ms);
    buf_put_le64(out, o->ended_ms);
    buf_put_le64(out, o->mono_ms);
    buf_put_u8(out, (uint8_t)(o->has_run | o->is_timeout << 1 | o->is_probed << 2));
    buf_put_le32(out, (uint32_t)o->exit_code);
    buf_put_le32(out, (uint32_t)o->signal);
    buf_put(out, o->output_digest, 32);
    buf_put_varint(out, o->tail_size);
    buf_put(out, o->tail, o->tail_size);
    put_text(out, o->detail);
    buf_put(out, o->plan, 16);
}

static enum status get_run(struct cursor *c, struct outcome *out)
{
    uint8_t flags;
    uint32_t exit_code, signal;
    uint64_t tail;
    ST_TRY(cursor_u8(c, &flags));
    ST_TRY(cursor_le32(c, &exit_code));
    ST_TRY(cursor_le32(c, &signal));
    ST_TRY(get_bytes(c, out->output_digest, 32));
    ST_TRY(cursor_varint(c, &tail));
    if (flags > 7 || tail > JOB_TAIL_MAX)
        return ST_CORRUPT;
    out->has_run = flags & 1;
    out->is_timeout = flags & 2;
    out->is_probed = flags & 4;
    out->exit_code = exit_code <= 255 ? (int)exit_code : -1;
    out->signal = signal <= 128 ? (int)signal : 0;
    out->tail_size = (uint16_t)tail;
    return get_bytes(c, out->tail, tail);
}

enum status outcome_get(struct span bytes, struct outcome *out)
{
    struct cursor c = {bytes};
    uint8_t format, state;
    memset(out, 0, sizeof *out);
    ST_TRY(cursor_u8(&c, &format));
    ST_TRY(cursor_u8(&c, &state));
    if (format == 0 || format > OUTCOME_FORMAT || state >= RECEIPT_STATES)
        return ST_CORRUPT;
    out->state = state;
    ST_TRY(get_text(&c, out->code, sizeof out->code));
    ST_TRY(get_text(&c, out->before, sizeof out->before));
    ST_TRY(get_text(&c, out->after, sizeof out->after));
    ST_TRY(get_bytes(&c, out->after_digest, 32));
    ST_TRY(cursor_le64(&c, &out->started_ms));
    ST_TRY(cursor_le64(&c, &out->ended_ms));
    ST_TRY(cursor_le64(&c, &out->mono_ms));
    ST_TRY(get_run(&c, out));
    ST_TRY(get_text(&c, out->detail, sizeof out->detail));
    if (format > 1)
        ST_TRY(get_bytes(&c, out->plan, 16));
    return cursor_end(&c);
}
