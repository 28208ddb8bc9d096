// Case CSV: signals, lineage and events of a recorded incident, line by line.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CASE_CSV_H
#define KEDGE_CONTROLLER_CASE_CSV_H

#include "controller/case_data.h"

// All times of the first columns, rising, each once; *out is the caller's to free.
MUST_USE enum status case_csv_times(const struct case_texts *t, uint64_t **out,
                                    uint32_t *count, char *why);
// The columns `<entity>|<signal>` of one file into the case.
MUST_USE enum status case_csv_signals(struct span text, struct blame_case *c,
                                      char *why);
// upstream,downstream
MUST_USE enum status case_csv_lineage(struct span text, struct blame_case *c,
                                      char *why);
// t,entity,kind
MUST_USE enum status case_csv_events(struct span text, struct blame_case *c, char *why);

#endif
