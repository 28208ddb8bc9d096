// Symptom: what the judges say of one version, as the cells of the decision table.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_SYMPTOM_H
#define KEDGE_CONTROLLER_WATCH_SYMPTOM_H

#include "common/drift/deploy.h"
#include "common/drift/judge.h"
#include "controller/log/standing.h"
#include "controller/watch/course.h"
#include "controller/watch/diagnosis.h"

// `deploy` is the deploy watch's report on this version, or NULL when there is none;
// `standing` goes with it. `is_newest`: the version is the one that the course says
// went live last.
struct symptoms symptom_of(const struct judge *j, const struct deploy_report *deploy,
                           const struct standing *standing, const struct course *course,
                           bool is_newest);

#endif
