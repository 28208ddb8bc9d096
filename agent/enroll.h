// Enroll: how this host becomes known to a controller with a one-time join line.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ENROLL_H
#define KEDGE_AGENT_ENROLL_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

struct enroll_ask {
    const char *folder;       // of the agent; made when it is not there
    struct span line;         // the join line
    const char *host;         // NULL: the system's host name
    const struct span *model; // wishes, as globs; the token's scope has the last word
    uint32_t models;
    uint64_t patience_ns; // for each try of an endpoint; 0: 10 s
};

// Makes keys, proves the token, checks the grant, and puts keys, roots, host and grant
// into the folder, the grant last: a crash at any moment leaves a host that is enrolled
// or one that can be enrolled with the same line. Writes agent.conf if there is none.
// `told` gets one line for people, whatever happens. Errors: ST_CORRUPT (no join line),
// ST_EXISTS (enrolled elsewhere), ST_DENIED (refused, or an answer that is not from
// this fleet), ST_TIMEOUT (no controller), ST_IO and others.
MUST_USE enum status enroll(const struct enroll_ask *ask, struct buf *told);

#endif
