// SPDX-License-Identifier: Apache-2.0
#include "agent/client/value.h"

#include <stdbool.h>
#include <string.h>

#define NUMBER_BYTES (1 + 8)
#define TEXT_BYTES (1 + 4 * 4)
#define VECTOR_BYTES (1 + 4 + 4 * 8)

static bool is_empty(const struct kedge_string *s)
{
    return !s->data || s->size == 0;
}

static size_t category_bytes(const struct kedge_string *s)
{
    return s->size < LANE_NAME_MAX ? s->size : LANE_NAME_MAX;
}

size_t value_size(enum kedge_kind kind, const struct kedge_value *v)
{
    switch (v->type) {
    case KEDGE_F32:
    case KEDGE_F64:
    case KEDGE_I64:
        return NUMBER_BYTES;
    case KEDGE_STRING:
        if (is_empty(&v->as.string))
            return 1;
        return kind == KEDGE_TEXT ? TEXT_BYTES : 2 + category_bytes(&v->as.string);
    case KEDGE_VECTOR_F32:
    case KEDGE_VECTOR_F64:
        return v->as.vector.data ? VECTOR_BYTES : 1;
    default:
        return 1;
    }
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

static uint8_t *put_number(uint8_t *to, double v)
{
    *to++ = LANE_NUMBER;
    return put(to, &v, sizeof v);
}

static uint8_t *put_category(uint8_t *to, const struct kedge_string *s)
{
    size_t size = category_bytes(s);
    *to++ = LANE_CATEGORY;
    *to++ = (uint8_t)size;
    return put(to, s->data, size);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// As the agent's other doors count it. Runs of bytes that continue a character are
// none.
static uint8_t *put_text(uint8_t *to, const struct kedge_string *s)
{
    uint32_t chars = 0, words = 0, foreign = 0, digits = 0;
    bool in_word = false;
    size_t size = s->size < VALUE_TEXT_MAX ? s->size : VALUE_TEXT_MAX;
    for (size_t i = 0; i < size; i++) {
        char c = s->data[i];
        chars += ((unsigned char)c & 0xc0) != 0x80;
        foreign += (unsigned char)c >= 0xc0;
        digits += c >= '0' && c <= '9';
        words += !is_blank(c) && !in_word;
        in_word = !is_blank(c);
    }
    *to++ = LANE_TEXT;
    to = put(to, &chars, sizeof chars);
    to = put(to, &words, sizeof words);
    to = put(to, &foreign, sizeof foreign);
    return put(to, &digits, sizeof digits);
}

static double number_at(const struct kedge_value *v, size_t i)
{
    const uint8_t *data = v->as.vector.data;
    double wide;
    float narrow;
    if (v->type == KEDGE_VECTOR_F64) {
        memcpy(&wide, data + i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, data + i * sizeof narrow, sizeof narrow);
    return narrow;
}

// The figures are of the finite numbers; the dimension is of all.
static uint8_t *put_vector(uint8_t *to, const struct kedge_value *v)
{
    uint32_t dim = (uint32_t)v->as.vector.n;
    double n = 0, sum = 0, squares = 0, min = 0, max = 0;
    for (size_t i = 0; i < v->as.vector.n; i++) {
        double x = number_at(v, i);
        if (x - x != 0)
            continue;
        min = n == 0 || x < min ? x : min;
        max = n == 0 || x > max ? x : max;
        n++;
        sum += x;
        squares += x * x;
    }
    const double figures[] = {squares, n > 0 ? sum / n : 0, min, max};
    *to++ = LANE_VECTOR;
    to = put(to, &dim, sizeof dim);
    return put(to, figures, sizeof figures);
}

uint8_t *value_put(uint8_t *to, enum kedge_kind kind, const struct kedge_value *v)
{
    switch (v->type) {
    case KEDGE_F32:
        return put_number(to, v->as.f32);
    case KEDGE_F64:
        return put_number(to, v->as.f64);
    case KEDGE_I64:
        return put_number(to, (double)v->as.i64);
    case KEDGE_STRING:
        if (is_empty(&v->as.string))
            break;
        return kind == KEDGE_TEXT ? put_text(to, &v->as.string)
                                  : put_category(to, &v->as.string);
    case KEDGE_VECTOR_F32:
    case KEDGE_VECTOR_F64:
        if (!v->as.vector.data)
            break;
        return put_vector(to, v);
    default:
        break;
    }
    *to = LANE_MISSING;
    return to + 1;
}
