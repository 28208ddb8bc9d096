// Watch: judges every merged window, keeps the deploy watch, and opens one alert a
// model.
//
// The functions fit fold's table of the room that judges; an introducer puts them
// there.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_WATCH_H
#define KEDGE_CONTROLLER_WATCH_WATCH_H

#include <stdint.h>

#include "common/base/status.h"
#include "common/drift/judge.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"

struct watch;

// Called with each judgement, before alerts are looked at. The judge is lent for the
// call.
typedef void watch_heard(void *self, const struct judged_window *w,
                         const struct judge *judge, const struct judgement *judgement);

struct watch_options {
    struct judge_settings judge;
    double pages_per_week; // for the whole fleet
    double burst;          // pages at once
    watch_heard *heard;    // NULL: nobody listens (replay does)
    void *heard_self;
};

// Two pages a week, three at once, the judge's defaults, nobody listens.
struct watch_options watch_defaults(void);

// ST_NOMEM.
MUST_USE enum status watch_open(const struct watch_options *o, struct watch **out);
void watch_close(struct watch *w); // NULL is fine

// Lets `heard` listen from now on.
void watch_listen(struct watch *w, watch_heard *heard, void *self);

// As struct fold_judge (controller/fold/fold.h) says; `self` is the struct watch.
MUST_USE enum status watch_window(void *self, struct shelf *s,
                                  const struct judged_window *w,
                                  const struct fold_moment *now, struct effects *out,
                                  uint8_t changed_alert[16]);
MUST_USE enum status watch_flash(void *self, struct shelf *s,
                                 const struct judged_window *w,
                                 const struct fold_moment *now, struct effects *out,
                                 uint8_t changed_alert[16]);
MUST_USE enum status watch_attest(void *self, struct shelf *s,
                                  const struct judged_attest *a,
                                  const struct fold_moment *now, struct effects *out);
MUST_USE enum status watch_baseline(void *self, struct shelf *s, uint32_t model,
                                    uint32_t version, const struct fold_moment *now,
                                    struct effects *out);
MUST_USE enum status watch_command(void *self, struct shelf *s,
                                   const struct entry_command *c,
                                   const struct fold_moment *now, struct effects *out);
void watch_dropped(void *self);

#endif
