// Doors: all the ways in which rows reach this agent, opened from its settings.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_DOORS_H
#define KEDGE_AGENT_DOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/settings.h"
#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

#define DOORS_FDS_MAX SETTINGS_DOORS_MAX

struct doors;

// Opens every door of the settings, which are borrowed until close; without any, a unix
// door at FOLDER/agent.sock and a lane door at FOLDER/lane.sock. Sockets hand their
// rows to `stream`, tailed files to `file`. `why` says which one failed.
MUST_USE enum status doors_open(const char *folder, const struct settings *settings,
                                const struct observation_sink *stream,
                                const struct observation_sink *file, struct doors **out,
                                struct buf *why);
void doors_close(struct doors *d);

// Appends where the tailed files of a model stand; and, before the first turn, goes on
// from there.
void doors_mark(const struct doors *d, struct span model, struct buf *out);
void doors_resume(struct doors *d, struct span mark);

// Descriptors to poll for reading, at most DOORS_FDS_MAX; and how long a turn may wait,
// since files are not polled.
uint32_t doors_fds(const struct doors *d, int out[DOORS_FDS_MAX]);
uint64_t doors_patience_ns(const struct doors *d);

// Reads a bounded share of each; true when there is more.
bool doors_turn(struct doors *d, uint64_t now_ns);

// Before a clean end, and after the last turn: hands on all that waits in a door.
void doors_end(struct doors *d);

void doors_status(const struct doors *d, struct json *out);

#endif
