// Record: what the controller keeps about models, versions, hosts and people.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_RECORD_H
#define KEDGE_PROTO_MESSAGES_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"

// Records are messages too: a newer program may add fields, and an older one skips
// them. Times are wall ns unless the name says event. Ids of zeros mean none.

#define RECORD_NOTE_MAX 1024
#define RECORD_GLOBS_MAX 64
#define RECORD_HELD_MAX 32

enum policy_mode { POLICY_OBSERVE, POLICY_SUGGEST, POLICY_APPROVE, POLICY_AUTO };

#define RECORD_TAGS_MAX 32

struct record_model {
    struct span name;
    struct span owner;
    struct span note;
    uint64_t created;
    uint64_t window_ns;      // 0 = as its agents say
    uint64_t patience_ns;    // 0 = default
    uint8_t mode;            // enum policy_mode
    struct span policy;      // text of its policy; empty = default
    struct span executor;    // that rolls it back
    const struct span *tag;  // free words, to find it by
    uint32_t tags;
    struct span champion;    // version that ought to serve
    const struct span *held; // versions that must not come back by themselves
    uint32_t helds;
    uint64_t last_effect;   // end of the last order that changed it
    uint64_t last_rollback; // event ns
    uint8_t alert[16];      // open now
    uint8_t plan[16];       // running now
    uint8_t key[16];        // keys the hash of its categories
    uint64_t judged;        // event end of the last window judged
    bool is_locked;         // no automation until a person clears it
};
extern const struct message record_model_message;

enum version_state {
    VERSION_REGISTERED,
    VERSION_SERVING,
    VERSION_RETIRED,
    VERSION_HELD
};

struct record_version {
    struct span model;
    struct span version;
    uint64_t created;
    struct span created_by;
    uint8_t artifact[32]; // SHA-256 of the artifact
    uint8_t data[32];     // of the training data
    uint8_t code[32];     // of the training code
    struct span parent;   // version that it follows
    struct span note;
    uint8_t state;        // enum version_state
    struct span stage;    // "staging", "production": a free word
    uint8_t baseline[32]; // digest of its sealed baseline
    uint64_t first_event; // event ns when it was first attested
    uint64_t last_event;
    uint64_t first_wall;
    uint64_t healthy_ns; // event time served without an alert
    uint64_t held_at;
    struct span held_why;
};
extern const struct message record_version_message;

#define RECORD_BASELINE_MAX (1024u * 1024u)

struct record_baseline {
    struct span model;
    struct span version;
    uint8_t digest[32]; // SHA-256 of `sealed`
    uint8_t data[32];   // SHA-256 of the file it was made of; zeros = captured live
    struct span source; // that file's name, or "capture"
    uint64_t rows;
    uint64_t first_event;
    uint64_t last_event;
    uint64_t created;
    struct span created_by;
    struct span sealed; // common/drift: the encoded baseline
};
extern const struct message record_baseline_message;

enum agent_state {
    AGENT_PENDING,
    AGENT_ACTIVE,
    AGENT_SUSPENDED,
    AGENT_REVOKED,
    AGENT_RETIRED,
};

struct agent_executor {
    struct span name;
    struct span kind;
    uint8_t digest[32];
};

struct record_agent {
    uint8_t agent[16];
    struct span host;
    uint8_t curve[32];
    uint8_t sign[32];
    uint8_t state; // enum agent_state
    uint64_t gen;  // rises with each change of state or keys
    uint64_t created;
    uint8_t token[8];
    const struct span *model; // globs that it may publish
    uint32_t models;
    const struct pair *label;
    uint32_t labels;
    struct span env;
    struct span software;
    const struct agent_executor *executor; // from its newest hello
    uint32_t executors;
    uint8_t last_receipt[32]; // SHA-256 of the body of its last receipt
    uint64_t seen;            // wall ns of its newest entry
    uint64_t revoked;
    struct span revoked_why;
};
extern const struct message record_agent_message;

