// Plan: one rollback from decision to proof, as a record that can be changed in place.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_PLAN_H
#define KEDGE_CONTROLLER_ACT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/act/policy.h"
#include "controller/log/cases.h"
#include "controller/log/effects.h"
#include "controller/log/judged.h"
#include "controller/log/serving.h"
#include "controller/log/shelf.h"
#include "proto/messages/record.h"

#define PLAN_HOSTS_ALL 1024u // in all waves together

// The record and its lists, all writable. Texts are lent by the paper, or by whoever
// set them, until plan_save.
struct plan {
    struct record_plan record;
    struct plan_step step[PLAN_STEPS_MAX];
    struct plan_host host[PLAN_HOSTS_ALL];
    struct paper paper;
};

// ST_NOMEM.
MUST_USE enum status plan_open(struct plan **out);
void plan_close(struct plan *p); // NULL is fine

// ST_NOTFOUND, ST_CORRUPT, ST_NOMEM, the shelf's.
MUST_USE enum status plan_load(struct plan *p, struct shelf *s,
                               const uint8_t id[CASE_ID_BYTES]);

// Writes it; with an `event` ("plan.canary") also an audit leaf. `actor` may be NULL.
MUST_USE enum status plan_save(struct plan *p, struct shelf *s, const char *event,
                               const struct span *actor, const struct fold_moment *now);

// Begins a fresh record in `p`: everything but the hosts.
void plan_begin(struct plan *p, uint64_t number);

// Spreads the hosts that serve the plan's `from_version` over the rule's waves.
// ST_EMPTY when there is none, ST_FULL beyond PLAN_HOSTS_ALL.
MUST_USE enum status plan_spread(struct plan *p, const struct policy_rule *rule,
                                 const struct serving *serving);

// Adds a wave that takes the canary's hosts back to the version they came from, and
// makes it the running one. ST_FULL when the plan has no room for it.
MUST_USE enum status plan_turn_back(struct plan *p);

// The wave that runs now; NULL before the first and behind the last.
struct plan_step *plan_wave(struct plan *p);
// Its hosts, writable.
struct plan_host *plan_hosts(struct plan *p, const struct plan_step *step);
// The host of the running wave that is this agent, or NULL.
struct plan_host *plan_host_of(struct plan *p, const uint8_t agent[16]);

bool plan_is_running(uint8_t state);  // CANARY..VERIFY, RESTORE: orders may be out
bool plan_is_ordering(uint8_t state); // of these, those that wait for receipts
bool plan_is_waiting(uint8_t state);  // OPEN, AWAIT_APPROVAL: for people
const char *plan_state_name(uint8_t state);
const char *plan_order_state_name(uint8_t state);
const char *plan_mode_name(uint8_t mode);

// The plan in flight of a model (running or waiting), if there is one.
MUST_USE enum status plan_of_model(struct shelf *s, uint32_t model,
                                   uint8_t id[CASE_ID_BYTES], bool *has_plan);
MUST_USE enum status plan_set_of_model(struct shelf *s, uint32_t model,
                                       const uint8_t *id);

#endif
