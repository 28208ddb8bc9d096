// Desk: what the files of this room share of one act: the work under way and its
// papers.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_DESK_H
#define KEDGE_AGENT_ACT_DESK_H

#include "agent/act/act.h"
#include "agent/act/check.h"
#include "agent/act/job.h"

#define DESK_POOL_BYTES (32u * 1024u)
#define DESK_REFUSALS 16 // recent refusals that are not answered twice
#define DESK_ISSUED_BYTES 40

enum work_phase {
    WORK_FREE,
    WORK_PROBE,  // what is served before anything is done?
    WORK_APPLY,  // the effect
    WORK_FINISH, // after a crash: the switch was made, the server is told again
    WORK_VERIFY, // the effect ended without a clear answer
    WORK_WRITE,  // the outcome waits for the journal
    WORK_LOOK,   // no order: what does this host serve?
};

// One order, or one look, that has a child at work.
struct work {
    enum work_phase phase;
    struct deed *deed; // NULL for a look
    struct serving
        *place; // whose version it is about; NULL: a model without an executor
    struct job *job;
    enum job_verb verb; // of the child
    uint64_t again_ns;  // mono: when to ask it again, since somebody else held the lock
    uint64_t patient_until_ns;
    struct buf body; // the order's bytes, which `order` lends from
    struct pool pool;
    uint8_t *memory;
    struct order order;
    struct outcome outcome;
};

// What this host serves of one model.
struct serving {
    char model[JOB_NAME_MAX + 1];
    char executor[65];
    char version[JOB_NAME_MAX + 1]; // "" until probed
    uint8_t digest[32];
    uint64_t next_ns; // mono: when to look again
    bool is_blind;    // the last probe failed, and that was said
    bool is_unsaid;   // an attestation waits for room in the spool
    const char *cause;
    uint8_t order[16];
};

struct refusal {
    uint8_t order[16];
    uint8_t sess[16];
    char code[24];
};

struct act {
    struct act_settings settings;
    struct act_hooks hooks;
    struct executors executors;
    struct deeds *deeds;
    uint8_t sign_pub[32];
    uint8_t agent_key[8];
    uint8_t kernel[16]; // boot id of the running kernel
    bool has_session;
    uint8_t sess[16];
    struct check_beat beat[CHECK_BEATS_MAX];
    uint32_t beats; // ever noted
    struct work work[ACT_JOBS_MAX];
    struct serving serving[ACT_MODELS_MAX];
    uint32_t servings;
    struct refusal refusal[DESK_REFUSALS];
    uint32_t refusals; // ever noted
    uint64_t issued;   // highest number of a receipt that the spool has
    uint8_t tip[32];   // digest of the newest receipt
    struct act_stats stats;
    struct pool pool; // for an order that is being checked
    uint8_t *memory;
    struct outcome scratch;
};

void desk_fault(struct act *a, enum act_fault point);
void desk_facts(struct act *a, struct instant now, struct check_facts *out);

// --- receipt.c

// Signs and spools the receipt of `outcome`; `number` is that of a deed that is done,
// or 0 for an order that was never received. ST_FULL and the like: nothing happened.
MUST_USE enum status receipt_issue(struct act *a, const uint8_t order[16],
                                   const uint8_t sess[16], struct token token,
                                   struct span model, uint64_t number,
                                   const struct outcome *outcome);

// Issues what the journal holds and the spool has not seen.
void receipt_catch_up(struct act *a, struct instant now);

// --- work.c

void work_turn(struct act *a, struct instant now);
void work_drop(struct work *w);
// Begins a look at what is served; ST_AGAIN when no child is free.
MUST_USE enum status work_look(struct act *a, struct serving *s, struct instant now);

// --- serving.c

MUST_USE enum status serving_fill(struct act *a, const struct act_settings *settings,
                                  char *error, size_t error_size);
struct serving *serving_find(struct act *a, struct span model);
// A probe or an order found this version; says so to the controller when it is news.
void serving_found(struct act *a, struct serving *s, const char *version,
                   const uint8_t digest[32], const char *cause, const uint8_t *order,
                   struct instant now);
// A probe failed: it is said once, and tried again after a while.
void serving_lost(struct serving *s, const char *why, struct instant now);
void serving_turn(struct act *a, struct instant now);

#endif