// How far one boot of one agent was folded: every seq <= mark, and mark+1+i for each
// set bit i of `ahead`.
struct record_mark {
    uint8_t agent[16];
    uint8_t boot[16];
    uint64_t mark;
    uint64_t ahead;
    uint64_t merged;   // entries taken
    uint64_t repeated; // duplicates refused
};
extern const struct message record_mark_message;

struct token_use {
    uint8_t curve[32];
    uint8_t agent[16];
};

struct record_token {
    uint8_t id[8];
    uint8_t pub[32];
    uint64_t created;
    struct span created_by;
    uint64_t expires; // wall ns
    uint32_t uses_left;
    const struct span *model;
    uint32_t models;
    const struct pair *label;
    uint32_t labels;
    struct span env;
    struct span cidr;
    struct span host;
    bool require_approval;
    const struct token_use *use;
    uint32_t uses;
};
extern const struct message record_token_message;

enum operator_role {
    ROLE_VIEWER,
    ROLE_OPERATOR,
    ROLE_APPROVER,
    ROLE_ADMIN,
    ROLE_AUDITOR,
};

struct record_operator {
    struct span name;
    uint8_t curve[32];
    uint8_t role;             // enum operator_role
    const struct span *model; // globs; none = all
    uint32_t models;
    uint64_t created;
    uint64_t expires; // 0 = never
    uint64_t revoked; // 0 = not
};
extern const struct message record_operator_message;

// One agent's view of one model version: the live instances of a model.
struct record_instance {
    struct span model;
    struct span version;
    uint8_t agent[16];
    struct span host;
    uint64_t watermark; // event ns
    uint64_t last_end;  // event end of its last window
    uint64_t last_tick; // fold time of that arrival
    uint64_t windows;
    uint64_t rows;
    uint64_t observed;
    uint64_t late;
    const struct tally *dropped;
    uint32_t drops;
    uint8_t digest[32];
    uint64_t first_event;
};
extern const struct message record_instance_message;

enum alert_state { ALERT_OPEN, ALERT_ACKED, ALERT_CLEARED, ALERT_CLOSED };

#define RECORD_FINDINGS_MAX 512

// One feature or signal of an alert: what moved, or what was looked at and did not.
struct record_finding {
    struct span feature;
    struct span signal; // "shape", "missing", "loss", "bias", "contribution", ...
    uint8_t tier;       // enum tier (common/drift/verdict.h); TIER_NONE = clean
    int64_t direction;  // -1, 0, +1
    double effect;
    double evidence;
    uint64_t onset; // event ns
    double before;
    double now;
};
extern const struct message record_finding_message;

struct record_alert {
    uint8_t alert[16];
    struct span model;
    struct span version;
    uint64_t opened;       // wall ns
    uint64_t opened_event; // event end of the window that opened it
    uint64_t onset;        // event ns, estimated
    uint64_t updated_event;
    uint64_t closed;
    uint64_t closed_event;
    uint8_t state;             // enum alert_state
    uint8_t tier;              // enum tier (common/drift/verdict.h), the highest so far
    struct span diagnosis;     // "bad_version", "world_shift", ...
    uint8_t row;               // of the decision table, 1..14
    struct span decision;      // "rollback", "recommend_retrain", ...
    struct span code;          // "E_WORLD" and the like, when refused
    struct span why;           // a sentence for people
    const struct pair *symbol; // I, Iv, Im, O, ... -> hit, clean, unknown
    uint32_t symbols;
    const struct record_finding *finding;
    uint32_t findings;
    uint8_t plan[16];
    struct span acked_by;
    struct span closed_why;
};
extern const struct message record_alert_message;

// Cleared: every alert of it has closed; the same cause opens it again for a while.
enum incident_state {
    INCIDENT_OPEN,
    INCIDENT_ACKED,
    INCIDENT_CLEARED,
    INCIDENT_CLOSED
};

