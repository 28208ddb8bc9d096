// Alert: an opened case for one model: what moved, what did not, and what would help.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_ALERT_H
#define KEDGE_CONTROLLER_WATCH_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/deploy.h"
#include "common/drift/judge.h"
#include "controller/log/effects.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"
#include "controller/watch/diagnosis.h"
#include "controller/watch/tide.h"

struct alert_desk;
struct incident_desk;

// Pages a week for the whole fleet, and how many at once. ST_NOMEM.
// `incidents` keeps what alerts have in common; it outlives the desk.
MUST_USE enum status alert_open_desk(double pages_per_week, double burst,
                                     struct incident_desk *incidents,
                                     struct alert_desk **out);
void alert_close_desk(struct alert_desk *d); // NULL is fine

// What a judged window says about one version. All borrowed for the call.
struct alert_case {
    uint32_t model_no, version_no;
    struct span model, version;
    uint64_t start_ns, end_ns; // of the window
    uint64_t rows;             // in it
    const struct judge *judge;
    const struct deploy_report *deploy; // NULL: no deploy watch on this version
    struct symptoms symptoms;
    struct tide tide; // all zero: the inputs did not move
};

// Opens, changes or closes the model's alert as the case wants; at most one is open per
// model. `changed` gets its id, and is left alone when nothing that matters changed.
// Writes the record, the audit leaf and EFFECT_ALERT.
MUST_USE enum status alert_review(struct alert_desk *d, struct shelf *s,
                                  const struct alert_case *c,
                                  const struct fold_moment *now, struct effects *out,
                                  uint8_t changed[16]);

// `actor` has seen it: it stays quiet until it clears. ST_NOTFOUND; ST_CONFLICT when it
// is closed already.
MUST_USE enum status alert_ack(struct alert_desk *d, struct shelf *s, uint64_t number,
                               struct span actor, const struct fold_moment *now,
                               struct effects *out);

#endif
