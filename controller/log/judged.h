// Judged: a window as the fold hands it to those who judge it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_JUDGED_H
#define KEDGE_CONTROLLER_LOG_JUDGED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "controller/log/tape.h"

#define JUDGED_FEATURES_MAX 512u

struct profile;

struct judged_feature {
    struct span name;
    uint8_t role;                  // 0 input, 1 output, 2 label, 3 signal
    uint8_t kind;                  // 0 numeric, 1 categorical
    const struct profile *profile; // common/sketch/profile.h
};

// All spans and arrays are lent for the call.
struct judged_window {
    struct span model, version;
    uint32_t model_no, version_no; // their numbers in the catalog
    const uint8_t *agent;          // 16 bytes: what one host saw; NULL: merged over all
    struct span host;              // the host's name; empty when merged
    uint64_t start_ns, end_ns;     // event time, [start, end)
    uint64_t rows;                 // 0 is a window too: it says that nothing came
    uint32_t hosts;                // agents whose parts are in it
    uint32_t late_rows;            // rows that came too late for their own window
    bool is_flash;                 // closed early: integrity only, never evidence
    const struct judged_feature *feature;
    uint32_t features;
};

// The moment in which something is folded. The only clock and the only random source of
// the rooms behind the fold.
struct fold_moment {
    uint64_t now_ns;     // the greatest at_ns so far
    struct tape_pos pos; // the entry's place
};

// A host attests which version it serves.
struct judged_attest {
    struct span model, version, was; // was: the version before, may be empty
    uint32_t model_no, version_no;
    const uint8_t *agent; // 16 bytes
    struct span host;
    struct span digest;
    uint64_t at_ns, wall_ns; // event time and wall time at the host
    struct span cause;       // "start", "switch", "order", "probe"
    struct span order;       // 16 bytes, or empty
};

#endif
