// Trial: how a deploy watch lies in memory. For the files of this room alone.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_TRIAL_H
#define KEDGE_COMMON_DRIFT_TRIAL_H

#include "common/drift/court.h"
#include "common/drift/deploy.h"

#define TRIAL_SIDES 2 // directions of a component: up, down

// One component of one subject since the deployment.
struct trail {
    struct evidence side[TRIAL_SIDES]; // up, down
    float base, spread; // the previous version's recent mean and variance
    float lag, smooth;  // of the residual less base
    float sum;          // of the residual less base
    uint32_t windows;
};

struct deploy_subject {
    struct trail trail[COMPONENT_COUNT];
    uint32_t recent; // windows behind base and spread
    uint64_t rows;
    // The level was reached: that stays said, whatever the evidence does later.
    bool hit;
    uint8_t hit_component, hit_side;
    float hit_evidence;
};

struct deploy {
    struct judge *court; // layout only: its evidence is not used
    struct deploy_settings settings;
    struct deploy_subject *subject;
    struct subject_window *old; // scratch: the other version's values
    uint32_t windows;
};

// A deploy watch without any evidence.
MUST_USE enum status deploy_lay(const struct baseline *b,
                                const struct deploy_settings *settings,
                                struct deploy **out);

#endif
