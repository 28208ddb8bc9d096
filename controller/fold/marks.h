// Marks: which entries of an agent were folded already, so that none counts twice.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_MARKS_H
#define KEDGE_CONTROLLER_FOLD_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

#define MARKS_WIDTH 64u     // entries that may arrive before an earlier one
#define MARKS_BOOTS_MAX 64u // boots of one agent that are remembered

// One boot of one agent: every seq <= mark was taken, and mark+1+i for each set bit i.
struct mark {
    uint64_t mark;
    uint64_t ahead;
    uint64_t taken;    // entries
    uint64_t repeated; // entries that came again
    uint64_t seen_ns;  // fold time of the last one
};

// Takes `seq` into the mark, or says that it was there (false). An agent sends in the
// order of its numbers, a few at once; numbers may be left out. So what lies
// MARKS_WIDTH or more below the newest is a repetition.
bool mark_take(struct mark *m, uint64_t seq);

// The same on the shelf; *is_new tells. Of more than MARKS_BOOTS_MAX boots the one that
// was silent for longest is forgotten.
MUST_USE enum status marks_fold(struct shelf *s, const uint8_t *agent,
                                const uint8_t *boot, uint64_t seq, uint64_t now_ns,
                                bool *is_new);

// What is kept of one boot; zeros when nothing is.
MUST_USE enum status marks_get(struct shelf *s, const uint8_t *agent,
                               const uint8_t *boot, struct mark *out);

#endif
