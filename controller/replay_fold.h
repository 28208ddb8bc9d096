// Replay fold: the controller's own fold and watch, over memory instead of a store.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_FOLD_H
#define KEDGE_CONTROLLER_REPLAY_FOLD_H

#include "common/drift/judge.h"
#include "common/drift/window.h"

struct replay_fold;

// What the judge made of a window; both are lent for the call, the judge until the
// close.
typedef enum status replay_heard(void *self, const struct judge *judge,
                                 const struct judgement *judgement);

// ST_NOMEM.
MUST_USE enum status replay_fold_open(struct replay_fold **out);
void replay_fold_close(struct replay_fold *f); // NULL is fine

// Registers a version of a model and seals its baseline, as an operator would. *slot
// names it from then on. ST_RANGE: the baseline is too large for a store; ST_FULL.
MUST_USE enum status replay_fold_version(struct replay_fold *f, const char *model,
                                         const char *version, const struct baseline *b,
                                         uint32_t *slot);

// Folds one window of a version as the entry that an agent's report becomes, and calls
// `heard` when it was judged. Windows of one slot come in the order of their end;
// equal ends (windows cut by rows) are moved apart by a nanosecond.
MUST_USE enum status replay_fold_window(struct replay_fold *f, uint32_t slot,
                                        const struct drift_window *w,
                                        replay_heard *heard, void *self);

#endif
