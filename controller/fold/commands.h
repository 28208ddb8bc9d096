// Commands: what the files of the fold's own verbs share.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FOLD_COMMANDS_H
#define KEDGE_CONTROLLER_FOLD_COMMANDS_H

#include "common/base/buf.h"
#include "controller/fold/inside.h"

// Exit codes of operators' commands.
enum exit_code {
    EXIT_FINE = 0,
    EXIT_USAGE = 2,
    EXIT_NOTFOUND = 3,
    EXIT_DENIED = 4,
    EXIT_CONFLICT = 6,
};

// A command on its way: a verb answers by one of these, and returns what it returns.
struct order_of {
    struct fold *f;
    struct shelf *s;
    const struct entry_command *c;
};
MUST_USE enum status command_done(const struct order_of *o, struct span json);
MUST_USE enum status command_refused(const struct order_of *o, enum exit_code code,
                                     const char *why);
// A leaf in the operator's name; the verb is the event.
MUST_USE enum status command_audit(const struct order_of *o, struct span object,
                                   struct span detail);

// Arguments. Each leaves *out alone when the argument is absent; false: it is there and
// wrong (then answer EXIT_USAGE).
bool command_u64_arg(const struct order_of *o, const char *key, uint64_t *out);
bool command_duration_arg(const struct order_of *o, const char *key, uint64_t *out);
bool command_time_arg(const struct order_of *o, const char *key, uint64_t *out);
bool command_hex_arg(const struct order_of *o, const char *key, uint8_t *out,
                     size_t size);
// The pieces of "a,b,c", from the pool; at most RECORD_GLOBS_MAX.
const struct span *command_list_arg(const struct order_of *o, const char *key,
                                    uint32_t *n);

// model_commands.c
MUST_USE enum status command_model_add(const struct order_of *o);
MUST_USE enum status command_version_add(const struct order_of *o);
MUST_USE enum status command_model_promote(const struct order_of *o);
MUST_USE enum status command_baseline_seal(const struct order_of *o);
MUST_USE enum status command_event_record(const struct order_of *o);
MUST_USE enum status command_policy_set(const struct order_of *o);
// lineage_commands.c
MUST_USE enum status command_lineage_import(const struct order_of *o);
MUST_USE enum status command_signal_push(const struct order_of *o);
// people_commands.c
MUST_USE enum status command_token_mint(const struct order_of *o);
MUST_USE enum status command_agent_state(const struct order_of *o);
MUST_USE enum status command_agent_note(const struct order_of *o);
MUST_USE enum status command_operator_add(const struct order_of *o);
MUST_USE enum status command_operator_revoke(const struct order_of *o);

#endif
