// Tape: JSON tokens kept in bounded memory, to be heard again in another order.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_TAPE_H
#define KEDGE_AGENT_INTAKE_TAPE_H

#include <stddef.h>

#include "agent/intake/lexer.h"
#include "common/base/buf.h"
#include "common/base/status.h"

struct tape {
    struct buf bytes;
};

// At most `limit` bytes: 9 for a number, 5 and its length for a text, 1 for the rest.
void tape_init(struct tape *t, size_t limit);
void tape_fini(struct tape *t);
void tape_clear(struct tape *t);

// ST_FULL, ST_NOMEM.
MUST_USE enum status tape_put(struct tape *t, enum token token, struct span text,
                              double number);

// Plays the token at *at and moves *at behind it. A number's text is empty then. Lends
// the text for the call. What `take` answers; ST_EMPTY at the end.
MUST_USE enum status tape_play(const struct tape *t, size_t *at, token_fn *take,
                               void *self);

// Plays all, from `from` on.
MUST_USE enum status tape_play_all(const struct tape *t, size_t from, token_fn *take,
                                   void *self);

#endif
