// Reference: the table of what an agent must know of a baseline.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/reference.h"

static const struct field reference_feature_fields[] = {
    {"name", FIELD_NAME, FIELD_MUST, FIELD_AT(struct reference_feature, name),
     .max = FIELD_NAME_MAX, .note = "name"},
    {"role", FIELD_U8, FIELD_MUST, FIELD_AT(struct reference_feature, role),
     .max = FEATURE_ROLES - 1, .note = "as in a window"},
    {"kind", FIELD_U8, FIELD_MUST, FIELD_AT(struct reference_feature, kind),
     .max = FEATURE_KINDS - 1, .note = "as in a window"},
    {"grid", FIELD_BYTES, FIELD_MAY, FIELD_AT(struct reference_feature, grid),
     .max = REFERENCE_GRID_MAX, .note = "encoded cells"},
};
static const struct message reference_feature_message = {
    .type = "reference feature",
    .note = "The cells of one feature.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct reference_feature),
    .fields = sizeof reference_feature_fields / sizeof reference_feature_fields[0],
    .field = reference_feature_fields,
};

static const struct field reference_fields[] = {
    {"model", FIELD_NAME, FIELD_MUST, FIELD_AT(struct reference, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"version", FIELD_NAME, FIELD_MUST, FIELD_AT(struct reference, version),
     .max = FIELD_NAME_MAX, .note = "version"},
    {"baseline", FIELD_ID, FIELD_MUST, FIELD_AT(struct reference, baseline), .max = 32,
     .note = "digest of the sealed baseline"},
    {"key", FIELD_ID, FIELD_MUST, FIELD_AT(struct reference, key), .max = 16,
     .note = "keys the hash of categories"},
    {"window_ns", FIELD_U64, FIELD_MUST, FIELD_AT(struct reference, window_ns),
     .note = "length of a window"},
    {"sketch_every", FIELD_U32, FIELD_MAY, FIELD_AT(struct reference, sketch_every),
     .note = "full sketches in every n-th window"},
    {"features", FIELD_SORTED, FIELD_MAY,
     FIELD_LIST_AT(struct reference, feature, features), .max = WINDOW_FEATURES_MAX,
     .of = &reference_feature_message, .note = "by rising name"},
};
const struct message reference_message = {
    .type = "kedge.reference.v1",
    .note = "After hello for every version with a baseline, and when one is sealed.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct reference),
    .fields = sizeof reference_fields / sizeof reference_fields[0],
    .field = reference_fields,
};
