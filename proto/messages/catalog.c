// Catalog: which message goes where, how large it may be, and who signs it.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/catalog.h"

#include "proto/messages/attest.h"
#include "proto/messages/enrol.h"
#include "proto/messages/keyring.h"
#include "proto/messages/order.h"
#include "proto/messages/query.h"
#include "proto/messages/receipt.h"
#include "proto/messages/record.h"
#include "proto/messages/reference.h"
#include "proto/messages/session.h"
#include "proto/messages/signature.h"
#include "proto/messages/window.h"
#include "proto/reader.h"

// A message on the agents' port fits in one ZeroMQ frame of 256 KiB less its seal.
#define AGENT_BYTES (262144u - 64u)
#define SMALL_BYTES (64u * 1024u)

static const struct wire_row rows[WIRE_KINDS] = {
    {WIRE_HELLO, &hello_message, WIRE_AGENT_PORT, WIRE_UP, SMALL_BYTES, false, false},
    {WIRE_WELCOME, &welcome_message, WIRE_AGENT_PORT, WIRE_DOWN, SMALL_BYTES, false,
     false},
    {WIRE_BEAT, &beat_message, WIRE_AGENT_PORT, WIRE_UP, AGENT_BYTES, false, false},
    {WIRE_WINDOW, &window_message, WIRE_AGENT_PORT, WIRE_UP, WINDOW_BYTES_MAX, false,
     true},
    {WIRE_ATTEST, &attest_message, WIRE_AGENT_PORT, WIRE_UP, SMALL_BYTES, false, true},
    {WIRE_NOTICE, &notice_message, WIRE_AGENT_PORT, WIRE_UP, SMALL_BYTES, false, true},
    {WIRE_RECEIPT, &receipt_message, WIRE_AGENT_PORT, WIRE_UP, ORDER_BYTES_MAX, true,
     true},
    {WIRE_ACK, &ack_message, WIRE_AGENT_PORT, WIRE_DOWN, AGENT_BYTES, false, false},
    {WIRE_REFERENCE, &reference_message, WIRE_AGENT_PORT, WIRE_DOWN, AGENT_BYTES, false,
     false},
    {WIRE_ORDER, &order_message, WIRE_AGENT_PORT, WIRE_DOWN, ORDER_BYTES_MAX, true,
     false},
    {WIRE_ENROL_HELLO, &enrol_hello_message, WIRE_ENROL_PORT, WIRE_UP, SMALL_BYTES,
     false, false},
    {WIRE_ENROL_CHALLENGE, &enrol_challenge_message, WIRE_ENROL_PORT, WIRE_DOWN,
     SMALL_BYTES, false, false},
    {WIRE_ENROL_REQUEST, &enrol_request_message, WIRE_ENROL_PORT, WIRE_UP, SMALL_BYTES,
     false, false},
    {WIRE_ENROL_GRANT, &enrol_grant_message, WIRE_ENROL_PORT, WIRE_DOWN, SMALL_BYTES,
     true, false},
    {WIRE_ENROL_REFUSAL, &enrol_refusal_message, WIRE_ENROL_PORT, WIRE_DOWN,
     SMALL_BYTES, false, false},
    {WIRE_QUERY, &query_message, WIRE_OPERATOR_PORT, WIRE_UP,
     QUERY_BLOB_MAX + SMALL_BYTES, false, false},
    {WIRE_ANSWER, &answer_message, WIRE_OPERATOR_PORT, WIRE_DOWN, AGENT_BYTES, false,
     false},
    {WIRE_KEYRING, &keyring_message, WIRE_INSIDE, WIRE_DOWN, KEYRING_BYTES_MAX, true,
     false},
    {WIRE_HEAD, &record_head_message, WIRE_INSIDE, WIRE_DOWN, HEAD_BYTES_MAX, true,
     false},
};

const struct wire_row *wire_row(enum wire_kind kind)
{
    return &rows[kind];
}

