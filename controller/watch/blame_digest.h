// Blame digest: names all that an answer was taken from by one number.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_DIGEST_H
#define KEDGE_CONTROLLER_WATCH_BLAME_DIGEST_H

#include "controller/watch/blame_case.h"

// SHA-256 over times, windows, lineage and events of a sealed case. ST_NOMEM.
MUST_USE enum status blame_digest(const struct blame_case *c, uint8_t out[32]);

#endif
