// Counts: two bits a number tell its length, then come the bytes, lowest first.
//
// A row begins with the scale: with SCALE_SHORT the four lengths are 0, 1, 2 and 4
// bytes, with SCALE_LONG 0, 2, 4 and 8. Then the lengths, four to a byte, then the
// numbers. Against one continuation bit a byte this needs no branch for each byte, and
// it is as short: a zero takes a quarter byte, 64 cells of 1e5 rows take about 145.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/counts.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define FOUR_BYTES_MAX 32 // of four numbers

enum scale_name { SCALE_SHORT = 0, SCALE_LONG = 1 };

// What the two bits mean. A number has the first length that holds it, so that each row
// has one form only.
struct scale {
    uint8_t length[4];
    uint64_t least[4];
    uint64_t most[4];
};

static const struct scale scales[2] = {
    {
        .length = {0, 1, 2, 4},
        .least = {0, 1, UINT8_MAX + 1, UINT16_MAX + 1},
        .most = {0, UINT8_MAX, UINT16_MAX, UINT32_MAX},
    },
    {
        .length = {0, 2, 4, 8},
        .least = {0, 1, UINT16_MAX + 1, UINT64_C(1) << 32},
        .most = {0, UINT16_MAX, UINT32_MAX, UINT64_MAX},
    },
};

static enum scale_name scale_of(const uint64_t *count, size_t n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= count[i];
    return all > UINT32_MAX ? SCALE_LONG : SCALE_SHORT;
}

static unsigned class_of(const struct scale *s, uint64_t v)
{
    return (unsigned)(v > s->most[0]) + (v > s->most[1]) + (v > s->most[2]);
}

void counts_encode(const uint64_t *count, size_t n, struct buf *out)
{
    assert(n <= COUNTS_MAX);
    enum scale_name name = scale_of(count, n);
    const struct scale *s = &scales[name];
    uint8_t lengths[COUNTS_MAX / 4] = {0};
    uint8_t bytes[COUNTS_MAX * 8];
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned class = class_of(s, count[i]);
        lengths[i / 4] |= (uint8_t)(class << (i % 4 * 2));
        store_le64(bytes + size, count[i]);
        size += s->length[class];
    }
    buf_put_u8(out, (uint8_t)name);
    buf_put(out, lengths, (n + 3) / 4);
    buf_put(out, bytes, size);
}

// Where the next number is, and whether one before it was longer than it need be. (Told
// by value: through a pointer each number would wait for the one before it.)
struct place {
    const uint8_t *at;
    bool is_bad;
};

// Reads one number, behind which there are eight bytes at least.
static inline struct place take(const struct scale *s, unsigned class, struct place p,
                                uint64_t *out)
{
    uint64_t v = load_le64(p.at) & s->most[class];
    *out = v;
    return (struct place){p.at + s->length[class], p.is_bad | (v < s->least[class])};
}

static inline struct place take_four(const struct scale *s, unsigned classes,
                                     struct place p, uint64_t out[4])
{
    p = take(s, classes & 3, p, &out[0]);
    p = take(s, classes >> 2 & 3, p, &out[1]);
    p = take(s, classes >> 4 & 3, p, &out[2]);
    return take(s, classes >> 6, p, &out[3]);
}

static size_t size_of_four(const struct scale *s, unsigned classes)
{
    return (size_t)s->length[classes & 3] + s->length[classes >> 2 & 3] +
           s->length[classes >> 4 & 3] + s->length[classes >> 6];
}

// Near the end of the bytes four numbers are read from a copy with room behind it.
static enum status take_last(const struct scale *s, unsigned classes,
                             struct cursor *from, uint64_t out[4])
{
    uint8_t room[FOUR_BYTES_MAX + 8] = {0};
    struct span bytes;
    ST_TRY(cursor_bytes(from, size_of_four(s, classes), &bytes));
    if (bytes.size)
        memcpy(room, bytes.data, bytes.size);
    struct place end = take_four(s, classes, (struct place){room, false}, out);
    return end.is_bad ? ST_CORRUPT : ST_OK;
}

static enum status take_all(const struct scale *s, struct span lengths,
                            struct cursor *from, uint64_t *out)
{
    struct place p = {from->left.data, false};
    const uint8_t *end = p.at + from->left.size;
    size_t i = 0;
    for (; i < lengths.size && end - p.at >= FOUR_BYTES_MAX + 8; i++)
        p = take_four(s, lengths.data[i], p, out + 4 * i);
    if (p.is_bad)
        return ST_CORRUPT;
    from->left = span_of(p.at, (size_t)(end - p.at));
    for (; i < lengths.size; i++)
        ST_TRY(take_last(s, lengths.data[i], from, out + 4 * i));
    return ST_OK;
}

enum status counts_decode(struct cursor *from, uint64_t *count, size_t n)
{
    assert(n <= COUNTS_MAX);
    uint64_t row[COUNTS_MAX];
    uint8_t name;
    struct span lengths;
    ST_TRY(cursor_u8(from, &name));
    if (name > SCALE_LONG)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(from, (n + 3) / 4, &lengths));
    if (n % 4 && lengths.data[n / 4] >> n % 4 * 2) // numbers behind the last one
        return ST_CORRUPT;
    ST_TRY(take_all(&scales[name], lengths, from, row));
    if (name == SCALE_LONG && scale_of(row, n) == SCALE_SHORT)
        return ST_CORRUPT;
    memcpy(count, row, n * sizeof *count);
    return ST_OK;
}

void counts_add(uint64_t *a, const uint64_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] = counts_sum(a[i], b[i]);
}
