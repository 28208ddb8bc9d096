// Scene model: one model's pulses as the signals of a case.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SCENE_MODEL_H
#define KEDGE_CONTROLLER_WATCH_SCENE_MODEL_H

#include "controller/watch/blame.h"
#include "controller/watch/pulse.h"

// The windows of the case, and how many of them tell what is usual.
struct scene_axis {
    uint64_t start_ns, window_ns;
    uint64_t known_ns; // what was judged later does not count
    uint32_t windows, usual;
};

// Memory for one model at a time.
struct scene_room {
    struct scene_track *track; // PULSE_FEATURES_MAX
    double *cells, *rows, *sorted, *drift;
    uint32_t windows, tracks;
};
MUST_USE enum status scene_room_init(struct scene_room *r, uint32_t windows);
void scene_room_fini(struct scene_room *r);

// The end and the length of the model's newest pulse. ST_NOTFOUND: it has none.
MUST_USE enum status scene_newest(struct shelf *s, uint32_t model, uint64_t *end_ns,
                                  uint64_t *length_ns);

// Adds the model and its signals: in_drift and out_drift (the feature that lies
// furthest from its usual mean, in its own standard deviations), vol, and each signal
// by its own name.
MUST_USE enum status scene_model(struct shelf *s, uint32_t model,
                                 const struct scene_axis *axis, struct scene_room *r,
                                 struct blame_case *c);

#endif
