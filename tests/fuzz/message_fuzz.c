// Message: "TYPE\nBODY" by the table of that type. What is accepted must be msgpack in
// the eyes of msgpack-c too, and must encode to bytes that decode to themselves.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <msgpack.h>
#include <string.h>

#include "common/base/buf.h"
#include "proto/messages/catalog.h"
#include "proto/messages/signature.h"
#include "proto/messages/window.h"

#define STRUCT_BYTES 4096
#define POOL_BYTES (4u * 1024u * 1024u)
#define TYPE_BYTES_MAX 64

static _Alignas(16) uint8_t first[STRUCT_BYTES], second[STRUCT_BYTES];
static _Alignas(16) uint8_t memory[POOL_BYTES];

static const struct message *pick(const struct message *const *m, size_t count,
                                  struct span type)
{
    for (size_t i = 0; i < count; i++)
        if (span_is(type, m[i]->type))
            return m[i];
    return NULL;
}

// The table that is named; another one, by the first byte, when none is.
static const struct message *message_of(struct span type)
{
    size_t wires, records;
    const struct message *const *wire = wire_messages(&wires);
    const struct message *const *record = record_messages(&records);
    const struct message *m = pick(wire, wires, type);
    if (!m)
        m = pick(record, records, type);
    if (m)
        return m;
    size_t i = (type.size ? type.data[0] : 0u) % (wires + records);
    return i < wires ? wire[i] : record[i - wires];
}

static void partner_agrees(struct span body)
{
    msgpack_unpacked result;
    size_t offset = 0;
    msgpack_unpacked_init(&result);
    msgpack_unpack_return got =
        msgpack_unpack_next(&result, (const char *)body.data, body.size, &offset);
    assert(got == MSGPACK_UNPACK_SUCCESS && offset == body.size);
    msgpack_unpacked_destroy(&result);
}

static enum status decode(const struct message *m, struct span body, void *out)
{
    struct pool pool;
    pool_init(&pool, memory, sizeof memory);
    return message_decode(m, body, &pool, out);
}

static void one_message(const struct message *m, struct span body)
{
    struct buf once, twice;
    assert(m->size <= STRUCT_BYTES);
    if (decode(m, body, first) != ST_OK)
        return;
    partner_agrees(body);
    buf_init(&once, 1 << 24);
    buf_init(&twice, 1 << 24);
    enum status st = message_encode(m, first, &once, NULL);
    assert(st == ST_OK);
    st = decode(m, buf_span(&once), second);
    assert(st == ST_OK);
    st = message_encode(m, second, &twice, NULL);
    assert(st == ST_OK && span_equal(buf_span(&once), buf_span(&twice)));
    if (m == &window_message) {
        const struct window *w = (const void *)second;
        assert(window_check(w) != ST_OK || w->start < w->end);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void one_list(struct span body)
{
    struct pool pool;
    const void *items;
    uint32_t count;
    pool_init(&pool, memory, sizeof memory);
    enum status st = message_decode_list(&signature_message, body, SIGNATURES_MAX,
                                         &pool, &items, &count);
    if (st == ST_OK) {
        partner_agrees(body);
        assert(count <= SIGNATURES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t type_size = end ? (size_t)(end - data) : 0;
    if (!end || type_size > TYPE_BYTES_MAX)
        return 0;
    struct span body = span_of(end + 1, size - type_size - 1);
    one_message(message_of(span_of(data, type_size)), body);
    one_list(body);
    return 0;
}
