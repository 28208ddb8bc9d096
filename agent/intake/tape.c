// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/tape.h"

#include "common/base/span.h"

void tape_init(struct tape *t, size_t limit)
{
    buf_init(&t->bytes, limit);
}

void tape_fini(struct tape *t)
{
    buf_fini(&t->bytes);
}

void tape_clear(struct tape *t)
{
    buf_clear(&t->bytes);
}

enum status tape_put(struct tape *t, enum token token, struct span text, double number)
{
    buf_put_u8(&t->bytes, (uint8_t)token);
    if (token == TOKEN_NUMBER) {
        buf_put_le_f64(&t->bytes, number);
    } else if (token == TOKEN_KEY || token == TOKEN_STRING) {
        buf_put_le32(&t->bytes, (uint32_t)text.size);
        buf_put_span(&t->bytes, text);
    }
    return t->bytes.failed;
}

enum status tape_play(const struct tape *t, size_t *at, token_fn *take, void *self)
{
    if (*at >= t->bytes.size)
        return ST_EMPTY;
    const uint8_t *p = t->bytes.data + *at;
    enum token token = (enum token)p[0];
    struct span text = {0};
    double number = token == TOKEN_TRUE;
    size_t size = 1;
    if (token == TOKEN_NUMBER) {
        number = load_le_f64(p + 1);
        size += 8;
    } else if (token == TOKEN_KEY || token == TOKEN_STRING) {
        text = span_of(p + 5, load_le32(p + 1));
        size += 4 + text.size;
    }
    *at += size;
    return take(self, token, text, number);
}

enum status tape_play_all(const struct tape *t, size_t from, token_fn *take, void *self)
{
    enum status st = ST_OK;
    while (st == ST_OK)
        st = tape_play(t, &from, take, self);
    return st == ST_EMPTY ? ST_OK : st;
}
