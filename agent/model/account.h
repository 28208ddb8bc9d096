// Account: what became of every row of a model, exact to the unit, also across a kill
// -9.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_ACCOUNT_H
#define KEDGE_AGENT_MODEL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/status.h"
#include "proto/observation.h"

// Sums since the model was first configured on this host. Always:
//   observed = merged + late + the sum of dropped + open
// where open is what stands in windows that are not sealed yet.
struct account {
    uint64_t observed;
    uint64_t merged; // in sealed windows
    uint64_t late;   // its window was sealed already, at most two windows ago
    uint64_t dropped[DROP_REASONS];
    // What is told beside it. These rows and values are in the sums above as well.
    uint64_t future;     // a time ahead of the clock, clamped
    uint64_t unknown;    // members that no door knew
    uint64_t type_error; // values that are not of their feature's kind
    uint64_t labels;     // labels seen; joined + unjoined + bad
    uint64_t labels_joined;
    uint64_t labels_unjoined;
    uint64_t labels_bad; // without an id, or not a number
};

uint64_t account_dropped(const struct account *a); // all reasons together

void account_encode(const struct account *a, struct buf *out);
MUST_USE enum status account_decode(struct cursor *from, struct account *out);

// A page that is shared with a file, so that a number survives the death of the process
// that counted it: how many rows of the socket doors each model has been given. After a
// kill the difference to the last snapshot says how many were lost in open windows.
#define ACCOUNT_SLOTS 256

struct account_page;

// Opens or makes the file; what is no such page is begun anew. ST_IO, ST_NOMEM.
MUST_USE enum status account_page_open(const char *path, struct account_page **out);
void account_page_close(struct account_page *p);

// Writes `n` (at most ACCOUNT_TAKEN_MAX) numbers of slots together with the mark of the
// source that they came from: after a kill at any moment either all of it stands there,
// or nothing. A slot may be NULL.
#define ACCOUNT_TAKEN_MAX 8
void account_page_take(struct account_page *p, const struct source_mark *mark,
                       uint64_t *const *slot, const uint64_t *value, uint32_t n);

// The source knows by now what the mark said: the slots are free to be written alone.
void account_page_forget(struct account_page *p);

// The mark that was written last and not forgotten, if it is of this source.
bool account_page_mark(const struct account_page *p, const uint64_t source[2],
                       struct source_mark *out);

// The model's number; NULL when all slots are taken. Valid until close. A model that
// has none yet starts with 0.
uint64_t *account_page_slot(struct account_page *p, struct span model);

#endif
