// The parts of a body that come as tensors, by columns or as rows, and the bytes behind
// it. The contracts stand in body_inner.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/body_inner.h"

static const struct {
    const char *key;
    enum tensor_part part;
} tensor_keys[] = {
    {"name", TENSOR_NAME}, {"shape", TENSOR_SHAPE},           {"datatype", TENSOR_TYPE},
    {"data", TENSOR_DATA}, {"parameters", TENSOR_PARAMETERS},
};

static enum tensor_part part_of(struct span key)
{
    for (size_t i = 0; i < sizeof tensor_keys / sizeof *tensor_keys; i++)
        if (span_is(key, tensor_keys[i].key))
            return tensor_keys[i].part;
    return TENSOR_OTHER;
}

enum status body_take_size(struct body *b, const struct step *s)
{
    struct tensor *t = &b->tensor;
    if (t->dimensions == TENSOR_DIMENSIONS_MAX || !(s->number >= 0) ||
        s->number > COLUMNS_BYTES_MAX)
        return ST_RANGE;
    t->shape[t->dimensions++] = (uint64_t)s->number;
    return ST_OK;
}

static enum status begin_tensor(struct body *b)
{
    b->tensor = (struct tensor){.part = TENSOR_OTHER};
    return columns_begin(&b->columns, (struct span){0}, b->teller->side);
}

static enum status end_tensor(struct body *b)
{
    struct tensor *t = &b->tensor;
    if (t->has_shape)
        ST_TRY(columns_shape(&b->columns, t->shape, t->dimensions));
    if (t->has_binary) {
        // COLUMNS_MAX tensors at most, so there is room.
        b->announced[b->announcements++] = (struct announced){
            .column = b->columns.n - 1, .type = t->type, .size = t->binary_size};
    }
    return ST_OK;
}

static enum status take_size(struct body *b, const struct step *s)
{
    struct tensor *t = &b->tensor;
    if (s->token != TOKEN_NUMBER || !(s->number >= 0) || s->number > 1e15)
        return ST_RANGE;
    t->has_binary = true;
    t->binary_size = (uint64_t)s->number;
    t->part = TENSOR_PARAMETERS;
    return ST_OK;
}

static enum status take_tensor(struct body *b, const struct step *s)
{
    struct tensor *t = &b->tensor;
    if (s->depth == 2 && s->token == TOKEN_KEY) {
        t->part = part_of(s->text);
        return ST_OK;
    }
    switch (t->part) {
    case TENSOR_NAME:
        return s->token == TOKEN_STRING ? columns_name(&b->columns, s->text)
                                        : ST_CORRUPT;
    case TENSOR_TYPE:
        t->type = binary_type_of(s->text);
        return ST_OK;
    case TENSOR_SHAPE:
        t->has_shape = true;
        return s->token == TOKEN_NUMBER ? body_take_size(b, s) : ST_OK;
    case TENSOR_DATA:
        if (step_begins(s) || step_ends(s))
            return ST_OK; // nested or flat, the values come in one order
        return columns_cell(&b->columns, b->columns.n - 1, s->token, s->text,
                            s->number);
    case TENSOR_PARAMETERS:
        if (s->depth == 3 && s->token == TOKEN_KEY &&
            span_is(s->text, "binary_data_size"))
            t->part = TENSOR_SIZE;
        return ST_OK;
    case TENSOR_SIZE:
        return take_size(b, s);
    case TENSOR_OTHER:
        break;
    }
    return ST_OK;
}

static enum status take_tensors(struct body *b, const struct step *s)
{
    if (s->depth == 0)
        return ST_OK;
    if (s->depth > 1)
        return take_tensor(b, s);
    if (s->token == TOKEN_OBJECT)
        return begin_tensor(b);
    return s->token == TOKEN_OBJECT_END ? end_tensor(b) : ST_CORRUPT;
}

// {"name": [item, item], ...}; what is no array is a single item.
static enum status take_columns(struct body *b, const struct step *s)
{
    if (s->depth == 0)
        return ST_OK;
    if (s->depth == 1 && s->token == TOKEN_KEY)
        return columns_begin(&b->columns, s->text, b->teller->side);
    if (s->depth == 1 && (s->token == TOKEN_ARRAY || s->token == TOKEN_ARRAY_END))
        return ST_OK;
    return columns_item(&b->columns, s->token, s->text, s->number);
}

static enum many_kind kind_of(const struct step *s)
{
    if (s->depth == 0)
        return s->token == TOKEN_OBJECT  ? MANY_COLUMNS
               : s->token == TOKEN_ARRAY ? MANY_UNKNOWN
                                         : MANY_ROWS;
    return s->token == TOKEN_OBJECT ? MANY_TENSORS : MANY_ROWS;
}

enum status body_many(struct body *b, const struct step *s)
{
    if (b->many == MANY_UNKNOWN)
        b->many = kind_of(s);
    switch (b->many) {
    case MANY_UNKNOWN:
        return ST_OK; // an array has begun
    case MANY_ROWS:
        return body_rows(b, s);
    case MANY_COLUMNS:
        b->has_columns = true;
        return take_columns(b, s);
    case MANY_TENSORS:
        b->has_columns = true;
        return take_tensors(b, s);
    }
    return ST_OK;
}

enum status body_hand_columns(struct body *b)
{
    b->has_columns = false;
    return columns_hand(&b->columns, b->teller);
}

// --- Bytes behind the JSON

// Values go to the end of the tape, so the column is begun there anew.
static void begin_binary(struct body *b)
{
    const struct announced *a = &b->announced[b->next];
    b->columns.column[a->column].from = b->columns.tape.bytes.size;
    b->columns.column[a->column].values = 0;
    binary_begin(&b->binary, a->type, a->size);
    b->in_binary = true;
}

enum status body_binary(struct body *b, struct span bytes)
{
    while (b->next < b->announcements) {
        const struct announced *a = &b->announced[b->next];
        if (!b->in_binary)
            begin_binary(b);
        ST_TRY(binary_take(&b->binary, &bytes, &b->columns, a->column));
        if (b->binary.left > 0)
            return ST_OK;
        b->in_binary = false;
        b->next++;
    }
    // Behind JSON alone nothing but white space may stand.
    for (size_t i = 0; i < bytes.size; i++)
        if (b->announcements > 0 || !memchr(" \t\r\n", bytes.data[i], 4))
            return ST_CORRUPT;
    return ST_OK;
}
