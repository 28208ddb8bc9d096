// Join: the line that carries a join token from an operator to a host.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/enrol.h"

#include <stdbool.h>

#include "common/base/text.h"
#include "common/trust/digest.h"

#define LINE_PREFIX "kedge1_"
#define LINE_PREFIX_BYTES 7
#define CHECK_BYTES 4 // of SHA-256, as 8 hex digits
#define CHECK_DIGITS 8

enum status join_token_write(const struct join_token *t, struct buf *line)
{
    struct buf body;
    uint8_t digest[DIGEST_BYTES];
    buf_init(&body, JOIN_TOKEN_BYTES_MAX);
    enum status st = message_encode(&join_token_message, t, &body, NULL);
    if (st == ST_OK)
        st = digest_of(buf_span(&body), digest);
    if (st == ST_OK) {
        buf_put_text(line, LINE_PREFIX);
        text_put_base64url(line, buf_span(&body));
        buf_put_text(line, "_");
        text_put_hex(line, span_of(digest, CHECK_BYTES));
        st = line->failed;
    }
    buf_fini(&body);
    return st;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
    while (s.size && is_blank(s.data[0]))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

// The digits behind the last '_' guard against a slip of the hand, not against malice.
// They are compared as they are written, so that a letter in another case is a slip
// too.
static enum status check_typing(struct span body, struct span digits)
{
    uint8_t digest[DIGEST_BYTES];
    struct buf wanted;
    buf_init(&wanted, CHECK_DIGITS);
    enum status st = digest_of(body, digest);
    text_put_hex(&wanted, span_of(digest, CHECK_BYTES));
    if (st == ST_OK)
        st = wanted.failed;
    if (st == ST_OK && !span_equal(buf_span(&wanted), digits))
        st = ST_CORRUPT;
    buf_fini(&wanted);
    return st;
}

enum status join_token_read(struct span line, struct buf *scratch, struct pool *pool,
                            struct join_token *out)
{
    line = trim(line);
    size_t tail = CHECK_DIGITS + 1;
    if (line.size > JOIN_TOKEN_LINE_MAX || line.size <= LINE_PREFIX_BYTES + tail ||
        memcmp(line.data, LINE_PREFIX, LINE_PREFIX_BYTES) != 0 ||
        line.data[line.size - tail] != '_')
        return ST_CORRUPT;
    struct span middle =
        span_of(line.data + LINE_PREFIX_BYTES, line.size - LINE_PREFIX_BYTES - tail);
    struct span digits = span_of(line.data + line.size - CHECK_DIGITS, CHECK_DIGITS);
    buf_clear(scratch);
    ST_TRY(text_base64url(middle, scratch));
    struct span body = buf_span(scratch);
    if (body.size > JOIN_TOKEN_BYTES_MAX)
        return ST_RANGE;
    ST_TRY(check_typing(body, digits));
    ST_TRY(message_decode(&join_token_message, body, pool, out));
    return out->endpoints && out->roots ? ST_OK : ST_CORRUPT;
}
