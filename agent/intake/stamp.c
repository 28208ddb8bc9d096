// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/stamp.h"

#include <math.h>

#include "common/base/clock.h"
#include "common/base/text.h"

#define STAMP_BYTES_MAX 40

// The last second of which text_time still makes nanoseconds.
#define STAMP_SECONDS_MAX 18446744072.0

enum status stamp_text(struct span text, uint64_t *out_ns)
{
    if (text_time(text, out_ns) == ST_OK)
        return ST_OK;
    // "2026-03-05T03:33:59.490137" and "2026-03-05 03:33:59": no zone means UTC.
    char zoned[STAMP_BYTES_MAX + 1];
    if (text.size < 19 || text.size > STAMP_BYTES_MAX - 1)
        return ST_RANGE;
    memcpy(zoned, text.data, text.size);
    if (zoned[10] == ' ')
        zoned[10] = 'T';
    if (text_time(span_of(zoned, text.size), out_ns) == ST_OK)
        return ST_OK;
    zoned[text.size] = 'Z';
    return text_time(span_of(zoned, text.size + 1), out_ns);
}

enum status stamp_of(enum token token, struct span text, double number,
                     uint64_t *out_ns)
{
    if (token == TOKEN_STRING)
        return stamp_text(text, out_ns);
    if (token != TOKEN_NUMBER)
        return ST_RANGE;
    if (text_time(text, out_ns) == ST_OK)
        return ST_OK;
    if (!(number >= 0 && number < STAMP_SECONDS_MAX))
        return ST_RANGE;
    double whole = floor(number);
    *out_ns = (uint64_t)whole * NS_PER_S + (uint64_t)((number - whole) * 1e9);
    return ST_OK;
}
