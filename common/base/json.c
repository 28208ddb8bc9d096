// Json: the streaming writer.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

// Places the comma that a value or a key needs before it.
static void begin_item(struct json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth > 0 && j->has_item[j->depth])
        buf_put_u8(j->out, ',');
    j->has_item[j->depth] = true;
}

static void begin_nest(struct json *j, char bracket)
{
    begin_item(j);
    if (j->depth == JSON_DEPTH_MAX) {
        j->out->failed = j->out->failed ? j->out->failed : ST_RANGE;
        return;
    }
    buf_put_u8(j->out, (uint8_t)bracket);
    j->has_item[++j->depth] = false;
}

static void end_nest(struct json *j, char bracket)
{
    j->after_key = false;
    if (j->depth > 0)
        j->depth--;
    buf_put_u8(j->out, (uint8_t)bracket);
}

void json_object(struct json *j)
{
    begin_nest(j, '{');
}

void json_object_end(struct json *j)
{
    end_nest(j, '}');
}

void json_array(struct json *j)
{
    begin_nest(j, '[');
}

void json_array_end(struct json *j)
{
    end_nest(j, ']');
}

static void put_control(struct buf *out, uint8_t byte)
{
    static const char brief[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (brief[byte])
        buf_printf(out, "\\%c", brief[byte]);
    else
        buf_printf(out, "\\u%04x", byte);
}

// How many bytes from `at` on can be written as they stand.
static size_t plain_run(struct span s, size_t at)
{
    size_t i = at;
    while (i < s.size) {
        uint8_t c = s.data[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t n = text_utf8_step(span_of(s.data + i, s.size - i));
        if (n == 0)
            break;
        i += n;
    }
    return i - at;
}

static void put_quoted(struct buf *out, struct span s)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < s.size;) {
        size_t run = plain_run(s, i);
        buf_put(out, s.data + i, run);
        i += run;
        if (i == s.size)
            break;
        uint8_t c = s.data[i++];
        if (c < 0x20)
            put_control(out, c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_put_text(out, "\xef\xbf\xbd");
    }
    buf_put_u8(out, '"');
}

void json_key(struct json *j, const char *key)
{
    begin_item(j);
    put_quoted(j->out, span_text(key));
    buf_put_u8(j->out, ':');
    j->after_key = true;
}

void json_text(struct json *j, struct span text)
{
    begin_item(j);
    put_quoted(j->out, text);
}

void json_cstr(struct json *j, const char *text)
{
    if (text)
        json_text(j, span_text(text));
    else
        json_null(j);
}

void json_u64(struct json *j, uint64_t v)
{
    begin_item(j);
    buf_printf(j->out, "%" PRIu64, v);
}

void json_i64(struct json *j, int64_t v)
{
    begin_item(j);
    buf_printf(j->out, "%" PRId64, v);
}

void json_f64(struct json *j, double v)
{
    if (!isfinite(v)) {
        json_null(j);
        return;
    }
    // A decimal of up to 15 digits survives the way through a double, so %.15g finds it
    // when there is one; only subnormal numbers, which have fewer, must try from one.
    // The programs never call setlocale, so the point is a point.
    char digits[40];
    for (int n = fabs(v) < DBL_MIN ? 1 : 15; n <= 17; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    begin_item(j);
    buf_put_text(j->out, digits);
}

void json_bool(struct json *j, bool v)
{
    begin_item(j);
    buf_put_text(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
    begin_item(j);
    buf_put_text(j->out, "null");
}

void json_hex(struct json *j, struct span bytes)
{
    begin_item(j);
    buf_put_u8(j->out, '"');
    text_put_hex(j->out, bytes);
    buf_put_u8(j->out, '"');
}

void json_time(struct json *j, uint64_t wall_ns)
{
    if (wall_ns == 0) {
        json_null(j);
        return;
    }
    begin_item(j);
    buf_put_u8(j->out, '"');
    text_put_time(j->out, wall_ns);
    buf_put_u8(j->out, '"');
}

void json_raw(struct json *j, struct span json)
{
    begin_item(j);
    buf_put_span(j->out, json);
}

void json_key_text(struct json *j, const char *key, struct span text)
{
    json_key(j, key);
    json_text(j, text);
}

void json_key_cstr(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_cstr(j, text);
}

void json_key_u64(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_u64(j, v);
}

void json_key_i64(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_i64(j, v);
}

void json_key_f64(struct json *j, const char *key, double v)
{
    json_key(j, key);
    json_f64(j, v);
}

void json_key_bool(struct json *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

void json_key_hex(struct json *j, const char *key, struct span bytes)
{
    json_key(j, key);
    json_hex(j, bytes);
}

void json_key_time(struct json *j, const char *key, uint64_t wall_ns)
{
    json_key(j, key);
    json_time(j, wall_ns);
}
