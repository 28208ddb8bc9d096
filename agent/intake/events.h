// Events: CloudEvents as JSON, one or a batch, with a model's payload inside.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_EVENTS_H
#define KEDGE_AGENT_INTAKE_EVENTS_H

#include "agent/intake/body.h"
#include "agent/intake/lexer.h"
#include "agent/intake/pick.h"
#include "agent/intake/tape.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define EVENTS_BYTES_MAX (1u << 20) // of one event, as it is kept

// What an event is about, from its attributes or from the headers of an HTTP message.
struct event {
    struct word id;
    struct word source;
    struct word request_id; // Seldon's
    struct word type;
    struct word time;
    struct word service;
    struct word space; // namespace
};

// Sets the attribute of that name (lower case, without "ce-"), if it is one of these.
// ST_CORRUPT: too long.
MUST_USE enum status event_set(struct event *e, struct span name, struct span value);

// Tells the teller whose the rows are, and the family of the body. ST_UNSUPPORTED: no
// event of an inference; ST_EXISTS: it came before.
MUST_USE enum status event_tell(const struct event *e, struct teller *t,
                                enum body_family *family);

// Events in their JSON form. An event is kept until it ends, since its payload may
// stand before its attributes.
struct events {
    struct teller *teller;
    struct body *body;
    struct lexer lexer;
    struct tape tape;
    struct pick pick;
    struct event event;
    enum body_family family;
    bool is_batch;
    bool has_begun;
    uint32_t depth;
    uint64_t strangers; // events that are of no inference
};

// Keeps teller and body.
void events_init(struct events *e, struct teller *t, struct body *b);
void events_fini(struct events *e);
void events_begin(struct events *e);

// ST_CORRUPT, ST_RANGE, ST_FULL (an event over EVENTS_BYTES_MAX), ST_NOMEM.
MUST_USE enum status events_bytes(struct events *e, struct span bytes);
MUST_USE enum status events_end(struct events *e);

#endif
