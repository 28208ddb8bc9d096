// Spool: what the controller has not confirmed yet, on disk, in order, whatever
// happens.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_SPOOL_H
#define KEDGE_AGENT_SPOOL_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define SPOOL_ENTRY_BYTES_MAX (256u << 10)
#define SPOOL_STATE_BYTES_MAX (4u << 20)

// Live bytes of one model's windows. With what a segment and its compaction add to it
// an outage costs a model 4 MiB of disk, however long it lasts.
#define SPOOL_MODEL_BYTES (1792u << 10)

// A journal of groups. Each group is one record with a CRC-32C: it is there as a whole
// or not at all, whatever byte a kill -9 or a power cut fell on. Groups add entries,
// keep named states, and tell what was offered, merged and confirmed.
//
// Durability: a commit is in the kernel when it returns, which survives the death of
// the process; it is synced before any of its entries is offered, so what the
// controller has seen survives a power cut too. Entries once offered are never merged
// or renumbered.
//
// Being full: over `bytes_max` on disk, or `windows_max` windows or SPOOL_MODEL_BYTES
// of one model, the oldest neighbouring windows of one model and version that were
// never offered are merged into one (flag "merged"): ten windows, then an hour's, then
// a day's, and on. Nothing is dropped. With a full disk groups wait in memory up to
// `memory_max`, windows merge there too, and each commit tries again.
//
// One thread owns a spool.
struct spool_settings {
    const char *folder;
    uint64_t bytes_max;   // 0: 64 MiB
    uint64_t memory_max;  // 0: 4 MiB
    uint32_t windows_max; // of one model; 0: 64
    const uint8_t *boot;  // 16 bytes, fresh at each start of the agent
};

struct spool;

// Opens or makes it and reads what is there; a torn tail is cut and counted, a damaged
// record inside is skipped and counted. ST_IO, ST_EXISTS (another process has it),
// ST_NOMEM.
MUST_USE enum status spool_open(const struct spool_settings *settings,
                                struct spool **out);
void spool_close(struct spool *s);

// --- Writing: collect one group, then commit it.

// The boot id and the number that the next spool_entry gets. They stand in the body.
void spool_stamp(const struct spool *s, uint8_t boot[16], uint64_t *seq);

// Adds an entry to the group. Copies all. `type` is the message's type; `sigs` a second
// frame or empty. ST_RANGE (over SPOOL_ENTRY_BYTES_MAX), ST_NOMEM.
MUST_USE enum status spool_entry(struct spool *s, const char *type, struct span body,
                                 struct span sigs);

// Replaces the state of that name (1..255 bytes) with the group; an empty value forgets
// it. ST_RANGE, ST_NOMEM.
MUST_USE enum status spool_state(struct spool *s, struct span key, struct span value);

// Writes the group. ST_FULL: disk and memory are full, the group was not taken (as
// after spool_abort). ST_OK also when the disk is full and memory holds it.
MUST_USE enum status spool_commit(struct spool *s);
void spool_abort(struct spool *s);

// Lends the newest state of that name until the next commit. ST_NOTFOUND, ST_IO.
MUST_USE enum status spool_state_get(struct spool *s, struct span key,
                                     struct span *value);

// --- Sending

struct spool_item {
    uint8_t boot[16];
    uint64_t seq;
    struct span type; // all lent until the next call on the spool
    struct span body;
    struct span sigs;
};

// A place in the order of sending; zeroes to begin, which a new connection does.
struct spool_cursor {
    uint64_t start; // which start of the agent: entries of earlier ones go first
    uint64_t seq;
};

// Lends the entry behind *at, and moves *at to it. Makes it durable and marks it as
// offered first. ST_EMPTY when there is none; ST_IO (try again later), ST_NOMEM.
MUST_USE enum status spool_offer(struct spool *s, struct spool_cursor *at,
                                 struct spool_item *out);

// The controller has it: it goes. ST_NOTFOUND when it is gone already.
MUST_USE enum status spool_ack(struct spool *s, const uint8_t boot[16], uint64_t seq);

// Whether the link is up: then new entries are marked as offered while they are
// written, which spares a sync. A hint alone.
void spool_online(struct spool *s, bool online);

// Once a second or so: tries a full disk again, merges, and rewrites what little is
// left in old segments.
void spool_turn(struct spool *s, uint64_t now_ns);

struct spool_stats {
    uint64_t entries;
    uint64_t windows;
    uint64_t bytes;         // on disk
    uint64_t waiting_bytes; // in memory, because the disk is full
    uint64_t segments;
    uint64_t torn_bytes;  // cut from the end when it was opened
    uint64_t bad_records; // skipped when it was opened
    uint64_t merged;      // windows that went into another one
    uint64_t acked;
    uint64_t disk_full; // writes that the disk refused
    uint64_t syncs;
};
struct spool_stats spool_stats(const struct spool *s);
void spool_status(const struct spool *s, struct json *out);

#endif
