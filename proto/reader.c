// Reader: every length is compared with what is left before it is believed.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/reader.h"

#include <assert.h>

#include "common/base/text.h"

// First bytes of msgpack values
// (https://github.com/msgpack/msgpack/blob/master/spec.md).
enum {
    FIXMAP = 0x80,
    FIXARRAY = 0x90,
    FIXSTR = 0xa0,
    NIL = 0xc0,
    NEVER = 0xc1,
    FALSE = 0xc2,
    TRUE = 0xc3,
    BIN8 = 0xc4,
    EXT8 = 0xc7,
    FLOAT32 = 0xca,
    FLOAT64 = 0xcb,
    UINT8 = 0xcc,
    UINT64 = 0xcf,
    INT8 = 0xd0,
    INT64 = 0xd3,
    FIXEXT1 = 0xd4,
    STR8 = 0xd9,
    ARRAY16 = 0xdc,
    MAP16 = 0xde,
    FIXINT_NEGATIVE = 0xe0,
};

void reader_init(struct reader *r, struct span bytes)
{
    *r = (struct reader){
        .at = bytes.data,
        .end = bytes.data + bytes.size,
        .objects = READER_OBJECTS_MAX,
        .depth = READER_DEPTH_MAX,
    };
}

size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static enum reader_type type_of(uint8_t first)
{
    if (first < FIXMAP || first >= FIXINT_NEGATIVE)
        return READER_INT;
    if (first < FIXARRAY)
        return READER_MAP;
    if (first < FIXSTR)
        return READER_ARRAY;
    if (first < NIL)
        return READER_TEXT;
    static const uint8_t by_first[FIXINT_NEGATIVE - NIL] = {
        READER_NIL,   READER_OTHER, READER_BOOL,  READER_BOOL,  READER_BYTES,
        READER_BYTES, READER_BYTES, READER_OTHER, READER_OTHER, READER_OTHER,
        READER_FLOAT, READER_FLOAT, READER_INT,   READER_INT,   READER_INT,
        READER_INT,   READER_INT,   READER_INT,   READER_INT,   READER_INT,
        READER_OTHER, READER_OTHER, READER_OTHER, READER_OTHER, READER_OTHER,
        READER_TEXT,  READER_TEXT,  READER_TEXT,  READER_ARRAY, READER_ARRAY,
        READER_MAP,   READER_MAP,
    };
    return by_first[first - NIL];
}

enum reader_type reader_peek(const struct reader *r)
{
    return r->at < r->end ? type_of(*r->at) : READER_OTHER;
}

// Big-endian, 1, 2, 4 or 8 bytes.
static uint64_t load_be(const uint8_t *p, size_t width)
{
    switch (width) {
    case 1:
        return p[0];
    case 2:
        return (uint64_t)p[0] << 8 | p[1];
    case 4:
        return load_be32(p);
    default:
        return load_be64(p);
    }
}

// One value begins: takes it from the allowance. False when nothing is left.
static inline bool begin(struct reader *r)
{
    if (r->at >= r->end || r->objects == 0)
        return false;
    r->objects--;
    return true;
}

// The number of `width` bytes behind the first one.
static inline enum status number_behind(const struct reader *r, size_t width,
                                        uint64_t *out)
{
    if (reader_left(r) < 1 + width)
        return ST_CORRUPT;
    *out = load_be(r->at + 1, width);
    return ST_OK;
}

enum status reader_nil(struct reader *r)
{
    if (reader_peek(r) != READER_NIL || !begin(r))
        return ST_CORRUPT;
    r->at++;
    return ST_OK;
}

enum status reader_bool(struct reader *r, bool *out)
{
    if (reader_peek(r) != READER_BOOL || !begin(r))
        return ST_CORRUPT;
    *out = *r->at++ == TRUE;
    return ST_OK;
}

// An integer as its bits, and whether they are those of a negative one.
static enum status integer(struct reader *r, uint64_t *bits, bool *is_negative)
{
    if (!begin(r))
        return ST_CORRUPT;
    uint8_t first = *r->at;
    if (first < FIXMAP || first >= FIXINT_NEGATIVE) {
        *is_negative = first >= FIXINT_NEGATIVE;
        *bits = *is_negative ? (uint64_t)(int64_t)(int8_t)first : first;
        r->at++;
        return ST_OK;
    }
    if (first < UINT8 || first > INT64)
        return ST_CORRUPT;
    bool is_signed = first >= INT8;
    size_t width = (size_t)1 << ((first - UINT8) & 3);
    uint64_t v = 0;
    ST_TRY(number_behind(r, width, &v));
    uint64_t top = UINT64_C(1) << (8 * width - 1);
    *is_negative = is_signed && (v & top);
    // Above the sign bit of a short negative number everything is sign.
    *bits = *is_negative ? v | ~(top | (top - 1)) : v;
    r->at += 1 + width;
    return ST_OK;
}

enum status reader_u64(struct reader *r, uint64_t *out)
{
    if (r->at < r->end && *r->at < FIXMAP && r->objects > 0) {
        r->objects--;
        *out = *r->at++;
        return ST_OK;
    }
    uint64_t bits;
    bool is_negative;
    ST_TRY(integer(r, &bits, &is_negative));
    if (is_negative)
        return ST_CORRUPT;
    *out = bits;
    return ST_OK;
}

enum status reader_i64(struct reader *r, int64_t *out)
{
    uint64_t bits;
    bool is_negative;
    ST_TRY(integer(r, &bits, &is_negative));
    if (!is_negative && bits > INT64_MAX)
        return ST_CORRUPT;
    *out = (int64_t)bits;
    return ST_OK;
}

