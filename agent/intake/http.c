// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/http.h"

#include <string.h>
#include <strings.h>

#include "agent/intake/message.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define CHUNK_LINE_MAX 256

enum state {
    IN_HEAD,
    IN_BODY,       // `left` bytes are still to come
    IN_OPEN_BODY,  // up to the end of the connection
    IN_CHUNK_SIZE, // before a chunk
    IN_CHUNK,
    IN_CHUNK_END, // the newline behind it
    IN_TRAILER,
};

struct http {
    struct observation_sink sink;
    struct message *message;
    enum state state;
    struct buf held; // a head, or the line before a chunk
    uint64_t left;
    bool is_wanted; // the body at hand
    bool is_chunked;
    bool has_length;
    uint64_t now_ns;
};

enum status http_open(const struct observation_sink *sink, struct http **out)
{
    struct http *h = MEM_NEW(struct http);
    if (!h)
        return ST_NOMEM;
    h->sink = *sink;
    buf_init(&h->held, HTTP_HEAD_BYTES_MAX);
    enum status st = message_open(&h->sink, &h->message);
    if (st != ST_OK) {
        http_close(h);
        return st;
    }
    *out = h;
    return ST_OK;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    message_close(h->message);
    buf_fini(&h->held);
    mem_free(h);
}

// --- Heads

// The next line of a head, without its newline; false at the end.
static bool next_line(struct span *head, struct span *line)
{
    const uint8_t *nl = head->size ? memchr(head->data, '\n', head->size) : NULL;
    if (!nl)
        return false;
    size_t size = (size_t)(nl - head->data);
    *line = span_of(head->data, size > 0 && nl[-1] == '\r' ? size - 1 : size);
    *head = span_of(nl + 1, head->size - size - 1);
    return line->size > 0;
}

static struct span trim(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static struct span word_at(struct span *line)
{
    const uint8_t *end = line->size ? memchr(line->data, ' ', line->size) : NULL;
    size_t size = end ? (size_t)(end - line->data) : line->size;
    struct span word = span_of(line->data, size);
    size += end != NULL;
    *line = span_of(line->data + size, line->size - size);
    return word;
}

static enum status take_first_line(struct span line, struct message_head *out)
{
    struct span first = word_at(&line);
    struct span second = word_at(&line);
    uint64_t status;
    if (first.size >= 5 && memcmp(first.data, "HTTP/", 5) == 0) {
        out->is_answer = true;
        if (text_u64(second, &status) != ST_OK || status < 100 || status > 999)
            return ST_CORRUPT;
        out->status = (uint32_t)status;
        return ST_OK;
    }
    struct span protocol = word_at(&line);
    if (first.size == 0 || second.size == 0 || protocol.size < 5 ||
        memcmp(protocol.data, "HTTP/", 5) != 0)
        return ST_CORRUPT;
    out->is_post = span_is(first, "POST");
    out->path = second;
    return ST_OK;
}

static bool is_word(struct span s, const char *word)
{
    return s.size == strlen(word) &&
           strncasecmp((const char *)s.data, word, s.size) == 0;
}

static enum status take_header(struct http *h, struct span line,
                               struct message_head *out)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (!colon || colon == line.data)
        return ST_CORRUPT;
    size_t size = (size_t)(colon - line.data);
    struct span name = span_of(line.data, size);
    struct span value = trim(span_of(colon + 1, line.size - size - 1));
    if (is_word(name, "content-length")) {
        h->has_length = true;
        return text_u64(value, &h->left) == ST_OK ? ST_OK : ST_CORRUPT;
    }
    if (is_word(name, "transfer-encoding"))
        h->is_chunked = is_word(value, "chunked");
    message_header(out, name, value);
    return ST_OK;
}

// An answer to HEAD, or one without a body by its status, is told by its length or the
// next head; an answer without a length goes on to the end of the connection.
static enum state state_of(const struct http *h, const struct message_head *head)
{
    bool has_none = head->status == 204 || head->status == 304 ||
                    (head->status >= 100 && head->status < 200);
    if (h->is_chunked)
        return IN_CHUNK_SIZE;
    if (h->has_length || !head->is_answer || has_none)
        return IN_BODY;
    return IN_OPEN_BODY;
}

static enum status take_head(struct http *h)
{
    struct span head = buf_span(&h->held), line;
    struct message_head m = {0};
    h->left = 0;
    h->has_length = h->is_chunked = false;
    if (!next_line(&head, &line))
        return ST_CORRUPT;
    ST_TRY(take_first_line(line, &m));
    while (next_line(&head, &line))
        ST_TRY(take_header(h, line, &m));
    h->is_wanted = message_begin(h->message, &m, h->now_ns);
    h->state = state_of(h, &m);
    if (h->is_chunked)
        h->left = 0;
    buf_clear(&h->held);
    return ST_OK;
}

// --- Bodies

static void give_up(struct http *h, enum status why)
{
    h->is_wanted = false;
    h->sink.drop(h->sink.self, message_model(h->message),
                 why == ST_FULL    ? DROP_OVERSIZE
                 : why == ST_NOMEM ? DROP_MEMORY
                                   : DROP_MALFORMED,
                 1);
}

