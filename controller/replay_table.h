// Replay table: a CSV file, gzipped or not, read row by row as often as needed.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_TABLE_H
#define KEDGE_CONTROLLER_REPLAY_TABLE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define REPLAY_TABLE_BYTES_MAX (2u * 1024 * 1024 * 1024u - 1)
#define REPLAY_FIELDS_MAX 4096

struct replay_table {
    struct buf text;      // all of the file, unpacked
    uint32_t columns;     // of the header
    struct span *name;    // the header's fields, lent from `head`
    struct span *field;   // of the current row, lent until the next one
    struct buf head, row; // fields without their quotes
    size_t first;         // where the first row begins
    size_t at;            // where the next row begins
    uint64_t line;        // of the current row, the header is 1
};

// Reads and unpacks the file, and its header. `why` as in replay_plan.h. ST_NOTFOUND,
// ST_IO, ST_FULL, ST_CORRUPT, ST_NOMEM.
MUST_USE enum status replay_table_open(const char *path, struct replay_table *out,
                                       char why[256]);
void replay_table_close(struct replay_table *t);

// The column of that name, or -1.
int replay_table_column(const struct replay_table *t, const char *name);

// Back to before the first row.
void replay_table_rewind(struct replay_table *t);

// The next row into t->field; ST_EMPTY at the end, ST_CORRUPT when it has not as many
// fields as the header or a quote stays open. Empty lines are passed over.
MUST_USE enum status replay_table_next(struct replay_table *t);

#endif
