// Zap: who may connect. One thread answers libzmq's question for each handshake from a
// table in memory.
//
// It is bound before any port; ports refuse everybody while it is not there.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_GATE_ZAP_H
#define KEDGE_CONTROLLER_GATE_ZAP_H

#include <stdint.h>

#include "common/base/status.h"

#define ZAP_KEYS_MAX 200000u // of one scope
#define ZAP_BEAT_MS 250      // it says this often that it is alive

enum zap_scope { ZAP_AGENT, ZAP_OP, ZAP_SCOPES };

struct zap;

// Binds the handler and `control`, both inproc. ST_EXISTS when this context has a
// handler already. ST_NOMEM, ST_IO.
MUST_USE enum status zap_open(void *context, const char *control, struct zap **out);
void zap_close(struct zap *z);

// Answers until it is told to stop, or its context ends. Runs on a thread of its own.
void zap_run(struct zap *z);

// The far end of `control`: there is one at a time, and it belongs to the thread that
// uses it. Changes are in force before any handshake that begins after the call.
struct zap_counts {
    uint64_t accepted;
    uint64_t refused;
    uint64_t malformed;
    uint64_t keys[ZAP_SCOPES];
};
MUST_USE enum status zap_connect(void *context, const char *control, void **out);
MUST_USE enum status zap_allow(void *control, enum zap_scope scope,
                               const uint8_t key[32]);
MUST_USE enum status zap_forbid(void *control, enum zap_scope scope,
                                const uint8_t key[32]);
MUST_USE enum status zap_stop(void *control);
// Newest sign of life, without waiting. ST_EMPTY when there is none since the last
// call.
MUST_USE enum status zap_beat(void *control, struct zap_counts *out);

#endif
