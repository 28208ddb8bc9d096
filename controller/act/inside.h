// Inside: what the files of the act room share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_INSIDE_H
#define KEDGE_CONTROLLER_ACT_INSIDE_H

#include "controller/act/act.h"
#include "controller/act/plan.h"
#include "controller/act/policy.h"
#include "controller/act/verify.h"

struct act {
    struct plan *plan;
    struct paper paper; // of the alert that is looked at
    struct policy *policy;
    struct buf policy_text; // what `policy` was made of
    struct buf why;
    struct buf scratch;
    struct verify verify;
};

// The fleet's policy as it stands in the store; NULL while none was set.
MUST_USE enum status act_policy(struct act *a, struct shelf *s,
                                const struct policy **out);
// The rule that fits this alert; NULL for none.
MUST_USE enum status act_rule(struct act *a, struct shelf *s,
                              const struct record_alert *alert,
                              const struct policy_rule **out);

// Begins the plan's first wave, or the next one.
MUST_USE enum status act_begin_wave(struct act *a, struct shelf *s,
                                    const struct policy_rule *rule,
                                    const struct fold_moment *now, struct effects *out);

// The canary was taken back, or could not be: ends the plan as ineffective.
MUST_USE enum status act_restored(struct act *a, struct shelf *s, bool is_back,
                                  const struct fold_moment *now);

// Ends the plan without having helped: the alert stays open for people.
MUST_USE enum status act_halt(struct act *a, struct shelf *s, uint8_t state,
                              const char *code, const struct fold_moment *now);

// Ends it as done: the alert closes, the version that was left is held.
MUST_USE enum status act_finish(struct act *a, struct shelf *s,
                                const struct fold_moment *now, struct effects *out);

#endif
