// Blend: many stored windows of one series merged into one, feature by feature.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_BLEND_H
#define KEDGE_CONTROLLER_FOLD_BLEND_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/window.h"

struct blob;
struct profile;

// Sets of features: one is enough but where a feature's cells changed on the way. Then
// the windows before and behind the change cannot be one profile; both are kept.
#define BLEND_SETS 4u

struct blend_feature {
    struct span name; // lent by the blobs
    uint8_t role, kind;
    struct profile *profile;
};

struct blend {
    struct blend_feature feature[BLEND_SETS][WINDOW_FEATURES_MAX]; // each by name
    uint32_t features[BLEND_SETS];
    uint64_t salt;
    uint64_t unmerged;    // features that found no place, or could not be read
    struct profile *read; // what is being added
};

// Empties it. `salt` makes the coins of merged sketches: the same salt and blobs, the
// same bytes.
void blend_begin(struct blend *b, uint64_t salt);
void blend_fini(struct blend *b);

// Adds a window. The blob's bytes must stay until the blend begins anew. ST_NOMEM.
MUST_USE enum status blend_add(struct blend *b, const struct blob *blob);

#endif