static void end_body(struct http *h)
{
    h->state = IN_HEAD;
    if (h->is_wanted) {
        enum status st = message_end(h->message);
        if (st != ST_OK)
            give_up(h, st);
    }
    h->is_wanted = false;
    h->sink.settle(h->sink.self);
}

static struct span take(struct span *bytes, uint64_t size)
{
    size_t n = size < bytes->size ? (size_t)size : bytes->size;
    struct span head = span_of(bytes->data, n);
    *bytes = span_of(bytes->data + n, bytes->size - n);
    return head;
}

static void take_body(struct http *h, struct span *bytes, uint64_t size)
{
    struct span part = take(bytes, size);
    if (!h->is_wanted)
        return;
    enum status st = message_bytes(h->message, part);
    if (st != ST_OK)
        give_up(h, st);
}

// Collects up to and with the next newline; ST_EMPTY when it has not come.
static enum status collect(struct http *h, struct span *bytes, size_t most)
{
    const uint8_t *nl = memchr(bytes->data, '\n', bytes->size);
    size_t size = nl ? (size_t)(nl - bytes->data) + 1 : bytes->size;
    buf_put_span(&h->held, take(bytes, size));
    if (h->held.failed != ST_OK)
        return h->held.failed;
    if (h->held.size > most)
        return ST_FULL;
    return nl ? ST_OK : ST_EMPTY;
}

static bool ends_head(const struct buf *held)
{
    const uint8_t *end = held->data + held->size;
    return (held->size >= 2 && memcmp(end - 2, "\n\n", 2) == 0) ||
           (held->size >= 3 && memcmp(end - 3, "\n\r\n", 3) == 0);
}

static enum status step_head(struct http *h, struct span *bytes)
{
    // Empty lines before a head are passed over (RFC 9112, section 2.2).
    while (h->held.size == 0 && bytes->size > 0 &&
           (bytes->data[0] == '\r' || bytes->data[0] == '\n'))
        take(bytes, 1);
    if (bytes->size == 0)
        return ST_OK;
    enum status st = collect(h, bytes, HTTP_HEAD_BYTES_MAX);
    if (st != ST_OK)
        return st == ST_EMPTY ? ST_OK : st;
    if (!ends_head(&h->held))
        return ST_OK;
    ST_TRY(take_head(h));
    if (h->state == IN_BODY && h->left == 0)
        end_body(h);
    return ST_OK;
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum status take_chunk_size(struct http *h)
{
    uint64_t size = 0;
    size_t digits = 0;
    while (digits < h->held.size && hex_of(h->held.data[digits]) >= 0 && digits < 15)
        size = size << 4 | (uint64_t)hex_of(h->held.data[digits++]);
    if (digits == 0 || !memchr("; \t\r\n", h->held.data[digits], 5))
        return ST_CORRUPT;
    buf_clear(&h->held);
    h->left = size;
    h->state = size > 0 ? IN_CHUNK : IN_TRAILER;
    return ST_OK;
}

// The line before a chunk, the one behind it, and those behind the last.
static enum status step_line(struct http *h, struct span *bytes)
{
    enum status st = collect(h, bytes, CHUNK_LINE_MAX);
    if (st != ST_OK)
        return st == ST_EMPTY ? ST_OK : st;
    if (h->state == IN_CHUNK_SIZE)
        return take_chunk_size(h);
    bool is_empty = h->held.size == 1 || (h->held.size == 2 && h->held.data[0] == '\r');
    buf_clear(&h->held);
    if (h->state == IN_CHUNK_END) {
        h->state = IN_CHUNK_SIZE;
        return is_empty ? ST_OK : ST_CORRUPT;
    }
    if (is_empty)
        end_body(h);
    return ST_OK;
}

static void step_body(struct http *h, struct span *bytes)
{
    uint64_t size = h->state == IN_OPEN_BODY ? UINT64_MAX : h->left;
    size_t before = bytes->size;
    take_body(h, bytes, size);
    if (h->state == IN_OPEN_BODY)
        return;
    h->left -= before - bytes->size;
    if (h->left > 0)
        return;
    if (h->state == IN_CHUNK)
        h->state = IN_CHUNK_END;
    else
        end_body(h);
}

enum status http_bytes(struct http *h, struct span bytes, uint64_t now_ns)
{
    h->now_ns = now_ns;
    while (bytes.size > 0) {
        switch (h->state) {
        case IN_HEAD:
            ST_TRY(step_head(h, &bytes));
            break;
        case IN_BODY:
        case IN_OPEN_BODY:
        case IN_CHUNK:
            step_body(h, &bytes);
            break;
        case IN_CHUNK_SIZE:
        case IN_CHUNK_END:
        case IN_TRAILER:
            ST_TRY(step_line(h, &bytes));
            break;
        }
    }
    return ST_OK;
}

enum status http_end(struct http *h)
{
    if (h->state == IN_OPEN_BODY) {
        end_body(h);
        return ST_OK;
    }
    return h->state == IN_HEAD && h->held.size == 0 ? ST_OK : ST_CORRUPT;
}
