// Batch: many rows at once, column by column, as arrays and tables hold them.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/client/record.h"
#include "agent/client/value.h"

// --- Cells

static const uint8_t *cell_of(const struct kedge_column *c, size_t row)
{
    return (const uint8_t *)c->data + (ptrdiff_t)row * c->stride;
}

// Arrays from outside need not be aligned.
#define LOAD(type, from)                                                               \
    __extension__({                                                                    \
        type load_;                                                                    \
        memcpy(&load_, from, sizeof load_);                                            \
        load_;                                                                         \
    })

// Whether it holds plain numbers; any other column makes the row a mixed one.
static bool is_number(enum kedge_type type)
{
    switch (type) {
    case KEDGE_F32:
    case KEDGE_F64:
    case KEDGE_I64:
    case KEDGE_I8:
    case KEDGE_I16:
    case KEDGE_I32:
    case KEDGE_U8:
    case KEDGE_U16:
    case KEDGE_U32:
    case KEDGE_U64:
        return true;
    default:
        return false;
    }
}

static int64_t whole_at(enum kedge_type type, const uint8_t *cell)
{
    switch (type) {
    case KEDGE_I8:
    case KEDGE_CODE8:
        return LOAD(int8_t, cell);
    case KEDGE_I16:
    case KEDGE_CODE16:
        return LOAD(int16_t, cell);
    case KEDGE_I32:
    case KEDGE_CODE32:
        return LOAD(int32_t, cell);
    case KEDGE_U8:
        return LOAD(uint8_t, cell);
    case KEDGE_U16:
        return LOAD(uint16_t, cell);
    case KEDGE_U32:
        return LOAD(uint32_t, cell);
    default:
        return LOAD(int64_t, cell);
    }
}

static double number_at(enum kedge_type type, const uint8_t *cell)
{
    switch (type) {
    case KEDGE_F32:
        return (double)LOAD(float, cell);
    case KEDGE_F64:
        return LOAD(double, cell);
    case KEDGE_U64:
        return (double)LOAD(uint64_t, cell);
    default:
        return (double)whole_at(type, cell);
    }
}

static struct kedge_string string_at(const struct kedge_column *c, const uint8_t *cell)
{
    if (c->type == KEDGE_STRING)
        return LOAD(struct kedge_string, cell);
    if (c->type == KEDGE_BYTES) {
        size_t size = c->width;
        while (size > 0 && cell[size - 1] == 0)
            size--;
        return (struct kedge_string){(const char *)cell, size};
    }
    int64_t place = whole_at(c->type, cell);
    if (place < 0 || (uint64_t)place >= c->words)
        return (struct kedge_string){NULL, 0};
    return c->dictionary[place];
}

static void value_at(const struct kedge_column *c, size_t row, struct kedge_value *out)
{
    const uint8_t *cell = cell_of(c, row);
    if (is_number(c->type)) {
        out->type = KEDGE_F64;
        out->as.f64 = number_at(c->type, cell);
    } else if (c->type == KEDGE_VECTOR_F32 || c->type == KEDGE_VECTOR_F64) {
        out->type = c->type;
        out->as.vector = (struct kedge_array){cell, c->width};
    } else {
        out->type = c->type == KEDGE_MISSING ? KEDGE_MISSING : KEDGE_STRING;
        if (out->type == KEDGE_STRING)
            out->as.string = string_at(c, cell);
    }
}

// --- Ids

