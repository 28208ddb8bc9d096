// Chart: a mapping that a person wrote as JSON, or that a schema log amounts to.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_CHART_H
#define KEDGE_AGENT_INTAKE_CHART_H

#include "agent/intake/mapping.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Owns the texts that the mapping borrows.
struct chart {
    struct mapping mapping;
    char **text;
    uint32_t texts;
    struct mapping_column *column[3]; // inputs, outputs, labels
};

void chart_init(struct chart *c);
void chart_fini(struct chart *c);

// Reads {"model", "version", "time", "id", "inputs": [PATH...], "outputs" and "label":
// [PATH...] or {NAME: PATH}, "prefix"}. Members that it does not know are refused: a
// mistyped one would be a silent loss. ST_CORRUPT, ST_FULL (columns), ST_NOMEM.
MUST_USE enum status chart_read(struct chart *c, struct span json);

// Reads a schema log of BentoML: {"columns": [{"name", "role": "feature" | "prediction"
// | "target"}]}; time and id are "timestamp" and "request_id".
MUST_USE enum status chart_read_bento(struct chart *c, struct span json);

// Adds one column, written PATH or PATH=NAME, to the inputs (0), outputs (1) or labels
// (2).
MUST_USE enum status chart_add(struct chart *c, int which, const char *text);

// Keeps a copy of a text; NULL when memory is out.
const char *chart_keep(struct chart *c, struct span text);

#endif
