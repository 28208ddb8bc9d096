// Replay rows: a table's rows as values of the plan's columns, in time order.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_ROWS_H
#define KEDGE_CONTROLLER_REPLAY_ROWS_H

#include "common/drift/builder.h"
#include "controller/replay_plan.h"
#include "controller/replay_table.h"

struct replay_rows {
    const struct replay_plan *plan; // keeps
    struct replay_table *table;     // keeps
    int timestamp, label;           // columns; label -1 for none
    int feature[REPLAY_COLUMNS_MAX];
    int version[REPLAY_VERSIONS_MAX];
    uint64_t row; // number of the current row, from 0
    bool is_begun;
    uint64_t at_ns; // its event time
    uint64_t late;  // rows so far that went back in time
    struct builder_value
        value[REPLAY_COLUMNS_MAX];          // of the features; lent as the table's
    double prediction[REPLAY_VERSIONS_MAX]; // NaN where there is none
    double truth;                           // NaN where there is none
};

// ST_NOTFOUND when the table has not all of the plan's columns.
MUST_USE enum status replay_rows_open(const struct replay_plan *plan,
                                      struct replay_table *table,
                                      struct replay_rows *out, char why[256]);
void replay_rows_rewind(struct replay_rows *r);

// ST_EMPTY at the end. ST_CORRUPT for a broken row, a timestamp that is none, or rows
// that go back in time; `why` names the line. A number that is none is a type error of
// its feature, an empty field is missing.
MUST_USE enum status replay_rows_next(struct replay_rows *r, char why[256]);

#endif
