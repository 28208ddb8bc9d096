// Line: the messages between the gate's thread and the thread that folds.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_LINE_H
#define KEDGE_CONTROLLER_GATE_LINE_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define LINE_FRAMES_MAX 3
#define LINE_ADDRESS_MAX 64

enum line_kind {
    // From the gate.
    LINE_HELLO,  // agent, address; frame: body of kedge.hello.v1
    LINE_BEAT,   // agent; frame: body of kedge.beat.v1
    LINE_REPORT, // agent, tape; frames: body, and the signatures of a receipt
    LINE_QUERY,  // key, id; frame: body of kedge.query.v1
    LINE_ENROL,  // key, id, address; frame: body of kedge.enrol.request.v1; the nonce
                 // was the connection's own and fresh
    LINE_GONE,   // the gate has ended; `number` tells why (enum status)
    LINE_COUNTS, // frame: struct gate_counts
    LINE_LOST,   // agent; its connection has ended
    // To the gate.
    LINE_TELL, // agent, number = reports of it that are settled now; frames to send, or
               // none
    LINE_ANSWER, // id; frames for an operator
    LINE_GRANT,  // id, number = 0 or the refusal's code; frames for a host that enrols
    LINE_ALLOW,  // scope, key, agent: may connect from now on
    LINE_FORBID, // scope, key: may not, and is cut off
    LINE_STOP,
};

struct line_head {
    uint8_t kind;  // enum line_kind
    uint8_t tape;  // enum tape_kind of a report
    uint8_t scope; // enum zap_scope
    uint8_t agent[16];
    uint8_t key[32];
    uint8_t id[5]; // routing id on the operators' or the enrolment port
    uint64_t number;
    char address[LINE_ADDRESS_MAX];
};

struct line_message {
    struct line_head head;
    uint32_t frames;
    struct span frame[LINE_FRAMES_MAX]; // lent until line_drop
    void *held[LINE_FRAMES_MAX];
};

// One end binds, the other connects; each belongs to the thread that uses it. Nothing
// is dropped between them: the gate bounds what is under way.
MUST_USE enum status line_bind(void *context, const char *name, void **out);
MUST_USE enum status line_connect(void *context, const char *name, void **out);
void line_close(void *line);

// Copies the frames.
MUST_USE enum status line_send(void *line, const struct line_head *head,
                               const struct span *frame, uint32_t frames);
// Moves them: held[i] are zmq_msg_t, which are empty afterwards.
MUST_USE enum status line_pass(void *line, const struct line_head *head,
                               void *const *held, uint32_t frames);

// ST_EMPTY when nothing waits.
MUST_USE enum status line_take(void *line, struct line_message *out);
void line_drop(struct line_message *m);

#endif
