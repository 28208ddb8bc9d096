// Sheet: comma-separated values that are the body of a message, line by line.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_SHEET_H
#define KEDGE_AGENT_INTAKE_SHEET_H

#include <stdbool.h>

#include "agent/intake/columns.h"
#include "agent/intake/lines.h"
#include "agent/intake/teller.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Without a header the columns are c0, c1 ..., and of an output y, or y.0, y.1 ...
struct sheet {
    struct teller *teller;
    struct lines lines;
    struct buf held;
    struct columns names;
    bool awaits_header;
};

// Keeps the teller.
void sheet_init(struct sheet *s, struct teller *t);
void sheet_fini(struct sheet *s);
void sheet_begin(struct sheet *s, bool has_header);

// ST_CORRUPT (quotes, UTF-8), ST_FULL (a line or its columns over the limits),
// ST_NOMEM.
MUST_USE enum status sheet_bytes(struct sheet *s, struct span bytes);
MUST_USE enum status sheet_end(struct sheet *s);

#endif
