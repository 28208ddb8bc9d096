// Parcel: a posted message that was answered and waits to be read.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PARCEL_H
#define KEDGE_AGENT_INTAKE_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/message.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define PARCEL_BYTES_MAX (256u << 10) // a longer one is read while it comes

struct parcel {
    struct parcel *next; // in a queue
    uint64_t arrived_ns;
    struct message_head head;
    bool is_answer; // posted as the answer to a request of this path
    bool is_packed; // with gzip
    struct buf body;
    char path[]; // closed by a zero
};

// NULL when memory is out.
struct parcel *parcel_open(const char *path, uint64_t arrived_ns);
void parcel_close(struct parcel *p); // NULL is fine

// Takes a header of the message.
void parcel_header(struct parcel *p, struct span name, struct span value);

// A reader of parcels, one after the other, or of one as it comes.
struct unpacker;

// Keeps the sink. At most `bytes_max` bytes come out of a packed body. ST_NOMEM.
MUST_USE enum status unpacker_open(const struct observation_sink *sink,
                                   uint64_t bytes_max, struct unpacker **out);
void unpacker_close(struct unpacker *u); // NULL is fine
struct message *unpacker_message(struct unpacker *u);

// Begins with the head, which is borrowed for the call; then bytes in any pieces, and
// the end. What cannot be read is dropped and counted by the sink, once a parcel. At
// the end the sink settles. False: the body is not wanted.
bool unpacker_begin(struct unpacker *u, const struct parcel *p);
void unpacker_bytes(struct unpacker *u, struct span bytes);
void unpacker_end(struct unpacker *u);

// The message was broken off.
void unpacker_abort(struct unpacker *u);

#endif
