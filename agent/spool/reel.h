// Reel: records in segment files, each there as a whole or not at all.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_SPOOL_REEL_H
#define KEDGE_AGENT_SPOOL_REEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define REEL_SEGMENT_BYTES (512u << 10) // then a new one begins
#define REEL_RECORD_MAX (32u << 20)

// A segment is a header of 16 bytes ("KEDGEREL", version, zero) and records: u32 mark,
// u32 size, u32 CRC-32C of the size and the payload, payload; little-endian.
struct reel;

// Where a payload, or a part of it, stands.
struct place {
    uint64_t segment;
    uint64_t offset;
};

struct reel_stats {
    uint64_t bytes; // of all segments
    uint64_t segments;
    uint64_t torn_bytes;  // cut from the end at the opening
    uint64_t bad_records; // runs of bytes passed over at the opening
    uint64_t syncs;
    uint64_t disk_full;
};

// Opens or makes the folder, and calls `each` for every payload in the order of
// writing; lent for the call. A torn end is cut off; damage inside is passed over up to
// the next sound record. ST_EXISTS (another process has it), ST_IO, ST_NOMEM, or what
// `each` said.
MUST_USE enum status reel_open(const char *folder,
                               enum status (*each)(void *self, struct place at,
                                                   struct span payload),
                               void *self, struct reel **out);
void reel_close(struct reel *j); // NULL is fine

// Appends one record; *at is where its payload stands. ST_FULL (the disk), ST_IO,
// ST_RANGE (size 0 or over REEL_RECORD_MAX), ST_NOMEM: nothing was written.
MUST_USE enum status reel_append(struct reel *j, struct span payload, struct place *at);

// Appends `size` bytes from there to `out`. ST_IO, ST_NOMEM.
MUST_USE enum status reel_read(struct reel *j, struct place at, size_t size,
                               struct buf *out);

// Makes all that was appended durable. ST_IO.
MUST_USE enum status reel_sync(struct reel *j);

// The number of the oldest segment, and whether it is also the one written to.
uint64_t reel_oldest(const struct reel *j, bool *is_newest, uint64_t *bytes);

// Removes the oldest segment, which is not the newest. ST_IO.
MUST_USE enum status reel_drop_oldest(struct reel *j);

struct reel_stats reel_stats(const struct reel *j);

#endif
