// Case files: which files belong to a recorded incident, and their texts.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CASE_FILES_H
#define KEDGE_CONTROLLER_CASE_FILES_H

#include "common/base/buf.h"
#include "controller/case_data.h"

// What the command line says. Names that are not given are taken from the manifest,
// then from the case itself, then from what lies beside it:
//   DIR/case.json        DIR/signals.csv, lineage.csv, events.csv
//   DIR/NAME-a-b.json    NAME*-baseline.csv and NAME-a-b.csv, or else the NAME*.csv
//   that
//                        belongs to no other case; NAME*-lineage.csv, NAME*-events.csv,
//                        where NAME is the longest beginning of that fits
struct case_request {
    const char *question;
    const char *manifest;
    const char *signals[CASE_SIGNAL_FILES];
    uint32_t signal_files;
    const char *lineage, *events;
    const char *segment; // that is asked about, or NULL
};

// The texts, and the memory that they lie in.
struct case_files {
    struct case_texts texts;
    struct buf question, signals[CASE_SIGNAL_FILES], lineage, events;
};

// `why` (CASE_WHY bytes) names the file that is missing or broken.
MUST_USE enum status case_files_read(const struct case_request *q,
                                     struct case_files *out, char *why);
void case_files_fini(struct case_files *f);

#endif
