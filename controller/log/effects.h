// Effects: what must go out once the entries that caused it are durable.
//
// The fold, the watch and the act rooms write effects while a transaction is open; the
// controller sends them after the commit, and forgets them when it was aborted. During
// a replay they are simply dropped.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_EFFECTS_H
#define KEDGE_CONTROLLER_LOG_EFFECTS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define EFFECTS_MAX 65536u            // in one transaction
#define EFFECTS_BYTES_MAX (64u << 20) // their bytes

enum effect_kind {
    // To `agent`: the entry (boot, number) is durable, or will never be accepted:
    // `text`
    // is the code's word, `more` says why. Both end in its next kedge.ack.v1.
    EFFECT_ACK,
    EFFECT_REFUSE,
    // To `agent`, or to every connected agent that serves the model when `agent` is
    // zero:
    // the reference of (text = model, more = version).
    EFFECT_REFERENCE,
    // The INTENT of this order was read back: sign it and send it to `agent` now, and
    // again
    // until its receipt is there. `bytes` is the order's body but for what is known
    // only at
    // sending (sess, hb, issued_ms).
    EFFECT_ORDER,
    // Append an entry of kind `number` with `bytes` as its body in the next
    // transaction.
    // It may be lost by a crash in between: who asks for it asks again at the next
    // tick.
    EFFECT_APPEND,
    // The answer to the command of entry `number` (its request number, entry.h): `code`
    // is
    // the exit code of operators' commands, `bytes` JSON, `text` the error's line.
    EFFECT_ANSWER,
    // The key table changed: `text` = scope ("agent", "op"), `bytes` = 32-byte
    // transport key,
    // `agent` = whose (agents), `code` 1 = may connect, 0 = cut off now. `more` = the
    // operator's
    // role.
    EFFECT_KEY,
    // The answer to an enrolment (TAPE_AGENT) with request number `number`: `code` 0 =
    // granted, else the refusal's code, `text` why.
    EFFECT_GRANT,
    // For people: an alert opened, changed or closed (`bytes` = its 16 bytes of id).
    // The
    // herald
    // sends it on.
    EFFECT_ALERT,
};

struct effect {
    enum effect_kind kind;
    uint8_t agent[16];
    uint8_t boot[16];
    uint64_t number;
    uint32_t code;
    struct span text, more, bytes; // in an effects list: owned by it
};

struct effects;

// ST_NOMEM.
MUST_USE enum status effects_open(struct effects **out);
void effects_close(struct effects *e);

// Copies what `effect` borrows. ST_FULL beyond the limits, ST_NOMEM; both must abort
// the transaction. A NULL list takes and drops everything: that is how a replay runs.
MUST_USE enum status effects_add(struct effects *e, const struct effect *effect);

uint32_t effects_len(const struct effects *e);
// Lends until the next change. `i` < effects_len.
const struct effect *effects_at(const struct effects *e, uint32_t i);
void effects_clear(struct effects *e);

#endif
