// Lane: how rows lie in the memory that a thread of a model server shares with the
// agent.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_LANE_H
#define KEDGE_PROTO_LANE_H

#include <stdatomic.h>
#include <stdint.h>

// A lane is a file in memory (memfd), sealed against shrinking and growing, with one
// writer and one reader: LANE_HEAD_BYTES of head, then `slots` of LANE_SLOT_BYTES. A
// record takes as many neighbouring slots as it needs; one that would run over the end
// stands at the beginning, behind a LANE_SKIP. Nothing is ever written over: a row that
// finds no room is dropped, and counted in the head. Both sides are on one machine, so
// all is in its own byte order. The agent believes nothing of it.
#define LANE_MAGIC UINT64_C(0x31656e616c67646b)
#define LANE_VERSION 1u
#define LANE_HEAD_BYTES 8192u
#define LANE_SLOT_BYTES 64u
#define LANE_SLOTS_MIN 4096u      // 256 KiB; a power of two, as is
#define LANE_SLOTS_MAX (1u << 18) // 16 MiB
#define LANE_MODELS_MAX 128u      // that one process speaks of
#define LANE_FEATURES_MAX 512u
#define LANE_NAME_MAX 128u
#define LANE_RECORD_MAX 73728u // all features a category of the largest size

// What did not get in, by the number of the model. The writer counts, the reader keeps
// beside it what it has told already, so that another reader can go on from there.
struct lane_losses {
    _Atomic uint64_t full[LANE_MODELS_MAX];    // no room
    _Atomic uint64_t refused[LANE_MODELS_MAX]; // not a row of this model
    _Atomic uint64_t beside[LANE_MODELS_MAX];  // labels and metrics: no room
};

// Head and tail count slots since the beginning. The release store of `head` pairs with
// the reader's acquire load: records up to it are whole. The release store of `tail`
// pairs with the writer's acquire load: slots up to it may be written again.
struct lane_head {
    uint64_t magic; // this line is written once, before the lane is handed over
    uint32_t version;
    uint32_t slots;
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t lost; // moves whenever one of `losses` does
    _Alignas(64) _Atomic uint64_t tail;
    _Atomic uint64_t beat; // moves whenever the reader looks
    _Alignas(64) struct lane_losses losses;
    _Alignas(64) struct lane_losses told;
};
_Static_assert(sizeof(struct lane_head) <= LANE_HEAD_BYTES, "the head has its place");

enum lane_kind {
    LANE_SKIP,   // nothing, to the end of the slots
    LANE_F32,    // a row: floats, by the place of the feature; NaN is missing
    LANE_F64,    // the same as doubles
    LANE_MIXED,  // the same, each with a lane_tag before it
    LANE_LABEL,  // a double, for the prediction of this id
    LANE_METRIC, // a double, then the name to the end of the record
    LANE_KINDS
};

// A record begins with this; the id follows, padded to 8 bytes, then the values.
struct lane_record {
    uint32_t size;  // bytes, with this, before rounding up to slots
    uint16_t model; // the number under which it was made known
    uint8_t kind;
    uint8_t id_size; // at most LANE_NAME_MAX
    uint64_t t;      // ns since 1970
};

// Values of LANE_MIXED, unaligned. Texts and vectors are only told by their figures.
enum lane_tag {
    LANE_MISSING,
    LANE_NUMBER,   // double
    LANE_CATEGORY, // u8 size, bytes (at most LANE_NAME_MAX)
    LANE_TEXT,     // u32 chars, words, non-ASCII, digits
    LANE_VECTOR,   // u32 dimension; double sum of squares, mean, min, max
    LANE_TAGS
};

// Packets on the socket (SEQPACKET), integers little-endian, the type first. The lane
// itself travels beside its packet (SCM_RIGHTS). No answer comes: an agent that does
// not want a guest closes the connection.
enum lane_packet {
    LANE_HELLO = 1, // u8 type, u64 magic, u32 version: the first
    LANE_HAS_MODEL, // u8 type, u16 number, u16 features, text model, text version,
                    // then for each feature u8 side, u8 kind, text name
    LANE_HAS_LANE,  // u8 type, and the file
};
#define LANE_PACKET_MAX 69632u // a model of all features with the longest names

// What a feature is, on this socket; sides are those of proto/observation.h.
enum lane_feature { LANE_IS_NUMBER, LANE_IS_CATEGORY, LANE_IS_TEXT, LANE_IS_VECTOR };

#endif
