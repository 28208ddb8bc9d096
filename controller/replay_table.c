// Replay table: RFC 4180 with the line ends of either world.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "common/base/mem.h"

#define CHUNK (64u * 1024)

static enum status unpack(const char *path, struct buf *out, char *why)
{
    errno = 0;
    gzFile f = gzopen(path, "rb");
    if (!f) {
        snprintf(why, 256, "%s: %s", path, strerror(errno ? errno : ENOMEM));
        return errno == ENOENT ? ST_NOTFOUND : errno ? ST_IO : ST_NOMEM;
    }
    int got = 1;
    while (got > 0 && out->failed == ST_OK) {
        uint8_t *room = buf_reserve(out, CHUNK);
        got = room ? gzread(f, room, CHUNK) : 0;
        out->size -= room ? CHUNK - (uint32_t)(got > 0 ? got : 0) : 0;
    }
    int code = Z_OK;
    const char *said = gzerror(f, &code);
    bool broken = got < 0 || (code != Z_OK && code != Z_STREAM_END);
    if (broken)
        snprintf(why, 256, "%s: %s", path, code == Z_ERRNO ? strerror(errno) : said);
    else if (out->failed != ST_OK)
        snprintf(why, 256, "%s: %s", path, status_text(out->failed));
    gzclose(f);
    return broken ? ST_CORRUPT : out->failed;
}

// One field into `row`; returns where it ended: at a comma, a line end, or the end.
// *open tells that a quote was not closed.
static size_t read_field(const struct buf *text, size_t at, struct buf *row, bool *open)
{
    const uint8_t *p = text->data;
    bool quoted = at < text->size && p[at] == '"';
    at += quoted;
    *open = quoted;
    for (; at < text->size; at++) {
        if (quoted && *open && p[at] == '"') {
            if (at + 1 < text->size && p[at + 1] == '"')
                at++;
            else {
                *open = false;
                continue;
            }
        } else if (!(quoted && *open) &&
                   (p[at] == ',' || p[at] == '\n' || p[at] == '\r'))
            break;
        buf_put_u8(row, p[at]);
    }
    return at;
}

static bool at_line_end(const struct buf *text, size_t at)
{
    return at >= text->size || text->data[at] == '\n' || text->data[at] == '\r';
}

static size_t skip_line_end(const struct buf *text, size_t at)
{
    if (at < text->size && text->data[at] == '\r')
        at++;
    if (at < text->size && text->data[at] == '\n')
        at++;
    return at;
}

// Reads one row's fields: their ends in `row` first, spans once the buffer stands
// still.
static enum status read_row(struct replay_table *t, struct buf *row, struct span *field,
                            uint32_t most, uint32_t *fields)
{
    size_t start[REPLAY_FIELDS_MAX + 1];
    uint32_t n = 0;
    bool open = false, more = true;
    buf_clear(row);
    while (more) {
        if (n == most)
            return ST_CORRUPT;
        start[n++] = row->size;
        t->at = read_field(&t->text, t->at, row, &open);
        more = !open && t->at < t->text.size && t->text.data[t->at] == ',';
        t->at += more;
    }
    if (open)
        return ST_CORRUPT;
    if (row->failed != ST_OK)
        return row->failed;
    t->at = skip_line_end(&t->text, t->at);
    start[n] = row->size;
    for (uint32_t i = 0; i < n; i++)
        field[i] = span_of(row->data + start[i], start[i + 1] - start[i]);
    *fields = n;
    return ST_OK;
}

static enum status read_header(struct replay_table *t)
{
    struct span field[REPLAY_FIELDS_MAX];
    t->line = 1;
    ST_TRY(read_row(t, &t->head, field, REPLAY_FIELDS_MAX, &t->columns));
    t->name = mem_zero(t->columns, sizeof *t->name);
    t->field = mem_zero(t->columns, sizeof *t->field);
    if (!t->name || !t->field)
        return ST_NOMEM;
    memcpy(t->name, field, t->columns * sizeof *t->name);
    t->first = t->at;
    return ST_OK;
}

enum status replay_table_open(const char *path, struct replay_table *out, char why[256])
{
    memset(out, 0, sizeof *out);
    buf_init(&out->text, REPLAY_TABLE_BYTES_MAX);
    buf_init(&out->head, REPLAY_TABLE_BYTES_MAX);
    buf_init(&out->row, REPLAY_TABLE_BYTES_MAX);
    enum status st = unpack(path, &out->text, why);
    if (st == ST_OK && (st = read_header(out)) != ST_OK)
        snprintf(why, 256, "%s:1: the header cannot be read", path);
    if (st != ST_OK)
        replay_table_close(out);
    return st;
}

void replay_table_close(struct replay_table *t)
{
    buf_fini(&t->text);
    buf_fini(&t->head);
    buf_fini(&t->row);
    mem_free(t->name);
    mem_free(t->field);
    memset(t, 0, sizeof *t);
}

int replay_table_column(const struct replay_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->columns; i++)
        if (span_is(t->name[i], name))
            return (int)i;
    return -1;
}

void replay_table_rewind(struct replay_table *t)
{
    t->at = t->first;
    t->line = 1;
}

enum status replay_table_next(struct replay_table *t)
{
    uint32_t fields;
    while (t->at < t->text.size && at_line_end(&t->text, t->at)) {
        t->at = skip_line_end(&t->text, t->at);
        t->line++;
    }
    if (t->at >= t->text.size)
        return ST_EMPTY;
    t->line++;
    ST_TRY(read_row(t, &t->row, t->field, t->columns, &fields));
    return fields == t->columns ? ST_OK : ST_CORRUPT;
}
