// Pulse: what a merged window says in a few numbers, kept so that an incident can be
// looked into later without opening the windows themselves.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_PULSE_H
#define KEDGE_CONTROLLER_WATCH_PULSE_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

#define PULSE_FEATURES_MAX 48u // of a window; further ones have no pulse
#define PULSE_KEPT 576u        // windows of a version; two days of five minutes

struct pulse_feature {
    struct span name; // lent by the shelf
    uint8_t role;     // 0 input, 1 output, 2 label, 3 signal
    float missing;    // share of the rows, 0..1
    float mean;       // of a category: the sum of the squares of its cells' shares
    float sd;
};

struct pulse {
    uint64_t start_ns, end_ns;
    uint64_t known_ns; // fold time when it was judged: nobody knew it before
    uint64_t rows;
    uint32_t features;
    struct pulse_feature feature[PULSE_FEATURES_MAX];
};

// Writes the window's pulse, and drops the oldest beyond PULSE_KEPT. Errors: the
// shelf's.
MUST_USE enum status pulse_write(struct shelf *s, const struct judged_window *w,
                                 uint64_t now_ns);

// Rows in the version's windows that end in (from_ns, until_ns].
MUST_USE enum status pulse_rows(struct shelf *s, uint32_t model, uint32_t version,
                                uint64_t from_ns, uint64_t until_ns, uint64_t *out);

// ST_CORRUPT.
MUST_USE enum status pulse_read(struct span value, uint64_t end_ns, struct pulse *out);

#endif
