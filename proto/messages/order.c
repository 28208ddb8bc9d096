// Order: its tables, and the ids that follow from a decision.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/order.h"

#include "common/base/buf.h"
#include "common/trust/digest.h"

static const struct field approval_fields[] = {
    {"kid", FIELD_ID, FIELD_MUST, FIELD_AT(struct approval, kid), .max = 8,
     .note = "fingerprint of the approver"},
    {"at_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct approval, at_ms),
     .note = "wall clock of the approver, ms"},
    {"sig", FIELD_ID, FIELD_MUST, FIELD_AT(struct approval, sig), .max = 64,
     .note = "the signature"},
};
const struct message approval_message = {
    .type = "approval",
    .note = "An approver's signature over PAE(kedge.approval.v1, decision).",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct approval),
    .fields = sizeof approval_fields / sizeof approval_fields[0],
    .field = approval_fields,
};

static const struct field order_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"fleet", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, fleet), .max = 16,
     .note = "own fleet, else E_FLEET"},
    {"agent", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, agent), .max = 16,
     .note = "own id, else E_NOT_ME"},
    {"agent_key", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, agent_key), .max = 8,
     .note = "fingerprint of the agent, else E_NOT_ME"},
    {"order", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, order), .max = 16,
     .note = "order id: repeated, it is answered by the stored receipt"},
    {"token", FIELD_STRUCT, FIELD_MUST, FIELD_AT(struct order, token),
     .of = &token_message,
     .note = "place of the INTENT; below the highest: E_FENCED, E_REPLAY"},
    {"sess", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, sess), .max = 16,
     .note = "from hello, else E_STALE_SESSION"},
    {"hb", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, hb), .max = 16,
     .note = "from the newest beat: the age of the order counts from there"},
    {"ring", FIELD_U64, FIELD_MUST, FIELD_AT(struct order, ring),
     .note = "keyring of the signer, else E_KEY"},
    {"issued_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct order, issued_ms),
     .note = "wall clock of the controller, ms"},
    {"ttl_ms", FIELD_U32, FIELD_MUST, FIELD_AT(struct order, ttl_ms),
     .max = ORDER_TTL_MS_MAX, .note = "older than this: E_EXPIRED"},
    {"action", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct order, action), .max = 32,
     .note = "rollback, probe, ...; else E_ACTION"},
    {"model", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct order, model),
     .max = FIELD_NAME_MAX, .note = "a name, or @fleet; else E_SCOPE"},
    {"ns", FIELD_NAME, FIELD_MAY, FIELD_AT(struct order, ns), .max = FIELD_NAME_MAX,
     .note = "namespace"},
    {"if_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct order, if_version),
     .max = FIELD_NAME_MAX, .note = "what must be serving now, else E_PRECOND"},
    {"if_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct order, if_digest), .max = 32,
     .note = "and its artifact"},
    {"to_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct order, to_version),
     .max = FIELD_NAME_MAX, .note = "what shall serve, else E_TARGET"},
    {"to_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct order, to_digest), .max = 32,
     .note = "and its artifact, else E_DIGEST"},
    {"executor", FIELD_NAME, FIELD_NIL, FIELD_AT(struct order, executor),
     .max = FIELD_NAME_MAX, .note = "name of a file on the host, else E_EXECUTOR"},
    {"exec_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct order, exec_digest), .max = 32,
     .note = "SHA-256 of that file as last reported"},
    {"params", FIELD_PAIRS, FIELD_MUST, FIELD_LIST_AT(struct order, param, params),
     .max = ORDER_PARAMS_MAX, .note = "only what the file declares, else E_PARAM"},
    {"run_ms", FIELD_U32, FIELD_MUST, FIELD_AT(struct order, run_ms),
     .note = "time limit of the execution"},
    {"plan", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, plan), .max = 16,
     .note = "plan"},
    {"step", FIELD_U16, FIELD_MUST, FIELD_AT(struct order, step), .note = "wave"},
    {"try", FIELD_U16, FIELD_MUST, FIELD_AT(struct order, attempt),
     .note = "repetition"},
    {"incident", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, incident), .max = 16,
     .note = "alert"},
    {"reason", FIELD_PAIRS, FIELD_MUST, FIELD_LIST_AT(struct order, reason, reasons),
     .max = ORDER_REASONS_MAX, .note = "shown, never interpreted"},
    {"approvals", FIELD_LIST, FIELD_MUST,
     FIELD_LIST_AT(struct order, approval, approvals), .max = ORDER_APPROVALS_MAX,
     .of = &approval_message, .note = "else E_KEY"},
    {"lease_ms", FIELD_U32, FIELD_MUST, FIELD_AT(struct order, lease_ms),
     .note = "ends by itself after this; 0 = stays"},
    {"dry", FIELD_BOOL, FIELD_MUST, FIELD_AT(struct order, dry),
     .note = "all checks and no effect"},
    {"prev", FIELD_ID, FIELD_MUST, FIELD_AT(struct order, prev), .max = 32,
     .note = "link to the previous order of this model to this agent"},
};
const struct message order_message = {
    .type = "kedge.order.v1",
    .note =
        "A signed instruction to one agent about one model. Verify before decoding.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct order),
    .fields = sizeof order_fields / sizeof order_fields[0],
    .field = order_fields,
};

