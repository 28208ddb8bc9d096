// Mapping: which columns of a foreign file are the time, the id, the inputs and the
// rest.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_MAPPING_H
#define KEDGE_AGENT_INTAKE_MAPPING_H

#include <stdint.h>

#define MAPPING_COLUMNS_MAX 512

// `path` is a column's name (CSV) or a JSON Pointer (JSONL: "/in", "/out/score");
// `name` is what the feature is called, NULL for the column's own name.
struct mapping_column {
    const char *path;
    const char *name;
};

// Strings are borrowed as long as the door is open. NULL or 0 = there is none.
struct mapping {
    const char *model;          // required
    const char *version;        // of all rows, or NULL
    const char *version_column; // where each row tells
    const char *time;
    const char *id;
    const struct mapping_column *inputs; // none: every column that nothing else names
    uint32_t n_inputs;
    const struct mapping_column *outputs;
    uint32_t n_outputs;
    const struct mapping_column *labels;
    uint32_t n_labels;
    const char *prefix; // StatsD: how a name is made up, "model.<model>.<signal>"
};

#endif
