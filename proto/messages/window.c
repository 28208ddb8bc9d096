// Window: its table, and what a table cannot say.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/window.h"

static const struct field window_feature_fields[] = {
    {"name", FIELD_NAME, FIELD_MUST, FIELD_AT(struct window_feature, name),
     .max = FIELD_NAME_MAX, .note = "name"},
    {"role", FIELD_U8, FIELD_MUST, FIELD_AT(struct window_feature, role),
     .max = FEATURE_ROLES - 1, .note = "0 input, 1 output, 2 label, 3 signal"},
    {"kind", FIELD_U8, FIELD_MUST, FIELD_AT(struct window_feature, kind),
     .max = FEATURE_KINDS - 1, .note = "0 numeric, 1 categorical"},
    {"profile", FIELD_BYTES, FIELD_MUST, FIELD_AT(struct window_feature, profile),
     .max = WINDOW_PROFILE_MAX, .note = "encoded sketches and counters"},
};
static const struct message window_feature_message = {
    .type = "feature",
    .note = "The summary of one feature.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct window_feature),
    .fields = sizeof window_feature_fields / sizeof window_feature_fields[0],
    .field = window_feature_fields,
};

static const struct field window_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct window, boot), .max = 16,
     .note = "new at each start of the agent"},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, seq),
     .note = "1.. within boot"},
    {"model", FIELD_NAME, FIELD_MUST, FIELD_AT(struct window, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"version", FIELD_NAME, FIELD_MUST, FIELD_AT(struct window, version),
     .max = FIELD_NAME_MAX, .note = "version"},
    {"start", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, start),
     .note = "event ns"},
    {"end", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, end),
     .note = "event ns, exclusive"},
    {"watermark", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, watermark),
     .note = "event ns"},
    {"sent", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, sent),
     .note = "wall ns at which it was sealed"},
    {"flags", FIELD_U32, FIELD_MAY, FIELD_AT(struct window, flags), .max = 7,
     .note = "1 flash, 2 merged, 4 late"},
    {"part", FIELD_U16, FIELD_MAY, FIELD_AT(struct window, part),
     .note = "of a wide model, 0..parts-1"},
    {"parts", FIELD_U16, FIELD_MAY, FIELD_AT(struct window, parts),
     .note = "absent = 1"},
    {"rows", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, rows),
     .note = "rows in it"},
    {"observed", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, observed),
     .note = "rows that arrived since the last window"},
    {"late", FIELD_U64, FIELD_MUST, FIELD_AT(struct window, late),
     .note = "rows that came too late for their window"},
    {"dropped", FIELD_TALLY, FIELD_MAY, FIELD_LIST_AT(struct window, dropped, drops),
     .max = WINDOW_DROPS_MAX, .note = "rows dropped, by reason"},
    {"features", FIELD_SORTED, FIELD_MAY,
     FIELD_LIST_AT(struct window, feature, features), .max = WINDOW_FEATURES_MAX,
     .of = &window_feature_message, .note = "by rising name"},
};
const struct message window_message = {
    .type = "kedge.window.v1",
    .note = "What one agent saw of one model version in one span of event time.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct window),
    .fields = sizeof window_fields / sizeof window_fields[0],
    .field = window_fields,
};

enum status window_check(const struct window *w)
{
    uint16_t parts = w->parts ? w->parts : 1;
    return w->start < w->end && w->part < parts ? ST_OK : ST_RANGE;
}
