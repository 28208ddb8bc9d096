// Example: a commented configuration file out of the table. The contract is in conf.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/conf.h"

#include <string.h>

// An option's text as it must stand in a file.
static void put_value(const struct conf_row *row, struct buf *out)
{
    const char *text = row->standard ? row->standard : "";
    if (row->type == VALUE_LIST) {
        buf_put_text(out, "{}");
        return;
    }
    buf_put_u8(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)*p);
    }
    buf_put_u8(out, '"');
}

static void put_option(const struct conf_row *row, const char *indent, struct buf *out)
{
    buf_printf(out, "%s# %s: %s", indent, value_noun(row->type), row->help);
    if (row->rule)
        buf_printf(out, " (%s)", row->rule);
    buf_printf(out, "%s\n", row->standard ? "" : "; must be given");
    // What may stay empty stays out, since "" is rarely a value of the type.
    bool is_out = row->standard && !row->standard[0];
    buf_printf(out, "%s%s%s = ", indent, is_out ? "# " : "", row->name);
    put_value(row, out);
    buf_put_text(out, "\n\n");
}

static void put_table(const struct conf_table *t, const char *indent, struct buf *out);

// Sections are shown, but commented out: an example must not make a model.
static void put_section(const struct conf_row *row, const char *indent, struct buf *out)
{
    char inner[64];
    size_t size = strlen(indent);
    const char *mark = strchr(indent, '#') ? "    " : "# ";
    if (size + strlen(mark) >= sizeof inner)
        return;
    memcpy(inner, indent, size);
    strcpy(inner + size, mark);
    buf_printf(out, "%s%s%s%s {    # %s\n", inner, row->name,
               row->table->has_title ? " " : "",
               row->table->has_title ? "\"TITLE\"" : "", row->table->help);
    put_table(row->table, inner, out);
    buf_printf(out, "%s}\n\n", inner);
}

static void put_table(const struct conf_table *t, const char *indent, struct buf *out)
{
    for (size_t i = 0; i < t->rows; i++) {
        if (t->row[i].table)
            put_section(&t->row[i], indent, out);
        else
            put_option(&t->row[i], indent, out);
    }
}

void conf_example(const struct conf_table *table, struct buf *out)
{
    buf_printf(out, "# %s: %s\n\n", table->name, table->help);
    put_table(table, "", out);
}
