// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/lexer.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/text.h"

#define SCALAR_BYTES_MAX 512

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, // just behind '['
    EXPECT_KEY,
    EXPECT_KEY_OR_END, // just behind '{'
    EXPECT_COLON,
    EXPECT_COMMA_OR_END,
};

enum mode {
    MODE_BETWEEN,
    MODE_STRING,
    MODE_SCALAR, // a number or one of the words
};

#define ESCAPE_NONE 0
#define ESCAPE_BACKSLASH 5 // else 1..4 hex digits are still to come

void lexer_init(struct lexer *x, token_fn *take, void *self)
{
    *x = (struct lexer){.take = take, .self = self};
    buf_init(&x->held, OBSERVATION_STRING_MAX);
}

void lexer_fini(struct lexer *x)
{
    buf_fini(&x->held);
}

void lexer_reset(struct lexer *x)
{
    buf_clear(&x->held);
    x->nested = 0;
    x->depth = 0;
    x->expect = EXPECT_VALUE;
    x->mode = MODE_BETWEEN;
    x->escape = ESCAPE_NONE;
    x->unit = 0;
    x->high = 0;
    x->is_key = false;
    x->finished = false;
    x->plain = true;
}

// A value ended.
static void leave(struct lexer *x)
{
    x->mode = MODE_BETWEEN;
    x->expect = EXPECT_COMMA_OR_END;
    x->finished = x->depth == 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_scalar(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '+' || c == '.';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

// --- Scalars

// The longest prefix of digits.
static size_t digits_at(struct span s, size_t at)
{
    size_t n = 0;
    while (at + n < s.size && is_digit(s.data[at + n]))
        n++;
    return n;
}

// Where the parts of a number stand, if RFC 8259 knows it as one.
struct number_shape {
    size_t whole; // first digit
    size_t whole_size;
    size_t fraction_size; // 0: none
    int32_t exponent;
};

static bool exponent_at(struct span s, size_t at, int32_t *out)
{
    bool negative = at < s.size && s.data[at] == '-';
    if (at < s.size && (s.data[at] == '-' || s.data[at] == '+'))
        at++;
    size_t n = digits_at(s, at);
    if (n == 0 || at + n != s.size)
        return false;
    int32_t v = 0;
    for (size_t i = at; i < at + n && v < 100000; i++)
        v = v * 10 + (s.data[i] - '0');
    *out = negative ? -v : v;
    return true;
}

static bool shape_of(struct span s, struct number_shape *out)
{
    *out = (struct number_shape){.whole = s.size > 0 && s.data[0] == '-'};
    out->whole_size = digits_at(s, out->whole);
    if (out->whole_size == 0 || (out->whole_size > 1 && s.data[out->whole] == '0'))
        return false;
    size_t at = out->whole + out->whole_size;
    if (at < s.size && s.data[at] == '.') {
        out->fraction_size = digits_at(s, at + 1);
        if (out->fraction_size == 0)
            return false;
        at += 1 + out->fraction_size;
    }
    if (at == s.size)
        return true;
    return (s.data[at] == 'e' || s.data[at] == 'E') &&
           exponent_at(s, at + 1, &out->exponent);
}

// Exact while the digits fit 53 bits and the power of ten is one that a double holds:
// then one multiplication or division rounds once. Source: Clinger, How to Read
// Floating Point Numbers Accurately (PLDI 1990).
static bool number_fast(struct span s, const struct number_shape *n, double *out)
{
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int32_t power = n->exponent - (int32_t)n->fraction_size;
    if (n->whole_size + n->fraction_size > 15 || power < -22 || power > 22)
        return false;
    uint64_t v = 0;
    const uint8_t *p = s.data + n->whole;
    for (size_t i = 0; i < n->whole_size; i++)
        v = v * 10 + (uint64_t)(p[i] - '0');
    p += n->whole_size + 1;
    for (size_t i = 0; i < n->fraction_size; i++)
        v = v * 10 + (uint64_t)(p[i] - '0');
    double d = power < 0 ? (double)v / ten[-power] : (double)v * ten[power];
    *out = s.data[0] == '-' ? -d : d;
    return true;
}

static enum status number_of(struct span s, double *out)
{
    struct number_shape shape;
    if (!shape_of(s, &shape))
        return ST_CORRUPT;
    if (number_fast(s, &shape, out))
        return ST_OK;
    char text[SCALAR_BYTES_MAX + 1];
    memcpy(text, s.data, s.size);
    text[s.size] = 0;
    *out = strtod(text, NULL);
    return ST_OK;
}

static enum status take_scalar(struct lexer *x, struct span s)
{
    static const struct {
        const char *text;
        enum token token;
        double number;
    } word[] = {
        {"true", TOKEN_TRUE, 1},
        {"false", TOKEN_FALSE, 0},
        {"null", TOKEN_NULL, 0},
        {"NaN", TOKEN_NUMBER, NAN},
        {"Infinity", TOKEN_NUMBER, HUGE_VAL},
        {"-Infinity", TOKEN_NUMBER, -HUGE_VAL},
    };
    leave(x);
    if (s.size > SCALAR_BYTES_MAX)
        return ST_FULL;
    if (is_digit(s.data[0]) || (s.size > 1 && is_digit(s.data[1]))) {
        double number;
        ST_TRY(number_of(s, &number));
        return x->take(x->self, TOKEN_NUMBER, s, number);
    }
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (span_is(s, word[i].text))
            return x->take(x->self, word[i].token, s, word[i].number);
    return ST_CORRUPT;
}

static enum status hold(struct lexer *x, const uint8_t *data, size_t size)
{
    buf_put(&x->held, data, size);
    return x->held.failed;
}

static enum status feed_scalar(struct lexer *x, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    while (p < end && is_scalar(*p))
        p++;
    struct span s = span_of(*at, (size_t)(p - *at));
    *at = p;
    if (p == end || x->held.size > 0) {
        if (x->held.size + s.size > SCALAR_BYTES_MAX)
            return ST_FULL;
        ST_TRY(hold(x, s.data, s.size));
        if (p == end)
            return ST_OK;
        s = buf_span(&x->held);
    }
    return take_scalar(x, s);
}

// --- Strings

static enum status take_string(struct lexer *x, struct span s)
{
    bool is_key = x->is_key;
    if (s.size > OBSERVATION_STRING_MAX)
        return ST_FULL;
    if (!x->plain && !text_is_utf8(s))
        return ST_CORRUPT;
    if (is_key) {
        x->mode = MODE_BETWEEN;
        x->expect = EXPECT_COLON;
    } else {
        leave(x);
    }
    return x->take(x->self, is_key ? TOKEN_KEY : TOKEN_STRING, s, 0);
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_put_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        buf_put_u8(out, (uint8_t)(0xC0 | c >> 6));
        buf_put_u8(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_put_u8(out, (uint8_t)(0xE0 | c >> 12));
        buf_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        buf_put_u8(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else {
        buf_put_u8(out, (uint8_t)(0xF0 | c >> 18));
        buf_put_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
        buf_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        buf_put_u8(out, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

// Half of a surrogate pair that stays alone becomes U+FFFD: some servers send it, and a
// row should not be lost for it.
static void flush_high(struct lexer *x)
{
    if (x->high != 0)
        put_utf8(&x->held, 0xFFFD);
    x->high = 0;
}

static void put_unit(struct lexer *x, uint16_t unit)
{
    x->plain = x->plain && unit < 0x80;
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        uint32_t c = 0xFFFD;
        if (x->high != 0)
            c = 0x10000 + ((uint32_t)(x->high - 0xD800) << 10) + (unit - 0xDC00u);
        x->high = 0;
        put_utf8(&x->held, c);
        return;
    }
    flush_high(x);
    if (unit >= 0xD800 && unit <= 0xDBFF)
        x->high = unit;
    else
        put_utf8(&x->held, unit);
}

static int hex_of(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum status feed_escape(struct lexer *x, uint8_t c)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (x->escape == ESCAPE_BACKSLASH) {
        x->escape = c == 'u' ? 4 : ESCAPE_NONE;
        x->unit = 0;
        if (c == 'u')
            return ST_OK;
        const char *found = c ? strchr(from, c) : NULL;
        if (!found)
            return ST_CORRUPT;
        flush_high(x);
        buf_put_u8(&x->held, (uint8_t)to[found - from]);
        return x->held.failed;
    }
    int digit = hex_of(c);
    if (digit < 0)
        return ST_CORRUPT;
    x->unit = (uint16_t)(x->unit << 4 | digit);
    if (--x->escape == 0)
        put_unit(x, x->unit);
    return x->held.failed;
}

// The run of bytes that stand for themselves.
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end, bool *plain)
{
    uint8_t seen = 0;
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
        seen |= *p++;
    if (seen & 0x80)
        *plain = false;
    return p;
}

static enum status feed_string(struct lexer *x, const uint8_t **at, const uint8_t *end)
{
    if (x->escape != ESCAPE_NONE)
        return feed_escape(x, *(*at)++);
    const uint8_t *p = skip_plain(*at, end, &x->plain);
    struct span s = span_of(*at, (size_t)(p - *at));
    *at = p;
    if (x->high != 0 && (s.size > 0 || (p < end && *p != '\\')))
        flush_high(x);
    if (p < end && *p < 0x20)
        return ST_CORRUPT;
    if (p == end || *p == '\\' || x->held.size > 0)
        ST_TRY(hold(x, s.data, s.size));
    if (p == end)
        return ST_OK;
    *at = p + 1;
    if (*p == '\\') {
        x->escape = ESCAPE_BACKSLASH;
        return ST_OK;
    }
    return take_string(x, x->held.size > 0 ? buf_span(&x->held) : s);
}

// --- Structure

static enum status enter(struct lexer *x, bool is_object)
{
    if (x->depth == OBSERVATION_DEPTH_MAX)
        return ST_FULL;
    x->depth++;
    x->nested = x->nested << 1 | is_object;
    x->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return x->take(x->self, is_object ? TOKEN_OBJECT : TOKEN_ARRAY, (struct span){0},
                   0);
}

static enum status close_container(struct lexer *x, bool is_object)
{
    bool is_inside = x->depth > 0 && (x->nested & 1) == is_object;
    bool may_end = x->expect == EXPECT_COMMA_OR_END ||
                   x->expect == (is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);
    if (!is_inside || !may_end)
        return ST_CORRUPT;
    x->depth--;
    x->nested >>= 1;
    leave(x);
    return x->take(x->self, is_object ? TOKEN_OBJECT_END : TOKEN_ARRAY_END,
                   (struct span){0}, 0);
}

static void begin_string(struct lexer *x, bool is_key)
{
    buf_clear(&x->held);
    x->mode = MODE_STRING;
    x->is_key = is_key;
    x->plain = true;
}

static enum status begin_value(struct lexer *x, const uint8_t **at)
{
    uint8_t c = **at;
    if (x->expect != EXPECT_VALUE && x->expect != EXPECT_VALUE_OR_END)
        return ST_CORRUPT;
    if (is_scalar(c)) {
        buf_clear(&x->held);
        x->mode = MODE_SCALAR;
        return ST_OK; // the byte is read again, as the scalar's first
    }
    ++*at;
    if (c == '"') {
        begin_string(x, false);
        return ST_OK;
    }
    if (c != '{' && c != '[')
        return ST_CORRUPT;
    return enter(x, c == '{');
}

static enum status feed_between(struct lexer *x, const uint8_t **at)
{
    uint8_t c = **at;
    if (is_space(c) || c == '}' || c == ']' || c == ':' || c == ',')
        ++*at;
    if (is_space(c))
        return ST_OK;
    if (c == '}' || c == ']')
        return close_container(x, c == '}');
    if (c == ':') {
        enum status st = x->expect == EXPECT_COLON ? ST_OK : ST_CORRUPT;
        x->expect = EXPECT_VALUE;
        return st;
    }
    if (c == ',') {
        if (x->depth == 0 || x->expect != EXPECT_COMMA_OR_END)
            return ST_CORRUPT;
        x->expect = x->nested & 1 ? EXPECT_KEY : EXPECT_VALUE;
        return ST_OK;
    }
    if (x->expect == EXPECT_KEY || x->expect == EXPECT_KEY_OR_END) {
        if (c != '"')
            return ST_CORRUPT;
        ++*at;
        begin_string(x, true);
        return ST_OK;
    }
    return begin_value(x, at);
}

enum status lexer_feed(struct lexer *x, struct span bytes, size_t *used)
{
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.size;
    while (at < end && !x->finished) {
        enum status st;
        if (x->mode == MODE_STRING)
            st = feed_string(x, &at, end);
        else if (x->mode == MODE_SCALAR)
            st = feed_scalar(x, &at, end);
        else
            st = feed_between(x, &at);
        if (st != ST_OK)
            return st;
    }
    *used = (size_t)(at - bytes.data);
    return ST_OK;
}

enum status lexer_end(struct lexer *x)
{
    if (!x->finished && x->mode == MODE_SCALAR && x->depth == 0)
        ST_TRY(take_scalar(x, buf_span(&x->held)));
    return x->finished ? ST_OK : ST_CORRUPT;
}

enum status lexer_whole(struct lexer *x, struct span bytes)
{
    size_t used;
    lexer_reset(x);
    ST_TRY(lexer_feed(x, bytes, &used));
    ST_TRY(lexer_end(x));
    while (used < bytes.size && is_space(bytes.data[used]))
        used++;
    return used == bytes.size ? ST_OK : ST_CORRUPT;
}
