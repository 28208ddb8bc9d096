// Door: the enrolment conversation with a host that nobody knows yet.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_DOOR_H
#define KEDGE_CONTROLLER_GATE_DOOR_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/enrol.h"

#define DOOR_TALKS_MAX                                                                 \
    1024u // hosts enrolling at once; a new one takes the oldest place
#define DOOR_TALK_NS UINT64_C(30000000000)
#define DOOR_TRIES 100u        // that fail in a minute, of all hosts together
#define DOOR_TRIES_ADDRESS 10u // and of one address

struct door;

struct door_options {
    uint8_t fleet[16];
    uint8_t curve[32];   // the enrolment port's public key
    struct span keyring; // a joined envelope; kept
};

MUST_USE enum status door_open(const struct door_options *o, struct door **out);
void door_close(struct door *d);

// Whether this address may try now: too many of its tries, or of all together, have
// failed within a minute. Hosts that enrol well are not limited.
bool door_may_try(const struct door *d, const char *address, uint64_t now_ns);
// The try on connection `id` has failed.
void door_failed(struct door *d, const uint8_t id[5], uint64_t now_ns);

// kedge.enrol.hello.v1 on connection `id` from `address`: makes its nonce and appends
// the challenge's body. ST_CORRUPT.
struct door_talk {
    uint8_t id[5];
    const char *address;
    uint64_t now_ns, wall_ms;
};
MUST_USE enum status door_hello(struct door *d, const struct door_talk *who,
                                struct span body, struct buf *out);

// kedge.enrol.request.v1: whether it answers the challenge of this connection. Uses the
// nonce up. ST_CORRUPT (malformed), ST_DENIED (stale, foreign or wrong).
MUST_USE enum status door_request(struct door *d, const uint8_t id[5],
                                  const uint8_t key[32], struct span body,
                                  uint64_t now_ns);

// Both signatures of such a request, under the token's key and the key that the host
// will sign with. The claim is decoded into *claim (lists from the pool). ST_DENIED,
// ST_CORRUPT, ST_NOMEM.
MUST_USE enum status door_verify(struct span body, const uint8_t token_key[32],
                                 struct pool *pool, struct enrol_claim *claim);

// The claim of a request, unverified: whose token it names. ST_CORRUPT.
MUST_USE enum status door_claim(struct span body, struct pool *pool,
                                struct enrol_claim *claim);

#endif
