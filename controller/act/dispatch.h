// Dispatch: a wave's INTENT, the orders that follow from it, and the receipts that
// answer.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_DISPATCH_H
#define KEDGE_CONTROLLER_ACT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/act/plan.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"
#include "proto/messages/receipt.h"

#define DISPATCH_TTL_MS 600000u // an order that no host took by then has expired
#define DISPATCH_TRIES 6u       // orders of one wave to one host at the most

// Asks for the INTENT of the running wave to be appended. Until it is read back nothing
// is sent. Asking twice is harmless: the order id is the same.
MUST_USE enum status dispatch_intend(struct plan *p, struct shelf *s,
                                     const struct policy_rule *rule,
                                     const struct fold_moment *now,
                                     struct effects *out);

// The INTENT was read back: its place becomes the token of each host's order, and the
// orders go out. An intent that does not fit the plan's running wave is void (ST_OK).
MUST_USE enum status dispatch_intent(struct plan *p, struct shelf *s,
                                     const struct record_intent *intent,
                                     const struct fold_moment *now,
                                     struct effects *out);

// Sends again what has no final receipt: to `agent`, or to all hosts of the wave
// (NULL).
MUST_USE enum status dispatch_resend(const struct plan *p, struct shelf *s,
                                     const uint8_t *agent,
                                     const struct fold_moment *now,
                                     struct effects *out);

// Whether the running wave has hosts that answered without having done anything, none
// that still owes an answer, and waited long enough (1 s, 2 s, 4 s, ...) for new
// orders.
bool dispatch_wants_retry(struct plan *p, const struct fold_moment *now);

// Makes those hosts ready for a fresh order: the next try of this wave, so another
// order id, and by its own INTENT another token. Ask for that INTENT with
// dispatch_intend.
void dispatch_retry(struct plan *p);

// What a wave has come to.
enum dispatch_result { DISPATCH_PENDING, DISPATCH_APPLIED, DISPATCH_STOPPED };

// Takes a receipt whose signature is good. `result` tells how the wave stands with it;
// on DISPATCH_STOPPED `why` names host and code. A host that says that it did nothing
// (expired, or failed before the effect) does not stop the wave while tries are left.
MUST_USE enum status dispatch_receipt(struct plan *p, const struct receipt *receipt,
                                      enum dispatch_result *result, struct buf *why);

#endif