static const struct field order_cause_fields[] = {
    {"fleet", FIELD_ID, FIELD_MUST, FIELD_AT(struct order_cause, fleet), .max = 16,
     .note = ""},
    {"model", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct order_cause, model),
     .max = FIELD_NAME_MAX, .note = ""},
    {"incident", FIELD_ID, FIELD_MUST, FIELD_AT(struct order_cause, incident),
     .max = 16, .note = ""},
    {"action", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct order_cause, action), .max = 32,
     .note = ""},
    {"plan", FIELD_ID, FIELD_MUST, FIELD_AT(struct order_cause, plan), .max = 16,
     .note = ""},
    {"step", FIELD_U16, FIELD_MUST, FIELD_AT(struct order_cause, step), .note = ""},
    {"attempt", FIELD_U16, FIELD_MUST, FIELD_AT(struct order_cause, attempt),
     .note = ""},
};
const struct message order_cause_message = {
    .type = "order cause",
    .note = "What an order id is made of.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct order_cause),
    .fields = sizeof order_cause_fields / sizeof order_cause_fields[0],
    .field = order_cause_fields,
};

static const struct field decision_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"fleet", FIELD_ID, FIELD_MUST, FIELD_AT(struct decision, fleet), .max = 16,
     .note = "fleet"},
    {"plan", FIELD_ID, FIELD_MUST, FIELD_AT(struct decision, plan), .max = 16,
     .note = "plan"},
    {"agents", FIELD_TEXTS, FIELD_MUST, FIELD_LIST_AT(struct decision, agent, agents),
     .max = 512, .note = "their ids as hex"},
    {"action", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct decision, action), .max = 32,
     .note = "action"},
    {"model", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct decision, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"if_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct decision, if_version),
     .max = FIELD_NAME_MAX, .note = "as in the order"},
    {"if_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct decision, if_digest), .max = 32,
     .note = "as in the order"},
    {"to_version", FIELD_NAME, FIELD_NIL, FIELD_AT(struct decision, to_version),
     .max = FIELD_NAME_MAX, .note = "as in the order"},
    {"to_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct decision, to_digest), .max = 32,
     .note = "as in the order"},
    {"executor", FIELD_NAME, FIELD_NIL, FIELD_AT(struct decision, executor),
     .max = FIELD_NAME_MAX, .note = "as in the order"},
    {"exec_digest", FIELD_ID, FIELD_NIL, FIELD_AT(struct decision, exec_digest),
     .max = 32, .note = "as in the order"},
    {"params", FIELD_PAIRS, FIELD_MUST, FIELD_LIST_AT(struct decision, param, params),
     .max = ORDER_PARAMS_MAX, .note = "as in the order"},
    {"not_after_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct decision, not_after_ms),
     .note = "wall clock, ms"},
};
const struct message decision_message = {
    .type = "kedge.approval.v1",
    .note = "What an approver signs; the agent compares each field with the order.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct decision),
    .fields = sizeof decision_fields / sizeof decision_fields[0],
    .field = decision_fields,
};

static const char *const action_names[ORDER_ACTIONS] = {
    [ORDER_ROLLBACK] = "rollback",     [ORDER_PROMOTE] = "promote",
    [ORDER_PAUSE] = "pause",           [ORDER_RESUME] = "resume",
    [ORDER_QUARANTINE] = "quarantine", [ORDER_UNQUARANTINE] = "unquarantine",
    [ORDER_RETRAIN] = "retrain",       [ORDER_PROBE] = "probe",
    [ORDER_CONFIG] = "config",         [ORDER_ROTATE] = "rotate",
    [ORDER_CONFIRM] = "confirm",       [ORDER_CANCEL] = "cancel",
};

const char *order_action_name(enum order_action action)
{
    return (unsigned)action < ORDER_ACTIONS ? action_names[action] : "unknown";
}

enum status order_action_of(struct span name, enum order_action *out)
{
    for (unsigned i = 0; i < ORDER_ACTIONS; i++) {
        if (span_is(name, action_names[i])) {
            *out = (enum order_action)i;
            return ST_OK;
        }
    }
    return ST_NOTFOUND;
}

#define CAUSE_BYTES_MAX 512

enum status order_id(const struct order_cause *cause, uint8_t out[16])
{
    struct buf bytes;
    buf_init(&bytes, CAUSE_BYTES_MAX);
    uint8_t digest[DIGEST_BYTES];
    enum status st = message_encode(&order_cause_message, cause, &bytes, NULL);
    if (st == ST_OK)
        st = digest_of(buf_span(&bytes), digest);
    buf_fini(&bytes);
    if (st == ST_OK)
        memcpy(out, digest, 16);
    return st;
}

enum status order_link(const uint8_t order[16], struct token token, uint8_t out[32])
{
    uint8_t bytes[32];
    memcpy(bytes, order, 16);
    store_le64(bytes + 16, token.gen);
    store_le64(bytes + 24, token.seq);
    return digest_of(span_of(bytes, sizeof bytes), out);
}
