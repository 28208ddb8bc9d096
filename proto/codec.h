// Codec: turns structs into msgpack and back, as a table of their fields says.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_CODEC_H
#define KEDGE_PROTO_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// What a member of the struct is, and how it stands on the wire.
enum field_type {
    FIELD_VERSION, // no member: the number `max`, always; another one is ST_VERSION
    FIELD_BOOL,    // bool
    FIELD_U8,      // uint8_t, 0..max
    FIELD_U16,     // uint16_t, 0..max
    FIELD_U32,     // uint32_t, 0..max
    FIELD_U64,     // uint64_t, 0..max
    FIELD_I64,     // int64_t
    FIELD_F64,     // double, finite
    FIELD_F64_ANY, // double, may be NaN or infinite
    FIELD_ID,      // uint8_t[max]: exactly max bytes; all zero = absent
    FIELD_TEXT,    // struct span: UTF-8 of at most max bytes
    FIELD_NAME,    // struct span: a text that text_is_name accepts, at most max bytes
    FIELD_BYTES,   // struct span: at most max bytes
    FIELD_STRUCT,  // another message, by value (of)
    FIELD_LIST,    // const struct ... *: at most max items of another message (of)
    FIELD_SORTED,  // the same, in rising order of the items' first field, without twins
    FIELD_U64S,    // const uint64_t *: at most max numbers
    FIELD_TEXTS,   // const struct span *: at most max texts
    FIELD_BLOBS,   // const struct span *: at most max byte strings of FIELD_BLOB_BYTES
    FIELD_PAIRS,   // const struct pair *: a map of texts by rising text keys
    FIELD_TALLY,   // const struct tally *: a map of numbers by rising text keys
};

// What the absence of a field means. Absent is 0, false, an empty span or list, an id
// of zeros; so a struct of zeros has no optional field.
enum field_need {
    FIELD_MUST, // always written; missing or nil is ST_CORRUPT (an empty text is none)
    FIELD_MAY,  // left out when absent; missing or nil reads as absent
    FIELD_NIL,  // written as nil when absent; missing or nil reads as absent
};

struct message;

// One row of a message's table. Lists keep their length in a second member, a uint32_t.
// A text in FIELD_TEXTS, PAIRS or TALLY has at most FIELD_ITEM_MAX bytes.
struct field {
    const char *name; // the key; critical when it begins with '!'
    enum field_type type;
    enum field_need need;
    uint32_t offset; // of the member
    uint32_t width;  // sizeof the member
    uint32_t count;  // lists: offset of the length
    uint64_t max;    // as above; 0 = all that the type holds (numbers only)
    const struct message *of;
    const char *note; // for the reference page: unit and meaning
};

#define FIELD_ITEM_MAX 512
#define FIELD_BLOB_BYTES 32
#define FIELD_NAME_MAX 128 // the usual max of FIELD_NAME

// Fills in offset and width of a row.
#define FIELD_AT(type, member)                                                         \
    .offset = offsetof(type, member), .width = sizeof(((type *)0)->member)
// The same for a list and its length.
#define FIELD_LIST_AT(type, member, length)                                            \
    FIELD_AT(type, member), .count = offsetof(type, length)

// A map is open: a reader skips keys that it does not know, unless critical. A row is
// an array of the fields in order, for lists of many small things; it may grow at its
// end: a reader skips more, and takes missing optional ones at the end as absent.
enum message_shape { MESSAGE_MAP, MESSAGE_ROW };

// At most MESSAGE_FIELDS_MAX fields. A map may hold up to MESSAGE_STRANGERS_MAX keys
// that the table does not name.
struct message {
    const char *type; // "kedge.window.v1", or for a part its plain name
    const char *note; // one sentence for the reference page
    enum message_shape shape;
    uint32_t size; // sizeof the struct
    uint32_t fields;
    const struct field *field;
};

#define MESSAGE_FIELDS_MAX 64
#define MESSAGE_STRANGERS_MAX 32

struct pair {
    struct span key;
    struct span value;
};

struct tally {
    struct span key;
    uint64_t count;
};

// Puts keys in the rising order that FIELD_PAIRS and FIELD_TALLY want.
void pairs_sort(struct pair *pair, uint32_t pairs);
void tally_sort(struct tally *tally, uint32_t tallies);

// The value of a key, or an empty span. `pair` is in rising order.
struct span pairs_get(const struct pair *pair, uint32_t pairs, const char *key);
uint64_t tally_get(const struct tally *tally, uint32_t tallies, const char *key);

// Memory of the caller, from which a decoder takes its lists; nothing is ever given
// back but all at once. `fault` names the field at which a decode or encode stopped (a
// static text; NULL when it was not a field's fault).
struct pool {
    uint8_t *data;
    size_t size; // bytes
    size_t used;
    const char *fault;
};

// Enough for any message of the wire at its bounds (tests/unit checks it).
#define MESSAGE_POOL_BYTES (256u * 1024u)

// Keeps `memory` (aligned as from malloc; may be NULL when size is 0).
void pool_init(struct pool *p, void *memory, size_t size);
// Forgets everything taken from it.
void pool_clear(struct pool *p);
// `count` zeroed items; NULL when full.
void *pool_take(struct pool *p, size_t count, size_t size);

// Appends the canonical encoding of *in: keys in the order of the table, shortest
// integers, no optional field that is absent. What decode would refuse is not written:
// ST_RANGE, and *fault (may be NULL) names the field. ST_NOMEM and ST_FULL come from
// `out`, which on any failure has the length it had before.
MUST_USE enum status message_encode(const struct message *m, const void *in,
                                    struct buf *out, const char **fault);

// Fills *out (m->size bytes) from one complete msgpack value. Texts and bytes are lent
// from `body`, lists from the pool (NULL when the message has no lists). Allocates
// nothing; at most READER_OBJECTS_MAX steps. Errors: ST_CORRUPT (not this message, or
// not well-formed), ST_RANGE (a length, figure or name outside its bounds), ST_VERSION,
// ST_UNSUPPORTED (a critical key that is unknown here), ST_FULL (the pool). *out holds
// nothing of use after an error.
MUST_USE enum status message_decode(const struct message *m, struct span body,
                                    struct pool *pool, void *out);

// The same for a bare array of messages, such as the frame of signatures: at most `max`
// items.
MUST_USE enum status message_encode_list(const struct message *m, const void *items,
                                         uint32_t count, struct buf *out,
                                         const char **fault);
MUST_USE enum status message_decode_list(const struct message *m, struct span body,
                                         uint32_t max, struct pool *pool,
                                         const void **items, uint32_t *count);

// Bytes of pool that a message with every list at its bound takes.
size_t message_pool_max(const struct message *m);

#endif
