// Changes: what is different about the columns of a model, noted once each until it is
// over.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_CHANGES_H
#define KEDGE_AGENT_MODEL_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/window.h"

#define CHANGES_MAX 64 // that stand at one time; more are counted

enum change_kind {
    CHANGE_ADDED,     // a column that the schema does not have; its values are left out
    CHANGE_REMOVED,   // a column of the schema that no row names any more
    CHANGE_RETYPED,   // most of its values are of another type
    CHANGE_REORDERED, // its place among the columns is another one
    CHANGE_DEAD,      // it is named, but never has a value
    CHANGE_STUCK,     // all its values are one
    CHANGE_APPEARED,  // categories that were not there before
    CHANGE_LEFT_OUT,  // another value in each row: an id, and no feature
    CHANGE_KINDS
};

// How a kind is written in a notice ("added"), and the kind of that notice
// ("schema_changed").
const char *change_name(enum change_kind kind);
const char *change_notice(enum change_kind kind);

struct change {
    enum change_kind kind;
    char version[FIELD_NAME_MAX + 1];
    char column[FIELD_NAME_MAX + 1];
    char more[64];     // for people: "number, was category"
    uint64_t at;       // event time at which it was first seen
    bool is_told;      // in a committed notice
    bool is_told_then; // in one of the group under way
};

struct changes {
    struct change *item; // CHANGES_MAX, taken at the first; NULL: none yet
    uint32_t n;
    uint64_t unnoted;             // found no place
    uint64_t count[CHANGE_KINDS]; // values of added, retyped and appeared; rows of
                                  // reordered; windows of removed, dead, stuck
};

void changes_fini(struct changes *c);

// Notes it, unless it stands already. `more` is cut to fit. Beyond CHANGES_MAX, and
// without memory, it is counted in `unnoted`.
void changes_note(struct changes *c, const struct change *change);

// It is over: when it comes back it is noted again.
void changes_end(struct changes *c, enum change_kind kind, struct span version,
                 struct span column);

// All of that kind and version are over.
void changes_end_all(struct changes *c, enum change_kind kind, struct span version);

bool changes_stand(const struct changes *c, enum change_kind kind, struct span version,
                   struct span column);

// Forgets all that stands; the counts remain.
void changes_clear(struct changes *c);

// The sentence of a notice.
void change_describe(const struct change *change, struct buf *out);

void changes_save(const struct changes *c, struct buf *out);
MUST_USE enum status changes_load(struct cursor *from, struct changes *out);

void changes_status(const struct changes *c, struct json *out);

#endif
