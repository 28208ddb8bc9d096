// Query: the tables of question and answer.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/query.h"

static const struct field query_fields[] = {
    {"id", FIELD_U64, FIELD_MUST, FIELD_AT(struct query, id),
     .note = "repeated in the answer"},
    {"verb", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct query, verb), .max = 64,
     .note = "model.list and the like"},
    {"args", FIELD_PAIRS, FIELD_MAY, FIELD_LIST_AT(struct query, arg, args),
     .max = QUERY_ARGS_MAX, .note = "named arguments"},
    {"blob", FIELD_BYTES, FIELD_MAY, FIELD_AT(struct query, blob),
     .max = QUERY_BLOB_MAX, .note = "a file that goes with it"},
};
const struct message query_message = {
    .type = "kedge.query.v1",
    .note = "What an operator asks.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct query),
    .fields = sizeof query_fields / sizeof query_fields[0],
    .field = query_fields,
};

static const struct field answer_fields[] = {
    {"id", FIELD_U64, FIELD_MUST, FIELD_AT(struct answer, id), .note = "of the query"},
    {"code", FIELD_U8, FIELD_MAY, FIELD_AT(struct answer, code),
     .note = "exit code of the command"},
    {"json", FIELD_BYTES, FIELD_MUST, FIELD_AT(struct answer, json),
     .max = ANSWER_PART_MAX, .note = "bytes of the document, cut anywhere"},
    {"part", FIELD_U32, FIELD_MAY, FIELD_AT(struct answer, part), .note = "0.."},
    {"last", FIELD_BOOL, FIELD_MUST, FIELD_AT(struct answer, last),
     .note = "nothing follows"},
};
const struct message answer_message = {
    .type = "kedge.answer.v1",
    .note = "The answer: a JSON document in parts.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct answer),
    .fields = sizeof answer_fields / sizeof answer_fields[0],
    .field = answer_fields,
};