#define INCIDENT_ANSWER_MAX (256u * 1024u)
#define INCIDENT_SUSPECTS_MAX 16

// What is taken for one cause, and the alerts that go back to it.
struct record_incident {
    uint8_t incident[16];
    struct span cause; // a name of the lineage, or "outside"
    struct span kind;  // "model", "own", "upstream", "outside" or "asked"
    struct span model; // whose alert opened it
    struct span kpi;   // that a person asked about
    uint64_t noticed;  // event ns, of the question
    uint8_t state;     // enum incident_state
    uint8_t tier;      // the highest so far
    uint64_t onset;    // event ns
    uint64_t opened;   // wall ns
    uint64_t opened_event;
    uint64_t updated_event;
    uint64_t acked; // wall ns
    struct span acked_by;
    uint64_t cleared; // wall ns
    uint64_t cleared_event;
    uint64_t closed; // wall ns
    struct span closed_by;
    struct span closed_why;
    struct span true_cause; // as a person said when it was closed
    uint32_t alerts;        // that ever joined it
    uint32_t open_alerts;
    uint32_t reopened; // how often
    uint64_t answered; // wall ns: the answer is what was known then
    double share;      // of its first suspect
    double confidence;
    struct span verdict;
    const struct span *suspect; // best first
    uint32_t suspects;
    struct span answer;   // as JSON
    uint8_t evidence[32]; // SHA-256 of the windows it was taken from
};
extern const struct message record_incident_message;

// An alert within an incident.
struct record_member {
    uint8_t alert[16];
    struct span model;
    struct span version;
    uint64_t onset;        // event ns
    uint64_t joined;       // wall ns
    uint64_t joined_event; // event end of the window that opened it
    uint64_t left_event;   // 0: still open
    uint64_t rows;         // predictions served since its onset
};
extern const struct message record_member_message;

enum plan_state {
    PLAN_OPEN,
    PLAN_AWAIT_APPROVAL,
    PLAN_CANARY,
    PLAN_VERIFY_CANARY,
    PLAN_EXPAND,
    PLAN_VERIFY,
    PLAN_DONE,
    PLAN_HALTED,
    PLAN_REFUSED,
    PLAN_RECOMMEND,
    PLAN_SUPERSEDED,
    PLAN_EXPIRED,
    PLAN_RESTORE, // a canary that did not recover goes back
    PLAN_STATES,
};

enum order_state {
    ORDER_PLANNED,
    ORDER_INTENDED,
    ORDER_SENT,
    ORDER_ACCEPTED,
    ORDER_APPLIED,
    ORDER_VERIFIED,
    ORDER_INEFFECTIVE,
    ORDER_REFUSED,
    ORDER_EXPIRED,
    ORDER_VETOED,
    ORDER_UNCERTAIN,
    ORDER_FAILED, // nothing was changed
    ORDER_STATES,
};

#define PLAN_STEPS_MAX 16
#define PLAN_HOSTS_MAX 512 // in one step

// One execution: one order id at one agent.
struct plan_host {
    uint8_t agent[16];
    struct span host;
    uint8_t order[16];
    uint64_t gen; // token of its INTENT
    uint64_t seq;
    uint8_t state; // enum order_state
    struct span code;
    struct span before;
    struct span after;
    uint64_t sent_ms;
    uint64_t ended_ms;
    uint64_t switched_event; // event ns of the first row under the new version
    uint8_t exec_digest[32];
    uint8_t receipt[32]; // SHA-256 of the final receipt's body
};

struct plan_step {
    uint16_t step;
    uint16_t attempt;
    uint8_t state;          // enum plan_state
    bool back;              // it undoes the canary: from to_version to from_version
    uint64_t started;       // wall ns
    uint64_t started_event; // event ns
    uint64_t ended;
    uint64_t ended_event;
    struct span verdict; // "recovered", "not_recovered", "inconclusive" or ""
    struct span why;
    const struct plan_host *host;
    uint32_t hosts;
};

