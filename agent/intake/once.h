// Once: remembers the last events by a hash of each, so that one that is delivered
// again counts once.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_ONCE_H
#define KEDGE_AGENT_INTAKE_ONCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"

#define ONCE_SLOTS 8192 // 64 KiB; a newer event takes the place of an older one

struct once {
    uint8_t key[16];
    uint64_t repeats;
    uint64_t seen[ONCE_SLOTS];
};

static inline void once_init(struct once *o)
{
    *o = (struct once){.repeats = 0};
    random_os_bytes(o->key, sizeof o->key);
}

// Notes the event; true when it is among those that were noted before.
static inline bool once_again(struct once *o, struct span event)
{
    uint64_t hash = hash_sip(o->key, event) | 1; // 0: an empty slot
    uint64_t *slot = &o->seen[(hash >> 1) % ONCE_SLOTS];
    bool is_again = *slot == hash;
    *slot = hash;
    o->repeats += is_again;
    return is_again;
}

#endif
