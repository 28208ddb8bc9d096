// Recording: windows of made-up rows, counted once as an agent counts them, and the
// baseline that they are judged against.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_FLEET_RECORDING_H
#define KEDGE_TESTS_FLEET_RECORDING_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/window.h"

#define RECORDING_WINDOWS 30u // then it begins again

struct recording_options {
    uint32_t features;     // 1..512; the last one is the prediction
    uint32_t rows;         // in a window
    uint32_t sketch_every; // full sketches in every n-th window; 0: never
    uint64_t window_ns;
};

struct recording;

// Always the same rows. ST_RANGE, ST_NOMEM.
MUST_USE enum status recording_open(const struct recording_options *o,
                                    struct recording **out);
void recording_close(struct recording *r); // NULL is fine

struct span recording_baseline(const struct recording *r); // sealed; lent
// The features of window `i`, by rising name; lent.
const struct window_feature *recording_window(const struct recording *r, uint32_t i);

#endif
