// Check: every question that an order must pass before anything is done, in one order.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_CHECK_H
#define KEDGE_AGENT_ACT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/act/deed.h"
#include "agent/act/executor.h"
#include "agent/act/policy.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/codec.h"
#include "proto/envelope.h"
#include "proto/messages/keyring.h"
#include "proto/messages/order.h"

#define CHECK_BEATS_MAX 128 // beats whose age is remembered: more than a ttl of them

// A nonce that was sent in a beat, and CLOCK_BOOTTIME when it was made.
struct check_beat {
    uint8_t hb[16];
    uint64_t boot_ns;
};

// What an order is compared with. All borrowed for the call.
struct check_facts {
    uint8_t fleet[16];
    uint8_t agent[16];
    uint8_t agent_key[8]; // fingerprint of the agent's signing key
    bool has_session;
    uint8_t sess[16];
    const struct check_beat *beat;
    uint32_t beats;
    const struct keyring *ring;
    const struct span *model; // globs of the grant
    uint32_t models;
    const struct policy *policy;
    const struct executors *executors;
    struct deeds *deeds;
    struct instant now;
};

// What came out: `code` is "" when it passed every check, else the reason's code, and
// `state` that of the receipt. `hb_boot_ns` is the time of the beat that it quotes.
struct verdict {
    enum receipt_state state;
    char code[24];
    char detail[160];
    uint64_t hb_boot_ns;
    struct deed *known; // not NULL: this very order is known
    const struct executor *executor;
};

// Verifies the signatures over the bytes as they came, by keys of the keyring: nothing
// is read before. `signers` (places in ring->order_key, at most KEYRING_KEYS_MAX) gets
// those that signed. ST_DENIED (none, or one of them is wrong), ST_CORRUPT (no such
// frame), ST_FULL (over ORDER_BYTES_MAX), ST_NOMEM.
struct check_signers {
    uint32_t place[SIGNATURES_MAX];
    uint32_t count;
};
MUST_USE enum status check_seals(const struct envelope *e, const struct keyring *ring,
                                 struct pool *pool, struct check_signers *out);

// Asks all of the questions until one is answered with no.
void check_order(const struct order *order, const struct check_signers *signers,
                 const struct check_facts *facts, struct verdict *out);

// Only whether it is too old by now, and not vetoed: again right before the effect.
void check_again(const struct order *order, uint64_t hb_boot_ns,
                 const struct check_facts *facts, struct verdict *out);

#endif
