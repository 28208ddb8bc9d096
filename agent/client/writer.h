// Writer: one thread's end of a lane. It never waits, and never writes over anything.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_CLIENT_WRITER_H
#define KEDGE_AGENT_CLIENT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/status.h"
#include "proto/lane.h"

// What each row needs is in the first line; neighbours belong to other threads.
struct writer {
    _Alignas(64) struct lane_head *head; // NULL: there is no lane yet
    uint8_t *slot;
    uint64_t at;                // what `head` says, or will say after the commit
    uint64_t tail;              // as it was when last looked at
    uint64_t looked_ns;         // when the agent's beat was last looked at
    _Atomic uint64_t *observed; // LANE_MODELS_MAX of them: rows written, for the stats
    uint32_t mask;              // slots - 1
    int fd;
    _Alignas(64) uint64_t beat; // as it was when last looked at
    _Atomic uint32_t is_taken;  // by a thread; taken by compare and swap
};

// Makes the lane, all its memory taken and touched: a row must meet neither a page
// fault nor a full machine. The other fields stay. ST_NOMEM: no memory or no
// descriptor.
MUST_USE enum status writer_open(struct writer *w, uint32_t slots);

// Unmaps and closes it; only is_taken stays. Fine in a child after fork.
void writer_fini(struct writer *w);

static inline uint64_t writer_slots(size_t size)
{
    return (size + LANE_SLOT_BYTES - 1) / LANE_SLOT_BYTES;
}

// Room for a record of `size` bytes (1..LANE_RECORD_MAX), NULL when there is none.
// Nothing of it can be seen before writer_commit.
static inline uint8_t *writer_reserve(struct writer *w, size_t size)
{
    uint64_t slots = (uint64_t)w->mask + 1, need = writer_slots(size);
    uint64_t place = w->at & w->mask;
    uint64_t left = slots - place;
    uint64_t whole = need <= left ? need : left + need;
    if (w->at + whole - w->tail > slots) {
        w->tail = atomic_load_explicit(&w->head->tail, memory_order_acquire);
        if (w->at + whole - w->tail > slots)
            return NULL;
    }
    if (need > left) {
        const struct lane_record skip = {.size = (uint32_t)(left * LANE_SLOT_BYTES),
                                         .kind = LANE_SKIP};
        memcpy(w->slot + place * LANE_SLOT_BYTES, &skip, sizeof skip);
        w->at += left;
        place = 0;
    }
    return w->slot + place * LANE_SLOT_BYTES;
}

// Makes the record of that size visible to the agent.
static inline void writer_commit(struct writer *w, size_t size)
{
    w->at += writer_slots(size);
    atomic_store_explicit(&w->head->head, w->at, memory_order_release);
}

// Counts rows that did not get in. Only this thread writes these, so no locked add.
static inline void writer_count(struct writer *w, _Atomic uint64_t *loss, uint64_t rows)
{
    atomic_store_explicit(loss, atomic_load_explicit(loss, memory_order_relaxed) + rows,
                          memory_order_relaxed);
    uint64_t lost = atomic_load_explicit(&w->head->lost, memory_order_relaxed);
    atomic_store_explicit(&w->head->lost, lost + rows, memory_order_release);
}

#endif
