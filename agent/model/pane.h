// Pane: what one model version did in one span of event time, while it is being
// counted.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_MODEL_PANE_H
#define KEDGE_AGENT_MODEL_PANE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/model/changes.h"
#include "agent/model/schema.h"
#include "agent/model/yardstick.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/sketch/profile.h"
#include "proto/messages/window.h"
#include "proto/observation.h"

// Values are staged in columns and enter the profiles this many at a time.
#define PANE_STAGE_ROWS 64

// The clear texts of a revealed column, until its values are counted.
struct pane_texts {
    struct span text[PANE_STAGE_ROWS];
    char bytes[PANE_STAGE_ROWS][OBSERVATION_CATEGORY_MAX];
};

// What one feature has, in its slot of the schema.
struct pane_column {
    struct profile *profile; // NULL: the feature has not been met in this pane
    uint64_t row;            // the last row that had it, counted from 1
    uint8_t kind;            // enum feature_kind, which the schema's may leave behind
    uint8_t odd_kind;        // enum datum_kind of the last odd value
    uint32_t staged;
    uint64_t named; // rows that named it since the pane was opened or restored
    uint64_t odd;   // values of a kind that the learned rows did not have
    uint64_t fresh; // categories that they did not have; only without a grid
    union {
        double value[PANE_STAGE_ROWS];
        uint64_t hash[PANE_STAGE_ROWS];
    };
    double prediction[PANE_STAGE_ROWS];
    uint8_t state[PANE_STAGE_ROWS]; // enum value_state
    struct pane_texts *texts;       // NULL: not revealed
};

struct pane {
    struct span version; // lent from the model
    uint64_t start;      // inclusive, ns of event time
    uint64_t end;        // exclusive
    uint64_t rows;       // predictions counted
    uint64_t values;     // rows, labels and signals: the number of the present one
    uint64_t rows_here;  // predictions since the pane was opened or restored
    uint64_t type_errors;
    uint64_t reordered;      // rows whose inputs stood in another order
    uint32_t reordered_slot; // of the last such one
    uint32_t row_slot;       // of the present row's last input
    bool is_row_ordered;
    bool is_inspected;           // see inspect.h
    bool is_plain;               // columns with cells are counted without sketches
    bool has_members;            // every column of the frozen schema has its place
    struct yardstick *yardstick; // held until the end; may be NULL
    const uint8_t *key;          // 16 bytes, for categories
    struct schema *schema;       // keeps
    struct changes *changes;     // keeps; columns that are new are noted there
    struct pane_column **column; // by slot of the schema; NULL: not met yet
    uint32_t columns;
    struct batch *batch; // rows of numbers alone; NULL: none came
};

// What all panes of a model have in common.
struct pane_ground {
    struct schema *schema;
    struct changes *changes;
    const uint8_t *key; // 16 bytes, of categories without a yardstick
};

// An empty pane of [start, end). Holds the yardstick; keeps what the ground points to,
// and the version.
MUST_USE enum status pane_open(const struct pane_ground *ground, struct span version,
                               uint64_t start, uint64_t end,
                               struct yardstick *yardstick, struct pane **out);
void pane_close(struct pane *p); // NULL is fine

// Counts one row: each value of side input, output or signal in its feature. A feature
// that other rows of the pane had and this one lacks, though it has others of the same
// side, counts as missing; once the schema is frozen, so does any of its columns.
// `prediction` is NaN when the row has none. ST_FULL: more features than a model may
// have; ST_DENIED: some that the schema does not have; the others were counted.
// ST_NOMEM.
MUST_USE enum status pane_row(struct pane *p, const struct observation *o,
                              double prediction);

// Counts a label beside the prediction that it belongs to, so that the window's
// co-moments tell how the two move together.
MUST_USE enum status pane_label(struct pane *p, double label, double prediction);

// Counts one number of a signal that the agent makes.
MUST_USE enum status pane_number(struct pane *p, const char *name,
                                 enum feature_role role, double value);

// Puts what is staged into the profiles. Before they are looked at.
void pane_settle(struct pane *p);

// The column of a slot, opened if need be. ST_NOMEM.
MUST_USE enum status pane_column(struct pane *p, uint32_t slot,
                                 struct pane_column **out);

// What the baseline says of a slot's feature; NULL: nothing.
const struct reference_feature *pane_known(const struct pane *p, uint32_t slot);

// Counts `rows` rows in which a column was missing.
void pane_missing(struct pane *p, uint32_t slot, struct pane_column *c, uint64_t rows);

// Opens what the frozen schema has and the pane lacks. ST_NOMEM.
MUST_USE enum status pane_members(struct pane *p);

// Appends everything, and back again: for the snapshot of an open pane. What was
// counted on another baseline than `yardstick` cannot go on: ST_CONFLICT. ST_CORRUPT,
// ST_NOMEM.
void pane_save(struct pane *p, struct buf *out);
MUST_USE enum status pane_load(struct cursor *from, const struct pane_ground *ground,
                               struct span version, struct yardstick *yardstick,
                               struct pane **out);

#endif
