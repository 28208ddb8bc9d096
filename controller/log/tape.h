// Tape: one partition's durable, totally ordered record of everything that happened.
//
// A controller is a deterministic fold of its tape: same entries, same state, to the
// byte. Several engines can keep a tape; each is a `tape_driver`. The conformance suite
// in tests/unit/controller/log is the definition of what a driver must do.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_TAPE_H
#define KEDGE_CONTROLLER_LOG_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/log/shelf.h"

#define TAPE_ANY UINT64_MAX
#define TAPE_BODY_MAX (8u << 20) // bytes in the body of one entry
#define TAPE_APPEND_MAX 1024u    // entries in one append
#define TAPE_PARTITIONS_MAX 256u

// What an entry is. The numbers are stored: never change one, only add.
enum tape_kind {
    TAPE_WINDOW = 1,  // agent id (16 bytes), then the body of kedge.window.v1
    TAPE_ATTEST = 2,  // agent id, then the body of kedge.attest.v1
    TAPE_NOTICE = 3,  // agent id, then the body of kedge.notice.v1
    TAPE_RECEIPT = 4, // agent id, then the frames of kedge.receipt.v1 (entry.h)
    TAPE_TICK = 5,    // no body: at_ns is the news
    TAPE_COMMAND = 6, // an operator's command (entry.h)
    TAPE_INTENT = 7,  // an order that is about to be sent: its place here is its token
    TAPE_AGENT = 8,   // an enrolment that the gate has verified (entry.h)
    TAPE_META = 9,    // the first entry: fleet id, generation, partitions
};

struct tape;

struct tape_pos {
    uint64_t generation;
    uint64_t seq; // 1 is the first entry; 0 stands before it
};

struct tape_entry {
    uint16_t kind;
    uint64_t at_ns; // wall time of the append: the only clock that a fold may see
    struct span body;
    struct tape_pos pos; // set by the driver
};

// What the driver keeps of an entry's body. HOME_LOG: all of it, in the log.
// HOME_SHELF: nothing, for the fold has put it on the shelf: it is the bytes [offset,
// offset + size) of that value. HOME_CUT: its first `size` bytes, which fold to the
// same state.
enum tape_home_kind { HOME_LOG, HOME_SHELF, HOME_CUT };
struct tape_home {
    enum tape_home_kind kind;
    enum shelf_table table;
    struct shelf_key key;
    uint32_t offset;
    uint32_t size;
};

// What an embedded driver calls inside the transaction of an append: `entry` for each
// entry in order, `flush` once behind the last. A failure of either aborts the append
// as a whole; then `dropped` is called, and all that the fold keeps in memory must be
// forgotten.
struct tape_fold {
    void *self;
    enum status (*entry)(void *self, struct shelf *shelf,
                         const struct tape_entry *entry, struct tape_home *home);
    enum status (*flush)(void *self, struct shelf *shelf);
    void (*dropped)(void *self);
};

struct tape_options {
    const struct tape_fold *fold; // keeps; NULL = entries are only kept
    const char *folder;           // embedded: where the store lies, or
    struct store *store;          // embedded: a store that is open already (keeps)
    uint64_t map_bytes;           // embedded, with `folder`: 0 = 1 TiB
    struct memory *memory;        // memory: where the tables lie (keeps)
    uint32_t partitions;          // 1..TAPE_PARTITIONS_MAX; fixed for the tape's life
};

struct tape_durability {
    bool is_synced;      // an acknowledged entry survives a power cut
    uint32_t copies;     // machines that hold it before the acknowledgement
    const char *why_not; // NULL, or the reason why is_synced is false
};

// Called once, on the loop's thread, when the append is durable or has failed.
// ST_CONFLICT: the head was not `expect`. ST_UNKNOWN: repeat it. ST_REGRESSED: stop.
// ST_FULL, ST_IO: nothing was written; do not acknowledge, try later.
typedef void tape_done_fn(void *keep, enum status st, struct tape_pos last);

struct tape_append { // borrowed until done is called
    uint32_t partition;
    uint64_t expect; // TAPE_ANY, or the exact head: compare and append
    // 0: the head's. Greater: the log begins a new life with this append, since what
    // came behind an older backup is lost; every later token is above every earlier
    // one. Less: ST_REGRESSED.
    uint64_t generation;
    const struct tape_entry *entry;
    uint32_t entries; // 1..TAPE_APPEND_MAX
    uint64_t deadline_ns;
};

// Called for each entry in order, lent for the call. Any status but ST_OK ends the read
// and is what the read returns; ST_CLOSED ends it with ST_OK.
struct tape_reader {
    void *keep;
    enum status (*entry)(void *keep, const struct tape_entry *entry);
    uint32_t limit; // at most so many entries in one read; 0 = all
};

struct tape_driver {
    const char *name; // "embedded", "memory"
    enum status (*open)(const struct tape_options *o, struct tape **out);
    void (*close)(struct tape *t);
    enum status (*durability)(struct tape *t, struct tape_durability *out);
    // The return value tells only whether `done` will be called (ST_OK) or never.
    enum status (*append)(struct tape *t, const struct tape_append *a,
                          tape_done_fn *done, void *keep);
    // Entries behind `after`. ST_NOTFOUND when `after` was trimmed away, or when the
    // body of an entry has expired with its window; ST_REGRESSED when `after` lies
    // beyond the head.
    enum status (*read)(struct tape *t, uint32_t partition, struct tape_pos after,
                        struct tape_reader *each);
    // `oldest` is the first entry that can still be read (head + 1 when there is none).
    enum status (*head)(struct tape *t, uint32_t partition, struct tape_pos *head,
                        struct tape_pos *oldest);
    // Forgets entries up to and with `upto`.
    enum status (*trim)(struct tape *t, uint32_t partition, struct tape_pos upto);
    // A descriptor for the poll loop, or -1 when `step` need not be called.
    int (*fd)(struct tape *t);
    enum status (*step)(struct tape *t, uint64_t now_ns);
};

// Keeps its entries in a shelf, so that a test or a replay sees the same contract
// without a disk. Not durable, and says so.
extern const struct tape_driver tape_memory;

#endif
