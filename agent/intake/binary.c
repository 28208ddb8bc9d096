// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/binary.h"

#include <math.h>

#define TEXT_BYTES_MAX (64u << 10)

static const struct {
    const char *name;
    enum binary_type type;
    uint32_t size; // bytes; 0: a length and a text
} types[] = {
    {"BOOL", BINARY_BOOL, 1},     {"UINT8", BINARY_UINT8, 1},
    {"UINT16", BINARY_UINT16, 2}, {"UINT32", BINARY_UINT32, 4},
    {"UINT64", BINARY_UINT64, 8}, {"INT8", BINARY_INT8, 1},
    {"INT16", BINARY_INT16, 2},   {"INT32", BINARY_INT32, 4},
    {"INT64", BINARY_INT64, 8},   {"FP16", BINARY_FP16, 2},
    {"BF16", BINARY_BF16, 2},     {"FP32", BINARY_FP32, 4},
    {"FP64", BINARY_FP64, 8},     {"BYTES", BINARY_BYTES, 0},
};

enum binary_type binary_type_of(struct span name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_is(name, types[i].name))
            return types[i].type;
    return BINARY_UNKNOWN;
}

static uint32_t size_of(enum binary_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].size;
    return 0;
}

void binary_init(struct binary *b)
{
    *b = (struct binary){0};
    buf_init(&b->text, TEXT_BYTES_MAX);
}

void binary_fini(struct binary *b)
{
    buf_fini(&b->text);
}

void binary_begin(struct binary *b, enum binary_type type, uint64_t size)
{
    b->type = type;
    b->left = size;
    b->held_size = b->text_left = 0;
    b->in_text = false;
    buf_clear(&b->text);
}

static double half_of(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double mantissa = bits & 1023;
    double v = exponent == 31  ? (mantissa == 0 ? HUGE_VAL : NAN)
               : exponent == 0 ? ldexp(mantissa, -24)
                               : ldexp(1024 + mantissa, exponent - 25);
    return bits >> 15 ? -v : v;
}

static double brain_of(uint16_t bits)
{
    uint8_t wide[4] = {0, 0, (uint8_t)bits, (uint8_t)(bits >> 8)};
    return (double)load_le_f32(wide);
}

static double number_of(enum binary_type type, const uint8_t *p)
{
    switch (type) {
    case BINARY_BOOL:
        return p[0] != 0;
    case BINARY_UINT8:
        return p[0];
    case BINARY_UINT16:
        return load_le16(p);
    case BINARY_UINT32:
        return load_le32(p);
    case BINARY_UINT64:
        return (double)load_le64(p);
    case BINARY_INT8:
        return (int8_t)p[0];
    case BINARY_INT16:
        return (int16_t)load_le16(p);
    case BINARY_INT32:
        return (int32_t)load_le32(p);
    case BINARY_INT64:
        return (double)(int64_t)load_le64(p);
    case BINARY_FP16:
        return half_of(load_le16(p));
    case BINARY_BF16:
        return brain_of(load_le16(p));
    case BINARY_FP32:
        return (double)load_le_f32(p);
    default:
        return load_le_f64(p);
    }
}

static struct span take(struct span *bytes, size_t size)
{
    struct span head = span_of(bytes->data, size < bytes->size ? size : bytes->size);
    *bytes = span_of(bytes->data + head.size, bytes->size - head.size);
    return head;
}

// Collects `size` bytes of a value; true when it is whole.
static bool collect(struct binary *b, struct span *bytes, uint32_t size)
{
    struct span part = take(bytes, size - b->held_size);
    memcpy(b->held + b->held_size, part.data, part.size);
    b->held_size += (uint32_t)part.size;
    return b->held_size == size;
}

static enum status end_text(struct binary *b, struct columns *c, uint32_t column)
{
    b->in_text = false;
    return columns_cell(c, column, TOKEN_STRING, buf_span(&b->text), 0);
}

static enum status take_text(struct binary *b, struct span *bytes, struct columns *c,
                             uint32_t column)
{
    if (!b->in_text) {
        if (!collect(b, bytes, 4))
            return ST_OK;
        b->held_size = 0;
        b->text_left = load_le32(b->held);
        if (b->text_left > b->left + bytes->size)
            return ST_CORRUPT;
        b->in_text = true;
        buf_clear(&b->text);
    }
    struct span part = take(bytes, b->text_left);
    b->text_left -= (uint32_t)part.size;
    buf_put_span(&b->text, part);
    if (b->text.failed != ST_OK)
        return b->text.failed;
    return b->text_left == 0 ? end_text(b, c, column) : ST_OK;
}

static enum status take_number(struct binary *b, struct span *bytes, struct columns *c,
                               uint32_t column, uint32_t size)
{
    if (!collect(b, bytes, size))
        return ST_OK;
    b->held_size = 0;
    return columns_cell(c, column, TOKEN_NUMBER, (struct span){0},
                        number_of(b->type, b->held));
}

enum status binary_take(struct binary *b, struct span *bytes, struct columns *c,
                        uint32_t column)
{
    struct span own =
        take(bytes, b->left < bytes->size ? (size_t)b->left : bytes->size);
    b->left -= own.size;
    uint32_t size = size_of(b->type);
    if (b->type == BINARY_UNKNOWN)
        return ST_UNSUPPORTED;
    while (own.size > 0)
        ST_TRY(size > 0 ? take_number(b, &own, c, column, size)
                        : take_text(b, &own, c, column));
    if (b->left > 0)
        return ST_OK;
    return b->held_size == 0 && !b->in_text ? ST_OK : ST_CORRUPT;
}
