// Distinct: Apache DataSketches HLL bytes (family 7), written compactly and read
// warily.
//
//   0 longs of head: 2 list, 3 set, 10 registers    1 serial = 1     2 family = 7
//   3 lg_k    4 lg of the coupon or exception array    5 flags
//   6 list: coupons; registers: least value            7 mode, and the registers' width
//   list: u32 coupons from 8.  set: u32 count at 8, u32 coupons from 12.
//   registers: f64 running estimate at 8, f64 sums of 2^-register at 16 (below 32) and
//   24, u32 registers of the least value at 32, u32 exceptions at 36, registers
//   from 40. 4-bit registers hold what is above the least value, 15 means: see the
//   exceptions.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/span.h"
#include "common/sketch/distinct_inner.h"

#define SERIAL 1
#define FAMILY 7
#define LIST_HEAD 8
#define SET_HEAD 12
#define REGISTERS_HEAD 40
#define FLAG_EMPTY 4
#define FLAG_COMPACT 8
#define FLAG_UNORDERED 16
#define LIST_LG 3
#define EMPTY_TABLE_LG 5 // of exceptions, at lg_k 12
#define EXCEPTION 15     // a nibble that is not the value

enum mode { MODE_LIST = 0, MODE_SET = 1, MODE_REGISTERS = 2 };

static const uint8_t longs_of_head[] = {2, 3, 10};

struct head {
    unsigned lg_k;
    unsigned lg_array;
    unsigned flags;
    unsigned count; // byte 6
    enum mode mode;
    enum distinct_form form;
};

struct sums {
    double inverse[2];
    uint8_t least;
    uint32_t at_least; // registers of that value
};

static struct sums sums_of(const uint8_t *reg, unsigned lg_k, enum distinct_form form)
{
    struct sums s = {.least = 0};
    uint32_t count[REGISTER_MAX + 1];
    distinct_histogram(reg, (size_t)1 << lg_k, count);
    for (unsigned v = 0; v <= REGISTER_MAX; v++)
        s.inverse[v >= 32] += count[v] * distinct_inverse(v);
    while (form == DISTINCT_HLL_4 && count[s.least] == 0)
        s.least++;
    s.at_least = count[s.least];
    return s;
}

static void put_head(struct buf *out, const struct head *h)
{
    const uint8_t bytes[8] = {
        longs_of_head[h->mode],
        SERIAL,
        FAMILY,
        (uint8_t)h->lg_k,
        (uint8_t)h->lg_array,
        (uint8_t)h->flags,
        (uint8_t)h->count,
        (uint8_t)((unsigned)h->mode | (unsigned)h->form << 2),
    };
    buf_put(out, bytes, sizeof bytes);
}

static int compare_le32(const void *a, const void *b)
{
    uint32_t x = load_le32(a), y = load_le32(b);
    return (x > y) - (x < y);
}

// Ascending, so that the same values give the same bytes in whatever order they came.
static void put_coupons(const struct distinct *d, struct buf *out)
{
    uint8_t *room = buf_reserve(out, (size_t)d->coupons * 4), *at = room;
    if (!room)
        return;
    for (uint32_t i = 0; i < UINT32_C(1) << d->lg_table; i++) {
        if (!d->table[i])
            continue;
        store_le32(at, d->table[i]);
        at += 4;
    }
    qsort(room, d->coupons, 4, compare_le32);
}

static void encode_coupons(const struct distinct *d, enum distinct_form form,
                           struct buf *out)
{
    struct head h = {.lg_k = d->lg_k, .lg_array = LIST_LG, .form = form};
    h.flags = FLAG_COMPACT | (d->coupons == 0 ? FLAG_EMPTY : 0);
    if (d->coupons <= LIST_COUPONS_MAX) {
        h.mode = MODE_LIST;
        h.count = d->coupons;
        put_head(out, &h);
    } else {
        h.mode = MODE_SET;
        h.lg_array = SET_LG_LEAST;
        while (3 * (UINT32_C(1) << h.lg_array) / 4 < d->coupons)
            h.lg_array++;
        put_head(out, &h);
        buf_put_le32(out, d->coupons);
    }
    put_coupons(d, out);
}

