// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/sheet.h"

#include <stdio.h>

#include "agent/intake/field.h"

void sheet_init(struct sheet *s, struct teller *t)
{
    *s = (struct sheet){.teller = t};
    lines_init(&s->lines);
    buf_init(&s->held, OBSERVATION_LINE_MAX);
    columns_init(&s->names);
}

void sheet_fini(struct sheet *s)
{
    lines_fini(&s->lines);
    buf_fini(&s->held);
    columns_fini(&s->names);
}

void sheet_begin(struct sheet *s, bool has_header)
{
    lines_clear(&s->lines);
    columns_clear(&s->names);
    s->awaits_header = has_header;
}

static enum status take_header(struct sheet *s, struct span line)
{
    bool more = true;
    s->awaits_header = false;
    while (more) {
        struct span name;
        ST_TRY(field_next(&line, &s->held, &name, &more));
        ST_TRY(columns_begin(&s->names, name, SIDE_INPUT));
    }
    return ST_OK;
}

static struct span name_of(const struct sheet *s, uint32_t at, bool is_alone,
                           char text[16])
{
    if (at < s->names.n) {
        const struct column *c = &s->names.column[at];
        return span_of(s->names.names.data + c->name_at, c->name_size);
    }
    bool is_output = s->teller->side == SIDE_OUTPUT;
    if (is_output && is_alone)
        return span_text("y");
    snprintf(text, 16, "%s%u", is_output ? "y." : "c", at);
    return span_text(text);
}

static enum status take_row(struct sheet *s, struct span line)
{
    bool more = true;
    for (uint32_t at = 0; more; at++) {
        struct span field;
        char text[16];
        ST_TRY(field_next(&line, &s->held, &field, &more));
        struct span name = name_of(s, at, at == 0 && !more, text);
        ST_TRY(field_put(&s->teller->flat, name, s->teller->side, field));
    }
    return teller_hand(s->teller);
}

static enum status take_line(struct sheet *s, enum line_kind kind, struct span line)
{
    if (kind == LINE_OVERSIZE)
        return ST_FULL;
    if (line.size == 0)
        return ST_OK;
    return s->awaits_header ? take_header(s, line) : take_row(s, line);
}

enum status sheet_bytes(struct sheet *s, struct span bytes)
{
    for (;;) {
        struct span line;
        enum line_kind kind = lines_next(&s->lines, &bytes, &line);
        if (kind == LINE_NONE)
            return ST_OK;
        ST_TRY(take_line(s, kind, line));
    }
}

enum status sheet_end(struct sheet *s)
{
    struct span line;
    enum line_kind kind = lines_last(&s->lines, &line);
    return kind == LINE_NONE ? ST_OK : take_line(s, kind, line);
}
