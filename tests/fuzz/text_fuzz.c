// Text: whatever a reader accepts, the writer gives back and the reader reads again.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/cursor.h"
#include "common/base/json.h"
#include "common/base/text.h"

typedef enum status reader(struct span s, uint64_t *out);
typedef void writer(struct buf *b, uint64_t v);

static void round_trip(struct span s, reader *read, writer *write, uint64_t unit)
{
    uint64_t v, again;
    struct buf b;
    if (read(s, &v) != ST_OK)
        return;
    buf_init(&b, 64);
    write(&b, v);
    assert(b.failed == ST_OK && read(buf_span(&b), &again) == ST_OK);
    assert(again == v / unit * unit);
    buf_fini(&b);
}

static void number(struct span s)
{
    double v;
    struct buf b;
    struct json j;
    if (text_f64(s, &v) != ST_OK)
        return;
    buf_init(&b, 64);
    json_init(&j, &b);
    json_f64(&j, v);
    assert(strtod(buf_cstr(&b), NULL) == v);
    buf_fini(&b);
}

static void base64url(struct span s)
{
    struct buf bytes, text;
    buf_init(&bytes, s.size);
    buf_init(&text, s.size);
    if (text_base64url(s, &bytes) == ST_OK) {
        text_put_base64url(&text, buf_span(&bytes));
        assert(span_equal(buf_span(&text), s));
    }
    buf_fini(&bytes);
    buf_fini(&text);
}

static void quoted(struct span s)
{
    struct buf b;
    struct json j;
    buf_init(&b, 6 * s.size + 2);
    json_init(&j, &b);
    json_text(&j, s);
    assert(b.failed == ST_OK && text_is_utf8(buf_span(&b)));
    buf_fini(&b);
}

static void varint(struct span s)
{
    struct cursor c = {s};
    uint64_t v;
    struct buf b;
    if (cursor_varint(&c, &v) != ST_OK)
        return;
    buf_init(&b, 10);
    buf_put_varint(&b, v);
    assert(span_equal(buf_span(&b), span_of(s.data, s.size - c.left.size)));
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    round_trip(s, text_time, text_put_time, 1000000);
    round_trip(s, text_duration, text_put_duration, 1);
    round_trip(s, text_size, text_put_size, 1);
    number(s);
    base64url(s);
    quoted(s);
    varint(s);
    (void)text_glob(s, s);
    (void)text_is_name(s);
    return 0;
}
