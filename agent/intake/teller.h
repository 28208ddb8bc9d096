// Teller: whose the rows of a message are; hands them on, one observation each.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_TELLER_H
#define KEDGE_AGENT_INTAKE_TELLER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/intake/flat.h"
#include "agent/intake/lexer.h"
#include "agent/intake/once.h"
#include "agent/intake/word.h"
#include "common/base/status.h"
#include "proto/observation.h"

struct teller {
    const struct observation_sink *sink;
    uint64_t now_ns;            // the arrival
    enum observation_side side; // of what the message holds
    struct word given_model;    // of messages that name none; stays
    struct word given_version;
    struct word given_id; // of this message, if it has none of its own
    struct once *once;    // events that are known already; NULL: none are looked for
    struct word model;
    struct word version;
    struct word id;
    struct word segment;
    struct word written; // the time as it was written
    uint64_t t;
    bool has_time;
    double weight;
    enum signal_form form;
    uint64_t since;
    uint64_t series;
    uint32_t row; // of the message
    struct flat flat;
};

// Keeps the sink. ST_NOMEM.
MUST_USE enum status teller_init(struct teller *t, const struct observation_sink *sink);
void teller_fini(struct teller *t);

// Forgets all that was said of the message before.
void teller_begin(struct teller *t, uint64_t now_ns, enum observation_side side);

// Sets the time from a JSON token, or from a text. ST_RANGE.
MUST_USE enum status teller_time(struct teller *t, enum token token, struct span text,
                                 double number);
MUST_USE enum status teller_time_text(struct teller *t, struct span text);

// The model that the message is about, or the given one; may be empty. Lent until it is
// begun anew.
struct span teller_model(const struct teller *t);

// Hands on what the flat holds as the next row, and clears it; a row without values is
// none. ST_FULL over OBSERVATION_ROWS_MAX.
MUST_USE enum status teller_hand(struct teller *t);

// Begins a row that is one JSON value, by its first token: an object's members are
// named by their keys; what has no name is f0, f1 ... among inputs and y, or y.0, y.1
// ..., among outputs. The token itself and the rest go to flat_token.
void teller_begin_row(struct teller *t, enum token first);

#endif
