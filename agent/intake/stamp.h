// Stamp: the time of an event, as servers write it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_STAMP_H
#define KEDGE_AGENT_INTAKE_STAMP_H

#include <stdint.h>

#include "agent/intake/lexer.h"
#include "common/base/span.h"
#include "common/base/status.h"

// RFC 3339 (a missing zone is UTC, a blank may stand for the T), a date, or seconds
// since 1970 with a fraction or exponent -> ns since 1970. ST_RANGE: none of these.
MUST_USE enum status stamp_text(struct span text, uint64_t *out_ns);

// Of a JSON token: TOKEN_NUMBER (its digits are `text`) or TOKEN_STRING; else ST_RANGE.
MUST_USE enum status stamp_of(enum token token, struct span text, double number,
                              uint64_t *out_ns);

#endif
