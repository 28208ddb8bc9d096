// Envelope: joined frames that split also join to the same bytes, and whatever else
// reads the outside of a message: its type, its place, the line of a join token.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/envelope.h"

#include <assert.h>

#include "proto/messages/catalog.h"
#include "proto/messages/enrol.h"

static _Alignas(16) uint8_t memory[65536];

static void split_and_join(struct span bytes)
{
    struct envelope e;
    struct buf again;
    if (envelope_split(bytes, &e) != ST_OK)
        return;
    buf_init(&again, bytes.size);
    envelope_join(&e, &again);
    assert(again.failed == ST_OK && span_equal(buf_span(&again), bytes));
    buf_fini(&again);
    struct span frame[ENVELOPE_FRAMES_MAX];
    const struct wire_row *row;
    uint32_t frames = envelope_frames(&e, frame);
    if (wire_open(frame, frames, &e, &row) == ST_OK)
        assert(row == wire_row(row->kind));
}

static void read_token(struct span bytes)
{
    struct buf scratch, line;
    struct pool pool;
    struct join_token token;
    buf_init(&scratch, 1024);
    buf_init(&line, 1024);
    pool_init(&pool, memory, sizeof memory);
    if (join_token_read(bytes, &scratch, &pool, &token) == ST_OK) {
        enum status st = join_token_write(&token, &line);
        assert(st == ST_OK);
    }
    buf_fini(&scratch);
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    struct envelope e;
    uint8_t boot[16];
    uint64_t seq;
    if (envelope_of_type(bytes, &e) == ST_OK)
        assert(e.version > 0 && e.name.size > 0);
    if (wire_place(bytes, boot, &seq) == ST_OK)
        assert(bytes.size > sizeof boot);
    split_and_join(bytes);
    read_token(bytes);
    return 0;
}
