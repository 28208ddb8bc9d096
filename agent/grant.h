// Grant: what this host was told when it enrolled: who it is, what it may speak of,
// whom to obey.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_GRANT_H
#define KEDGE_AGENT_GRANT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/trust/keys.h"
#include "proto/messages/enrol.h"
#include "proto/messages/keyring.h"

#define GRANT_BYTES_MAX (64u * 1024u)

// The agent's folder after enrolment:
//   grant       the grant as it came, a joined envelope
//   roots       the pinned root keys, 64 hex digits a line
//   host        this host's name, as enrolled
//   keys/       curve.key (A1), sign.key (A2) and their public halves
struct grant {
    struct enrol_grant told;
    struct keyring ring;
    struct key_pair curve; // A1
    struct key_pair sign;  // A2
    char host[129];
    // What the two messages lend from.
    struct buf bytes;
    struct pool pool;
    uint8_t *memory;
};

// A keyring is good when it is of this fleet and as many of the pinned roots (32 bytes
// each) signed it as it demands itself. Decodes it into *out. ST_DENIED, ST_CORRUPT and
// as message_decode.
MUST_USE enum status grant_check_ring(struct span joined, const uint8_t fleet[16],
                                      const struct span *root, uint32_t roots,
                                      struct pool *pool, struct keyring *out);

// A grant is good when its keyring is, an order key of it signed the grant, and it is
// for the agent with this signing key. Same errors.
MUST_USE enum status grant_check(struct span joined, const uint8_t sign_pub[32],
                                 const struct span *root, uint32_t roots,
                                 struct pool *pool, struct enrol_grant *out,
                                 struct keyring *ring);

// Reads DIR and checks all of it. `why` gets a sentence for people. ST_NOTFOUND: this
// host is not enrolled.
MUST_USE enum status grant_open(const char *folder, struct grant **out,
                                struct buf *why);
void grant_close(struct grant *g);

#endif