// The part of a type before its version.
static struct span stem_of(const struct envelope *e)
{
    size_t head = (size_t)(e->name.data - e->type.data);
    return span_of(e->type.data, head + e->name.size);
}

enum status wire_find(const struct envelope *e, const struct wire_row **out)
{
    struct span stem = stem_of(e);
    enum status st = ST_NOTFOUND;
    for (unsigned i = 0; i < WIRE_KINDS; i++) {
        struct span type = span_text(rows[i].message->type);
        if (span_equal(type, e->type)) {
            *out = &rows[i];
            return ST_OK;
        }
        if (type.size > stem.size + 1 && type.data[stem.size + 1] == 'v' &&
            span_equal(span_of(type.data, stem.size), stem))
            st = ST_VERSION;
    }
    return st;
}

enum status wire_open(const struct span *frame, uint32_t frames, struct envelope *out,
                      const struct wire_row **row)
{
    struct envelope e;
    const struct wire_row *found;
    ST_TRY(envelope_of_frames(frame, frames, &e));
    ST_TRY(wire_find(&e, &found));
    if (found->is_signed != (frames == ENVELOPE_FRAMES_MAX))
        return ST_CORRUPT;
    size_t left = found->bytes_max;
    for (uint32_t i = 0; i < frames; i++) {
        if (frame[i].size > left)
            return ST_RANGE;
        left -= frame[i].size;
    }
    *out = e;
    *row = found;
    return ST_OK;
}

enum status wire_place(struct span body, uint8_t boot[16], uint64_t *seq)
{
    struct reader r;
    uint32_t count = 0;
    uint64_t number = 0;
    struct span key = {0}, id = {0};
    reader_init(&r, body);
    ST_TRY(reader_map(&r, &count));
    ST_TRY(reader_text(&r, &key));
    if (!span_is(key, "boot"))
        return ST_CORRUPT;
    ST_TRY(reader_bytes(&r, &id));
    if (id.size != 16)
        return ST_CORRUPT;
    ST_TRY(reader_text(&r, &key));
    if (!span_is(key, "seq"))
        return ST_CORRUPT;
    ST_TRY(reader_u64(&r, &number));
    memcpy(boot, id.data, id.size);
    *seq = number;
    return ST_OK;
}

enum status wire_join(enum wire_kind kind, const void *in, struct span sigs,
                      struct buf *out)
{
    const struct wire_row *row = wire_row(kind);
    struct buf body;
    buf_init(&body, row->bytes_max);
    enum status st = message_encode(row->message, in, &body, NULL);
    if (st == ST_OK) {
        struct envelope e = {
            .type = span_text(row->message->type),
            .body = buf_span(&body),
            .sigs = sigs,
        };
        envelope_join(&e, out);
        st = out->failed;
    }
    buf_fini(&body);
    return st;
}

const struct message *const *wire_messages(size_t *count)
{
    static const struct message *const messages[] = {
        &hello_message,         &welcome_message,     &beat_message,
        &window_message,        &attest_message,      &notice_message,
        &receipt_message,       &ack_message,         &reference_message,
        &order_message,         &enrol_hello_message, &enrol_challenge_message,
        &enrol_request_message, &enrol_claim_message, &enrol_grant_message,
        &enrol_refusal_message, &query_message,       &answer_message,
        &keyring_message,       &record_head_message, &decision_message,
        &join_token_message,
    };
    *count = sizeof messages / sizeof messages[0];
    return messages;
}

const struct message *const *record_messages(size_t *count)
{
    static const struct message *const messages[] = {
        &record_model_message,    &record_version_message,  &record_baseline_message,
        &record_agent_message,    &record_mark_message,     &record_token_message,
        &record_operator_message, &record_instance_message, &record_alert_message,
        &record_plan_message,     &record_intent_message,   &record_command_message,
        &record_attest_message,   &record_event_message,    &record_leaf_message,
        &record_incident_message, &record_member_message,
    };
    *count = sizeof messages / sizeof messages[0];
    return messages;
}
