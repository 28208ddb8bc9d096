// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct csv {
    FILE *file;
    char *row; // the row as it is cut into fields, in place
    size_t row_size;
    uint64_t line;
    char *header;
    struct span name[CSV_FIELDS_MAX];
    uint32_t columns;
};

// One record into c->row, over line ends inside quotes. ST_EMPTY at the end.
static enum status read_record(struct csv *c)
{
    bool is_quoted = false;
    c->row_size = 0;
    for (;;) {
        int byte = getc(c->file);
        if (byte == EOF) {
            if (ferror(c->file))
                return ST_IO;
            if (is_quoted)
                return ST_CORRUPT;
            if (c->row_size == 0)
                return ST_EMPTY;
            break;
        }
        if (byte == '\n' && !is_quoted) {
            c->line++;
            if (c->row_size == 0 || (c->row_size == 1 && c->row[0] == '\r')) {
                c->row_size = 0;
                continue;
            }
            break;
        }
        if (byte == '"')
            is_quoted = !is_quoted;
        if (c->row_size + 1 >= CSV_ROW_MAX)
            return ST_FULL;
        c->row[c->row_size++] = (char)byte;
    }
    if (c->row[c->row_size - 1] == '\r')
        c->row_size--;
    c->row[c->row_size] = '\0';
    return ST_OK;
}

// Takes the quotes off a field, in place.
static struct span unquote(char *text, size_t size)
{
    if (size < 2 || text[0] != '"')
        return span_of(text, size);
    size_t n = 0;
    for (size_t i = 1; i + 1 < size; i++) {
        if (text[i] == '"' && text[i + 1] == '"')
            i++;
        text[n++] = text[i];
    }
    return span_of(text, n);
}

static enum status cut(char *row, size_t size, struct span *field, uint32_t most,
                       uint32_t *count)
{
    size_t start = 0;
    bool is_quoted = false;
    *count = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && row[i] == '"')
            is_quoted = !is_quoted;
        if (i < size && (row[i] != ',' || is_quoted))
            continue;
        if (*count == most)
            return ST_CORRUPT;
        field[(*count)++] = unquote(row + start, i - start);
        start = i + 1;
    }
    return ST_OK;
}

static enum status read_header(struct csv *c)
{
    enum status st = read_record(c);
    if (st != ST_OK)
        return st == ST_EMPTY ? ST_CORRUPT : st;
    c->header = mem_text(span_of(c->row, c->row_size));
    if (!c->header)
        return ST_NOMEM;
    return cut(c->header, c->row_size, c->name, CSV_FIELDS_MAX, &c->columns);
}

enum status csv_open(const char *path, struct csv **out)
{
    struct csv *c = MEM_NEW(struct csv);
    if (!c)
        return ST_NOMEM;
    c->row = mem_zero(1, CSV_ROW_MAX);
    c->file = fopen(path, "re");
    enum status st = ST_OK;
    if (!c->row)
        st = ST_NOMEM;
    else if (!c->file)
        st = errno == ENOENT ? ST_NOTFOUND : ST_IO;
    else
        st = read_header(c);
    if (st != ST_OK) {
        csv_close(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void csv_close(struct csv *c)
{
    if (!c)
        return;
    if (c->file)
        fclose(c->file);
    mem_free(c->row);
    mem_free(c->header);
    mem_free(c);
}

uint32_t csv_columns(const struct csv *c)
{
    return c->columns;
}

struct span csv_name(const struct csv *c, uint32_t column)
{
    return c->name[column];
}

int32_t csv_find(const struct csv *c, const char *name)
{
    for (uint32_t i = 0; i < c->columns; i++)
        if (span_is(c->name[i], name))
            return (int32_t)i;
    return -1;
}

enum status csv_next(struct csv *c, struct span *field)
{
    ST_TRY(read_record(c));
    uint32_t count;
    ST_TRY(cut(c->row, c->row_size, field, c->columns, &count));
    return count == c->columns ? ST_OK : ST_CORRUPT;
}

uint64_t csv_line(const struct csv *c)
{
    return c->line;
}

enum status csv_rewind(struct csv *c)
{
    if (fseek(c->file, 0, SEEK_SET) != 0)
        return ST_IO;
    c->line = 0;
    return read_record(c);
}

bool csv_is_missing(struct span field)
{
    return field.size == 0 || span_is(field, "NaN") || span_is(field, "nan") ||
           span_is(field, "null") || span_is(field, "NA");
}

bool csv_number(struct span field, double *out)
{
    char text[64];
    if (field.size == 0 || field.size >= sizeof text)
        return false;
    memcpy(text, field.data, field.size);
    text[field.size] = '\0';
    char *end;
    *out = strtod(text, &end);
    return *end == '\0';
}
