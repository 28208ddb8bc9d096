// The parts of a body that name their columns first: {"columns", "data"} of MLflow and
// {"names", "ndarray" or "tensor"} of Seldon. The contracts stand in body_inner.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "agent/intake/body_inner.h"

static enum table_part part_of(struct span key)
{
    if (span_is(key, "columns") || span_is(key, "names"))
        return TABLE_NAMES;
    if (span_is(key, "data") || span_is(key, "ndarray"))
        return TABLE_LINES;
    return span_is(key, "tensor") ? TABLE_TENSOR : TABLE_OTHER;
}

// A column that was not named is called by its place.
static void begin_cell(struct body *b, uint32_t cell)
{
    struct teller *t = b->teller;
    char text[16];
    if (cell < b->names.n) {
        const struct column *c = &b->names.column[cell];
        flat_begin(&t->flat, span_of(b->names.names.data + c->name_at, c->name_size),
                   t->side);
        return;
    }
    bool is_output = t->side == SIDE_OUTPUT;
    snprintf(text, sizeof text, "%s%u", is_output ? "y." : "f", cell);
    flat_begin(&t->flat, span_text(text), t->side);
}

static enum status take_name(struct body *b, const struct step *s)
{
    if (s->depth != 2)
        return ST_OK;
    return s->token == TOKEN_STRING || s->token == TOKEN_NUMBER
               ? columns_begin(&b->names, s->text, SIDE_INPUT)
               : ST_CORRUPT;
}

// A line is an array of cells, an object, or a single cell.
static enum status take_line(struct body *b, const struct step *s)
{
    if (b->in_row || b->in_cell)
        return body_go_on(b, s);
    if (s->depth == 1)
        return ST_OK; // the lines' own array
    if (s->depth == 3) {
        begin_cell(b, b->cell++);
        b->in_cell = true;
        return body_go_on(b, s);
    }
    if (s->token == TOKEN_ARRAY_END)
        return teller_hand(b->teller);
    b->cell = 0;
    if (s->token == TOKEN_ARRAY)
        return ST_OK;
    if (s->token == TOKEN_OBJECT)
        return body_begin_row(b, s);
    begin_cell(b, 0);
    b->in_row = true;
    return body_go_on(b, s);
}

static enum status take_tensor(struct body *b, const struct step *s)
{
    struct tensor *t = &b->tensor;
    if (s->depth == 1 && s->token == TOKEN_OBJECT) {
        *t = (struct tensor){.part = TENSOR_OTHER};
        b->has_tensor = true;
        return columns_begin(&b->columns, (struct span){0}, b->teller->side);
    }
    if (s->depth == 2 && s->token == TOKEN_KEY)
        t->part = span_is(s->text, "shape")    ? TENSOR_SHAPE
                  : span_is(s->text, "values") ? TENSOR_DATA
                                               : TENSOR_OTHER;
    else if (t->part == TENSOR_SHAPE && s->token == TOKEN_NUMBER)
        return body_take_size(b, s);
    else if (t->part == TENSOR_DATA && s->depth > 2 && !step_begins(s) && !step_ends(s))
        return columns_cell(&b->columns, b->columns.n - 1, s->token, s->text,
                            s->number);
    return ST_OK;
}

static enum status play_cell(void *self, enum token token, struct span text,
                             double number)
{
    struct body *b = self;
    const struct step s = {0, token, text, number};
    return body_go_on(b, &s);
}

// The tensor's rows, under the table's names.
static enum status hand_tensor(struct body *b)
{
    const struct column *c = &b->columns.column[0];
    uint64_t rows = b->tensor.dimensions > 0 ? b->tensor.shape[0] : 1;
    uint64_t cells = 1;
    size_t at = c->from;
    for (uint32_t i = 1; i < b->tensor.dimensions; i++)
        cells = b->tensor.shape[i] > COLUMNS_BYTES_MAX ? COLUMNS_BYTES_MAX + 1ull
                                                       : cells * b->tensor.shape[i];
    if (rows > OBSERVATION_ROWS_MAX || cells > OBSERVATION_VALUES_MAX)
        return ST_FULL;
    if (rows * cells != c->values)
        return ST_CORRUPT;
    for (uint64_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < cells; i++) {
            begin_cell(b, i);
            ST_TRY(tape_play(&b->columns.tape, &at, play_cell, b));
        }
        ST_TRY(teller_hand(b->teller));
    }
    columns_clear(&b->columns);
    return ST_OK;
}

enum status body_table(struct body *b, const struct step *s)
{
    if (s->depth == 0) {
        if (s->token == TOKEN_OBJECT_END && b->has_tensor)
            return hand_tensor(b);
        return s->token == TOKEN_OBJECT || s->token == TOKEN_OBJECT_END ? ST_OK
                                                                        : ST_CORRUPT;
    }
    if (s->depth == 1 && s->token == TOKEN_KEY) {
        b->table_part = part_of(s->text);
        return ST_OK;
    }
    switch (b->table_part) {
    case TABLE_NAMES:
        return take_name(b, s);
    case TABLE_LINES:
        return take_line(b, s);
    case TABLE_TENSOR:
        return take_tensor(b, s);
    case TABLE_OTHER:
        break;
    }
    return ST_OK;
}
