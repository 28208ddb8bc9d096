// Case data: a recorded incident read from its JSON and CSV texts.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CASE_DATA_H
#define KEDGE_CONTROLLER_CASE_DATA_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/base/status.h"
#include "controller/watch/blame_case.h"

#define CASE_SIGNAL_FILES 16u
#define CASE_TEXT_MAX (256u << 20) // bytes of one file
#define CASE_ROWS_MAX BLAME_WINDOWS_MAX
#define CASE_COLUMNS_MAX 262144u
#define CASE_WHY 256u

// The texts of one case. Signals are laid end to end on one clock. Lineage and events
// may be empty.
struct case_texts {
    struct span question; // case.json
    struct span signals[CASE_SIGNAL_FILES];
    uint32_t signal_files;
    struct span lineage, events;
    struct span segment; // that is asked about, or empty
};

// Builds and seals the case. `why` (CASE_WHY bytes) says what is wrong with the text.
// ST_CORRUPT, ST_RANGE (times that leave nothing to search), ST_FULL, ST_NOMEM.
MUST_USE enum status case_data_read(const struct case_texts *t, struct blame_case *out,
                                    char *why);

// Names of files that the question itself gives, or that a list of cases gives for it:
// "signals" (one or a list), "lineage", "events". Empty where nothing is said.
struct case_names {
    char signals[CASE_SIGNAL_FILES][512];
    uint32_t signal_files;
    char lineage[512], events[512];
};

// From case.json itself.
MUST_USE enum status case_names_own(struct span question, struct case_names *out);
// From the entry of a manifest whose "case" ends in `file`. Reads the names of files
// and nothing else of it. ST_NOTFOUND, ST_CORRUPT.
MUST_USE enum status case_names_listed(struct span manifest, const char *file,
                                       struct case_names *out);

#endif