static uint32_t count_exceptions(const struct distinct *d, uint8_t least)
{
    uint32_t n = 0;
    for (size_t i = 0; i < (size_t)1 << d->lg_k; i++)
        n += d->reg[i] >= least + EXCEPTION;
    return n;
}

static uint8_t nibble_of(uint8_t reg, uint8_t least)
{
    return reg - least < EXCEPTION ? (uint8_t)(reg - least) : EXCEPTION;
}

static void put_nibbles(const struct distinct *d, uint8_t least, struct buf *out)
{
    size_t n = (size_t)1 << d->lg_k;
    uint8_t *room = buf_reserve(out, n / 2);
    for (size_t i = 0; room && i < n; i += 2)
        room[i / 2] = (uint8_t)(nibble_of(d->reg[i], least) |
                                nibble_of(d->reg[i + 1], least) << 4);
    for (size_t i = 0; i < n; i++)
        if (d->reg[i] >= least + EXCEPTION)
            buf_put_le32(out, (uint32_t)d->reg[i] << COUPON_PLACE_BITS | (uint32_t)i);
}

static void encode_registers(const struct distinct *d, enum distinct_form form,
                             struct buf *out)
{
    struct sums s = sums_of(d->reg, d->lg_k, form);
    uint32_t exceptions = form == DISTINCT_HLL_4 ? count_exceptions(d, s.least) : 0;
    struct head h = {.lg_k = d->lg_k, .mode = MODE_REGISTERS, .form = form};
    h.count = s.least;
    h.flags = FLAG_COMPACT | (d->is_unordered ? FLAG_UNORDERED : 0);
    h.lg_array = exceptions ? 2 : 0;
    while (exceptions > 3 * (UINT32_C(1) << h.lg_array) / 4)
        h.lg_array++;
    put_head(out, &h);
    buf_put_le_f64(out, d->is_unordered ? 0 : d->hip);
    buf_put_le_f64(out, s.inverse[0]);
    buf_put_le_f64(out, s.inverse[1]);
    buf_put_le32(out, s.at_least);
    buf_put_le32(out, exceptions);
    if (form == DISTINCT_HLL_4)
        put_nibbles(d, s.least, out);
    else
        buf_put(out, d->reg, (size_t)1 << d->lg_k);
}

void distinct_encode(const struct distinct *d, enum distinct_form form, struct buf *out)
{
    if (form == DISTINCT_HLL_6)
        form = DISTINCT_HLL_8;
    if (d->has_registers)
        encode_registers(d, form, out);
    else
        encode_coupons(d, form, out);
}

static enum status take_head(struct span bytes, struct head *out)
{
    if (bytes.size < LIST_HEAD)
        return ST_CORRUPT;
    const uint8_t *b = bytes.data;
    unsigned mode = b[7] & 3, form = b[7] >> 2 & 3;
    if (b[2] != FAMILY || mode > MODE_REGISTERS || form > DISTINCT_HLL_8 || b[7] >> 4)
        return ST_CORRUPT;
    if (b[1] != SERIAL)
        return b[1] > SERIAL ? ST_VERSION : ST_CORRUPT;
    if (b[0] != longs_of_head[mode] || b[3] < DISTINCT_LG_K_MIN ||
        b[3] > DISTINCT_LG_K_MAX)
        return ST_CORRUPT;
    *out = (struct head){
        .lg_k = b[3],
        .lg_array = b[4],
        .flags = b[5],
        .count = b[6],
        .mode = (enum mode)mode,
        .form = (enum distinct_form)form,
    };
    return ST_OK;
}

