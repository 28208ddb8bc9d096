// Reads comma-separated values with a header. The contract stands in decoder.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/intake/decoder.h"
#include "agent/intake/field.h"
#include "agent/intake/flat.h"
#include "agent/intake/stamp.h"
#include "agent/intake/word.h"
#include "common/base/mem.h"

#define COLUMNS_MAX 1024

enum column_use {
    USE_NONE,
    USE_TIME,
    USE_ID,
    USE_VERSION,
    USE_VALUE,
};

struct column {
    enum column_use use;
    enum observation_side side;
    char name[OBSERVATION_NAME_MAX + 1];
    size_t name_size;
};

struct csv {
    const struct mapping *mapping;
    struct column *column;
    uint32_t columns; // 0: no header was read yet
    struct flat flat;
    struct buf held;
};

// --- Header

static const struct mapping_column *find_column(const struct mapping_column *c,
                                                uint32_t n, struct span name)
{
    for (uint32_t i = 0; i < n; i++)
        if (span_is(name, c[i].path))
            return &c[i];
    return NULL;
}

static bool is_named(const char *wanted, struct span name)
{
    return wanted && span_is(name, wanted);
}

static void use_as(struct column *c, enum observation_side side,
                   const struct mapping_column *as, struct span name)
{
    struct span used = as->name ? span_text(as->name) : name;
    c->use = USE_VALUE;
    c->side = side;
    c->name_size = used.size < OBSERVATION_NAME_MAX ? used.size : OBSERVATION_NAME_MAX;
    memcpy(c->name, used.data, c->name_size);
}

static void assign(const struct mapping *m, struct span name, struct column *c)
{
    const struct mapping_column *as;
    const struct mapping_column itself = {0};
    *c = (struct column){.use = USE_NONE};
    if (is_named(m->time, name))
        c->use = USE_TIME;
    else if (is_named(m->id, name))
        c->use = USE_ID;
    else if (is_named(m->version_column, name))
        c->use = USE_VERSION;
    else if ((as = find_column(m->labels, m->n_labels, name)))
        use_as(c, SIDE_LABEL, as, name);
    else if ((as = find_column(m->outputs, m->n_outputs, name)))
        use_as(c, SIDE_OUTPUT, as, name);
    else if ((as = find_column(m->inputs, m->n_inputs, name)))
        use_as(c, SIDE_INPUT, as, name);
    else if (m->n_inputs == 0 && m->n_labels == 0)
        use_as(c, SIDE_INPUT, &itself, name);
}

// Whether a line names all columns that the mapping asks for.
static bool has_all(const struct csv *c, struct span line)
{
    const struct mapping *m = c->mapping;
    uint32_t wanted = (m->time != NULL) + (m->id != NULL) +
                      (m->version_column != NULL) + m->n_inputs + m->n_outputs +
                      m->n_labels;
    uint32_t found = 0;
    struct buf held;
    bool more = true;
    buf_init(&held, OBSERVATION_LINE_MAX);
    while (more) {
        struct span name;
        if (field_next(&line, &held, &name, &more) != ST_OK)
            break;
        found += is_named(m->time, name) + is_named(m->id, name) +
                 is_named(m->version_column, name) +
                 (find_column(m->inputs, m->n_inputs, name) != NULL) +
                 (find_column(m->outputs, m->n_outputs, name) != NULL) +
                 (find_column(m->labels, m->n_labels, name) != NULL);
    }
    buf_fini(&held);
    return found >= wanted;
}

// A file that goes on without a header keeps the one of the file before.
static bool read_header(void *self, struct span line)
{
    struct csv *c = self;
    bool more = true;
    if (line.size >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0)
        line = span_of(line.data + 3, line.size - 3);
    if (c->columns > 0 && !has_all(c, line))
        return false;
    c->columns = 0;
    while (more && c->columns < COLUMNS_MAX) {
        struct span name;
        if (field_next(&line, &c->held, &name, &more) != ST_OK) {
            c->columns = 0;
            return true;
        }
        assign(c->mapping, name, &c->column[c->columns++]);
    }
    return true;
}

// --- Rows

struct row {
    struct observation o;
    struct word id;
    struct word version;
    struct word written;
};

static enum status take_word(struct span field, struct word *word, struct span *out)
{
    ST_TRY(word_set(word, field));
    *out = word_span(word);
    return ST_OK;
}

static enum status take_field(struct csv *c, const struct column *column,
                              struct span field, struct row *row)
{
    switch (column->use) {
    case USE_TIME:
        if (field.size == 0)
            return ST_OK;
        row->o.has_time = true;
        ST_TRY(stamp_text(field, &row->o.t));
        return take_word(field, &row->written, &row->o.written);
    case USE_ID:
        return take_word(field, &row->id, &row->o.id);
    case USE_VERSION:
        return field.size ? take_word(field, &row->version, &row->o.version) : ST_OK;
    case USE_VALUE:
        return field_put(&c->flat, span_of(column->name, column->name_size),
                         column->side, field);
    case USE_NONE:
        break;
    }
    return ST_OK;
}

static enum status read_line(void *self, struct span line, uint64_t now_ns,
                             const struct observation_sink *sink)
{
    struct csv *c = self;
    struct row row = {.o = {.model = span_text(c->mapping->model),
                            .version = span_text(c->mapping->version),
                            .t = now_ns,
                            .weight = 1}};
    bool more = true;
    uint32_t at = 0;
    flat_clear(&c->flat);
    while (more) {
        struct span field;
        ST_TRY(field_next(&line, &c->held, &field, &more));
        if (at == c->columns)
            return ST_CORRUPT;
        ST_TRY(take_field(c, &c->column[at++], field, &row));
    }
    row.o.value = flat_row(&c->flat, &row.o.values);
    if (at != c->columns || row.o.values == 0)
        return ST_CORRUPT;
    sink->row(sink->self, &row.o);
    return ST_OK;
}

static void close_csv(void *self)
{
    struct csv *c = self;
    mem_free(c->column);
    flat_fini(&c->flat);
    buf_fini(&c->held);
    mem_free(c);
}

enum status decoder_csv(const struct mapping *m, struct decoder *out)
{
    struct csv *c = MEM_NEW(struct csv);
    if (!c)
        return ST_NOMEM;
    c->mapping = m;
    buf_init(&c->held, OBSERVATION_LINE_MAX);
    enum status st = flat_init(&c->flat, OBSERVATION_VALUES_MAX);
    c->column = mem_zero(COLUMNS_MAX, sizeof *c->column);
    if (st == ST_OK && !c->column)
        st = ST_NOMEM;
    if (st != ST_OK) {
        close_csv(c);
        return st;
    }
    *out = (struct decoder){
        .self = c, .line = read_line, .header = read_header, .close = close_csv};
    return ST_OK;
}