// A double holds every integer up to 2^53.
static enum status f64_of_integer(struct reader *r, double *out)
{
    int64_t v;
    ST_TRY(reader_i64(r, &v));
    if (v > (INT64_C(1) << 53) || v < -(INT64_C(1) << 53))
        return ST_CORRUPT;
    *out = (double)v;
    return ST_OK;
}

enum status reader_f64(struct reader *r, double *out)
{
    enum reader_type type = reader_peek(r);
    if (type == READER_INT)
        return f64_of_integer(r, out);
    if (type != READER_FLOAT || !begin(r))
        return ST_CORRUPT;
    size_t width = *r->at == FLOAT32 ? 4 : 8;
    uint64_t bits = 0;
    ST_TRY(number_behind(r, width, &bits));
    if (width == 8) {
        memcpy(out, &bits, sizeof *out);
    } else {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof f);
        *out = (double)f;
    }
    r->at += 1 + width;
    return ST_OK;
}

// The bytes of a run whose length stands in `width` bytes behind the first.
static enum status run(struct reader *r, size_t width, struct span *out)
{
    uint64_t size = 0;
    ST_TRY(number_behind(r, width, &size));
    const uint8_t *data = r->at + 1 + width;
    if (size > (uint64_t)(r->end - data))
        return ST_CORRUPT;
    *out = span_of(data, (size_t)size);
    r->at = data + size;
    return ST_OK;
}

enum status reader_raw_text(struct reader *r, struct span *out)
{
    if (!begin(r))
        return ST_CORRUPT;
    uint8_t first = *r->at;
    if ((first & 0xe0) == FIXSTR) {
        size_t size = first & 0x1f;
        if (size > reader_left(r) - 1)
            return ST_CORRUPT;
        *out = span_of(r->at + 1, size);
        r->at += 1 + size;
        return ST_OK;
    }
    if (first < STR8 || first > STR8 + 2)
        return ST_CORRUPT;
    return run(r, (size_t)1 << (first - STR8), out);
}

// Most texts are ASCII: eight bytes at a time, and the full check only for the others.
static bool is_ascii(struct span s)
{
    uint64_t all = 0;
    while (s.size >= 8) {
        uint64_t eight;
        memcpy(&eight, s.data, 8);
        all |= eight;
        s = span_of(s.data + 8, s.size - 8);
    }
    for (size_t i = 0; i < s.size; i++)
        all |= s.data[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

enum status reader_text(struct reader *r, struct span *out)
{
    struct span text;
    ST_TRY(reader_raw_text(r, &text));
    if (!is_ascii(text) && !text_is_utf8(text))
        return ST_CORRUPT;
    *out = text;
    return ST_OK;
}

enum status reader_bytes(struct reader *r, struct span *out)
{
    if (!begin(r) || *r->at < BIN8 || *r->at > BIN8 + 2)
        return ST_CORRUPT;
    return run(r, (size_t)1 << (*r->at - BIN8), out);
}

// Enters a container whose short form holds its count in the first byte's low bits.
// Every item takes a byte at least, so a count above what is left is a lie.
static enum status enter(struct reader *r, uint8_t fix, uint8_t wide, size_t each,
                         uint32_t *out)
{
    if (!begin(r) || r->depth == 0)
        return ST_CORRUPT;
    uint8_t first = *r->at;
    uint64_t count = first & 0x0f;
    size_t head = 1;
    if ((first & 0xf0) != fix) {
        if (first != wide && first != wide + 1)
            return ST_CORRUPT;
        size_t width = first == wide ? 2 : 4;
        ST_TRY(number_behind(r, width, &count));
        head += width;
    }
    if (count > (reader_left(r) - head) / each || count * each > r->objects)
        return ST_CORRUPT;
    r->at += head;
    r->depth--;
    *out = (uint32_t)count;
    return ST_OK;
}

enum status reader_array(struct reader *r, uint32_t *out)
{
    return enter(r, FIXARRAY, ARRAY16, 1, out);
}

enum status reader_map(struct reader *r, uint32_t *out)
{
    return enter(r, FIXMAP, MAP16, 2, out);
}

void reader_leave(struct reader *r)
{
    assert(r->depth < READER_DEPTH_MAX);
    r->depth++;
}

// One value that holds no others.
static enum status skip_plain(struct reader *r, enum reader_type type)
{
    uint64_t bits;
    double number;
    bool flag;
    struct span bytes;
    switch (type) {
    case READER_NIL:
        return reader_nil(r);
    case READER_BOOL:
        return reader_bool(r, &flag);
    case READER_INT:
        return integer(r, &bits, &flag);
    case READER_FLOAT:
        return reader_f64(r, &number);
    case READER_TEXT:
        return reader_text(r, &bytes);
    case READER_BYTES:
        return reader_bytes(r, &bytes);
    default:
        return ST_CORRUPT;
    }
}

enum status reader_skip(struct reader *r)
{
    // Items still to pass at each level; level 0 is the value itself. An allowance that
    // is used up stops a walk that a hostile sender would like to be long.
    uint64_t todo[READER_DEPTH_MAX + 1] = {1};
    uint32_t level = 0;
    for (;;) {
        while (todo[level] == 0) {
            if (level == 0)
                return ST_OK;
            reader_leave(r);
            level--;
        }
        todo[level]--;
        enum reader_type type = reader_peek(r);
        if (type == READER_ARRAY || type == READER_MAP) {
            uint32_t count = 0;
            ST_TRY(type == READER_MAP ? reader_map(r, &count)
                                      : reader_array(r, &count));
            todo[++level] = (uint64_t)count * (type == READER_MAP ? 2 : 1);
        } else {
            ST_TRY(skip_plain(r, type));
        }
    }
}

enum status reader_end(const struct reader *r)
{
    return r->at == r->end ? ST_OK : ST_CORRUPT;
}