// `slots` coupons, of which `count` are not 0 and no two are alike.
static enum status take_coupons(struct span bytes, uint32_t slots, uint32_t count,
                                unsigned lg_k, struct distinct **out)
{
    if (bytes.size != (size_t)slots * 4 || count > slots || count > coupons_max(lg_k))
        return ST_CORRUPT;
    struct distinct *d;
    ST_TRY(distinct_make(lg_k, count ? count : 1, &d));
    for (uint32_t i = 0; i < slots; i++) {
        uint32_t coupon = load_le32(bytes.data + (size_t)i * 4);
        bool is_free = coupon == 0 && slots > count;
        bool is_bad = coupon_value(coupon) == 0 || d->coupons == count;
        if (!is_free && (is_bad || !distinct_put_coupon(d, coupon))) {
            distinct_close(d);
            return ST_CORRUPT;
        }
    }
    if (d->coupons != count) {
        distinct_close(d);
        return ST_CORRUPT;
    }
    *out = d;
    return ST_OK;
}

static struct span skip(struct span bytes, size_t n)
{
    return span_of(bytes.data + n, bytes.size - n);
}

static enum status parse_list(struct span bytes, const struct head *h,
                              struct distinct **out)
{
    bool is_compact = h->flags & FLAG_COMPACT;
    bool is_empty = h->flags & FLAG_EMPTY;
    if (h->count > LIST_COUPONS_MAX || is_empty != (h->count == 0))
        return ST_CORRUPT;
    if (!is_compact && h->lg_array != LIST_LG)
        return ST_CORRUPT;
    uint32_t slots = is_compact ? h->count : 1u << LIST_LG;
    return take_coupons(skip(bytes, LIST_HEAD), slots, h->count, h->lg_k, out);
}

static enum status parse_set(struct span bytes, const struct head *h,
                             struct distinct **out)
{
    if (bytes.size < SET_HEAD || h->flags & FLAG_EMPTY || h->lg_k < SET_LG_K_LEAST)
        return ST_CORRUPT;
    if (h->lg_array < SET_LG_LEAST || h->lg_array > h->lg_k - LIST_LG)
        return ST_CORRUPT;
    uint32_t count = load_le32(bytes.data + LIST_HEAD);
    uint32_t room = UINT32_C(1) << h->lg_array;
    if (count == 0 || count > 3 * room / 4)
        return ST_CORRUPT;
    uint32_t slots = h->flags & FLAG_COMPACT ? count : room;
    return take_coupons(skip(bytes, SET_HEAD), slots, count, h->lg_k, out);
}

static bool take_bytes(struct span bytes, uint8_t *reg)
{
    bool is_fine = true;
    for (size_t i = 0; i < bytes.size; i++) {
        reg[i] = bytes.data[i];
        is_fine &= reg[i] <= REGISTER_MAX;
    }
    return is_fine;
}

// Four registers to three bytes, lowest bits first.
static void take_sixes(struct span bytes, size_t n, uint8_t *reg)
{
    for (size_t i = 0; i < n; i += 4) {
        const uint8_t *b = bytes.data + i / 4 * 3;
        reg[i] = b[0] & 63;
        reg[i + 1] = (uint8_t)((b[0] >> 6 | b[1] << 2) & 63);
        reg[i + 2] = (uint8_t)((b[1] >> 4 | b[2] << 4) & 63);
        reg[i + 3] = b[2] >> 2;
    }
}

// Exceptions replace the marks that take_nibbles left; each mark must get one.
static bool take_exceptions(struct span bytes, uint32_t count, uint8_t least, size_t n,
                            uint8_t *reg)
{
    const uint8_t mark = UINT8_MAX;
    uint32_t taken = 0, marks = 0;
    for (size_t i = 0; i < bytes.size; i += 4) {
        uint32_t coupon = load_le32(bytes.data + i);
        uint32_t place = coupon_place(coupon);
        if (coupon == 0 && bytes.size / 4 > count)
            continue;
        if (place >= n || reg[place] != mark ||
            coupon_value(coupon) < least + EXCEPTION)
            return false;
        reg[place] = coupon_value(coupon);
        taken++;
    }
    for (size_t i = 0; i < n; i++)
        marks += reg[i] == mark;
    return taken == count && marks == 0;
}

static bool take_nibbles(struct span bytes, uint8_t least, size_t n, uint8_t *reg)
{
    for (size_t i = 0; i < n; i++) {
        unsigned nibble = bytes.data[i / 2] >> i % 2 * 4 & 15;
        if (nibble != EXCEPTION && least + nibble > REGISTER_MAX)
            return false;
        reg[i] = nibble == EXCEPTION ? UINT8_MAX : (uint8_t)(least + nibble);
    }
    return true;
}

