// Field: one field of comma-separated values, cut out and understood.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_FIELD_H
#define KEDGE_AGENT_INTAKE_FIELD_H

#include <stdbool.h>

#include "agent/intake/flat.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Takes the next field out of *line (RFC 4180; a record is one line). Lends it from the
// line, or from `held` when quotes had to be resolved. *more says whether another one
// follows. ST_CORRUPT: quotes that do not close, or bytes that are no UTF-8.
MUST_USE enum status field_next(struct span *line, struct buf *held, struct span *out,
                                bool *more);

// Adds it to a row: empty and NaN are missing, numbers numbers, true and false 1 and 0,
// all else is text.
MUST_USE enum status field_put(struct flat *f, struct span name,
                               enum observation_side side, struct span field);

#endif
