// Act: carries out what was rightly ordered, once, and answers with signed receipts.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_ACT_H
#define KEDGE_AGENT_ACT_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/act/deed.h"
#include "agent/act/executor.h"
#include "agent/act/policy.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/envelope.h"
#include "proto/messages/keyring.h"

#define ACT_MODELS_MAX 256
#define ACT_JOBS_MAX 4               // executions and probes at one time
#define ACT_STATE_KEY "act/receipts" // see act_settings.issued

// Where a test lets the process die.
enum act_fault {
    ACT_FAULT_BEFORE_RECEIVED,
    ACT_FAULT_AFTER_RECEIVED,
    ACT_FAULT_BEFORE_BEGUN,
    ACT_FAULT_AFTER_BEGUN,
    ACT_FAULT_DURING_RUN,
    ACT_FAULT_AFTER_RUN,
    ACT_FAULT_BEFORE_DONE,
    ACT_FAULT_AFTER_DONE,
    ACT_FAULT_BEFORE_RECEIPT,
    ACT_FAULT_AFTER_RECEIPT,
    ACT_FAULTS,
};

// How this room speaks to the spool and to the models; the introducer fills it in. An
// entry and a state that follow each other and a commit are durable as a whole or not
// at all.
struct act_hooks {
    void *self;
    // The boot id and number that the next entry will have.
    void (*stamp)(void *self, uint8_t boot[16], uint64_t *seq);
    enum status (*entry)(void *self, const char *type, struct span body,
                         struct span sigs);
    enum status (*state)(void *self, struct span key, struct span value);
    enum status (*commit)(void *self);
    void (*abort)(void *self);
    // The model's latest event time in ns, 0 when it had no row yet.
    uint64_t (*event_time)(void *self, struct span model);
    // This host serves that version now.
    void (*serve)(void *self, struct span model, struct span version);
    void (*fault)(void *self, enum act_fault point); // tests; NULL otherwise
};

// A model of this host and what switches it.
struct act_model {
    const char *name;
    const char *executor;
};

// All pointers are borrowed until act_close or the next act_reload.
struct act_settings {
    const char *journal;   // path
    const char *executors; // folder
    const char *program;   // of jobs, see job_start
    uint8_t fleet[16];
    uint8_t agent[16];
    const uint8_t *sign_seed;   // A2: 32 bytes, secret
    const struct keyring *ring; // of the grant, verified
    const struct span *grant;   // globs of models
    uint32_t grants;
    const struct policy *policy;
    const struct act_model *model;
    uint32_t models;
    // The state that was last committed under ACT_STATE_KEY, empty when there is none;
    // borrowed for act_open alone.
    struct span issued;
};

struct act;

// Reads the executors' folder and the journal. ST_CORRUPT with `error` (a file and what
// is wrong with it), ST_RANGE (a model names an executor that is not there; `error`
// too), or as journal_open.
MUST_USE enum status act_open(const struct act_settings *settings,
                              const struct act_hooks *hooks, struct act **out,
                              char *error, size_t error_size);
void act_close(struct act *a);

// New settings (the journal and identity stay); on an error the old ones stay in force.
MUST_USE enum status act_reload(struct act *a, const struct act_settings *settings,
                                char *error, size_t error_size);

// A connection was made (sess, 16 bytes) or lost (NULL): older orders become worthless.
void act_session(struct act *a, const uint8_t *sess);

// A beat with this nonce is about to be sent.
void act_beat(struct act *a, const uint8_t hb[16], uint64_t boot_ns);

// An order came. Whatever it is, the answer goes by the spool, or nowhere when it was
// not signed as it should be.
void act_order(struct act *a, const struct envelope *e, struct instant now);

// Every turn of the loop, and when one of act_fds is readable. *next_ns (mono) is when
// it wants to be called at the latest.
void act_turn(struct act *a, struct instant now, uint64_t *next_ns);

// Descriptors to poll for reading; at most ACT_JOBS_MAX.
uint32_t act_fds(const struct act *a, int out[ACT_JOBS_MAX]);

// What this host serves, as probed; NULL when the model has no executor or is not yet
// probed. Lent until act_turn.
struct act_served {
    struct span version;
    uint8_t digest[32]; // zeros: not known
};
bool act_served(const struct act *a, struct span model, struct act_served *out);

// For the hello.
const struct executors *act_executors(const struct act *a);

// A person looked at the model and says that it is well. ST_NOTFOUND: it is not locked.
MUST_USE enum status act_unlock(struct act *a, struct span model);

struct act_stats {
    uint64_t orders;   // that came
    uint64_t forged;   // without a good signature, or not to be read
    uint64_t refused;  // by a check
    uint64_t repeated; // known ones
    uint64_t done;
    uint64_t failed;
    uint64_t uncertain;
    uint64_t receipts;  // handed to the spool
    uint64_t unspooled; // times that the spool did not take one; it is tried again
};
struct act_stats act_stats(const struct act *a);

// One JSON object for `kedge-agent status`.
void act_status(const struct act *a, struct json *out);

#endif
