// Act: turns alerts into plans, plans into signed orders, and receipts into proof.
//
// The functions fit fold's table of the room that acts; an introducer puts them there.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_ACT_H
#define KEDGE_CONTROLLER_ACT_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

struct act;

// ST_NOMEM.
MUST_USE enum status act_open(struct act **out);
void act_close(struct act *a); // NULL is fine

// As struct fold_act (controller/fold/fold.h) says; `self` is the struct act.
MUST_USE enum status act_alert(void *self, struct shelf *s, const uint8_t *alert,
                               const struct fold_moment *now, struct effects *out);
MUST_USE enum status act_instance_window(void *self, struct shelf *s,
                                         const struct judged_window *w,
                                         const struct fold_moment *now,
                                         struct effects *out);
MUST_USE enum status act_receipt(void *self, struct shelf *s,
                                 const struct entry_report *r,
                                 const struct fold_moment *now, struct effects *out);
MUST_USE enum status act_intent(void *self, struct shelf *s, struct span body,
                                const struct fold_moment *now, struct effects *out);
MUST_USE enum status act_tick(void *self, struct shelf *s,
                              const struct fold_moment *now, struct effects *out);
MUST_USE enum status act_command(void *self, struct shelf *s,
                                 const struct entry_command *c,
                                 const struct fold_moment *now, struct effects *out);
MUST_USE enum status act_resend(void *self, struct shelf *s, const uint8_t *agent,
                                struct effects *out);
bool act_waits(void *self, struct shelf *s);
void act_dropped(void *self);

#endif
