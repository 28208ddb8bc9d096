// Settings: the controller's folder: its configuration, its keys, its keyring.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_SETTINGS_H
#define KEDGE_CONTROLLER_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/setup/conf.h"
#include "common/trust/keys.h"

// DIR/controller.conf. The table is SETTINGS_TABLE.
struct settings_file {
    char *fleet;  // 32 hex digits
    char *listen; // address to bind
    uint64_t
        port; // agents; hosts that enrol come to the next, operators to the one after
    struct value_list announce; // hosts under which agents reach us
    uint64_t patience_ns;
    uint64_t agent_silence_ns, agent_grace_ns, model_silence_ns; // liveness
    uint64_t store_bytes;                                        // quota
    uint64_t raw_ns, hour_ns, day_ns;                            // retention
    double pages_per_week;
};
extern const struct conf_table settings_table;

struct settings {
    char folder[PATH_MAX];
    struct settings_file file;
    uint8_t fleet[16];
    char agent_endpoint[256], enrol_endpoint[256], op_endpoint[256]; // to bind
    struct key_pair agent_key, enrol_key, op_key; // transport: K1, K2, K3
    struct key_pair order_key;                    // signs orders and grants: K4
    struct key_pair log_key;                      // signs tree heads: K7
    uint8_t root[32];                             // public half of K5
    struct buf keyring; // a joined envelope, signed by the root
    uint64_t ring;      // its version
};

// Reads everything; `why` gets one line for people, with the command that mends it
// where there is one. ST_NOTFOUND: no controller was made here.
MUST_USE enum status settings_open(const char *folder, struct settings *out,
                                   struct buf *why);
void settings_close(struct settings *s);

// DIR/NAME, into PATH_MAX bytes.
MUST_USE enum status settings_path(const struct settings *s, const char *name,
                                   char out[PATH_MAX]);

#endif
