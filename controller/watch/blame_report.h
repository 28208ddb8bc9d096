// Blame report: the answer as JSON, and as text for a person at night.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_BLAME_REPORT_H
#define KEDGE_CONTROLLER_WATCH_BLAME_REPORT_H

#include "common/base/buf.h"
#include "common/base/json.h"
#include "controller/watch/blame.h"

#define BLAME_PATH_MAX 32u // steps printed

// How times are written: as people read them, or as the recorded case has them.
enum blame_clock { BLAME_RFC3339, BLAME_UNIX_S };

// How much of the others is told: with all of their names, or only how many.
enum blame_detail { BLAME_NAMES, BLAME_COUNTS };

// {verdict, confidence, kpi, suspects, explained_away, exonerated, blind, ...} without
// the braces around it, so that a caller may add its own members.
void blame_report_json(const struct blame_case *c, const struct blame_answer *a,
                       enum blame_clock clock, enum blame_detail detail,
                       struct json *j);

// What to type next.
void blame_report_next(const struct blame_case *c, const struct blame_answer *a,
                       struct buf *out);

// The same in lines of text. `took_ms` < 0 leaves it out.
void blame_report_table(const struct blame_case *c, const struct blame_answer *a,
                        double took_ms, struct buf *out);

#endif