// Bytes of the registers alone.
static size_t size_of_registers(const struct head *h)
{
    size_t n = (size_t)1 << h->lg_k;
    return h->form == DISTINCT_HLL_8   ? n
           : h->form == DISTINCT_HLL_6 ? n / 4 * 3 + 1
                                       : n / 2;
}

// Whether `behind` bytes can be the exceptions. The compact form has them alone; the
// other one has a table, whose size it does not tell while it is empty: only that of
// the usual lg_k is known to us.
static bool is_exceptions_size(const struct head *h, uint32_t count, size_t behind)
{
    if (h->form != DISTINCT_HLL_4)
        return count == 0 && h->count == 0 && behind == 0;
    if (h->count > REGISTER_MAX || h->lg_array > h->lg_k)
        return false;
    if (h->flags & FLAG_COMPACT)
        return behind == (size_t)count * 4;
    bool is_told = h->lg_array > 0;
    unsigned lg = is_told ? h->lg_array : EMPTY_TABLE_LG;
    return (is_told || (count == 0 && h->lg_k == DISTINCT_LG_K)) &&
           behind == (size_t)4 << lg && count <= UINT32_C(1) << lg;
}

static bool take_registers(struct span bytes, const struct head *h, uint32_t exceptions,
                           uint8_t *reg)
{
    size_t n = (size_t)1 << h->lg_k;
    struct span body = span_of(bytes.data, size_of_registers(h));
    uint8_t least = (uint8_t)h->count;
    switch (h->form) {
    case DISTINCT_HLL_8:
        return take_bytes(body, reg);
    case DISTINCT_HLL_6:
        take_sixes(body, n, reg);
        return true;
    case DISTINCT_HLL_4:
        return take_nibbles(body, least, n, reg) &&
               take_exceptions(skip(bytes, body.size), exceptions, least, n, reg);
    }
    return false;
}

// The figures in the head must be those of the registers.
static bool is_true(const uint8_t *b, const struct head *h, const uint8_t *reg)
{
    struct sums s = sums_of(reg, h->lg_k, h->form);
    return s.inverse[0] == load_le_f64(b + 16) && s.inverse[1] == load_le_f64(b + 24) &&
           s.at_least == load_le32(b + 32) && s.least == h->count;
}

static enum status parse_registers(struct span bytes, const struct head *h,
                                   struct distinct **out)
{
    if (bytes.size < REGISTERS_HEAD || h->flags & FLAG_EMPTY)
        return ST_CORRUPT;
    double hip = load_le_f64(bytes.data + 8);
    uint32_t exceptions = load_le32(bytes.data + 36);
    size_t least_size = REGISTERS_HEAD + size_of_registers(h);
    if (!isfinite(hip) || hip < 0 || bytes.size < least_size ||
        !is_exceptions_size(h, exceptions, bytes.size - least_size))
        return ST_CORRUPT;
    struct distinct *d;
    ST_TRY(distinct_make(h->lg_k, 0, &d));
    if (!take_registers(skip(bytes, REGISTERS_HEAD), h, exceptions, d->reg) ||
        !is_true(bytes.data, h, d->reg)) {
        distinct_close(d);
        return ST_CORRUPT;
    }
    d->is_unordered = h->flags & FLAG_UNORDERED;
    d->hip = hip;
    d->inverse[0] = load_le_f64(bytes.data + 16);
    d->inverse[1] = load_le_f64(bytes.data + 24);
    *out = d;
    return ST_OK;
}

enum status distinct_parse(struct span bytes, struct distinct **out)
{
    struct head h;
    ST_TRY(take_head(bytes, &h));
    switch (h.mode) {
    case MODE_LIST:
        return parse_list(bytes, &h, out);
    case MODE_SET:
        return parse_set(bytes, &h, out);
    case MODE_REGISTERS:
        return parse_registers(bytes, &h, out);
    }
    return ST_CORRUPT;
}
