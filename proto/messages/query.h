// Query: what an operator asks the controller, and its answer.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_QUERY_H
#define KEDGE_PROTO_MESSAGES_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"

#define QUERY_ARGS_MAX 64
#define QUERY_BLOB_MAX (1024u * 1024u)
#define ANSWER_PART_MAX (192u * 1024u)

// kedge.query.v1, operator -> controller.
struct query {
    uint64_t id;      // chosen by the asker, repeated in the answer
    struct span verb; // "model.list"
    const struct pair *arg;
    uint32_t args;
    struct span blob; // a file that goes with it; may be empty
};
extern const struct message query_message;

// kedge.answer.v1: the JSON document in parts, in order; `code` is that of the last
// one.
struct answer {
    uint64_t id;
    uint8_t code;     // exit code of the command
    struct span json; // bytes of one document, cut anywhere
    uint32_t part;    // 0..
    bool last;
};
extern const struct message answer_message;

#endif
