// SPDX-License-Identifier: Apache-2.0
#include "agent/model/changes.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define CHANGES_VERSION 1

static const struct {
    const char *name;
    const char *notice;
    const char *say;
} kinds[CHANGE_KINDS] = {
    [CHANGE_ADDED] = {"added", "schema_changed",
                      "is new, and left out until the schema is accepted"},
    [CHANGE_REMOVED] = {"removed", "schema_changed", "is gone, and counts as missing"},
    [CHANGE_RETYPED] = {"retyped", "schema_changed", "has values of another type"},
    [CHANGE_REORDERED] = {"reordered", "schema_changed",
                          "stands at another place in the row"},
    [CHANGE_DEAD] = {"dead", "column_dead", "has no value any more"},
    [CHANGE_STUCK] = {"stuck", "column_stuck", "has one value only"},
    [CHANGE_APPEARED] = {"appeared", "category_appeared",
                         "has categories that it did not have"},
    [CHANGE_LEFT_OUT] = {"left_out", "column_left_out",
                         "has another value in each row: an id is no feature"},
};

const char *change_name(enum change_kind kind)
{
    return kinds[kind].name;
}

const char *change_notice(enum change_kind kind)
{
    return kinds[kind].notice;
}

void changes_fini(struct changes *c)
{
    mem_free(c->item);
    *c = (struct changes){0};
}

static struct change *find(const struct changes *c, enum change_kind kind,
                           struct span version, struct span column)
{
    for (uint32_t i = 0; i < c->n; i++) {
        struct change *one = &c->item[i];
        if (one->kind == kind && span_is(column, one->column) &&
            span_is(version, one->version))
            return one;
    }
    return NULL;
}

void changes_note(struct changes *c, const struct change *change)
{
    if (find(c, change->kind, span_text(change->version), span_text(change->column)))
        return;
    if (!c->item)
        c->item = mem_zero(CHANGES_MAX, sizeof *c->item);
    if (!c->item || c->n == CHANGES_MAX) {
        c->unnoted++;
        return;
    }
    c->item[c->n] = *change;
    c->item[c->n++].is_told = false;
}

void changes_end(struct changes *c, enum change_kind kind, struct span version,
                 struct span column)
{
    struct change *one = find(c, kind, version, column);
    if (one)
        *one = c->item[--c->n];
}

void changes_end_all(struct changes *c, enum change_kind kind, struct span version)
{
    for (uint32_t i = c->n; i-- > 0;)
        if (c->item[i].kind == kind && span_is(version, c->item[i].version))
            c->item[i] = c->item[--c->n];
}

bool changes_stand(const struct changes *c, enum change_kind kind, struct span version,
                   struct span column)
{
    return find(c, kind, version, column) != NULL;
}

void changes_clear(struct changes *c)
{
    c->n = 0;
}

void change_describe(const struct change *change, struct buf *out)
{
    const char *more = change->more;
    buf_printf(out, "%s: column %s of version %s %s%s%s%s", change_name(change->kind),
               change->column, change->version, kinds[change->kind].say,
               more[0] ? " (" : "", more, more[0] ? ")" : "");
}

// --- Kept

static void put_text(struct buf *out, const char *text)
{
    size_t size = strlen(text);
    buf_put_u8(out, (uint8_t)size);
    buf_put(out, text, size);
}

static enum status take_text(struct cursor *from, char *out, size_t room)
{
    uint8_t size;
    struct span text;
    ST_TRY(cursor_u8(from, &size));
    ST_TRY(cursor_bytes(from, size, &text));
    if (text.size >= room || memchr(text.data, 0, text.size))
        return ST_CORRUPT;
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
    return ST_OK;
}

void changes_save(const struct changes *c, struct buf *out)
{
    buf_put_u8(out, CHANGES_VERSION);
    buf_put_u8(out, CHANGE_KINDS);
    for (uint32_t i = 0; i < CHANGE_KINDS; i++)
        buf_put_varint(out, c->count[i]);
    buf_put_varint(out, c->unnoted);
    buf_put_u8(out, (uint8_t)c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct change *one = &c->item[i];
        buf_put_u8(out, (uint8_t)one->kind);
        buf_put_u8(out, one->is_told || one->is_told_then);
        buf_put_le64(out, one->at);
        put_text(out, one->version);
        put_text(out, one->column);
        put_text(out, one->more);
    }
}

static enum status load_one(struct cursor *from, struct changes *c)
{
    struct change one = {0};
    uint8_t kind, is_told;
    ST_TRY(cursor_u8(from, &kind));
    ST_TRY(cursor_u8(from, &is_told));
    ST_TRY(cursor_le64(from, &one.at));
    ST_TRY(take_text(from, one.version, sizeof one.version));
    ST_TRY(take_text(from, one.column, sizeof one.column));
    ST_TRY(take_text(from, one.more, sizeof one.more));
    if (kind >= CHANGE_KINDS || c->n == CHANGES_MAX)
        return ST_CORRUPT;
    one.kind = (enum change_kind)kind;
    uint32_t before = c->n;
    changes_note(c, &one);
    if (c->n > before)
        c->item[before].is_told = is_told != 0;
    return ST_OK;
}

enum status changes_load(struct cursor *from, struct changes *out)
{
    uint8_t version, n_kinds, n;
    ST_TRY(cursor_u8(from, &version));
    ST_TRY(cursor_u8(from, &n_kinds));
    if (version != CHANGES_VERSION || n_kinds > CHANGE_KINDS)
        return ST_VERSION;
    for (uint32_t i = 0; i < n_kinds; i++)
        ST_TRY(cursor_varint(from, &out->count[i]));
    ST_TRY(cursor_varint(from, &out->unnoted));
    ST_TRY(cursor_u8(from, &n));
    for (uint32_t i = 0; i < n; i++)
        ST_TRY(load_one(from, out));
    return ST_OK;
}

void changes_status(const struct changes *c, struct json *out)
{
    json_key(out, "counts");
    json_object(out);
    for (uint32_t i = 0; i < CHANGE_KINDS; i++)
        json_key_u64(out, change_name((enum change_kind)i), c->count[i]);
    json_key_u64(out, "unnoted", c->unnoted);
    json_object_end(out);
    json_key(out, "changes");
    json_array(out);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct change *one = &c->item[i];
        json_object(out);
        json_key_cstr(out, "change", change_name(one->kind));
        json_key_cstr(out, "column", one->column);
        json_key_cstr(out, "version", one->version);
        json_key_cstr(out, "detail", one->more);
        json_key_time(out, "since", one->at);
        json_object_end(out);
    }
    json_array_end(out);
}
