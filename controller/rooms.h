// Rooms: the fold with those who judge and act introduced to it, as every program of
// the controller needs them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ROOMS_H
#define KEDGE_CONTROLLER_ROOMS_H

#include "common/base/status.h"
#include "controller/act/act.h"
#include "controller/fold/fold.h"
#include "controller/log/effects.h"
#include "controller/log/tape.h"
#include "controller/settings.h"
#include "controller/watch/watch.h"

struct rooms {
    struct watch *watch;
    struct act *act;
    struct fold_judge judge_table;
    struct fold_act act_table;
    struct fold *fold;
    struct tape_fold tape_fold;
};

// `rooms` must stay where it is until rooms_close. `effects` (may be NULL) is kept.
// ST_NOMEM.
MUST_USE enum status rooms_open(struct rooms *rooms,
                                const struct settings_file *settings,
                                struct effects *effects);
void rooms_close(struct rooms *rooms); // a zeroed one is fine

#endif
