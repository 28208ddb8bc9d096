// Line: the values of a command line by name. The contracts are in command.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/command.h"

#include <assert.h>
#include <string.h>

static const struct option_row *find_among(const struct option_row *row, size_t count,
                                           const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(row[i].name, name) == 0)
            return &row[i];
    }
    return NULL;
}

static const struct option_row *find_row(const struct command_line *line,
                                         const char *name)
{
    const struct option_row *row =
        find_among(line->verb->option, line->verb->options, name);
    if (!row)
        row = find_among(line->command->option, line->command->options, name);
    assert(row);
    return row;
}

// The last one given counts.
static const struct command_given *find_given(const struct command_line *line,
                                              const struct option_row *row)
{
    for (size_t i = line->given_count; i > 0; i--) {
        if (line->given[i - 1].row == row)
            return &line->given[i - 1];
    }
    return NULL;
}

bool command_has(const struct command_line *line, const char *name)
{
    return find_given(line, find_row(line, name)) != NULL;
}

bool command_flag(const struct command_line *line, const char *name)
{
    return command_has(line, name);
}

const char *command_text(const struct command_line *line, const char *name)
{
    const struct option_row *row = find_row(line, name);
    const struct command_given *given = find_given(line, row);
    return given ? given->text : row->standard;
}

// The parser has checked what was given, and the table's author the standards.
static void store(const struct command_line *line, const char *name, void *field)
{
    const struct option_row *row = find_row(line, name);
    const char *text = command_text(line, name);
    if (!text || !text[0])
        return;
    struct buf why;
    buf_init(&why, 0);
    enum status st = value_store(row->type, row->rule, span_text(text), field, &why);
    assert(st == ST_OK);
    (void)st;
    buf_fini(&why);
}

uint64_t command_u64(const struct command_line *line, const char *name)
{
    if (find_row(line, name)->type == VALUE_WORD) {
        unsigned word = 0;
        store(line, name, &word);
        return word;
    }
    uint64_t v = 0;
    store(line, name, &v);
    return v;
}

double command_f64(const struct command_line *line, const char *name)
{
    double v = 0;
    store(line, name, &v);
    return v;
}

const char *command_each(const struct command_line *line, const char *name, size_t *at)
{
    const struct option_row *row = find_row(line, name);
    while (*at < line->given_count) {
        const struct command_given *given = &line->given[(*at)++];
        if (given->row == row)
            return given->text;
    }
    return NULL;
}

const char *command_operand(const struct command_line *line, size_t i)
{
    return i < line->operands ? line->operand[i] : NULL;
}
