// Journal: the agent's durable memory of its orders, so that each has its effect once.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_JOURNAL_H
#define KEDGE_AGENT_ACT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define JOURNAL_BODY_MAX 32768 // bytes of one record's body
#define JOURNAL_BYTES_MAX (64u << 20)

enum journal_kind {
    JOURNAL_HEAD = 1, // first in the file: its name
    JOURNAL_MODEL,    // what is kept of a model: token, lock, times of effects
    JOURNAL_RECEIVED, // an order that passed every check
    JOURNAL_BEGUN,    // its execution is about to begin
    JOURNAL_DONE,     // its outcome
    JOURNAL_KINDS,
};

// One record; `body` is lent for the visit.
struct journal_record {
    enum journal_kind kind;
    struct span body;
    uint64_t at; // its place, for journal_read
};

// What was found when it was opened.
struct journal_report {
    bool is_new;      // there was none: the memory of earlier orders is gone
    bool is_damaged;  // records after the first bad one were lost, not merely torn
    uint64_t cut;     // bytes cut off its end
    bool is_kept;     // up to 1 MiB of them, in PATH.cut
    uint64_t records; // that were read
};

typedef enum status journal_visit(void *self, const struct journal_record *record);

struct journal;

// Opens or makes the file and shows each record to `visit` in order; a failure of it
// ends the opening. A torn last record, which was never promised to anybody, is cut
// off. Only one process may have it open.
//
// The file: per record le32 size of kind and body, le32 CRC-32C of both, u8 kind, body.
// Errors: ST_IO, ST_NOMEM, ST_CONFLICT (another process has it), ST_VERSION (not a
// journal that this program knows), or what visit says.
MUST_USE enum status journal_open(const char *path, journal_visit *visit, void *self,
                                  struct journal_report *report, struct journal **out);

// NULL is fine.
void journal_close(struct journal *j);

// The journal's name: 16 random bytes made with the file.
const uint8_t *journal_name(const struct journal *j);

uint64_t journal_bytes(const struct journal *j);

// Durable when it returns ST_OK; then *at (may be NULL) is its place. On a failure the
// file is as it was, or the journal refuses everything from then on. Errors: ST_RANGE
// (body too long), ST_FULL (JOURNAL_BYTES_MAX, or the disk), ST_IO.
MUST_USE enum status journal_append(struct journal *j, enum journal_kind kind,
                                    struct span body, uint64_t *at);

// Appends the body of the record at `at` to `out`. ST_IO, ST_CORRUPT, or out's failure.
MUST_USE enum status journal_read(struct journal *j, uint64_t at, struct buf *out);

// Writes a new file beside it with what `fill` appends (by journal_append on the
// journal it is given), then puts it in the place of the old one: a crash leaves old or
// new. Places change. Errors as for append; the old one stays then.
typedef enum status journal_fill(void *self, struct journal *fresh);
MUST_USE enum status journal_rewrite(struct journal *j, journal_fill *fill, void *self);

// Reads records from bytes, for the fuzzer and for journal_open: ST_OK with the record
// and the bytes it took, ST_EMPTY at the end, ST_CORRUPT otherwise.
MUST_USE enum status journal_parse(struct span bytes, struct journal_record *record,
                                   size_t *took);

#endif
