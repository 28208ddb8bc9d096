// Catalog: every message that travels, in one table.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_CATALOG_H
#define KEDGE_PROTO_MESSAGES_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/envelope.h"

enum wire_kind {
    WIRE_HELLO,
    WIRE_WELCOME,
    WIRE_BEAT,
    WIRE_WINDOW,
    WIRE_ATTEST,
    WIRE_NOTICE,
    WIRE_RECEIPT,
    WIRE_ACK,
    WIRE_REFERENCE,
    WIRE_ORDER,
    WIRE_ENROL_HELLO,
    WIRE_ENROL_CHALLENGE,
    WIRE_ENROL_REQUEST,
    WIRE_ENROL_GRANT,
    WIRE_ENROL_REFUSAL,
    WIRE_QUERY,
    WIRE_ANSWER,
    WIRE_KEYRING, // these two travel inside others
    WIRE_HEAD,
    WIRE_KINDS,
};

enum wire_port { WIRE_AGENT_PORT, WIRE_ENROL_PORT, WIRE_OPERATOR_PORT, WIRE_INSIDE };
enum wire_way { WIRE_UP, WIRE_DOWN }; // to the controller, from the controller

struct wire_row {
    enum wire_kind kind;
    const struct message *message; // its `type` is the envelope's
    enum wire_port port;
    enum wire_way way;
    uint32_t bytes_max; // all frames together
    bool is_signed;     // has the third frame
    bool is_durable;    // has boot and seq, is spooled, logged and acknowledged
};

// The row of `kind`, and the row of a type: ST_NOTFOUND for a name that nobody knows
// (skip and count it), ST_VERSION for a known name in another version.
const struct wire_row *wire_row(enum wire_kind kind);
MUST_USE enum status wire_find(const struct envelope *e, const struct wire_row **out);

// As envelope_of_frames, then: the type is known, has its number of frames and is
// within its size. ST_CORRUPT, ST_NOTFOUND, ST_VERSION, ST_RANGE.
MUST_USE enum status wire_open(const struct span *frame, uint32_t frames,
                               struct envelope *out, const struct wire_row **row);

// Boot and seq of a durable message without decoding the rest: they come first in each.
MUST_USE enum status wire_place(struct span body, uint8_t boot[16], uint64_t *seq);

// Encodes `in` and appends its joined envelope: for a spool or a log. `sigs` is empty,
// or the signatures over exactly these bytes. ST_RANGE, ST_NOMEM, ST_FULL.
MUST_USE enum status wire_join(enum wire_kind kind, const void *in, struct span sigs,
                               struct buf *out);

// Every table of the wire and of the store, for the reference page, tests and fuzzers.
const struct message *const *wire_messages(size_t *count);
const struct message *const *record_messages(size_t *count);

#endif
