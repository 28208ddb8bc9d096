// Bundle: an exported incident checked where there is no controller.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_BUNDLE_H
#define KEDGE_CONTROLLER_BUNDLE_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define BUNDLE_BYTES_MAX (128u << 20)
#define BUNDLE_WHY 256u

// What a check found. `trouble` is empty when everything agrees.
struct bundle_report {
    uint64_t incident, leaves;
    char root[65];
    uint32_t proofs, alerts, uncovered; // uncovered: changed since their last leaf
    int has_windows, answer_again;      // the windows came along; they say the same
    char verdict[65], suspect[257], true_cause[257];
    char trouble[BUNDLE_WHY];
};

// Checks the text of a bundle. `root`, 64 hex digits noted elsewhere, may be NULL.
// ST_CORRUPT: it is no bundle. ST_NOMEM.
MUST_USE enum status bundle_check(struct span text, const char *root,
                                  struct bundle_report *out);

// kedge incident verify FILE [--root HEX]
int bundle_main(int argc, char **argv);

#endif
