// Stock: what lies in the spool, in the order of sending, and where in the reel.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_STOCK_H
#define KEDGE_AGENT_SPOOL_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/spool/reel.h"
#include "common/base/cursor.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/base/table.h"
#include "proto/messages/window.h"

#define STOCK_TYPE_MAX 63
#define STOCK_STATES_MAX 4096

struct stock_entry {
    uint64_t start; // of the agent: entries of earlier ones go first
    uint64_t seq;
    uint8_t boot[16];
    struct place body; // behind it stand the sigs
    uint32_t body_size;
    uint32_t sigs_size;
    char type[STOCK_TYPE_MAX + 1];
    // Of a window; has_window is false for all else, and for what must not be merged.
    bool has_window;
    char model[FIELD_NAME_MAX + 1];
    char version[FIELD_NAME_MAX + 1];
    uint64_t from;
    uint64_t until;
    uint16_t part; // of a wide model's window; its other parts stand beside it
    uint16_t parts;
};

struct stock_state {
    struct place value;
    uint32_t size;
};

struct stock {
    struct stock_entry *entry; // ascending by (start, seq)
    size_t entries;
    size_t room;
    struct table *states; // by name -> struct stock_state
};

MUST_USE enum status stock_init(struct stock *s);
void stock_fini(struct stock *s);

// Puts an entry in its place; one with the same (start, seq) is replaced. ST_NOMEM.
MUST_USE enum status stock_put(struct stock *s, const struct stock_entry *e);

// Makes room for `more` entries, so that as many stock_put cannot fail.
MUST_USE enum status stock_reserve(struct stock *s, size_t more);

// The first entry behind (start, seq); `entries` when there is none.
size_t stock_behind(const struct stock *s, uint64_t start, uint64_t seq);

// The entry itself, or NULL.
struct stock_entry *stock_find(struct stock *s, const uint8_t boot[16], uint64_t seq);

void stock_remove(struct stock *s, size_t at);

// Notes what the window says that is needed for merging, from its body.
void stock_describe(struct stock_entry *e, struct span body, struct pool *pool);

// A size of 0 forgets the state. ST_NOMEM, ST_FULL.
MUST_USE enum status stock_put_state(struct stock *s, struct span key,
                                     struct place value, uint32_t size);
const struct stock_state *stock_state(const struct stock *s, struct span key);

#endif
