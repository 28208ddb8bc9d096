// The bytes between the agent and the child that runs an executor.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/job.h"

#include "common/base/cursor.h"
#include "common/base/text.h"

#define JOB_FORMAT 1

static void put_span(struct buf *out, struct span s)
{
    buf_put_varint(out, s.size);
    buf_put_span(out, s);
}

static enum status get_span(struct cursor *c, size_t most, struct span *out)
{
    uint64_t size;
    ST_TRY(cursor_varint(c, &size));
    if (size > most)
        return ST_CORRUPT;
    return cursor_bytes(c, size, out);
}

// A name, or nothing.
static enum status get_name(struct cursor *c, struct span *out)
{
    ST_TRY(get_span(c, JOB_NAME_MAX, out));
    return out->size == 0 || text_is_name(*out) ? ST_OK : ST_CORRUPT;
}

static enum status get_bytes(struct cursor *c, uint8_t *out, size_t size)
{
    struct span s;
    ST_TRY(cursor_bytes(c, size, &s));
    memcpy(out, s.data, size);
    return ST_OK;
}

static enum status get_bool(struct cursor *c, bool *out)
{
    uint8_t v;
    ST_TRY(cursor_u8(c, &v));
    if (v > 1)
        return ST_CORRUPT;
    *out = v == 1;
    return ST_OK;
}

static enum status get_text(struct cursor *c, char *out, size_t out_size)
{
    struct span s;
    ST_TRY(get_span(c, out_size - 1, &s));
    if (memchr(s.data ? s.data : (const uint8_t *)"", 0, s.size))
        return ST_CORRUPT;
    memcpy(out, s.data ? s.data : (const uint8_t *)"", s.size);
    out[s.size] = '\0';
    return ST_OK;
}

void job_ask_put(struct buf *out, const struct job_ask *ask)
{
    buf_put_u8(out, JOB_FORMAT);
    buf_put_u8(out, (uint8_t)ask->verb);
    put_span(out, ask->path);
    buf_put(out, ask->executor_digest, 32);
    put_span(out, ask->action);
    put_span(out, ask->model);
    put_span(out, ask->from);
    put_span(out, ask->to);
    buf_put_u8(out, ask->has_digest);
    buf_put(out, ask->digest, 32);
    buf_put(out, ask->order, 16);
    buf_put(out, ask->incident, 16);
    buf_put_le32(out, ask->run_ms);
}

enum status job_ask_get(struct span bytes, struct job_ask *out)
{
    struct cursor c = {bytes};
    struct job_ask ask = {0};
    uint8_t format, verb;
    ST_TRY(cursor_u8(&c, &format));
    ST_TRY(cursor_u8(&c, &verb));
    if (format != JOB_FORMAT || verb < JOB_PROBE || verb > JOB_FINISH)
        return ST_CORRUPT;
    ask.verb = verb;
    ST_TRY(get_span(&c, 4095, &ask.path));
    ST_TRY(get_bytes(&c, ask.executor_digest, 32));
    ST_TRY(get_name(&c, &ask.action));
    ST_TRY(get_name(&c, &ask.model));
    ST_TRY(get_name(&c, &ask.from));
    ST_TRY(get_name(&c, &ask.to));
    ST_TRY(get_bool(&c, &ask.has_digest));
    ST_TRY(get_bytes(&c, ask.digest, 32));
    ST_TRY(get_bytes(&c, ask.order, 16));
    ST_TRY(get_bytes(&c, ask.incident, 16));
    ST_TRY(cursor_le32(&c, &ask.run_ms));
    ST_TRY(cursor_end(&c));
    bool is_change = ask.verb != JOB_PROBE;
    if (ask.run_ms == 0 || ask.run_ms > JOB_RUN_MS_MAX || ask.model.size == 0 ||
        (is_change && (ask.from.size == 0 || ask.to.size == 0)))
        return ST_CORRUPT;
    *out = ask;
    return ST_OK;
}

void job_answer_put(struct buf *out, const struct job_answer *answer)
{
    buf_put_u8(out, JOB_FORMAT);
    buf_put_u8(out, (uint8_t)answer->code);
    put_span(out, span_text(answer->version));
    buf_put_u8(out, answer->has_digest);
    buf_put(out, answer->digest, 32);
    buf_put_le32(out, (uint32_t)answer->exit_code);
    buf_put_le32(out, (uint32_t)answer->signal);
    buf_put_u8(out, answer->is_timeout);
    buf_put(out, answer->output_digest, 32);
    put_span(out, span_of(answer->tail, answer->tail_size));
    put_span(out, span_text(answer->detail));
}

enum status job_answer_get(struct span bytes, struct job_answer *out)
{
    struct cursor c = {bytes};
    struct job_answer answer = {0};
    uint8_t format, code;
    ST_TRY(cursor_u8(&c, &format));
    ST_TRY(cursor_u8(&c, &code));
    if (format != JOB_FORMAT || code < JOB_DONE || code > JOB_FAILED)
        return ST_CORRUPT;
    answer.code = code;
    ST_TRY(get_text(&c, answer.version, sizeof answer.version));
    if (answer.version[0] && !text_is_name(span_text(answer.version)))
        return ST_CORRUPT;
    ST_TRY(get_bool(&c, &answer.has_digest));
    ST_TRY(get_bytes(&c, answer.digest, 32));
    uint32_t exit_code, signal;
    ST_TRY(cursor_le32(&c, &exit_code));
    ST_TRY(cursor_le32(&c, &signal));
    answer.exit_code = exit_code <= 255 ? (int)exit_code : -1;
    answer.signal = signal <= 128 ? (int)signal : 0;
    ST_TRY(get_bool(&c, &answer.is_timeout));
    ST_TRY(get_bytes(&c, answer.output_digest, 32));
    struct span tail;
    ST_TRY(get_span(&c, JOB_TAIL_MAX, &tail));
    if (tail.size > 0)
        memcpy(answer.tail, tail.data, tail.size);
    answer.tail_size = (uint16_t)tail.size;
    ST_TRY(get_text(&c, answer.detail, sizeof answer.detail));
    ST_TRY(cursor_end(&c));
    *out = answer;
    return ST_OK;
}
