// Describe: one line of Markdown for each row of a table.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/describe.h"

#include <inttypes.h>
#include <stdbool.h>

static const char *const words[] = {
    [FIELD_VERSION] = "the number",
    [FIELD_BOOL] = "bool",
    [FIELD_U8] = "number",
    [FIELD_U16] = "number",
    [FIELD_U32] = "number",
    [FIELD_U64] = "number",
    [FIELD_I64] = "signed number",
    [FIELD_F64] = "float, finite",
    [FIELD_F64_ANY] = "float",
    [FIELD_ID] = "id",
    [FIELD_TEXT] = "text",
    [FIELD_NAME] = "name",
    [FIELD_BYTES] = "bytes",
    [FIELD_STRUCT] = "",
    [FIELD_LIST] = "list of ",
    [FIELD_SORTED] = "rising list of ",
    [FIELD_U64S] = "list of numbers",
    [FIELD_TEXTS] = "list of texts",
    [FIELD_BLOBS] = "list of 32 bytes each",
    [FIELD_PAIRS] = "map of texts",
    [FIELD_TALLY] = "map of numbers",
};

static const char *const needs[] = {
    [FIELD_MUST] = "must",
    [FIELD_MAY] = "may",
    [FIELD_NIL] = "or nil",
};

static uint64_t most_of(const struct field *f)
{
    if (f->max || f->width >= sizeof(uint64_t))
        return f->max;
    return (UINT64_C(1) << 8 * f->width) - 1;
}

void describe_type(const struct field *f, struct buf *out)
{
    buf_put_text(out, words[f->type]);
    switch (f->type) {
    case FIELD_VERSION:
        buf_printf(out, " %" PRIu64, f->max);
        return;
    case FIELD_ID:
        buf_printf(out, ", %" PRIu64 " bytes", f->max);
        return;
    case FIELD_STRUCT:
        buf_put_text(out, f->of->type);
        return;
    case FIELD_BOOL:
    case FIELD_I64:
    case FIELD_F64:
    case FIELD_F64_ANY:
        return;
    case FIELD_LIST:
    case FIELD_SORTED:
        buf_put_text(out, f->of->type);
        break;
    default:
        break;
    }
    if (most_of(f))
        buf_printf(out, " <= %" PRIu64, most_of(f));
}

// A word of a table, in which a bar would end the cell.
static void put_cell(const char *text, struct buf *out)
{
    for (const char *c = text; *c; c++)
        if (*c == '|')
            buf_put_text(out, "\\|");
        else
            buf_put_u8(out, (uint8_t)*c);
}

static void put_table(const struct message *m, struct buf *out)
{
    buf_put_text(out, "| key | type | | meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < m->fields; i++) {
        const struct field *f = &m->field[i];
        buf_printf(out, "| `%s` | ", f->name);
        describe_type(f, out);
        buf_printf(out, " | %s | ", needs[f->need]);
        put_cell(f->note ? f->note : "", out);
        buf_put_text(out, " |\n");
    }
}

// Whether an earlier field of `m` already brought the part.
static bool is_told(const struct message *m, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (m->field[i].of == m->field[index].of)
            return true;
    return false;
}

static void put_parts(const struct message *m, struct buf *out)
{
    for (uint32_t i = 0; i < m->fields; i++) {
        const struct message *part = m->field[i].of;
        if (!part || is_told(m, i))
            continue;
        buf_printf(out, "\nEach *%s*%s: %s\n\n", part->type,
                   part->shape == MESSAGE_ROW ? " (a row: an array in this order)" : "",
                   part->note);
        put_table(part, out);
        put_parts(part, out);
    }
}

void describe_message(const struct message *m, struct buf *out)
{
    buf_printf(out, "\n### %s\n\n%s\n\n", m->type, m->note);
    put_table(m, out);
    put_parts(m, out);
}
