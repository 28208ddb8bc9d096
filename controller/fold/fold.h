// Fold: turns one entry after the other into the state of the fleet. Same entries, same
// state, to the byte.
//
// It draws on nothing but the entry, the shelf and what it has put there itself: no
// clock, no random numbers, no files. Everything in memory is a cache that is dropped
// whenever a transaction fails. An entry that is hostile, doubled or unwanted changes
// counters and gets an answer; it never stops the fold.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_FOLD_H
#define KEDGE_CONTROLLER_FOLD_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/judged.h"
#include "controller/log/shelf.h"
#include "controller/log/tape.h"

struct fold;

// How the fold calls the room that judges (watch). Any function may be NULL. A failure
// is the shelf's failure and aborts the transaction; a verdict is never a failure.
struct fold_judge {
    void *self;
    // A window merged over all hosts; per model in the order of its end, each exactly
    // once. Sets *changed when an alert of the model opened, changed or closed: then
    // `act.alert` is called with it.
    enum status (*window)(void *self, struct shelf *s, const struct judged_window *w,
                          const struct fold_moment *now, struct effects *out,
                          uint8_t changed_alert[16]);
    // A flash window of one host: integrity rules only.
    enum status (*flash)(void *self, struct shelf *s, const struct judged_window *w,
                         const struct fold_moment *now, struct effects *out,
                         uint8_t changed_alert[16]);
    // A host serves another version than before (or is seen for the first time).
    enum status (*attest)(void *self, struct shelf *s, const struct judged_attest *a,
                          const struct fold_moment *now, struct effects *out);
    // A baseline was sealed (or sealed anew): forget what was learned about this
    // version.
    enum status (*baseline)(void *self, struct shelf *s, uint32_t model,
                            uint32_t version, const struct fold_moment *now,
                            struct effects *out);
    // Time has passed.
    enum status (*tick)(void *self, struct shelf *s, const struct fold_moment *now,
                        struct effects *out);
    // ST_UNSUPPORTED when the verb is not the room's. Otherwise the room has answered
    // with EFFECT_ANSWER.
    enum status (*command)(void *self, struct shelf *s, const struct entry_command *c,
                           const struct fold_moment *now, struct effects *out);
    // Whether something waits for time alone: then a TICK comes each second, else each
    // 10 s.
    bool (*waits)(void *self, struct shelf *s);
    // The transaction was aborted: forget every cache.
    void (*dropped)(void *self);
};

// How the fold calls the room that acts (act). Any function may be NULL.
struct fold_act {
    void *self;
    // An alert (16 bytes of id) opened, changed or closed.
    enum status (*alert)(void *self, struct shelf *s, const uint8_t *alert,
                         const struct fold_moment *now, struct effects *out);
    // A window merged over all hosts was judged (called behind judge.window), and the
    // part of one host has arrived (in the order of arrival): what verification counts.
    enum status (*window)(void *self, struct shelf *s, const struct judged_window *w,
                          const struct fold_moment *now, struct effects *out);
    enum status (*instance_window)(void *self, struct shelf *s,
                                   const struct judged_window *w,
                                   const struct fold_moment *now, struct effects *out);
    enum status (*attest)(void *self, struct shelf *s, const struct judged_attest *a,
                          const struct fold_moment *now, struct effects *out);
    // A receipt whose (boot, seq) is new. The room checks the signature against the
    // agent's record. The acknowledgement is the fold's business.
    enum status (*receipt)(void *self, struct shelf *s, const struct entry_report *r,
                           const struct fold_moment *now, struct effects *out);
    // A TAPE_INTENT that this room asked for by EFFECT_APPEND: now.pos is its token.
    enum status (*intent)(void *self, struct shelf *s, struct span body,
                          const struct fold_moment *now, struct effects *out);
    enum status (*tick)(void *self, struct shelf *s, const struct fold_moment *now,
                        struct effects *out);
    enum status (*command)(void *self, struct shelf *s, const struct entry_command *c,
                           const struct fold_moment *now, struct effects *out);
    // An agent has just said hello: orders that wait for it may be sent again. Called
    // on a read-only shelf, outside the fold.
    enum status (*resend)(void *self, struct shelf *s, const uint8_t *agent,
                          struct effects *out);
    bool (*waits)(void *self, struct shelf *s);
    void (*dropped)(void *self);
};

struct fold_options {
    uint64_t patience_ns; // default 30 s: how long a silent host holds a window up
    const struct fold_judge *judge; // keeps; may be NULL
    const struct fold_act *act;     // keeps; may be NULL
    struct effects *effects;        // keeps; NULL = nobody listens (replay)
};

// ST_NOMEM.
MUST_USE enum status fold_open(const struct fold_options *o, struct fold **out);
void fold_close(struct fold *f);

// Folds one entry. ST_OK whatever the entry holds; failures are the shelf's or
// memory's, and mean that the transaction must be aborted and fold_dropped be called.
// `home` tells where the body was put, if it was (tape.h).
MUST_USE enum status fold_entry(struct fold *f, struct shelf *s,
                                const struct tape_entry *entry, struct tape_home *home);

// Writes back what is cached. Before the commit.
MUST_USE enum status fold_flush(struct fold *f, struct shelf *s);

// The transaction was aborted: the caches and the effects are dropped.
void fold_dropped(struct fold *f);

// When something waits for time alone: the fold time at which the next TICK is due, or
// UINT64_MAX. Reads only.
uint64_t fold_next_tick(struct fold *f, struct shelf *s);

// The three of them as a tape wants them. `self` is the fold.
struct tape_fold fold_as_tape(struct fold *f);

#endif
