// Gate: the three ports of the controller, and who may come through them.
//
// One thread takes messages from agents, hosts that enrol, and operators, checks who
// they are from and how large they are, and hands them to the thread that folds; and
// sends what that one has to say. It keeps no state that matters: whatever it forgets,
// agents send again.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_GATE_H
#define KEDGE_CONTROLLER_GATE_GATE_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

// Reports on their way to the fold, of all agents. When so many are, the agents' port
// is not read: they wait in their own queues.
#define GATE_UNDER_WAY_MAX 1024u
#define GATE_UNDER_WAY_BYTES (64u << 20)

struct gate_counts {
    uint64_t agents;     // that may connect
    uint64_t connected;  // that said hello
    uint64_t reports;    // handed on
    uint64_t bytes;      // of them
    uint64_t hostile;    // messages that broke a rule; their senders were cut off
    uint64_t refused;    // from keys that may not (any more)
    uint64_t overdrawn;  // beyond an agent's credit; it sends them again
    uint64_t unsent;     // ours, to a peer that was gone or did not read
    uint64_t enrolments; // requests handed on
    uint64_t queries;    // handed on
    uint64_t zap_accepted, zap_refused;
};

struct gate_options {
    const char *agent_endpoint, *enrol_endpoint, *op_endpoint;
    uint8_t agent_secret[32], enrol_secret[32], op_secret[32];
    uint8_t enrol_public[32];
    uint8_t fleet[16];
    struct span keyring; // a joined envelope; kept
    const char *zap;     // inproc name of the handler's control (zap.h)
    const char *line;    // inproc name on which line_bind was called already
};

struct gate;

// Makes the ports. The ZAP handler must be bound and the line be there. ST_IO,
// ST_UNSUPPORTED (this libzmq cannot enforce authentication), ST_NOMEM.
MUST_USE enum status gate_open(void *context, const struct gate_options *o,
                               struct gate **out);
// Admits what was sent down the line so far, and only then lets peers connect: one that
// is refused does not come again soon. Before gate_run, on the thread that has the
// line's other end. ST_IO.
MUST_USE enum status gate_listen(struct gate *g, const struct gate_options *o);
// Closes the ports, then tells the ZAP handler to stop.
void gate_close(struct gate *g);

// Until LINE_STOP, or until the ZAP handler gives no sign of life for 3 s: then it says
// LINE_GONE and returns, and the controller must end. On a thread of its own.
void gate_run(struct gate *g);

#endif
