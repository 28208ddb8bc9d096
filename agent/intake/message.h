// Message: one HTTP request or answer of a model server, whatever carried it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_MESSAGE_H
#define KEDGE_AGENT_INTAKE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/events.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

// What stands before a body. Of the headers only these matter.
struct message_head {
    bool is_answer;
    uint32_t status; // of an answer
    bool is_post;    // of a request
    struct span path;
    struct word content_type; // without its parameters
    struct event event;       // ce- headers
    struct word request_id;   // joins an answer with its request, where no body tells
    bool is_event;
};

// Sets what a header says; unknown ones and those that are too long are passed over.
void message_header(struct message_head *h, struct span name, struct span value);

struct message;

// One object serves one connection: an answer belongs to the request before it. Keeps
// the sink. ST_NOMEM.
MUST_USE enum status message_open(const struct observation_sink *sink,
                                  struct message **out);
void message_close(struct message *m); // NULL is fine

// What all messages from now on are assumed to be of when they name none. ST_CORRUPT:
// no names.
MUST_USE enum status message_assume(struct message *m, struct span model,
                                    struct span version);

// Events that `once` knows are passed over; it is kept.
void message_remember(struct message *m, struct once *once);

// The next message is an answer to a request that went to `path`.
void message_ask(struct message *m, struct span path);

// Begins one; the head is borrowed for the call. True when its body is wanted.
bool message_begin(struct message *m, const struct message_head *head, uint64_t now_ns);

// The body's bytes, in any pieces, and its end. After a failure the rest of this body
// is not wanted: what was read before has been handed on. As body_bytes.
MUST_USE enum status message_bytes(struct message *m, struct span bytes);
MUST_USE enum status message_end(struct message *m);

// The model that the message is about; may be empty. Lent until the next one begins.
struct span message_model(const struct message *m);

#endif
