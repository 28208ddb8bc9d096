// Packets: cuts a stream of msgpack maps into single ones, each at most
// OBSERVATION_LINE_MAX long.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PACKETS_H
#define KEDGE_AGENT_INTAKE_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

// Nothing is nested here: a container only adds to the number of values that must come
// before its map is complete.
struct packets {
    struct buf held;   // the beginning of a map that is not complete
    bool is_lent;      // `held` is a map that the caller has been given
    bool is_skipping;  // it is too long: passed over up to its end
    uint64_t values;   // still to come; 0: between two maps
    uint64_t payload;  // bytes of the value under way
    uint8_t head[6];   // of the value under way: its type, and its length or count
    uint8_t head_size; // bytes of it that have come
};

enum packet_kind {
    PACKET_NONE, // no complete map is there
    PACKET_WHOLE,
    PACKET_OVERSIZE, // one was too long and has been passed over
    PACKET_BROKEN,   // this is no map: where the next one begins is not known
};

void packets_init(struct packets *p);
void packets_fini(struct packets *p);
void packets_clear(struct packets *p);

// The map under way is not kept, and will be told as one that was too long.
void packets_give_up(struct packets *p);

// Whether a stream that begins with this byte is one of msgpack maps.
bool packets_begin_with(uint8_t byte);

// Takes the next map out of *bytes, which it shortens by what it used. Lent until the
// next call and as long as `bytes` lives. At PACKET_NONE all of *bytes was kept.
enum packet_kind packets_next(struct packets *p, struct span *bytes,
                              struct span *packet);

#endif
