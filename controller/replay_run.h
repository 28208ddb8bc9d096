// Replay run: a stream through reference, windows, judge, deploy watch and contest.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_RUN_H
#define KEDGE_CONTROLLER_REPLAY_RUN_H

#include "controller/replay_result.h"
#include "controller/replay_rows.h"

// Learns from the plan's reference rows and judges the rest. Nothing is read ahead: a
// window is judged with the rows and labels that had come by its end. ST_EMPTY when no
// window is left after the reference.
MUST_USE enum status replay_run(struct replay_rows *rows, struct replay_result *out,
                                char why[256]);

#endif
