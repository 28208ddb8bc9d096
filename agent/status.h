// Status: the agent's own little socket: how it is, also while the controller is away.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_STATUS_H
#define KEDGE_AGENT_STATUS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define STATUS_CLIENTS_MAX 8
#define STATUS_LINE_MAX 256
#define STATUS_ANSWER_MAX (4u << 20)
#define STATUS_PATIENCE_NS (5 * UINT64_C(1000000000)) // a client that is slower is cut

// Answers one line ("status", "unlock MODEL", "accept MODEL") with a JSON document.
typedef void status_answer(void *self, struct span line, struct buf *out);

struct status_door;

// Listens at `path`, which nobody else may open (0600). Over STATUS_CLIENTS_MAX a
// connection is closed at once. ST_IO, ST_EXISTS (a live agent has it), ST_NOMEM.
MUST_USE enum status status_open(const char *path, status_answer *answer, void *self,
                                 struct status_door **out);
void status_close(struct status_door *s);

// Readable whenever status_turn has something to do; for poll.
int status_fd(const struct status_door *s);
void status_turn(struct status_door *s, uint64_t now_mono_ns);

// The other side: asks the agent of this folder. ST_NOTFOUND (no agent runs there),
// ST_TIMEOUT, ST_IO.
MUST_USE enum status status_ask(const char *path, const char *line, struct buf *out);

#endif
