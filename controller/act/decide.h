// Decide: from an alert that a rollback can help to a plan, or to the reason why not.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_DECIDE_H
#define KEDGE_CONTROLLER_ACT_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/act/plan.h"
#include "controller/act/policy.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

// Fills `p` with the plan for this alert: target, mode, waves and the state it starts
// in. A guard that fails gives PLAN_REFUSED with its code and the reason in
// `record.why`, whose text is lent from `why`. `rule` may be NULL: the defaults
// (suggest). `to` may be empty: the version that served before. `actor` is empty for
// the system.
MUST_USE enum status decide_plan(struct plan *p, struct shelf *s,
                                 const struct record_alert *alert,
                                 const struct policy_rule *rule, struct span to,
                                 struct span actor, const struct fold_moment *now,
                                 struct buf *why);

// Versions that must not come back by themselves: a rolled-back one is held until a
// named person releases it.
MUST_USE enum status decide_hold(struct shelf *s, uint32_t model, struct span version,
                                 struct span why, const struct fold_moment *now);
MUST_USE enum status decide_release(struct shelf *s, uint32_t model,
                                    struct span version);
MUST_USE enum status decide_is_held(struct shelf *s, uint32_t model,
                                    struct span version, bool *out);

// Notes that automation changed this model at this event time, for cool-down and flap.
MUST_USE enum status decide_note_effect(struct shelf *s, uint32_t model,
                                        uint64_t event_ns);

#endif