struct plan_approval {
    struct span actor;
    uint64_t at;
    uint8_t kid[8];
    uint8_t sig[64]; // zeros = approved by role alone
};

struct record_plan {
    uint8_t plan[16];
    uint8_t alert[16];
    struct span model;
    struct span action;
    struct span from_version;
    uint8_t from_digest[32];
    struct span to_version;
    uint8_t to_digest[32];
    struct span executor;
    uint8_t mode;  // enum policy_mode
    uint8_t state; // enum plan_state
    struct span code;
    struct span why;
    uint64_t created;
    uint64_t created_event;
    struct span created_by;
    uint64_t updated;
    uint64_t expires;
    uint16_t step; // the one that runs now
    uint8_t approvals_needed;
    const struct plan_step *steps; // waves, canary first
    uint32_t step_count;
    const struct plan_approval *approval;
    uint32_t approvals;
};
extern const struct message record_plan_message;

// The log's INTENT: an order before it is signed; read back, then sent.
struct intent_host {
    uint8_t agent[16];
    uint8_t exec_digest[32];
};
struct record_intent {
    uint8_t order[16];
    uint8_t plan[16];
    uint16_t step;
    uint16_t attempt;
    uint8_t incident[16];
    struct span model;
    struct span action;
    struct span if_version;
    uint8_t if_digest[32];
    struct span to_version;
    uint8_t to_digest[32];
    struct span executor;
    uint32_t run_ms;
    uint32_t ttl_ms;
    uint64_t epoch;
    bool dry;
    const struct intent_host *host;
    uint32_t hosts;
};
extern const struct message record_intent_message;

// The log's COMMAND: what a person or a program told the controller to change.
enum actor_kind { ACTOR_USER, ACTOR_AGENT, ACTOR_SYSTEM, ACTOR_TOKEN };
struct record_command {
    struct span verb;
    uint8_t actor_kind; // enum actor_kind
    struct span actor;
    struct span from; // network address; may be empty
    uint64_t at;
    const struct pair *arg;
    uint32_t args;
    struct span blob;
};
extern const struct message record_command_message;

// What a host was last found to serve of a model.
struct record_attest {
    uint8_t agent[16];
    struct span host;
    struct span model;
    struct span version;
    uint8_t digest[32];
    uint64_t at;   // event ns
    uint64_t wall; // ns
    struct span cause;
    uint8_t order[16];
    struct span before; // version that it replaced
};
extern const struct message record_attest_message;

// A change in the world or the fleet that may explain something later.
struct record_event {
    uint64_t number;
    uint64_t at; // event ns
    uint64_t wall;
    struct span kind; // "deploy", "schema_changed", "release", ...
    struct span model;
    struct span version;
    struct span host;
    struct span actor;
    struct span text;
};
extern const struct message record_event_message;

// A leaf of the audit log.
#define LEAF_DETAIL_MAX 4096
struct record_leaf {
    uint64_t number; // "n", 0..
    uint64_t ts_ms;
    uint64_t mono_ms;
    uint64_t epoch;
    uint64_t gen; // token
    uint64_t seq;
    uint8_t actor_kind; // enum actor_kind
    struct span actor;
    struct span from; // "src_ip"
    struct span event;
    struct span object;
    uint8_t before[32];
    uint8_t after[32];
    struct span detail;
    const struct span *link;
    uint32_t links;
};
extern const struct message record_leaf_message;

// A tree head; signed as an envelope of type "kedge.head.v1".
#define HEAD_TYPE "kedge.head.v1"
#define HEAD_BYTES_MAX 1024 // its three frames
struct record_head {
    uint8_t fleet[16]; // "fid"
    struct span log_id;
    uint64_t size;
    uint8_t root[32];
    uint64_t ts_ms;
    uint8_t prev[32]; // SHA-256 of the body of the previous head
};
extern const struct message record_head_message;

#endif
