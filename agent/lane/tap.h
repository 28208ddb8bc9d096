// Tap: the agent's end of a lane. It believes nothing that lies in there.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_LANE_TAP_H
#define KEDGE_AGENT_LANE_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/lane.h"
#include "proto/observation.h"

// The other side may write anything at any time, so each word of the head is read once,
// each record is copied out before it is looked at, and the file is sealed: nobody can
// take its pages away under the agent.
struct tap {
    struct lane_head *head;
    const uint8_t *slot;
    uint32_t slots;
    uint64_t tail;    // the agent's own; what stands in the head is for the writer
    uint64_t seen;    // the head, as it was when last looked at
    uint64_t lost;    // as it was then
    uint64_t key[2];  // device and inode: the same file may come twice
    uint8_t *scratch; // LANE_RECORD_MAX, lent by whoever opens it
    bool is_waiting;  // its next row is of a model that is not known yet
    struct source_mark mark; // what the next tap_give makes known
};

// What became of rows that did not get in, since it was last asked; of one model.
struct tap_losses {
    uint64_t full;
    uint64_t refused;
    uint64_t beside;
};

// Checks and maps the file; it stays the caller's to close. Goes on where an earlier
// reader of the same lane stopped. Keeps `scratch`. ST_DENIED: no sealed memory file of
// the ordinary kind; ST_CORRUPT, ST_VERSION: no lane; ST_NOMEM.
MUST_USE enum status tap_open(int fd, uint8_t *scratch, struct tap *out);
void tap_fini(struct tap *r);

// Moves the beat, and takes in how far the writer has come. ST_CORRUPT: the head makes
// no sense.
MUST_USE enum status tap_look(struct tap *r);

// The next whole record that tap_look found: *head is checked for its size, *rest is
// what follows it, lent until the next call. The record stays until tap_pass.
// ST_EMPTY: none; ST_CORRUPT: nothing in the lane can be believed from here on.
MUST_USE enum status tap_next(struct tap *r, struct lane_record *head,
                              struct span *rest);

// Goes on behind that record. Its slots stay until tap_give.
void tap_pass(struct tap *r, const struct lane_record *head);

// Where the tap stands and which losses it has told; lent until the next call.
const struct source_mark *tap_mark(struct tap *r);

// Makes all of it known: the slots are the writer's again.
void tap_give(struct tap *r);

// Goes on at the mark of a reader that died before it could give, if there is sense in
// it.
void tap_resume(struct tap *r, const struct source_mark *mark);

// Whether any loss was counted since the last call.
bool tap_has_losses(struct tap *r);

// The losses of one model (< LANE_MODELS_MAX) that were not told yet; they are, with
// the next tap_give. False: the mark has no room for more, give first.
bool tap_losses(struct tap *r, uint32_t model, struct tap_losses *out);

#endif
