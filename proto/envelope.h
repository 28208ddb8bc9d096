// Envelope: what every message between Kedge's programs is wrapped in: type, body,
// seals.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_ENVELOPE_H
#define KEDGE_PROTO_ENVELOPE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define ENVELOPE_FRAMES_MAX 3
#define ENVELOPE_TYPE_MAX 64 // bytes of "kedge.NAME.vN"

// On a socket a message is two frames, [type][body], or three when it is signed:
// [type][body][sigs]. The type ends in its version: "kedge.enrol.hello.v1".
struct envelope {
    struct span type;
    struct span name; // "enrol.hello", within type
    uint32_t version; // 1
    struct span body; // one msgpack value
    struct span sigs; // empty, or an array of signatures over type and body
};

// Names the parts of a type. ST_CORRUPT unless it is kedge.NAME.vN, with NAME of lower
// letters, digits and single dots, and N in 1..999 without a leading zero.
MUST_USE enum status envelope_of_type(struct span type, struct envelope *out);

// Lends from the frames. ST_CORRUPT unless there are 2 or 3, with a well-formed type
// and a body that is not empty.
MUST_USE enum status envelope_of_frames(const struct span *frame, uint32_t frames,
                                        struct envelope *out);

// Writes the frames to send into frame[ENVELOPE_FRAMES_MAX], lent from `e`; how many.
uint32_t envelope_frames(const struct envelope *e, struct span *frame);

// One byte string for a spool or a log: u8 number of frames, then for each varint
// length and bytes. Split is its inverse and refuses anything else with ST_CORRUPT.
void envelope_join(const struct envelope *e, struct buf *out);
MUST_USE enum status envelope_split(struct span joined, struct envelope *out);

#endif
