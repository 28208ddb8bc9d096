// Window: what one agent saw of one model version in one span of time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_WINDOW_H
#define KEDGE_PROTO_MESSAGES_WINDOW_H

#include <stdint.h>

#include "proto/codec.h"

#define WINDOW_FEATURES_MAX 512
#define WINDOW_DROPS_MAX 32
#define WINDOW_BYTES_MAX (128u * 1024u) // encoded; a wide model sends several parts
#define WINDOW_PROFILE_MAX (96u * 1024u)

enum feature_role {
    FEATURE_INPUT,
    FEATURE_OUTPUT, // "prediction"
    FEATURE_LABEL,  // "label"
    FEATURE_SIGNAL, // made by the agent: "loss", "bias", latency and the like
    FEATURE_ROLES,
};

enum feature_kind { FEATURE_NUMERIC, FEATURE_CATEGORICAL, FEATURE_KINDS };

enum window_flag {
    WINDOW_FLASH = 1,  // closed early after a gross change of integrity
    WINDOW_MERGED = 2, // several windows that a spool put together
    WINDOW_LATE = 4,   // rows that came after their window was sealed
};

struct window_feature {
    struct span name;
    uint8_t role;        // enum feature_role
    uint8_t kind;        // enum feature_kind
    struct span profile; // common/sketch/profile.h
};

// kedge.window.v1, agent -> controller, durable. Times are event ns; [start, end) is
// aligned to the epoch. A window without rows is sent too: its watermark says that time
// went on. Counts are since the last sealed window of this model and version, and over
// all windows observed = rows + late + sum of dropped.
struct window {
    uint8_t boot[16];
    uint64_t seq; // 1.. within boot
    struct span model;
    struct span version;
    uint64_t start;
    uint64_t end;
    uint64_t watermark;
    uint64_t sent; // agent's wall ns when it was sealed
    uint32_t flags;
    uint16_t part;  // 0..parts-1
    uint16_t parts; // 0 = 1
    uint64_t rows;
    uint64_t observed;
    uint64_t late;
    const struct tally *dropped; // by reason, rising
    uint32_t drops;
    const struct window_feature *feature; // by rising name
    uint32_t features;
};
extern const struct message window_message;

// Beyond its table: start < end, part < parts, a known flag or none.
MUST_USE enum status window_check(const struct window *w);

#endif
