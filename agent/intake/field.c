// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/field.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"

static enum status quoted(struct span *line, struct buf *held, struct span *out)
{
    size_t at = 1;
    buf_clear(held);
    for (;;) {
        const uint8_t *quote =
            at < line->size ? memchr(line->data + at, '"', line->size - at) : NULL;
        if (!quote)
            return ST_CORRUPT;
        size_t end = (size_t)(quote - line->data);
        buf_put(held, line->data + at, end - at);
        at = end + 1;
        if (at == line->size || line->data[at] != '"')
            break;
        buf_put_u8(held, '"');
        at++;
    }
    if (at < line->size && line->data[at] != ',')
        return ST_CORRUPT;
    *line = span_of(line->data + at, line->size - at);
    *out = buf_span(held);
    return held->failed;
}

enum status field_next(struct span *line, struct buf *held, struct span *out,
                       bool *more)
{
    if (line->size > 0 && line->data[0] == '"') {
        ST_TRY(quoted(line, held, out));
    } else {
        const uint8_t *comma = line->size ? memchr(line->data, ',', line->size) : NULL;
        size_t size = comma ? (size_t)(comma - line->data) : line->size;
        *out = span_of(line->data, size);
        *line = span_of(line->data + size, line->size - size);
    }
    *more = line->size > 0;
    if (*more)
        *line = span_of(line->data + 1, line->size - 1); // the comma
    return text_is_utf8(*out) ? ST_OK : ST_CORRUPT;
}

static bool is_word(struct span s, const char *word)
{
    return s.size == strlen(word) &&
           strncasecmp((const char *)s.data, word, s.size) == 0;
}

static bool is_infinite(struct span s, double *out)
{
    bool is_signed = s.size > 0 && (s.data[0] == '-' || s.data[0] == '+');
    struct span rest = span_of(s.data + is_signed, s.size - is_signed);
    if (!is_word(rest, "inf") && !is_word(rest, "infinity"))
        return false;
    *out = is_signed && s.data[0] == '-' ? -HUGE_VAL : HUGE_VAL;
    return true;
}

enum status field_put(struct flat *f, struct span name, enum observation_side side,
                      struct span field)
{
    double number;
    if (field.size == 0 || is_word(field, "nan") || is_word(field, "null"))
        return flat_missing(f, name, side);
    if (text_f64(field, &number) == ST_OK || is_infinite(field, &number))
        return flat_number(f, name, side, number);
    if (is_word(field, "true") || is_word(field, "false"))
        return flat_number(f, name, side, is_word(field, "true"));
    return flat_text(f, name, side, field);
}
