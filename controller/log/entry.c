// Entry: a small framing of our own: a format byte, then lengths before texts.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/entry.h"

#include <assert.h>
#include <string.h>

#include "common/base/cursor.h"

#define COMMAND_FORMAT 1
#define AGENT_FORMAT 1

static void put_text(struct buf *out, struct span s)
{
    buf_put_varint(out, s.size);
    buf_put_span(out, s);
}

static enum status read_text(struct cursor *c, struct span *out)
{
    uint64_t size;
    ST_TRY(cursor_varint(c, &size));
    if (size > c->left.size)
        return ST_CORRUPT;
    return cursor_bytes(c, (size_t)size, out);
}

static enum status read_id(struct cursor *c, size_t size, const uint8_t **out)
{
    struct span s;
    ST_TRY(cursor_bytes(c, size, &s));
    *out = s.data;
    return ST_OK;
}

// agent id, the size of the signatures (0 for what is not signed), body, signatures.
void entry_put_report(struct buf *out, const struct entry_report *e)
{
    buf_put(out, e->agent, 16);
    buf_put_be32(out, (uint32_t)e->sigs.size);
    buf_put_span(out, e->body);
    buf_put_span(out, e->sigs);
}

enum status entry_read_report(struct span body, struct entry_report *out)
{
    struct cursor c = {body};
    struct entry_report e = {0};
    uint32_t sigs;
    ST_TRY(read_id(&c, 16, &e.agent));
    ST_TRY(cursor_be32(&c, &sigs));
    if (sigs > c.left.size)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(&c, c.left.size - sigs, &e.body));
    e.sigs = c.left;
    *out = e;
    return ST_OK;
}

void entry_put_command(struct buf *out, const struct entry_command *e)
{
    assert(e->args <= ENTRY_ARGS_MAX);
    buf_put_u8(out, COMMAND_FORMAT);
    buf_put_be64(out, e->request);
    put_text(out, e->verb);
    put_text(out, e->actor);
    put_text(out, e->role);
    put_text(out, e->from);
    buf_put_varint(out, e->args);
    for (uint32_t i = 0; i < e->args; i++) {
        put_text(out, e->arg[i].key);
        put_text(out, e->arg[i].value);
    }
    put_text(out, e->random);
    put_text(out, e->blob);
}

enum status entry_read_command(struct span body, struct entry_command *out)
{
    struct cursor c = {body};
    uint8_t format;
    uint64_t args;
    ST_TRY(cursor_u8(&c, &format));
    if (format != COMMAND_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_be64(&c, &out->request));
    ST_TRY(read_text(&c, &out->verb));
    ST_TRY(read_text(&c, &out->actor));
    ST_TRY(read_text(&c, &out->role));
    ST_TRY(read_text(&c, &out->from));
    ST_TRY(cursor_varint(&c, &args));
    if (args > ENTRY_ARGS_MAX)
        return ST_CORRUPT;
    out->args = (uint32_t)args;
    for (uint32_t i = 0; i < out->args; i++) {
        ST_TRY(read_text(&c, &out->arg[i].key));
        ST_TRY(read_text(&c, &out->arg[i].value));
    }
    ST_TRY(read_text(&c, &out->random));
    ST_TRY(read_text(&c, &out->blob));
    return cursor_end(&c);
}

void entry_put_agent(struct buf *out, const struct entry_agent *e)
{
    buf_put_u8(out, AGENT_FORMAT);
    buf_put_be64(out, e->request);
    buf_put(out, e->token, 8);
    buf_put(out, e->curve, 32);
    buf_put(out, e->sign, 32);
    put_text(out, e->host);
    put_text(out, e->software);
    put_text(out, e->address);
}

enum status entry_read_agent(struct span body, struct entry_agent *out)
{
    struct cursor c = {body};
    struct entry_agent e = {0};
    uint8_t format;
    ST_TRY(cursor_u8(&c, &format));
    if (format != AGENT_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_be64(&c, &e.request));
    ST_TRY(read_id(&c, 8, &e.token));
    ST_TRY(read_id(&c, 32, &e.curve));
    ST_TRY(read_id(&c, 32, &e.sign));
    ST_TRY(read_text(&c, &e.host));
    ST_TRY(read_text(&c, &e.software));
    ST_TRY(read_text(&c, &e.address));
    ST_TRY(cursor_end(&c));
    *out = e;
    return ST_OK;
}

struct span entry_arg(const struct entry_command *c, const char *key)
{
    for (uint32_t i = 0; i < c->args; i++) {
        if (span_is(c->arg[i].key, key))
            return c->arg[i].value;
    }
    return (struct span){0};
}
