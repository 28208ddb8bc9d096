// Tide: inputs that move on many models at once have one cause, and it is outside.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_TIDE_H
#define KEDGE_CONTROLLER_WATCH_TIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/shelf.h"

#define TIDE_MODELS_MAX 4096u // remembered; the one that moved longest ago makes room
#define TIDE_LEAST 3u         // models that must have moved together
#define TIDE_SHARE 0.3        // and their share of the fleet

// What is known of the models whose inputs began to move at about the same time.
struct tide {
    bool is_common;
    uint32_t moved;  // models, this one among them
    uint32_t models; // of the fleet
    uint32_t leader; // the first that was noticed, by its number
};

// Notes that the model's inputs began to move at `onset_ns`, and counts those that did
// within `reach_ns` of it. Noting the same again changes nothing.
MUST_USE enum status tide_note(struct shelf *s, uint32_t model, uint64_t onset_ns,
                               uint64_t reach_ns, uint32_t models, struct tide *out);

#endif
