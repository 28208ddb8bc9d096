// Help: the pages of --help, out of the tables. The contract is in command.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/command.h"

#include <string.h>

#define HELP_COLUMNS 88
#define LABEL_MAX 64

// "-o, --output WORD".
static void label_of(const struct option_row *row, struct buf *out)
{
    if (row->letter)
        buf_printf(out, "-%c, --%s", row->letter, row->name);
    else
        buf_printf(out, "    --%s", row->name);
    if (row->type != VALUE_FLAG)
        buf_printf(out, " %s",
                   row->placeholder ? row->placeholder : value_placeholder(row->type));
}

static size_t label_size(const struct option_row *row)
{
    struct buf label;
    buf_init(&label, LABEL_MAX);
    label_of(row, &label);
    size_t size = label.size;
    buf_fini(&label);
    return size;
}

// Fills the words of `text` from column `indent` on; the cursor stands at `at`.
static void put_filled(const char *text, size_t at, size_t indent, struct buf *out)
{
    bool is_first = true;
    while (*text) {
        size_t size = strcspn(text, " ");
        if (!is_first && at + 1 + size > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!is_first) {
            buf_put_u8(out, ' ');
            at++;
        }
        buf_put(out, text, size);
        at += size;
        text += size;
        text += strspn(text, " ");
        is_first = false;
    }
    buf_put_u8(out, '\n');
}

static void put_option(const struct option_row *row, size_t width, struct buf *out)
{
    struct buf text;
    buf_init(&text, VALUE_TEXT_MAX);
    buf_put_text(&text, row->help);
    if (row->rule)
        buf_printf(&text, " (%s)", row->rule);
    if (row->standard && row->standard[0])
        buf_printf(&text, " [%s]", row->standard);
    buf_put_text(out, "  ");
    size_t before = out->size;
    label_of(row, out);
    size_t size = out->size - before;
    buf_printf(out, "%*s", (int)(width - size + 2), "");
    put_filled(buf_cstr(&text), width + 4, width + 4, out);
    buf_fini(&text);
}

static void put_options(const char *title, const struct option_row *row, size_t count,
                        size_t width, struct buf *out)
{
    if (count == 0)
        return;
    buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count; i++)
        put_option(&row[i], width, out);
}

static size_t widest(const struct option_row *row, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = label_size(&row[i]);
        if (size > width)
            width = size;
    }
    return width;
}

static void help_verb(const struct command *command, const struct verb_row *verb,
                      struct buf *out)
{
    static const char blank[] = " ";
    buf_printf(out, "Usage: %s%s%s [OPTION...]%s%s\n\n", command->program,
               verb->path[0] ? blank : "", verb->path, verb->operands[0] ? blank : "",
               verb->operands);
    put_filled(verb->help, 0, 0, out);
    if (verb->more)
        buf_printf(out, "\n%s\n", verb->more);
    size_t width = widest(verb->option, verb->options, 0);
    width = widest(command->option, command->options, width);
    put_options("Options", verb->option, verb->options, width, out);
    put_options("Everywhere", command->option, command->options, width, out);
}

static void help_program(const struct command *command, struct buf *out)
{
    buf_printf(out, "Usage: %s [OPTION...] VERB ...\n\n", command->program);
    put_filled(command->purpose, 0, 0, out);
    buf_put_text(out, "\nVerbs:\n");
    size_t width = 0;
    for (size_t i = 0; i < command->verbs; i++) {
        size_t size = strlen(command->verb[i].path);
        width = size > width ? size : width;
    }
    for (size_t i = 0; i < command->verbs; i++) {
        const struct verb_row *verb = &command->verb[i];
        buf_printf(out, "  %-*s  ", (int)width, verb->path);
        put_filled(verb->help, width + 4, width + 4, out);
    }
    put_options("Everywhere", command->option, command->options,
                widest(command->option, command->options, 0), out);
    buf_printf(out, "\n'%s VERB --help' tells more.\n", command->program);
}

void command_help(const struct command *command, const struct verb_row *verb,
                  struct buf *out)
{
    bool has_verbs = command->verbs > 1 || command->verb[0].path[0];
    if (verb)
        help_verb(command, verb, out);
    else if (has_verbs)
        help_program(command, out);
    else
        help_verb(command, &command->verb[0], out);
}

static bool is_of_group(const struct verb_row *verb, const char *word)
{
    size_t size = strlen(word);
    return strncmp(verb->path, word, size) == 0 && verb->path[size] == ' ';
}

bool command_help_group(const struct command *command, const char *word,
                        struct buf *out)
{
    size_t width = 0;
    for (size_t i = 0; i < command->verbs; i++) {
        const struct verb_row *verb = &command->verb[i];
        size_t size = strlen(verb->path) + 1 + strlen(verb->operands);
        if (is_of_group(verb, word) && size > width)
            width = size;
    }
    if (width == 0)
        return false;
    buf_printf(out, "Usage: %s %s VERB ...\n\nVerbs:\n", command->program, word);
    for (size_t i = 0; i < command->verbs; i++) {
        const struct verb_row *verb = &command->verb[i];
        if (!is_of_group(verb, word))
            continue;
        int blanks = (int)(width - strlen(verb->path) - 1 - strlen(verb->operands));
        buf_printf(out, "  %s %s%*s  ", verb->path, verb->operands, blanks, "");
        put_filled(verb->help, width + 4, width + 4, out);
    }
    buf_printf(out, "\n'%s %s VERB --help' tells more.\n", command->program, word);
    return true;
}
