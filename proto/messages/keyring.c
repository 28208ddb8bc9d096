// Keyring: its tables.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/keyring.h"

static const struct field keyring_curve_fields[] = {
    {"role", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct keyring_curve, role), .max = 8,
     .note = "agent, enrol or op"},
    {"pub", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring_curve, pub), .max = 32,
     .note = "X25519 public key"},
    {"not_before", FIELD_U64, FIELD_MAY, FIELD_AT(struct keyring_curve, not_before),
     .note = "wall ms"},
    {"not_after", FIELD_U64, FIELD_MAY, FIELD_AT(struct keyring_curve, not_after),
     .note = "wall ms"},
};
static const struct message keyring_curve_message = {
    .type = "transport key",
    .note = "A CURVE key of the controllers.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct keyring_curve),
    .fields = sizeof keyring_curve_fields / sizeof keyring_curve_fields[0],
    .field = keyring_curve_fields,
};

static const struct field keyring_key_fields[] = {
    {"kid", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring_key, kid), .max = 8,
     .note = "fingerprint"},
    {"pub", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring_key, pub), .max = 32,
     .note = "Ed25519 public key"},
    {"actions", FIELD_TEXTS, FIELD_MAY,
     FIELD_LIST_AT(struct keyring_key, action, actions), .max = KEYRING_KEYS_MAX,
     .note = "what it may sign"},
    {"not_after", FIELD_U64, FIELD_MAY, FIELD_AT(struct keyring_key, not_after),
     .note = "wall ms"},
};
static const struct message keyring_key_message = {
    .type = "signing key",
    .note = "A key that may sign these actions, or tree heads.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct keyring_key),
    .fields = sizeof keyring_key_fields / sizeof keyring_key_fields[0],
    .field = keyring_key_fields,
};

static const struct field keyring_approver_fields[] = {
    {"kid", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring_approver, kid), .max = 8,
     .note = "fingerprint"},
    {"pub", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring_approver, pub), .max = 32,
     .note = "Ed25519 public key"},
    {"name", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct keyring_approver, name),
     .max = 128, .note = "of the person"},
    {"models", FIELD_TEXTS, FIELD_MAY,
     FIELD_LIST_AT(struct keyring_approver, model, models), .max = KEYRING_KEYS_MAX,
     .note = "globs"},
    {"actions", FIELD_TEXTS, FIELD_MAY,
     FIELD_LIST_AT(struct keyring_approver, action, actions), .max = KEYRING_KEYS_MAX,
     .note = "what they may approve"},
};
static const struct message keyring_approver_message = {
    .type = "approver",
    .note = "A person who may approve.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct keyring_approver),
    .fields = sizeof keyring_approver_fields / sizeof keyring_approver_fields[0],
    .field = keyring_approver_fields,
};

static const struct field keyring_fields[] = {
    {"v", FIELD_VERSION, FIELD_MUST, .max = 1, .note = "always 1"},
    {"ring_version", FIELD_U64, FIELD_MUST, FIELD_AT(struct keyring, ring),
     .note = "only ever rises"},
    {"issued_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct keyring, issued_ms),
     .note = "wall ms"},
    {"expires_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct keyring, expires_ms),
     .note = "wall ms"},
    {"fleet_id", FIELD_ID, FIELD_MUST, FIELD_AT(struct keyring, fleet), .max = 16,
     .note = "fleet"},
    {"roots", FIELD_LIST, FIELD_MUST, FIELD_LIST_AT(struct keyring, root, roots),
     .max = KEYRING_ROOTS_MAX, .of = &key_ref_message, .note = "root keys"},
    {"root_threshold", FIELD_U8, FIELD_MUST, FIELD_AT(struct keyring, root_threshold),
     .note = "signatures of roots that a keyring needs"},
    {"server_curve", FIELD_LIST, FIELD_MUST,
     FIELD_LIST_AT(struct keyring, server_curve, server_curves),
     .max = KEYRING_KEYS_MAX, .of = &keyring_curve_message,
     .note = "transport keys of the controllers"},
    {"order_keys", FIELD_LIST, FIELD_MUST,
     FIELD_LIST_AT(struct keyring, order_key, order_keys), .max = KEYRING_KEYS_MAX,
     .of = &keyring_key_message, .note = "who may sign orders"},
    {"log_keys", FIELD_LIST, FIELD_MAY,
     FIELD_LIST_AT(struct keyring, log_key, log_keys), .max = KEYRING_KEYS_MAX,
     .of = &keyring_key_message, .note = "who may sign tree heads"},
    {"approver_keys", FIELD_LIST, FIELD_MAY,
     FIELD_LIST_AT(struct keyring, approver, approvers), .max = KEYRING_KEYS_MAX,
     .of = &keyring_approver_message, .note = "who may approve"},
    {"thresholds", FIELD_TALLY, FIELD_MAY,
     FIELD_LIST_AT(struct keyring, threshold, thresholds), .max = KEYRING_KEYS_MAX,
     .note = "approvals that an action needs"},
};
const struct message keyring_message = {
    .type = "kedge.keyring.v1",
    .note = "Which keys speak for a fleet; signed by its roots; travels inside other "
            "messages.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct keyring),
    .fields = sizeof keyring_fields / sizeof keyring_fields[0],
    .field = keyring_fields,
};
