// Csv: reads a table of text, a row at a time, in bounded memory (RFC 4180).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_CSV_H
#define KEDGE_CONTROLLER_CLI_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"

#define CSV_ROW_MAX (1u << 20) // bytes
#define CSV_FIELDS_MAX 1024u

struct csv;

// Opens a file and reads its header. ST_NOTFOUND, ST_IO, ST_CORRUPT (no header),
// ST_NOMEM.
MUST_USE enum status csv_open(const char *path, struct csv **out);
void csv_close(struct csv *c); // NULL is fine

uint32_t csv_columns(const struct csv *c);
// The name of a column, lent until close.
struct span csv_name(const struct csv *c, uint32_t column);
// -1 when there is none.
int32_t csv_find(const struct csv *c, const char *name);

// The next row: `field` gets csv_columns texts, lent until the next call. ST_EMPTY at
// the end; ST_CORRUPT for a row with another number of fields or an open quote, ST_FULL
// for one that is too long; csv_line tells where.
MUST_USE enum status csv_next(struct csv *c, struct span *field);
uint64_t csv_line(const struct csv *c);

// A field that stands for no value: empty, NaN, null, NA.
bool csv_is_missing(struct span field);

// A number as a training file writes it, infinities included; false for anything else.
bool csv_number(struct span field, double *out);

// From the first row again.
MUST_USE enum status csv_rewind(struct csv *c);

#endif
