// Plain: makes a configuration text safe for libconfuse's scanner.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SETUP_PLAIN_H
#define KEDGE_COMMON_SETUP_PLAIN_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Copies `text` to `out`, line for line, so that a dollar stays a dollar (libconfuse
// puts the environment in place of ${NAME}). Refuses what would leave the scanner in
// the middle of something: quotes, comments and braces without an end, bytes that are
// no text. ST_RANGE with "name:line: why" in `why`; ST_FULL, ST_NOMEM from `out`.
MUST_USE enum status conf_plain(const char *name, struct span text, struct buf *out,
                                struct buf *why);

#endif
