// Labels: joins a label that comes late with its prediction, in fixed memory on disk.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_LABELS_H
#define KEDGE_AGENT_MODEL_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define LABELS_ENTRY_BYTES 16
#define LABELS_VERSIONS 31

// What is kept of a prediction: 56 bits of its id's keyed hash, the version that made
// it (a number of 5 bits), the score as a float and the second it was made. The ids
// share a file that is mapped into memory, so a killed agent finds them again. An id
// that finds its eight places taken by younger ones displaces the oldest, which is
// counted.
struct labels;

struct labels_match {
    struct span version; // lent until the next labels_note
    double score;
    uint64_t predicted_ns; // whole seconds
};

struct labels_stats {
    uint64_t capacity;
    uint64_t horizon_ns;
    uint64_t bytes; // of memory and disk, all taken at the opening
    uint64_t noted;
    uint64_t displaced; // before the horizon passed: a larger ring was needed
    uint64_t joined;
    uint64_t repeated; // a second label for one id: not counted again
    uint64_t missed;   // never seen, or displaced
    uint64_t too_late; // its prediction was older than the horizon
};

// `capacity` ids (rounded up to a power of two, 64..2^26) of `horizon_ns` of life.
// Opens or makes the file; one of another shape or a damaged one is begun anew.
// ST_RANGE, ST_IO, ST_FULL (the disk), ST_NOMEM.
MUST_USE enum status labels_open(const char *path, uint64_t capacity,
                                 uint64_t horizon_ns, struct labels **out);
void labels_close(struct labels *l);

// A prediction was made. The same id again replaces it.
void labels_note(struct labels *l, struct span id, struct span version, double score,
                 uint64_t t);

// The prediction that this label is about. ST_NOTFOUND (never seen, displaced, or made
// before t - horizon), ST_EXISTS (it has been joined already since this process began).
MUST_USE enum status labels_join(struct labels *l, struct span id, uint64_t t,
                                 struct labels_match *out);

struct labels_stats labels_stats(const struct labels *l);

#endif
