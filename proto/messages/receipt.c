// Receipt: its tables, and the names of its states.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/receipt.h"

static const struct field receipt_exec_fields[] = {
    {"exit", FIELD_I64, FIELD_MAY, FIELD_AT(struct receipt_exec, exit),
     .note = "exit code; -1 when a signal or the timeout ended it"},
    {"signal", FIELD_U32, FIELD_MAY, FIELD_AT(struct receipt_exec, signal),
     .note = "signal"},
    {"timeout", FIELD_BOOL, FIELD_MAY, FIELD_AT(struct receipt_exec, timeout),
     .note = "it ran too long"},
    {"out_sha256", FIELD_ID, FIELD_MAY, FIELD_AT(struct receipt_exec, out_sha256),
     .max = 32, .note = "SHA-256 of all that it printed"},
    {"out_tail", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct receipt_exec, out_tail),
     .max = RECEIPT_TAIL_MAX, .note = "the end of it"},
};
static const struct message receipt_exec_message = {
    .type = "execution",
    .note = "How the executor ended.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct receipt_exec),
    .fields = sizeof receipt_exec_fields / sizeof receipt_exec_fields[0],
    .field = receipt_exec_fields,
};

static const struct field receipt_probe_fields[] = {
    {"ok", FIELD_BOOL, FIELD_MAY, FIELD_AT(struct receipt_probe, ok),
     .note = "as ordered"},
    {"detail", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct receipt_probe, detail),
     .max = 1024, .note = "for people"},
};
static const struct message receipt_probe_message = {
    .type = "probe",
    .note = "What was found afterwards.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct receipt_probe),
    .fields = sizeof receipt_probe_fields / sizeof receipt_probe_fields[0],
    .field = receipt_probe_fields,
};

static const struct field receipt_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct receipt, boot), .max = 16,
     .note = "new at each start of the agent"},
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct receipt, seq),
     .note = "1.. within boot"},
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"order", FIELD_ID, FIELD_MUST, FIELD_AT(struct receipt, order), .max = 16,
     .note = "the order"},
    {"agent", FIELD_ID, FIELD_MUST, FIELD_AT(struct receipt, agent), .max = 16,
     .note = "own id"},
    {"sess", FIELD_ID, FIELD_MUST, FIELD_AT(struct receipt, sess), .max = 16,
     .note = "session of the order"},
    {"token", FIELD_STRUCT, FIELD_MUST, FIELD_AT(struct receipt, token),
     .of = &token_message, .note = "token of the order"},
    {"state", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct receipt, state), .max = 16,
     .note = "refused, accepted, started, done, failed, uncertain, reverted, expired "
             "or vetoed"},
    {"code", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct receipt, code), .max = 32,
     .note = "ALREADY, RECOVERED, E_PRECOND, ..."},
    {"model", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct receipt, model),
     .max = FIELD_NAME_MAX, .note = "model of the order"},
    {"before_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct receipt, before_version),
     .max = FIELD_NAME_MAX, .note = "served before"},
    {"after_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct receipt, after_version),
     .max = FIELD_NAME_MAX, .note = "served after"},
    {"after_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct receipt, after_digest),
     .max = 32, .note = "its artifact"},
    {"started_ms", FIELD_U64, FIELD_MAY, FIELD_AT(struct receipt, started_ms),
     .note = "wall ms"},
    {"ended_ms", FIELD_U64, FIELD_MAY, FIELD_AT(struct receipt, ended_ms),
     .note = "wall ms"},
    {"mono_ms", FIELD_U64, FIELD_MAY, FIELD_AT(struct receipt, mono_ms),
     .note = "CLOCK_BOOTTIME at the end"},
    {"exec", FIELD_STRUCT, FIELD_MAY, FIELD_AT(struct receipt, exec),
     .of = &receipt_exec_message, .note = "of executors that ran"},
    {"probe", FIELD_STRUCT, FIELD_MAY, FIELD_AT(struct receipt, probe),
     .of = &receipt_probe_message, .note = "afterwards"},
    {"prev_receipt_hash", FIELD_ID, FIELD_NIL, FIELD_AT(struct receipt, prev_receipt),
     .max = 32, .note = "SHA-256 of the body of the previous receipt"},
    {"head", FIELD_BYTES, FIELD_MAY, FIELD_AT(struct receipt, head), .max = 1024,
     .note = "newest signed tree head that the agent holds"},
};
const struct message receipt_message = {
    .type = "kedge.receipt.v1",
    .note = "The signed answer to an order; sent again byte for byte.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct receipt),
    .fields = sizeof receipt_fields / sizeof receipt_fields[0],
    .field = receipt_fields,
};

static const char *const state_names[RECEIPT_STATES] = {
    [RECEIPT_REFUSED] = "refused",   [RECEIPT_ACCEPTED] = "accepted",
    [RECEIPT_STARTED] = "started",   [RECEIPT_DONE] = "done",
    [RECEIPT_FAILED] = "failed",     [RECEIPT_UNCERTAIN] = "uncertain",
    [RECEIPT_REVERTED] = "reverted", [RECEIPT_EXPIRED] = "expired",
    [RECEIPT_VETOED] = "vetoed",
};

const char *receipt_state_name(enum receipt_state state)
{
    return (unsigned)state < RECEIPT_STATES ? state_names[state] : "unknown";
}

enum status receipt_state_of(struct span name, enum receipt_state *out)
{
    for (unsigned i = 0; i < RECEIPT_STATES; i++) {
        if (span_is(name, state_names[i])) {
            *out = (enum receipt_state)i;
            return ST_OK;
        }
    }
    return ST_NOTFOUND;
}

bool receipt_is_final(enum receipt_state state)
{
    return state != RECEIPT_ACCEPTED && state != RECEIPT_STARTED;
}
