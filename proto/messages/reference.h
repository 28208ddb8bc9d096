// Reference: what an agent must know of a baseline to fill its windows.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_PROTO_MESSAGES_REFERENCE_H
#define KEDGE_PROTO_MESSAGES_REFERENCE_H

#include <stdint.h>

#include "proto/codec.h"
#include "proto/messages/window.h"

#define REFERENCE_GRID_MAX 8192

struct reference_feature {
    struct span name;
    uint8_t role;
    uint8_t kind;
    struct span grid; // common/sketch/grid.h; empty = no cells for this one
};

// kedge.reference.v1, controller -> agent: after hello for every version with a
// baseline, and when a baseline is sealed. The agent begins to use it with its next
// window.
struct reference {
    struct span model;
    struct span version;
    uint8_t baseline[32]; // digest of the sealed baseline
    uint8_t key[16];      // keys the hash of this model's categories
    uint64_t window_ns;
    uint32_t sketch_every; // full sketches in every n-th window; 0 = never
    const struct reference_feature *feature; // by rising name
    uint32_t features;
};
extern const struct message reference_message;

#endif
