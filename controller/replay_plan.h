// Replay plan: what a manifest says of one stream's columns, windows and versions.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_PLAN_H
#define KEDGE_CONTROLLER_REPLAY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/baseline.h"

#define REPLAY_COLUMNS_MAX 512
#define REPLAY_VERSIONS_MAX 8
#define REPLAY_NAME_MAX 128

struct replay_version {
    char column[REPLAY_NAME_MAX + 1]; // of its predictions
    uint64_t live;                    // first row it serves; 0 for the first version
};

struct replay_feature {
    char column[REPLAY_NAME_MAX + 1];
    enum drift_kind kind;
};

// Change points are not read: they are the answers.
struct replay_plan {
    char name[REPLAY_NAME_MAX + 1];
    char timestamp[REPLAY_NAME_MAX + 1];
    char label[REPLAY_NAME_MAX + 1]; // "" for none
    uint32_t features;
    struct replay_feature feature[REPLAY_COLUMNS_MAX];
    uint32_t versions; // in the order in which they go live
    struct replay_version version[REPLAY_VERSIONS_MAX];
    uint64_t label_delay_ns;
    uint64_t window_ns;   // one of these two is 0
    uint64_t window_rows; //
    uint64_t reference_rows;
    uint64_t performance_from, performance_to; // rows; equal: the reference's
    enum baseline_performance performance;
};

// Reads the manifest's entry called `name`; without a name, the one whose file is
// `path`'s last part, or the only one. `why` (256 bytes) gets the reason of a failure:
// ST_NOTFOUND, ST_CORRUPT (no such member, wrong type, out of bounds), ST_IO, ST_NOMEM.
MUST_USE enum status replay_plan_read(const char *manifest, const char *name,
                                      const char *path, struct replay_plan *out,
                                      char why[256]);

#endif
