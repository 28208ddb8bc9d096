// Attest: the tables of what is served and what was noticed.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/attest.h"

static const struct field attest_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct attest, boot), .max = 16,
     .note = "new at each start of the agent"},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct attest, seq),
     .note = "1.. within boot"},
    {"model", FIELD_NAME, FIELD_MUST, FIELD_AT(struct attest, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"version", FIELD_NAME, FIELD_MUST, FIELD_AT(struct attest, version),
     .max = FIELD_NAME_MAX, .note = "version"},
    {"digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct attest, digest), .max = 32,
     .note = "SHA-256 of the artifact"},
    {"at", FIELD_U64, FIELD_MAY, FIELD_AT(struct attest, at),
     .note = "event ns of its first row"},
    {"wall", FIELD_U64, FIELD_MUST, FIELD_AT(struct attest, wall),
     .note = "wall ns of the agent"},
    {"cause", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct attest, cause), .max = 16,
     .note = "start, switch, order or probe"},
    {"order", FIELD_ID, FIELD_NIL, FIELD_AT(struct attest, order), .max = 16,
     .note = "the order that brought it"},
};
const struct message attest_message = {
    .type = "kedge.attest.v1",
    .note = "A version was found to be serving.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct attest),
    .fields = sizeof attest_fields / sizeof attest_fields[0],
    .field = attest_fields,
};

static const struct field notice_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct notice, boot), .max = 16,
     .note = "new at each start of the agent"},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct notice, seq),
     .note = "1.. within boot"},
    {"model", FIELD_NAME, FIELD_MAY, FIELD_AT(struct notice, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"at", FIELD_U64, FIELD_MUST, FIELD_AT(struct notice, at),
     .note = "event ns, or wall ns"},
    {"kind", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct notice, kind), .max = 64,
     .note = "schema_changed, ..."},
    {"detail", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct notice, detail), .max = 4096,
     .note = "for people"},
};
const struct message notice_message = {
    .type = "kedge.notice.v1",
    .note = "Something that a person should know.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct notice),
    .fields = sizeof notice_fields / sizeof notice_fields[0],
    .field = notice_fields,
};