static size_t put_decimal(int64_t v, char out[24])
{
    char digits[24];
    size_t n = 0, size = 0;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        digits[n++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (v < 0)
        out[size++] = '-';
    while (n > 0)
        out[size++] = digits[--n];
    return size;
}

// Lends it from the column or from `room`; false when it is too long.
static bool id_at(const struct kedge_column *c, size_t row, char room[24],
                  struct kedge_string *out)
{
    *out = (struct kedge_string){NULL, 0};
    if (!c)
        return true;
    if (is_number(c->type))
        *out = (struct kedge_string){
            room, put_decimal(whole_at(c->type, cell_of(c, row)), room)};
    else
        *out = string_at(c, cell_of(c, row));
    return out->size <= LANE_NAME_MAX;
}

// --- Rows

enum layout { ROWS_OF_FLOATS, FLOATS, DOUBLES, MIXED };

static enum layout layout_of(const struct kedge_column *c, size_t columns)
{
    bool is_plain = true, is_float = true, is_row = true;
    for (size_t i = 0; i < columns; i++) {
        is_plain = is_plain && is_number(c[i].type);
        is_float = is_float && c[i].type == KEDGE_F32;
        is_row = is_row && c[i].stride == c->stride &&
                 c[i].data == (const uint8_t *)c->data + i * sizeof(float);
    }
    if (!is_plain)
        return MIXED;
    if (!is_float)
        return DOUBLES;
    return is_row ? ROWS_OF_FLOATS : FLOATS;
}

static size_t size_of(enum layout layout, const struct kedge_model *m,
                      const struct kedge_column *c, size_t columns, size_t row)
{
    if (layout != MIXED)
        return columns * (layout == DOUBLES ? sizeof(double) : sizeof(float));
    size_t size = 0;
    for (size_t i = 0; i < columns; i++) {
        struct kedge_value v;
        value_at(&c[i], row, &v);
        size += value_size((enum kedge_kind)m->kind[i], &v);
    }
    return size;
}

static void put_row(enum layout layout, const struct kedge_model *m,
                    const struct kedge_column *c, size_t columns, size_t row,
                    uint8_t *to)
{
    if (layout == ROWS_OF_FLOATS) {
        memcpy(to, cell_of(c, row), columns * sizeof(float));
        return;
    }
    for (size_t i = 0; i < columns; i++) {
        const uint8_t *cell = cell_of(&c[i], row);
        struct kedge_value v;
        if (layout == FLOATS) {
            memcpy(to + i * sizeof(float), cell, sizeof(float));
        } else if (layout == DOUBLES) {
            double number = number_at(c[i].type, cell);
            memcpy(to + i * sizeof number, &number, sizeof number);
        } else {
            value_at(&c[i], row, &v);
            to = value_put(to, (enum kedge_kind)m->kind[i], &v);
        }
    }
}

static enum kedge_status observe_one(struct kedge_model *m, enum layout layout,
                                     const struct kedge_column *column, size_t columns,
                                     size_t row, const struct kedge_string *id,
                                     uint64_t time_ns)
{
    static const enum lane_kind kinds[] = {LANE_F32, LANE_F32, LANE_F64, LANE_MIXED};
    struct record r;
    size_t size = size_of(layout, m, column, columns, row);
    if (!record_begin(m, kinds[layout], size, id->data, id->size, time_ns, &r))
        return KEDGE_DROPPED;
    put_row(layout, m, column, columns, row, r.payload);
    record_end_row(&r);
    return KEDGE_OK;
}

enum kedge_status kedge_observe_batch(struct kedge_model *m,
                                      const struct kedge_column *column, size_t columns,
                                      size_t rows, const struct kedge_column *id,
                                      const uint64_t *time_ns, size_t *taken)
{
    size_t done = 0;
    if (!m)
        return KEDGE_RANGE;
    if (columns == 0 || columns > m->features) {
        if (taken)
            *taken = 0;
        return rows > 0 ? record_refuse(m, rows) : KEDGE_OK;
    }
    enum layout layout = layout_of(column, columns);
    for (size_t row = 0; row < rows; row++) {
        char room[24];
        struct kedge_string name;
        if (!id_at(id, row, room, &name))
            (void)record_refuse(m, 1);
        else if (observe_one(m, layout, column, columns, row, &name,
                             time_ns ? time_ns[row] : 0) == KEDGE_OK)
            done++;
    }
    if (taken)
        *taken = done;
    return done == rows ? KEDGE_OK : KEDGE_DROPPED;
}
