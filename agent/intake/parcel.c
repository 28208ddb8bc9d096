// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/parcel.h"

#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "common/base/mem.h"

#define PIECE_BYTES (16u << 10)

struct parcel *parcel_open(const char *path, uint64_t arrived_ns)
{
    size_t size = strlen(path) + 1;
    struct parcel *p = mem_zero(1, sizeof *p + size);
    if (!p)
        return NULL;
    memcpy(p->path, path, size);
    p->head =
        (struct message_head){.is_post = true, .path = span_of(p->path, size - 1)};
    p->arrived_ns = arrived_ns;
    buf_init(&p->body, PARCEL_BYTES_MAX);
    return p;
}

void parcel_close(struct parcel *p)
{
    if (!p)
        return;
    buf_fini(&p->body);
    mem_free(p);
}

static bool is_word(struct span s, const char *word)
{
    return s.size == strlen(word) &&
           strncasecmp((const char *)s.data, word, s.size) == 0;
}

void parcel_header(struct parcel *p, struct span name, struct span value)
{
    if (is_word(name, "kedge-side"))
        p->is_answer = is_word(value, "output");
    else if (is_word(name, "content-encoding"))
        p->is_packed = is_word(value, "gzip") || is_word(value, "x-gzip");
    else
        message_header(&p->head, name, value);
}

// --- Reading

struct unpacker {
    struct observation_sink sink;
    struct message *message;
    uint64_t bytes_max;
    z_stream packed;
    bool is_packed;
    bool is_wanted;
    uint64_t unpacked;
    uint8_t *piece; // PIECE_BYTES; taken when the first packed body comes
};

enum status unpacker_open(const struct observation_sink *sink, uint64_t bytes_max,
                          struct unpacker **out)
{
    struct unpacker *u = MEM_NEW(struct unpacker);
    if (!u)
        return ST_NOMEM;
    u->sink = *sink;
    u->bytes_max = bytes_max;
    enum status st = message_open(&u->sink, &u->message);
    if (st != ST_OK) {
        unpacker_close(u);
        return st;
    }
    *out = u;
    return ST_OK;
}

static void end_packed(struct unpacker *u)
{
    if (u->is_packed)
        (void)inflateEnd(&u->packed);
    u->is_packed = false;
}

void unpacker_close(struct unpacker *u)
{
    if (!u)
        return;
    end_packed(u);
    message_close(u->message);
    mem_free(u->piece);
    mem_free(u);
}

struct message *unpacker_message(struct unpacker *u)
{
    return u->message;
}

static void give_up(struct unpacker *u, enum status why)
{
    u->is_wanted = false;
    u->sink.drop(u->sink.self, message_model(u->message),
                 why == ST_FULL    ? DROP_OVERSIZE
                 : why == ST_NOMEM ? DROP_MEMORY
                                   : DROP_MALFORMED,
                 1);
}

static bool begin_packed(struct unpacker *u)
{
    if (!u->piece)
        u->piece = mem_zero(PIECE_BYTES, 1);
    u->packed = (z_stream){0};
    u->unpacked = 0;
    // 16: a gzip head is expected; 15: the largest window, 32 KiB.
    u->is_packed = u->piece && inflateInit2(&u->packed, 16 + 15) == Z_OK;
    return u->is_packed;
}

bool unpacker_begin(struct unpacker *u, const struct parcel *p)
{
    struct message_head head = p->head;
    end_packed(u);
    if (p->is_answer) {
        message_ask(u->message, head.path);
        head.is_answer = true;
        head.status = 200;
    }
    u->is_wanted = message_begin(u->message, &head, p->arrived_ns);
    if (u->is_wanted && p->is_packed && !begin_packed(u))
        give_up(u, ST_NOMEM);
    return u->is_wanted;
}

static void take(struct unpacker *u, struct span bytes)
{
    enum status st = message_bytes(u->message, bytes);
    if (st != ST_OK)
        give_up(u, st);
}

static void take_packed(struct unpacker *u, struct span bytes)
{
    // zlib takes its input as if it could write to it.
    union {
        const uint8_t *in;
        uint8_t *out;
    } from = {.in = bytes.data};
    u->packed.next_in = from.out;
    u->packed.avail_in = (unsigned)bytes.size;
    while (u->is_wanted) {
        u->packed.next_out = u->piece;
        u->packed.avail_out = PIECE_BYTES;
        int code = inflate(&u->packed, Z_NO_FLUSH);
        size_t n = PIECE_BYTES - u->packed.avail_out;
        u->unpacked += n;
        if (u->unpacked > u->bytes_max)
            give_up(u, ST_FULL);
        else if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            give_up(u, ST_CORRUPT);
        else if (n > 0)
            take(u, span_of(u->piece, n));
        if (code != Z_OK || u->packed.avail_out > 0)
            return;
    }
}

void unpacker_bytes(struct unpacker *u, struct span bytes)
{
    if (!u->is_wanted || bytes.size == 0)
        return;
    if (u->is_packed)
        take_packed(u, bytes);
    else
        take(u, bytes);
}

void unpacker_end(struct unpacker *u)
{
    end_packed(u);
    if (u->is_wanted) {
        enum status st = message_end(u->message);
        if (st != ST_OK)
            give_up(u, st);
    }
    u->is_wanted = false;
    u->sink.settle(u->sink.self);
}

void unpacker_abort(struct unpacker *u)
{
    end_packed(u);
    if (u->is_wanted)
        give_up(u, ST_CORRUPT);
    u->sink.settle(u->sink.self);
}
