// Pane: what one model version did in one span of event time, while it is being
// counted.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_PANE_H
#define KEDGE_AGENT_MODEL_PANE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/yardstick.h"
#include "agent/model/schema.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/observation.h"

// Rows are staged in columns and enter the profiles this many at a time.
#define PANE_STAGE_ROWS 64

struct pane {
    uint64_t start;              // inclusive, ns of event time
    uint64_t end;                // exclusive
    uint64_t rows;               // predictions counted
    struct yardstick *yardstick; // held until the end; may be NULL
    struct pane_column *column;  // one for each feature of the schema it has met
    uint32_t columns;
    uint32_t staged; // rows in the stage
    double *stage_prediction;
};

// An empty window of [start, end). Holds the yardstick. ST_NOMEM.
MUST_USE enum status pane_open(uint64_t start, uint64_t end,
                               struct yardstick *yardstick, struct pane **out);
void pane_close(struct pane *w);

// Counts one row: every value in its feature's profile, in its slot of the schema.
// `prediction` is NaN when the row has none. ST_FULL (too many features: nothing was
// counted), ST_NOMEM (likewise).
MUST_USE enum status pane_row(struct pane *w, struct schema *schema,
                              const struct observation *o, double prediction);

// Counts one value of a signal or a label that stands outside of any row.
MUST_USE enum status pane_signal(struct pane *w, struct schema *schema,
                                 struct span name, enum observation_side side,
                                 double value);

// Puts what is staged into the profiles. Before encoding.
void pane_settle(struct pane *w);

// Appends everything to `out`, and back again: for the snapshot of an open window.
void pane_save(const struct pane *w, const struct schema *schema, struct buf *out);
MUST_USE enum status pane_load(struct cursor *from, struct schema *schema,
                               struct yardstick *yardstick, struct pane **out);

#endif
