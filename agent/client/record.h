// Record: begins and ends the writing of one record into the lane of this thread.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_CLIENT_RECORD_H
#define KEDGE_AGENT_CLIENT_RECORD_H

#include "agent/client/guest.h"

// One record under way.
struct record {
    struct writer *w;
    struct kedge_model *m;
    uint8_t *payload; // what was asked for
    size_t size;      // of the whole record
};

// Counts a record that gets no room.
void record_drop(struct kedge_model *m, enum lane_kind kind);

// Counts rows that are none of this model; gives KEDGE_DROPPED.
enum kedge_status record_refuse(struct kedge_model *m, uint64_t rows);

// The lane of this thread, made if need be; NULL: there is none.
static inline struct writer *record_writer(uint64_t now_ns)
{
    struct writer *w = guest_mine;
    if (__builtin_expect(w == NULL, 0))
        w = guest_take(now_ns);
    else if (__builtin_expect(now_ns - w->looked_ns >= GUEST_TEND_NS, 0))
        guest_tend(w, now_ns);
    return w;
}

static inline size_t record_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

// Room for `payload` bytes behind the head and the id (at most LANE_NAME_MAX bytes).
// False: there is none, which has been counted.
static inline bool record_begin(struct kedge_model *m, enum lane_kind kind,
                                size_t payload, const char *id, size_t id_size,
                                uint64_t time_ns, struct record *out)
{
    uint64_t now = guest_now();
    struct writer *w = record_writer(now);
    size_t before = sizeof(struct lane_record) + record_padded(id_size);
    size_t size = before + payload;
    if (size > LANE_RECORD_MAX) {
        (void)record_refuse(m, 1);
        return false;
    }
    uint8_t *at = w ? writer_reserve(w, size) : NULL;
    if (__builtin_expect(at == NULL, 0)) {
        record_drop(m, kind);
        return false;
    }
    const struct lane_record head = {
        .size = (uint32_t)size,
        .model = (uint16_t)m->number,
        .kind = (uint8_t)kind,
        .id_size = (uint8_t)id_size,
        .t = time_ns ? time_ns : now,
    };
    memcpy(at, &head, sizeof head);
    if (id_size > 0)
        memcpy(at + sizeof head, id, id_size);
    *out = (struct record){w, m, at + before, size};
    return true;
}

// Makes it visible.
static inline void record_end(const struct record *r)
{
    writer_commit(r->w, r->size);
}

// The same, and counts it as a row that was observed.
static inline void record_end_row(const struct record *r)
{
    _Atomic uint64_t *observed = &r->w->observed[r->m->number];
    writer_commit(r->w, r->size);
    atomic_store_explicit(observed,
                          atomic_load_explicit(observed, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

// The id of an event; false when it is too long.
static inline bool record_id(const struct kedge_event *e, const char **id, size_t *size)
{
    *id = e ? e->id : NULL;
    *size = *id ? e->id_size : 0;
    if (*id && *size == 0)
        *size = strlen(*id);
    return *size <= LANE_NAME_MAX;
}

#endif
