// Window: one span of time of one model version, as detection sees it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_WINDOW_H
#define KEDGE_COMMON_DRIFT_WINDOW_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/sketch/profile.h"

#define DRIFT_FEATURES_MAX 4096 // features and signals of one model

// The same numbers as on the wire.
enum drift_role { ROLE_INPUT = 0, ROLE_OUTPUT = 1, ROLE_LABEL = 2, ROLE_SIGNAL = 3 };
enum drift_kind { KIND_NUMERIC = 0, KIND_CATEGORICAL = 1 };

// One feature's counts in the window, of all hosts together. Signals ("loss", "bias")
// are read by their mean, labels too; inputs and outputs by their cells, which must be
// counted on the baseline's grid.
struct drift_feature {
    struct span name;              // borrowed
    uint8_t role;                  // enum drift_role
    uint8_t kind;                  // enum drift_kind
    const struct profile *profile; // borrowed; NULL counts as no rows
};

enum drift_window_flags {
    DRIFT_FLASH = 1, // closed early for what it contains: integrity rules only
};

struct drift_window {
    uint64_t start, end; // ns since 1970, event time; start < end
    uint32_t flags;      // enum drift_window_flags
    uint32_t features;   // 0..DRIFT_FEATURES_MAX
    const struct drift_feature *feature;
};

#endif
