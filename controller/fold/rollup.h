// Rollup: windows merged into hours, hours into days, each once and behind its end.
//
// An hour is made when its series is some minutes beyond it, each series a few minutes
// from the next, so that ten thousand models do not do it in one breath. What comes for
// an hour that is made already is added to it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_ROLLUP_H
#define KEDGE_CONTROLLER_FOLD_ROLLUP_H

#include <stdint.h>

#include "common/base/status.h"
#include "controller/fold/inside.h"
#include "controller/log/keys.h"

// One merged series. Its rollups are blobs of the same series at KEY_HOUR and KEY_DAY:
// parts of at most ROLLUP_PART_BYTES, each with the figures of the whole span. A
// feature stands in one part, or, when its cells changed within the span, in several.
struct rollup_series {
    uint32_t model, version, series;
};
#define ROLLUP_PART_BYTES (120u * 1024u)

// What is made of a series: all that starts before these. Zeros: nothing is known.
struct rollup_mark {
    uint64_t hour_ns, day_ns;
};
MUST_USE enum status rollup_mark_get(struct shelf *s, uint32_t series,
                                     struct rollup_mark *out);

// The window at `key`, a merged one that begins at `start_ns`, was stored.
MUST_USE enum status rollup_window(struct fold *f, struct shelf *s,
                                   const struct rollup_series *r,
                                   const struct shelf_key *key, uint64_t start_ns);

// Makes at most one hour and one day of those that are due when the series is at
// `horizon_ns` of event time. *made tells whether there was one.
MUST_USE enum status rollup_due(struct fold *f, struct shelf *s,
                                const struct rollup_series *r, uint64_t horizon_ns,
                                bool *made);

#endif
