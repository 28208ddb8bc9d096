// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/packets.h"

#include "proto/observation.h"

// More than fit in the longest map there may be.
#define VALUES_MAX ((uint64_t)OBSERVATION_LINE_MAX * 4)

// What stands behind a type: `head` bytes of a length or a count, and what that means.
enum form {
    FORM_PLAIN,  // `fixed` bytes of payload
    FORM_LENGTH, // so many bytes, and `fixed` more
    FORM_ITEMS,  // so many values
    FORM_PAIRS,  // so many pairs of them
    FORM_NONE,   // no msgpack
};

struct type {
    uint8_t first, last; // type bytes
    uint8_t head;
    enum form form;
    uint8_t fixed;
};

static const struct type types[] = {
    {0x00, 0x7f, 0, FORM_PLAIN, 0}, // small integers
    {0xe0, 0xff, 0, FORM_PLAIN, 0},  {0xc0, 0xc0, 0, FORM_PLAIN, 0},
    {0xc2, 0xc3, 0, FORM_PLAIN, 0},  {0xca, 0xca, 0, FORM_PLAIN, 4},
    {0xcb, 0xcb, 0, FORM_PLAIN, 8},  {0xcc, 0xcc, 0, FORM_PLAIN, 1},
    {0xcd, 0xcd, 0, FORM_PLAIN, 2},  {0xce, 0xce, 0, FORM_PLAIN, 4},
    {0xcf, 0xcf, 0, FORM_PLAIN, 8},  {0xd0, 0xd0, 0, FORM_PLAIN, 1},
    {0xd1, 0xd1, 0, FORM_PLAIN, 2},  {0xd2, 0xd2, 0, FORM_PLAIN, 4},
    {0xd3, 0xd3, 0, FORM_PLAIN, 8},  {0xd4, 0xd4, 0, FORM_PLAIN, 2}, // fixed ext
    {0xd5, 0xd5, 0, FORM_PLAIN, 3},  {0xd6, 0xd6, 0, FORM_PLAIN, 5},
    {0xd7, 0xd7, 0, FORM_PLAIN, 9},  {0xd8, 0xd8, 0, FORM_PLAIN, 17},
    {0xc4, 0xc4, 1, FORM_LENGTH, 0}, {0xd9, 0xd9, 1, FORM_LENGTH, 0}, // bin, str
    {0xc5, 0xc5, 2, FORM_LENGTH, 0}, {0xda, 0xda, 2, FORM_LENGTH, 0},
    {0xc6, 0xc6, 4, FORM_LENGTH, 0}, {0xdb, 0xdb, 4, FORM_LENGTH, 0},
    {0xc7, 0xc7, 1, FORM_LENGTH, 1}, {0xc8, 0xc8, 2, FORM_LENGTH, 1}, // ext
    {0xc9, 0xc9, 4, FORM_LENGTH, 1}, {0xdc, 0xdc, 2, FORM_ITEMS, 0},
    {0xdd, 0xdd, 4, FORM_ITEMS, 0},  {0xde, 0xde, 2, FORM_PAIRS, 0},
    {0xdf, 0xdf, 4, FORM_PAIRS, 0},
};

void packets_init(struct packets *p)
{
    *p = (struct packets){.values = 0};
    buf_init(&p->held, OBSERVATION_LINE_MAX);
}

void packets_fini(struct packets *p)
{
    buf_fini(&p->held);
}

void packets_clear(struct packets *p)
{
    buf_fini(&p->held);
    packets_init(p);
}

void packets_give_up(struct packets *p)
{
    buf_fini(&p->held);
    buf_init(&p->held, OBSERVATION_LINE_MAX);
    p->is_skipping = true;
}

bool packets_begin_with(uint8_t byte)
{
    return (byte & 0xf0) == 0x80 || byte == 0xde || byte == 0xdf;
}

static struct type type_of(uint8_t byte)
{
    static const struct type none = {.form = FORM_NONE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (byte >= types[i].first && byte <= types[i].last)
            return types[i];
    return none;
}

static uint64_t big_endian(const uint8_t *at, uint32_t n)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < n; i++)
        v = v << 8 | at[i];
    return v;
}

// The head of a value is complete: what does it ask for? False: it is none.
static bool take_head(struct packets *p)
{
    uint8_t byte = p->head[0];
    p->values--;
    p->head_size = 0;
    if (byte >= 0x80 && byte <= 0x8f) {
        p->values += 2u * (byte & 15u);
    } else if (byte >= 0x90 && byte <= 0x9f) {
        p->values += byte & 15u;
    } else if (byte >= 0xa0 && byte <= 0xbf) {
        p->payload = byte & 31u;
    } else {
        struct type t = type_of(byte);
        uint64_t n = big_endian(p->head + 1, t.head);
        p->payload = t.form == FORM_LENGTH ? n + t.fixed : t.fixed;
        p->values += t.form == FORM_ITEMS ? n : t.form == FORM_PAIRS ? 2 * n : 0;
        if (t.form == FORM_NONE)
            return false;
    }
    return p->values <= VALUES_MAX;
}

static uint32_t head_of(uint8_t byte)
{
    bool is_small = byte >= 0x80 && byte <= 0xbf;
    return 1u + (is_small ? 0u : type_of(byte).head);
}

// How many bytes of `bytes` belong to the map under way. False: it is none.
static bool walk(struct packets *p, struct span bytes, size_t *used)
{
    size_t at = 0;
    while (at < bytes.size && (p->values > 0 || p->payload > 0)) {
        if (p->payload > 0) {
            size_t left = bytes.size - at;
            size_t n = p->payload < left ? (size_t)p->payload : left;
            p->payload -= n;
            at += n;
            continue;
        }
        p->head[p->head_size++] = bytes.data[at++];
        if (p->head_size == head_of(p->head[0]) && !take_head(p))
            return false;
    }
    *used = at;
    return true;
}

static void keep(struct packets *p, struct span part)
{
    if (p->is_skipping)
        return;
    buf_put_span(&p->held, part);
    if (p->held.failed != ST_OK)
        packets_give_up(p);
}

enum packet_kind packets_next(struct packets *p, struct span *bytes,
                              struct span *packet)
{
    size_t used = 0;
    if (p->is_lent)
        packets_clear(p);
    if (bytes->size == 0)
        return PACKET_NONE;
    bool is_first = p->values == 0 && p->payload == 0;
    if (is_first) {
        if (!packets_begin_with(bytes->data[0]))
            return PACKET_BROKEN;
        p->values = 1;
    }
    if (!walk(p, *bytes, &used))
        return PACKET_BROKEN;
    struct span part = span_of(bytes->data, used);
    *bytes = span_of(bytes->data + used, bytes->size - used);
    bool is_whole = p->values == 0 && p->payload == 0;
    if (is_whole && is_first && used <= OBSERVATION_LINE_MAX) {
        *packet = part;
        return PACKET_WHOLE;
    }
    keep(p, part);
    if (!is_whole)
        return PACKET_NONE;
    if (p->is_skipping) {
        p->is_skipping = false;
        return PACKET_OVERSIZE;
    }
    *packet = buf_span(&p->held);
    p->is_lent = true;
    return PACKET_WHOLE;
}
