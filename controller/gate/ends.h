// Ends: tells which connections of a port have ended.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_ENDS_H
#define KEDGE_CONTROLLER_GATE_ENDS_H

#include "common/base/status.h"

// Watches `port` from now on; *out is a socket to poll. `name` is an inproc name of its
// own. ST_IO.
MUST_USE enum status ends_open(void *context, void *port, const char *name, void **out);
void ends_close(void *port, void *ends); // either may be NULL

// The descriptor of the next connection that has ended. ST_EMPTY.
MUST_USE enum status ends_take(void *ends, int *fd);

#endif
