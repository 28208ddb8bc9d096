// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/columns.h"

#include "common/base/mem.h"

#define NAMES_BYTES_MAX (COLUMNS_MAX * OBSERVATION_NAME_MAX)

void columns_init(struct columns *c)
{
    *c = (struct columns){0};
    tape_init(&c->tape, COLUMNS_BYTES_MAX);
    buf_init(&c->names, NAMES_BYTES_MAX);
}

void columns_fini(struct columns *c)
{
    tape_fini(&c->tape);
    buf_fini(&c->names);
    mem_free(c->column);
}

void columns_clear(struct columns *c)
{
    tape_clear(&c->tape);
    buf_clear(&c->names);
    c->n = c->depth = 0;
}

enum status columns_name(struct columns *c, struct span name)
{
    struct column *last = &c->column[c->n - 1];
    if (name.size > OBSERVATION_NAME_MAX)
        name.size = OBSERVATION_NAME_MAX;
    last->name_at = (uint32_t)c->names.size;
    last->name_size = (uint32_t)name.size;
    buf_put_span(&c->names, name);
    return c->names.failed;
}

enum status columns_begin(struct columns *c, struct span name,
                          enum observation_side side)
{
    if (c->n == COLUMNS_MAX)
        return ST_FULL;
    if (c->n == c->room) {
        uint32_t room = c->room ? c->room * 2 : 8;
        struct column *grown = mem_resize(c->column, room, sizeof *grown);
        if (!grown)
            return ST_NOMEM;
        c->column = grown;
        c->room = room;
    }
    c->column[c->n++] = (struct column){.side = side, .from = c->tape.bytes.size};
    return columns_name(c, name);
}

enum status columns_shape(struct columns *c, const uint64_t *size, uint32_t dimensions)
{
    struct column *last = &c->column[c->n - 1];
    last->rows = dimensions > 0 ? size[0] : 1;
    last->cells = 1;
    if (last->rows > OBSERVATION_ROWS_MAX)
        return ST_RANGE;
    for (uint32_t i = 1; i < dimensions; i++) {
        if (size[i] > COLUMNS_BYTES_MAX || last->cells * size[i] > COLUMNS_BYTES_MAX)
            return ST_RANGE;
        last->cells *= size[i];
    }
    return ST_OK;
}

enum status columns_item(struct columns *c, enum token token, struct span text,
                         double number)
{
    bool is_begin = token == TOKEN_OBJECT || token == TOKEN_ARRAY;
    bool is_end = token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END;
    c->depth += is_begin;
    c->depth -= is_end;
    c->column[c->n - 1].values += c->depth == 0 && token != TOKEN_KEY;
    return tape_put(&c->tape, token, text, number);
}

enum status columns_cell(struct columns *c, uint32_t column, enum token token,
                         struct span text, double number)
{
    c->column[column].values++;
    return tape_put(&c->tape, token, text, number);
}

// --- Rows

static enum status into_flat(void *self, enum token token, struct span text,
                             double number)
{
    struct teller *t = self;
    bool done;
    ST_TRY(flat_token(&t->flat, token, text, number, &done));
    return done ? ST_CLOSED : ST_OK;
}

static enum status play_item(struct columns *c, struct column *k, struct teller *t)
{
    enum status st = ST_OK;
    while (st == ST_OK)
        st = tape_play(&c->tape, &k->at, into_flat, t);
    return st == ST_CLOSED ? ST_OK : st;
}

// The cells of one row: one keeps the plain name, several are numbered.
static enum status play_cells(struct columns *c, struct column *k, struct teller *t)
{
    bool done;
    if (k->cells == 1)
        return play_item(c, k, t);
    ST_TRY(flat_token(&t->flat, TOKEN_ARRAY, (struct span){0}, 0, &done));
    for (uint64_t i = 0; i < k->cells; i++)
        ST_TRY(tape_play(&c->tape, &k->at, into_flat, t));
    return flat_token(&t->flat, TOKEN_ARRAY_END, (struct span){0}, 0, &done);
}

static enum status play_row(struct columns *c, struct column *k, struct teller *t)
{
    struct span name = span_of(c->names.data + k->name_at, k->name_size);
    t->side = k->side;
    if (name.size > 0)
        flat_begin(&t->flat, name, k->side);
    else
        teller_begin_row(t, k->cells == 1 ? TOKEN_NUMBER : TOKEN_ARRAY);
    return k->rows > 0 ? play_cells(c, k, t) : play_item(c, k, t);
}

static enum status check(struct columns *c, uint64_t *rows)
{
    *rows = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        struct column *k = &c->column[i];
        k->at = k->from;
        if (k->rows > 0 && k->values > 0 && k->values != k->rows * k->cells)
            return ST_CORRUPT;
        uint64_t own = k->values == 0 ? 0 : k->rows > 0 ? k->rows : k->values;
        *rows = own > *rows ? own : *rows;
    }
    return *rows <= OBSERVATION_ROWS_MAX ? ST_OK : ST_FULL;
}

enum status columns_hand(struct columns *c, struct teller *t)
{
    uint64_t rows;
    ST_TRY(check(c, &rows));
    for (uint64_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < c->n; i++) {
            struct column *k = &c->column[i];
            uint64_t own = k->values == 0 ? 0 : k->rows > 0 ? k->rows : k->values;
            if (row < own)
                ST_TRY(play_row(c, k, t));
        }
        ST_TRY(teller_hand(t));
    }
    return ST_OK;
}
