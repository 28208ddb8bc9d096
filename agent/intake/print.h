// Print: observations as JSON, so that a person can see what a payload amounts to.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PRINT_H
#define KEDGE_AGENT_INTAKE_PRINT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "proto/observation.h"

// Rows of one message, side by side: an observation with inputs and outputs becomes two
// objects {model, version, side, id, t, rows}.
struct print;

// Begins an array in `out`, which it keeps. The sink lives as long as the print.
// ST_NOMEM.
MUST_USE enum status print_open(struct buf *out, struct observation_sink *sink,
                                struct print **p);

// Ends the array.
void print_end(struct print *p);
void print_close(struct print *p); // NULL is fine

// How many were dropped so far, and why.
uint64_t print_dropped(const struct print *p, enum drop_reason why);

#endif
