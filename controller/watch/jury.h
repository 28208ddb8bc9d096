// Jury: the judges of all watched model versions, kept in memory over the store.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_JURY_H
#define KEDGE_CONTROLLER_WATCH_JURY_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/judge.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

#define JURY_SEATS_MAX 65536u // model versions in memory at once

struct jury;

// Keeps a copy of the settings. ST_NOMEM.
MUST_USE enum status jury_open(const struct judge_settings *settings,
                               struct jury **out);
void jury_close(struct jury *j); // NULL is fine

// The judge of a version, from memory or from the store. Lends until jury_forget,
// jury_drop or close. ST_NOTFOUND: the version has no baseline, so nothing to judge by.
MUST_USE enum status jury_find(struct jury *j, struct shelf *s, uint32_t model,
                               uint32_t version, struct judge **out);

// Writes the state of a judge that has just judged.
MUST_USE enum status jury_store(struct jury *j, struct shelf *s, uint32_t model,
                                uint32_t version);

// A baseline was sealed anew: the judge and its state begin again.
MUST_USE enum status jury_forget(struct jury *j, struct shelf *s, uint32_t model,
                                 uint32_t version);

// Forgets all that is in memory; the store is the truth.
void jury_drop(struct jury *j);

// The judged window as detection reads it. Its list of features is the jury's memory,
// lent until the next call.
void jury_window(struct jury *j, const struct judged_window *w,
                 struct drift_window *out);

#endif
