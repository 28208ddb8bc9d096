// Text: numbers, sizes, names and encodings. Times stand in time.c.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F64_TEXT_MAX 400

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

enum status text_u64(struct span s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.size == 0)
        return ST_RANGE;
    for (size_t i = 0; i < s.size; i++) {
        if (!is_digit(s.data[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.data[i] - '0'), &v))
            return ST_RANGE;
    }
    *out = v;
    return ST_OK;
}

enum status text_i64(struct span s, int64_t *out)
{
    bool is_negative = s.size > 0 && s.data[0] == '-';
    uint64_t v;
    if (is_negative)
        s = span_of(s.data + 1, s.size - 1);
    ST_TRY(text_u64(s, &v));
    if (v > (uint64_t)INT64_MAX + is_negative)
        return ST_RANGE;
    *out = is_negative ? (int64_t)(0 - v) : (int64_t)v;
    return ST_OK;
}

enum status text_f64(struct span s, double *out)
{
    char copy[F64_TEXT_MAX + 1];
    if (s.size == 0 || s.size > F64_TEXT_MAX)
        return ST_RANGE;
    memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    // strtod skips blanks and knows words; a number begins with none of these.
    size_t first = copy[0] == '+' || copy[0] == '-' ? 1 : 0;
    if (!is_digit((uint8_t)copy[first]) && copy[first] != '.')
        return ST_RANGE;
    // The programs never call setlocale, so the point is a point.
    char *end;
    double v = strtod(copy, &end);
    if (end != copy + s.size || !isfinite(v))
        return ST_RANGE;
    *out = v;
    return ST_OK;
}

struct unit {
    const char *name;
    uint64_t worth;
};

// Reads digits and one of the units. A bare number takes the unit `bare`.
static enum status read_unit(struct span s, const struct unit *units, size_t count,
                             uint64_t bare, uint64_t *out)
{
    size_t digits = 0;
    while (digits < s.size && is_digit(s.data[digits]))
        digits++;
    uint64_t v;
    ST_TRY(text_u64(span_of(s.data, digits), &v));
    uint64_t worth = digits == s.size ? bare : 0;
    for (size_t i = 0; i < count && worth == 0; i++) {
        if (span_is(span_of(s.data + digits, s.size - digits), units[i].name))
            worth = units[i].worth;
    }
    if (worth == 0 || __builtin_mul_overflow(v, worth, &v))
        return ST_RANGE;
    *out = v;
    return ST_OK;
}

// Writes in the largest unit that leaves no rest; the last one is worth 1.
static void put_unit(struct buf *b, uint64_t v, const struct unit *units, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && v % units[i].worth != 0)
        i++;
    buf_printf(b, "%" PRIu64 "%s", v / units[i].worth, units[i].name);
}

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static const struct unit duration_units[] = {
    {"w", UINT64_C(604800000000000)},
    {"d", UINT64_C(86400000000000)},
    {"h", UINT64_C(3600000000000)},
    {"m", UINT64_C(60000000000)},
    {"s", UINT64_C(1000000000)},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
};

enum status text_duration(struct span s, uint64_t *out_ns)
{
    return read_unit(s, duration_units, COUNT(duration_units), UINT64_C(1000000000),
                     out_ns);
}

void text_put_duration(struct buf *b, uint64_t ns)
{
    if (ns == 0) {
        buf_put_text(b, "0s");
        return;
    }
    // Weeks are read but not written: people count in days.
    put_unit(b, ns, duration_units + 1, COUNT(duration_units) - 1);
}

static const struct unit size_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"B", 1},
};

enum status text_size(struct span s, uint64_t *out_bytes)
{
    return read_unit(s, size_units, COUNT(size_units), 1, out_bytes);
}

void text_put_size(struct buf *b, uint64_t bytes)
{
    if (bytes == 0)
        buf_put_text(b, "0B");
    else
        put_unit(b, bytes, size_units, COUNT(size_units));
}

size_t text_number(double v, char out[TEXT_NUMBER_BYTES])
{
    if (v == floor(v) && fabs(v) < 1e15)
        return (size_t)snprintf(out, TEXT_NUMBER_BYTES, "%.0f", v + 0.0);
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(out, TEXT_NUMBER_BYTES, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    return (size_t)size;
}

void text_put_hex(struct buf *b, struct span bytes)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        char pair[2] = {digit[bytes.data[i] >> 4], digit[bytes.data[i] & 15]};
        buf_put(b, pair, 2);
    }
}

static int hex_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum status text_hex(struct span s, uint8_t *out, size_t out_size)
{
    if (s.size % 2 != 0 || s.size / 2 != out_size)
        return ST_CORRUPT;
    for (size_t i = 0; i < s.size; i++) {
        if (hex_value(s.data[i]) < 0)
            return ST_CORRUPT;
    }
    for (size_t i = 0; i < out_size; i++)
        out[i] =
            (uint8_t)(hex_value(s.data[2 * i]) << 4 | hex_value(s.data[2 * i + 1]));
    return ST_OK;
}

