// Entry: the bodies of the tape's entries, packed and read again.
//
// What came from an agent keeps the agent's own bytes behind a prefix that the gate
// vouches for; what the controller itself adds (times, random bytes, who asked) is in
// the entry too, since a fold may draw nothing from outside.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_ENTRY_H
#define KEDGE_CONTROLLER_LOG_ENTRY_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define ENTRY_ARGS_MAX 64u
#define ENTRY_RANDOM 64u

// TAPE_WINDOW, TAPE_ATTEST, TAPE_NOTICE, TAPE_RECEIPT: who sent it, what it said, and
// for a receipt the frame with the signatures.
struct entry_report {
    const uint8_t *agent; // 16 bytes
    struct span body;     // the message's body, as it came
    struct span sigs;     // receipts only
};

struct entry_arg {
    struct span key, value;
};

// TAPE_COMMAND: an operator's command. All lent.
struct entry_command {
    uint64_t request;  // names the question that waits for EFFECT_ANSWER; 0 = nobody
    struct span verb;  // "alert.ack"
    struct span actor; // the operator's name; "system" for the controller's own
    struct span role;  // viewer, operator, approver, admin, auditor
    struct span from;  // network address; may be empty
    struct entry_arg arg[ENTRY_ARGS_MAX];
    uint32_t args;
    struct span blob; // a file that came along (a policy, a baseline)
    struct span
        random; // ENTRY_RANDOM bytes drawn by the controller, for what is minted
};

// TAPE_AGENT: an enrolment whose signatures the gate has checked. All lent.
struct entry_agent {
    uint64_t request;     // names the connection that waits for EFFECT_GRANT
    const uint8_t *token; // 8 bytes: the token's id
    const uint8_t *curve; // 32 bytes: transport key, proven by the connection
    const uint8_t *sign;  // 32 bytes: receipts' key, proven by its signature
    struct span host;     // as the agent calls its host
    struct span software; // its version
    struct span address;  // where it connected from
};

// Packers append to `out`; a failure stays in it (buf.h). Args beyond ENTRY_ARGS_MAX
// are a programmer's error.
void entry_put_report(struct buf *out, const struct entry_report *e);
void entry_put_command(struct buf *out, const struct entry_command *e);
void entry_put_agent(struct buf *out, const struct entry_agent *e);

// Readers lend from `body`. ST_CORRUPT.
MUST_USE enum status entry_read_report(struct span body, struct entry_report *out);
MUST_USE enum status entry_read_command(struct span body, struct entry_command *out);
MUST_USE enum status entry_read_agent(struct span body, struct entry_agent *out);

// The argument of that name; an empty span when there is none.
struct span entry_arg(const struct entry_command *c, const char *key);

#endif
