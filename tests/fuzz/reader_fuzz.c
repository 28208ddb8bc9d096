// Reader: what it passes over whole is msgpack in the eyes of msgpack-c too, and
// reading it piece by piece takes the same bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/reader.h"

#include <assert.h>
#include <msgpack.h>

static enum status walk(struct reader *r);

static enum status walk_items(struct reader *r, enum reader_type type)
{
    uint32_t count = 0;
    ST_TRY(type == READER_MAP ? reader_map(r, &count) : reader_array(r, &count));
    for (uint64_t i = 0; i < (uint64_t)count * (type == READER_MAP ? 2 : 1); i++)
        ST_TRY(walk(r));
    reader_leave(r);
    return ST_OK;
}

static enum status walk_number(struct reader *r)
{
    struct reader again = *r;
    int64_t small;
    uint64_t large;
    if (reader_i64(r, &small) == ST_OK)
        return ST_OK;
    *r = again;
    return reader_u64(r, &large);
}

// The value by the calls that a decoder would make.
static enum status walk(struct reader *r)
{
    bool flag;
    double real;
    struct span bytes;
    enum reader_type type = reader_peek(r);
    switch (type) {
    case READER_NIL:
        return reader_nil(r);
    case READER_BOOL:
        return reader_bool(r, &flag);
    case READER_INT:
        return walk_number(r);
    case READER_FLOAT:
        return reader_f64(r, &real);
    case READER_TEXT:
        return reader_text(r, &bytes);
    case READER_BYTES:
        return reader_bytes(r, &bytes);
    case READER_ARRAY:
    case READER_MAP:
        return walk_items(r, type);
    default:
        return ST_CORRUPT;
    }
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader skipping, walking;
    reader_init(&skipping, span_of(data, size));
    reader_init(&walking, span_of(data, size));
    enum status skipped = reader_skip(&skipping), walked = walk(&walking);
    assert((skipped == ST_OK) == (walked == ST_OK));
    if (skipped != ST_OK)
        return 0;
    assert(skipping.at == walking.at && skipping.objects == walking.objects &&
           skipping.depth == walking.depth);
    partner_agrees(span_of(data, (size_t)(skipping.at - data)));
    return 0;
}
