// Core: the thread that folds. It takes what the gate hands on, appends it in groups,
// and sends what follows from it once that is durable.
//
// Groups need no timer: while one is committed the next one gathers, so a quiet fleet
// has one report in a commit and a busy one hundreds.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CORE_H
#define KEDGE_CONTROLLER_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "controller/fleet/fleet.h"
#include "controller/gate/gate.h"
#include "controller/gate/line.h"
#include "controller/log/effects.h"
#include "controller/log/entry.h"
#include "controller/log/entry.h"
#include "controller/log/tape.h"
#include "controller/query/query.h"
#include "controller/rooms.h"
#include "controller/settings.h"
#include "controller/store/store.h"
#include "proto/messages/query.h"

#define CORE_GROUP 256u    // reports in one commit
#define CORE_WAITERS 1024u // questions that wait for their commit

// Who waits for the answer to an entry.
struct waiter {
    uint64_t request;       // 0: a free place
    uint8_t id[5];          // routing id on its port
    bool is_host;           // a host that enrols, not an operator
    uint64_t query;         // the operator's own number
    uint8_t token_seed[32]; // agent.token: the secret that never enters the log
    uint8_t token_id[8];
    uint64_t token_expires_s;
    bool is_token;
};

// One entry of the group. It owns its body.
struct gathered {
    struct tape_entry entry;
    struct buf body;
    uint8_t agent[16]; // of a report: whose credit it takes
    bool is_report;
};

struct core {
    struct settings *settings;
    struct store *store;
    struct tape *tape;
    struct rooms rooms;
    struct effects *effects, *late; // late: of resending, outside a commit
    struct fleet *fleet;
    struct query_room *query;
    void *line;
    struct gate_counts gate;
    struct gathered group[TAPE_APPEND_MAX];
    struct tape_entry entry[TAPE_APPEND_MAX]; // of the append under way
    uint32_t gathered;
    struct waiter waiter[CORE_WAITERS];
    uint64_t requests;
    struct pool pool;
    struct buf body, frame;
    uint64_t wall_ns, look_ns, retry_ns;
    uint64_t told_ns, told_bad; // when and what was last said of the gate
    uint64_t commits, refused;
    uint64_t squeeze_ns, squeezes; // when last, and how often at this step
    bool is_stuck;                 // the store does not take anything at the moment
    bool is_full;  // the disk or the quota is nearly used up: no more reports
    bool has_gate; // somebody listens at the other end of the line
    bool must_stop;
};

// Opens the store, catches up nothing (append and fold are one), makes the first
// entries of a new tape. `line` is the bound end. ST_* of what failed, logged.
MUST_USE enum status core_open(struct settings *settings, void *line,
                               struct core **out);
void core_close(struct core *c);

// Admits every key of the store at the gate, before its ports are bound.
MUST_USE enum status core_admit_all(struct core *c);

// Takes what waits on the line, commits, sends. Call it whenever the line has something
// and at least each 200 ms. ST_CLOSED: the gate has ended, stop.
MUST_USE enum status core_turn(struct core *c, uint64_t wall_ns, uint64_t mono_ns);

// core_take.c: one message of the gate.
void core_take(struct core *c, const struct line_message *m);
// A command of our own, in the system's name. As core_gather.
MUST_USE enum status core_command(struct core *c, const char *verb,
                                  const struct entry_arg *arg, uint32_t args);

// core_group.c: gathering entries. Each takes a place in the group; ST_FULL when there
// is none left.
MUST_USE enum status core_gather(struct core *c, enum tape_kind kind, struct span body,
                                 const uint8_t *agent);
// The same for a report, packed where it stays: no bytes are copied twice.
MUST_USE enum status core_gather_report(struct core *c, enum tape_kind kind,
                                        const struct entry_report *r);
// Appends the group, answers, and carries out what follows. On failure it stays as it
// is.
MUST_USE enum status core_commit(struct core *c);
void core_drop_first(struct core *c, uint32_t n);
void core_carry_out(struct core *c);
struct waiter *core_wait(struct core *c); // NULL: too many wait
struct waiter *core_waiter(struct core *c, uint64_t request);
MUST_USE enum status core_reader(struct core *c, struct store_txn **out,
                                 struct shelf **shelf);

// Appends one entry by itself, in front of what the group holds, and carries out what
// follows. It may be lost: whoever wants it asks again.
void core_append_alone(struct core *c, enum tape_kind kind, struct span body);
// A command in the system's name, packed into c->body.
void core_pack_command(struct core *c, const char *verb, const struct entry_arg *arg,
                       uint32_t args);

// quota.c: how full disk and quota are; shortens what is kept, or takes no reports.
void quota_look(struct core *c, uint64_t mono_ns);

// mail.c: what goes to agents and hosts.
// Answers the reports among entries [from, from + n) of the group, and gives their
// agents' credit back.
void mail_acks(struct core *c, uint32_t from, uint32_t n);
// Answers one that could not be folded.
void mail_poison(struct core *c, const struct gathered *g);
// With the keyring when the agent holds an older one.
void mail_welcome(struct core *c, const uint8_t *agent, uint64_t ring);
// The baselines of all models that the agent may serve. False: they are too many, it
// gets those of the models in its beats.
bool mail_references(struct core *c, struct shelf *s, const uint8_t *agent);
// The baselines of the beat's models from number `from` on, as many as a beat may
// cause; gives the number of the next one.
uint32_t mail_served(struct core *c, struct shelf *s, const uint8_t *agent,
                     const struct beat *b, uint32_t from);
void mail_reference(struct core *c, struct shelf *s, struct span model,
                    struct span version, const uint8_t *agent);
void mail_order(struct core *c, const struct effect *e);
void mail_grant(struct core *c, struct shelf *s, const struct effect *e,
                const struct waiter *w);
void mail_enrol_refusal(struct core *c, const uint8_t id[5], uint32_t code,
                        struct span why);

// ask.c: what comes from operators and hosts that enrol, and its answers.
void ask_take(struct core *c, const struct line_message *m);
void ask_enrol(struct core *c, const struct line_message *m);
// A command that the store does not take.
void ask_fail(struct core *c, const struct gathered *g, const char *why);
void ask_answer(struct core *c, const struct effect *e);
void ask_send(struct core *c, const uint8_t id[5], uint64_t query, uint8_t code,
              struct span json);

#endif
