// Session: the tables of greeting, breathing and acknowledging.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/session.h"

#include "proto/messages/keyring.h"

static const struct field hello_executor_fields[] = {
    {"name", FIELD_NAME, FIELD_MUST, FIELD_AT(struct hello_executor, name),
     .max = FIELD_NAME_MAX, .note = "name of its file"},
    {"kind", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct hello_executor, kind), .max = 32,
     .note = "symlink, exec, ..."},
    {"digest", FIELD_ID, FIELD_MUST, FIELD_AT(struct hello_executor, digest), .max = 32,
     .note = "SHA-256 of the file that describes it"},
};
static const struct message hello_executor_message = {
    .type = "executor",
    .note = "An executor that the host offers.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct hello_executor),
    .fields = sizeof hello_executor_fields / sizeof hello_executor_fields[0],
    .field = hello_executor_fields,
};

static const struct field hello_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct hello, boot), .max = 16,
     .note = "new at each start of the agent"},
    {"sess", FIELD_ID, FIELD_MUST, FIELD_AT(struct hello, sess), .max = 16,
     .note = "new at each connection; orders repeat it"},
    {"host", FIELD_NAME, FIELD_MUST, FIELD_AT(struct hello, host),
     .max = FIELD_NAME_MAX, .note = "host name"},
    {"software", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct hello, software), .max = 64,
     .note = "version of the agent"},
    {"time_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct hello, time_ms),
     .note = "wall clock of the agent, ms"},
    {"ring", FIELD_U64, FIELD_MAY, FIELD_AT(struct hello, ring),
     .note = "keyring that it holds"},
    {"executors", FIELD_SORTED, FIELD_MAY,
     FIELD_LIST_AT(struct hello, executor, executors), .max = HELLO_EXECUTORS_MAX,
     .of = &hello_executor_message, .note = "by rising name"},
    {"can", FIELD_TEXTS, FIELD_MAY, FIELD_LIST_AT(struct hello, can, cans), .max = 32,
     .note = "capabilities"},
};
const struct message hello_message = {
    .type = "kedge.hello.v1",
    .note = "First on every connection.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct hello),
    .fields = sizeof hello_fields / sizeof hello_fields[0],
    .field = hello_fields,
};

static const struct field welcome_fields[] = {
    {"fleet", FIELD_ID, FIELD_MUST, FIELD_AT(struct welcome, fleet), .max = 16,
     .note = "id of the fleet"},
    {"agent", FIELD_ID, FIELD_MUST, FIELD_AT(struct welcome, agent), .max = 16,
     .note = "id of the agent"},
    {"server_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct welcome, server_ms),
     .note = "wall clock of the controller, ms"},
    {"credit", FIELD_U32, FIELD_MUST, FIELD_AT(struct welcome, credit), .max = 64,
     .note = "unacknowledged entries allowed at once"},
    {"window_max", FIELD_U32, FIELD_MUST, FIELD_AT(struct welcome, window_max),
     .note = "largest message taken, bytes"},
    {"keyring", FIELD_BYTES, FIELD_MAY, FIELD_AT(struct welcome, keyring),
     .max = KEYRING_BYTES_MAX, .note = "a newer keyring, as a joined envelope"},
    {"jitter_ms", FIELD_U32, FIELD_MAY, FIELD_AT(struct welcome, jitter_ms),
     .note = "reconnect delays are spread over this"},
};
const struct message welcome_message = {
    .type = "kedge.welcome.v1",
    .note = "The answer to hello.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct welcome),
    .fields = sizeof welcome_fields / sizeof welcome_fields[0],
    .field = welcome_fields,
};

static const struct field beat_model_fields[] = {
    {"model", FIELD_NAME, FIELD_MUST, FIELD_AT(struct beat_model, model),
     .max = FIELD_NAME_MAX, .note = "model"},
    {"version", FIELD_NAME, FIELD_MAY, FIELD_AT(struct beat_model, version),
     .max = FIELD_NAME_MAX, .note = "version served now"},
    {"digest", FIELD_ID, FIELD_MAY, FIELD_AT(struct beat_model, digest), .max = 32,
     .note = "SHA-256 of its artifact"},
    {"watermark", FIELD_U64, FIELD_MAY, FIELD_AT(struct beat_model, watermark),
     .note = "event ns"},
};
static const struct message beat_model_message = {
    .type = "served",
    .note = "What a host serves of one model.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct beat_model),
    .fields = sizeof beat_model_fields / sizeof beat_model_fields[0],
    .field = beat_model_fields,
};

static const struct field beat_fields[] = {
    {"hb", FIELD_ID, FIELD_MUST, FIELD_AT(struct beat, hb), .max = 16,
     .note = "nonce from which the age of an order counts"},
    {"time_ms", FIELD_U64, FIELD_MUST, FIELD_AT(struct beat, time_ms),
     .note = "wall clock of the agent, ms"},
    {"spool_entries", FIELD_U64, FIELD_MAY, FIELD_AT(struct beat, spool_entries),
     .note = "entries not yet acknowledged"},
    {"spool_bytes", FIELD_U64, FIELD_MAY, FIELD_AT(struct beat, spool_bytes),
     .note = "their bytes"},
    {"models", FIELD_SORTED, FIELD_MAY, FIELD_LIST_AT(struct beat, model, models),
     .max = BEAT_MODELS_MAX, .of = &beat_model_message, .note = "by rising model"},
    {"head", FIELD_BYTES, FIELD_MAY, FIELD_AT(struct beat, head), .max = 1024,
     .note = "newest signed tree head seen, as a joined envelope"},
};
const struct message beat_message = {
    .type = "kedge.beat.v1",
    .note = "Every 10 s; liveness only, not logged.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct beat),
    .fields = sizeof beat_fields / sizeof beat_fields[0],
    .field = beat_fields,
};

static const struct field ack_refusal_fields[] = {
    {"seq", FIELD_U64, FIELD_MUST, FIELD_AT(struct ack_refusal, seq),
     .note = "the entry"},
    {"code", FIELD_TEXT, FIELD_MUST, FIELD_AT(struct ack_refusal, code), .max = 32,
     .note = "corrupt, scope, full, ..."},
    {"why", FIELD_TEXT, FIELD_MAY, FIELD_AT(struct ack_refusal, why), .max = 256,
     .note = "for people"},
};
static const struct message ack_refusal_message = {
    .type = "refusal",
    .note = "An entry that will never be taken.",
    .shape = MESSAGE_ROW,
    .size = sizeof(struct ack_refusal),
    .fields = sizeof ack_refusal_fields / sizeof ack_refusal_fields[0],
    .field = ack_refusal_fields,
};

static const struct field ack_fields[] = {
    {"boot", FIELD_ID, FIELD_MUST, FIELD_AT(struct ack, boot), .max = 16,
     .note = "of the entries"},
    {"done", FIELD_U64S, FIELD_MAY, FIELD_LIST_AT(struct ack, done, dones),
     .max = ACK_SEQS_MAX, .note = "sequence numbers that are durable"},
    {"refused", FIELD_LIST, FIELD_MAY, FIELD_LIST_AT(struct ack, refused, refusals),
     .max = ACK_SEQS_MAX, .of = &ack_refusal_message, .note = "entries to drop"},
};
const struct message ack_message = {
    .type = "kedge.ack.v1",
    .note = "Sent after the commit that made the entries durable.",
    .shape = MESSAGE_MAP,
    .size = sizeof(struct ack),
    .fields = sizeof ack_fields / sizeof ack_fields[0],
    .field = ack_fields,
};
