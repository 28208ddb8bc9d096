// Inside: what the files of the fold share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_INSIDE_H
#define KEDGE_CONTROLLER_FOLD_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "controller/fold/fold.h"
#include "controller/fold/panel.h"
#include "controller/log/audit.h"
#include "controller/log/retention.h"
#include "proto/codec.h"
#include "proto/messages/record.h"

struct blend;
struct window;

#define FOLD_POOL_BYTES (24u << 20) // for one entry: two wide windows and their merge

struct fold {
    struct fold_options o;
    struct fold_judge judge;
    struct fold_act act;
    struct fold_moment moment;
    bool has_now; // moment.now_ns was read from the shelf
    bool now_changed;
    struct pool pool;   // emptied at each entry
    struct panel *part; // one host's window
    struct panel *whole;
    struct buf blob;
    struct blend *blend;
    struct retention retention;
    bool has_retention; // it was read from the shelf
};

// report.c: what agents send. Each has been read as far as its prefix.
MUST_USE enum status report_window(struct fold *f, struct shelf *s,
                                   const struct tape_entry *e,
                                   const struct entry_report *r,
                                   struct tape_home *home);
MUST_USE enum status report_attest(struct fold *f, struct shelf *s,
                                   const struct entry_report *r);
MUST_USE enum status report_notice(struct fold *f, struct shelf *s,
                                   const struct entry_report *r);
MUST_USE enum status report_receipt(struct fold *f, struct shelf *s,
                                    const struct entry_report *r);

// admit.c: may this agent say this now, and is it news?
struct admission {
    const struct entry_report *report;
    struct record_agent agent;
    uint8_t boot[16];
    uint64_t seq;
    bool is_welcome; // false: it was answered already, stop here
    bool is_repeated;
};
// Reads boot and seq, checks the agent's state, and that the number is new. Refusals
// and acknowledgements of repetitions are effects. The number is not yet taken.
MUST_USE enum status admit_report(struct fold *f, struct shelf *s,
                                  const struct entry_report *r, struct admission *a);
// Whether the agent's grant covers the model.
bool admit_model(const struct record_agent *a, struct span model);
MUST_USE enum status admit_refuse(struct fold *f, const struct admission *a,
                                  const char *code, const char *why);
// Takes the number and acknowledges.
MUST_USE enum status admit_done(struct fold *f, struct shelf *s,
                                const struct admission *a);

// judging.c: which windows are due.
struct judging_part {
    const struct window *window; // f->part holds its profiles
    uint32_t model, version;
    bool is_new_host;            // its host's first part of this window
    const struct shelf_key *key; // where the report was put; NULL: only in the log
};
// Adds a host's part to what waits, or judges it at once when it is all there is.
MUST_USE enum status judging_add(struct fold *f, struct shelf *s,
                                 const struct judging_part *p);
MUST_USE enum status judging_due(struct fold *f, struct shelf *s, uint32_t model);
MUST_USE enum status judging_all(struct fold *f, struct shelf *s);
MUST_USE enum status judging_told(struct fold *f, struct shelf *s,
                                  const uint8_t alert[16]);

// commands.c, enrol.c
MUST_USE enum status command_fold(struct fold *f, struct shelf *s,
                                  const struct entry_command *c);
MUST_USE enum status enrol_fold(struct fold *f, struct shelf *s,
                                const struct entry_agent *e);
MUST_USE enum status meta_fold(struct fold *f, struct shelf *s, struct span body);

// history.c: events, and which version served where.
MUST_USE enum status history_event(struct fold *f, struct shelf *s,
                                   struct record_event *e);
MUST_USE enum status history_seen(struct fold *f, struct shelf *s, struct span model,
                                  uint64_t at, struct span host);

// A leaf about what somebody changed.
MUST_USE enum status fold_audit(struct fold *f, struct shelf *s, uint8_t actor_kind,
                                struct span actor, const char *event,
                                struct span object, struct span detail);

#endif