static const char base64url_digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void text_put_base64url(struct buf *b, struct span bytes)
{
    uint32_t held = 0; // bits not yet written, right-aligned
    unsigned bits = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        held = held << 8 | bytes.data[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            buf_put_u8(b, (uint8_t)base64url_digit[held >> bits & 63]);
        }
    }
    if (bits > 0)
        buf_put_u8(b, (uint8_t)base64url_digit[held << (6 - bits) & 63]);
}

static int base64url_value(uint8_t c)
{
    const char *at = c ? strchr(base64url_digit, c) : NULL;
    return at ? (int)(at - base64url_digit) : -1;
}

enum status text_base64url(struct span s, struct buf *out)
{
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (base64url_value(s.data[i]) < 0)
            return ST_CORRUPT;
    }
    // One digit holds no byte, and spare bits must be zero: one text for each value.
    if (s.size % 4 == 1)
        return ST_CORRUPT;
    unsigned spare = s.size % 4 == 2 ? 15 : s.size % 4 == 3 ? 3 : 0;
    if (spare && (base64url_value(s.data[s.size - 1]) & (int)spare) != 0)
        return ST_CORRUPT;
    for (size_t i = 0; i < s.size; i++) {
        held = held << 6 | (uint32_t)base64url_value(s.data[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_put_u8(out, (uint8_t)(held >> bits));
        }
    }
    return out->failed;
}

size_t text_utf8_step(struct span s)
{
    // For each first byte: the length, and the least code that may take so many bytes.
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } form[] = {{0x80, 0x00, 0},
                {0xe0, 0xc0, 0x80},
                {0xf0, 0xe0, 0x800},
                {0xf8, 0xf0, 0x10000}};
    if (s.size == 0)
        return 0;
    size_t n = 0;
    while (n < COUNT(form) && (s.data[0] & form[n].mask) != form[n].lead)
        n++;
    if (n == COUNT(form) || s.size <= n)
        return 0;
    uint32_t code = s.data[0] & (uint8_t)~form[n].mask;
    for (size_t i = 1; i <= n; i++) {
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s.data[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < form[n].least || code > 0x10ffff || is_surrogate ? 0 : n + 1;
}

bool text_is_utf8(struct span s)
{
    for (size_t i = 0; i < s.size;) {
        size_t n = text_utf8_step(span_of(s.data + i, s.size - i));
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Names are looked at for every feature of every window: one load a byte, no branches.
static const uint8_t name_bytes[256] = {
    ['0'] = 3, ['1'] = 3, ['2'] = 3, ['3'] = 3, ['4'] = 3, ['5'] = 3, ['6'] = 3,
    ['7'] = 3, ['8'] = 3, ['9'] = 3, ['a'] = 3, ['b'] = 3, ['c'] = 3, ['d'] = 3,
    ['e'] = 3, ['f'] = 3, ['g'] = 3, ['h'] = 3, ['i'] = 3, ['j'] = 3, ['k'] = 3,
    ['l'] = 3, ['m'] = 3, ['n'] = 3, ['o'] = 3, ['p'] = 3, ['q'] = 3, ['r'] = 3,
    ['s'] = 3, ['t'] = 3, ['u'] = 3, ['v'] = 3, ['w'] = 3, ['x'] = 3, ['y'] = 3,
    ['z'] = 3, ['A'] = 3, ['B'] = 3, ['C'] = 3, ['D'] = 3, ['E'] = 3, ['F'] = 3,
    ['G'] = 3, ['H'] = 3, ['I'] = 3, ['J'] = 3, ['K'] = 3, ['L'] = 3, ['M'] = 3,
    ['N'] = 3, ['O'] = 3, ['P'] = 3, ['Q'] = 3, ['R'] = 3, ['S'] = 3, ['T'] = 3,
    ['U'] = 3, ['V'] = 3, ['W'] = 3, ['X'] = 3, ['Y'] = 3, ['Z'] = 3, ['_'] = 3,
    ['@'] = 3, ['/'] = 3, ['+'] = 3, [':'] = 3, ['-'] = 3, ['.'] = 1,
};

// Two dots in a row could lead a path upwards.
static bool has_dots(struct span s)
{
    for (size_t i = 1; i < s.size; i++)
        if (s.data[i] == '.' && s.data[i - 1] == '.')
            return true;
    return false;
}

bool text_is_name(struct span s)
{
    if (s.size == 0 || s.size > 128 || !(is_letter(s.data[0]) || is_digit(s.data[0])))
        return false;
    // Bit 0: a byte that belongs. Bit 1: not a dot.
    uint8_t all = 3;
    for (size_t i = 0; i < s.size; i++)
        all &= name_bytes[s.data[i]];
    return all == 3 || (all == 1 && !has_dots(s));
}

bool text_glob(struct span pattern, struct span s)
{
    size_t p = 0, i = 0;
    size_t star = SIZE_MAX,
           star_i = 0; // the last '*' seen, and what it has eaten up to
    while (i < s.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            star_i = i;
        } else if (p < pattern.size &&
                   (pattern.data[p] == '?' || pattern.data[p] == s.data[i])) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++star_i;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}
