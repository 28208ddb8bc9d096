// Columns: values that come column by column, held until rows can be made of them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_COLUMNS_H
#define KEDGE_AGENT_INTAKE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/intake/tape.h"
#include "agent/intake/teller.h"
#include "common/base/status.h"

#define COLUMNS_MAX OBSERVATION_VALUES_MAX
#define COLUMNS_BYTES_MAX (1u << 20)

struct column {
    enum observation_side side;
    uint32_t name_at; // in names
    uint32_t name_size;
    size_t from;     // on the tape
    uint64_t values; // items, or single cells
    uint64_t rows;   // of a tensor, as its shape says; 0: one item is one row
    uint64_t cells;  // of a row; 0: as many as there are
    size_t at;       // while rows are made: the next token
};

// A column is either items, each a JSON value of any kind, or the cells of a tensor,
// row by row, with its shape told before or behind.
struct columns {
    struct tape tape;
    struct buf names;
    struct column *column;
    uint32_t n;
    uint32_t room;
    uint32_t depth; // inside the item under way
};

void columns_init(struct columns *c);
void columns_fini(struct columns *c);
void columns_clear(struct columns *c);

// Begins a column of that side; its tokens follow. ST_FULL, ST_NOMEM.
MUST_USE enum status columns_begin(struct columns *c, struct span name,
                                   enum observation_side side);

// Names and shapes the column under way, at any time before the next one. A shape of no
// dimension is a single cell. ST_RANGE: more than OBSERVATION_ROWS_MAX rows.
MUST_USE enum status columns_name(struct columns *c, struct span name);
MUST_USE enum status columns_shape(struct columns *c, const uint64_t *size,
                                   uint32_t dimensions);

// A token of an item of the column under way, or a cell of any. ST_FULL
// (COLUMNS_BYTES_MAX), ST_NOMEM.
MUST_USE enum status columns_item(struct columns *c, enum token token, struct span text,
                                  double number);
MUST_USE enum status columns_cell(struct columns *c, uint32_t column, enum token token,
                                  struct span text, double number);

// Makes rows of all columns and hands them on; columns without values are left out.
// ST_CORRUPT: a tensor has more or fewer cells than its shape says.
MUST_USE enum status columns_hand(struct columns *c, struct teller *t);

#endif
