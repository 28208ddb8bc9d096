// Envelope: splits a type into its name and version, and frames into their parts.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/envelope.h"

#include <stdbool.h>

#include "common/base/cursor.h"

#define PREFIX "kedge."
#define PREFIX_BYTES 6
#define VERSION_DIGITS_MAX 3

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_type_name(struct span s)
{
    bool after_dot = true;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c == '.' && after_dot)
            return false;
        if (c != '.' && !is_digit(c) && !(c >= 'a' && c <= 'z'))
            return false;
        after_dot = c == '.';
    }
    return s.size > 0 && !after_dot;
}

// The digits at the end, behind ".v"; 0 when that is not what stands there.
static uint32_t version_of(struct span type, size_t *digits)
{
    uint32_t version = 0, place = 1;
    size_t n = 0;
    while (n < VERSION_DIGITS_MAX && n < type.size &&
           is_digit(type.data[type.size - 1 - n])) {
        version += place * (uint32_t)(type.data[type.size - 1 - n] - '0');
        place *= 10;
        n++;
    }
    *digits = n;
    return n && type.data[type.size - n] != '0' ? version : 0;
}

enum status envelope_of_type(struct span type, struct envelope *out)
{
    if (type.size <= PREFIX_BYTES || type.size > ENVELOPE_TYPE_MAX ||
        memcmp(type.data, PREFIX, PREFIX_BYTES) != 0)
        return ST_CORRUPT;
    size_t digits;
    uint32_t version = version_of(type, &digits);
    size_t tail = digits + 2;
    if (version == 0 || type.size < PREFIX_BYTES + tail + 1 ||
        memcmp(type.data + type.size - tail, ".v", 2) != 0)
        return ST_CORRUPT;
    struct span name =
        span_of(type.data + PREFIX_BYTES, type.size - PREFIX_BYTES - tail);
    if (!is_type_name(name))
        return ST_CORRUPT;
    *out = (struct envelope){.type = type, .name = name, .version = version};
    return ST_OK;
}

enum status envelope_of_frames(const struct span *frame, uint32_t frames,
                               struct envelope *out)
{
    if (frames < 2 || frames > ENVELOPE_FRAMES_MAX || frame[1].size == 0 ||
        (frames == 3 && frame[2].size == 0))
        return ST_CORRUPT;
    ST_TRY(envelope_of_type(frame[0], out));
    out->body = frame[1];
    if (frames == 3)
        out->sigs = frame[2];
    return ST_OK;
}

uint32_t envelope_frames(const struct envelope *e, struct span *frame)
{
    frame[0] = e->type;
    frame[1] = e->body;
    frame[2] = e->sigs;
    return e->sigs.size ? 3 : 2;
}

void envelope_join(const struct envelope *e, struct buf *out)
{
    struct span frame[ENVELOPE_FRAMES_MAX];
    uint32_t frames = envelope_frames(e, frame);
    buf_put_u8(out, (uint8_t)frames);
    for (uint32_t i = 0; i < frames; i++) {
        buf_put_varint(out, frame[i].size);
        buf_put_span(out, frame[i]);
    }
}

enum status envelope_split(struct span joined, struct envelope *out)
{
    struct cursor c = {.left = joined};
    struct span frame[ENVELOPE_FRAMES_MAX] = {0};
    uint8_t frames = 0;
    ST_TRY(cursor_u8(&c, &frames));
    if (frames > ENVELOPE_FRAMES_MAX)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < frames; i++) {
        uint64_t size = 0;
        ST_TRY(cursor_varint(&c, &size));
        if (size > c.left.size)
            return ST_CORRUPT;
        ST_TRY(cursor_bytes(&c, (size_t)size, &frame[i]));
    }
    ST_TRY(cursor_end(&c));
    return envelope_of_frames(frame, frames, out);
}
