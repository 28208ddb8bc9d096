// Tables: what tests/bench/detect prints, one function a table.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_DETECTION_TABLES_H
#define KEDGE_TESTS_BENCH_DETECTION_TABLES_H

#include <stdint.h>

#include "tests/bench/detection/peers.h"
#include "tests/bench/detection/sim.h"

// How much is simulated: 1 is what docs/detection.md shows, less is quicker.
struct effort {
    double share;
};

// At least `least`, at most what the share leaves of `full`.
uint32_t effort_of(const struct effort *e, uint32_t full, uint32_t least);

// A judge of one feature at that level of its fast path; 0 page level: never a page.
struct judge *table_judge(const struct baseline *b, double warn, double page);

// Alarms (opened, or a further change) that a window raised.
uint32_t table_alarms(struct judge *j, const struct drift_window *w);

// False alarms per 1000 windows on the synthetic nulls: peers' rules beside Kedge.
void table_nulls(const struct effort *e);

// Median delay and share found within 100 windows, at equal false alarms.
void table_power(const struct effort *e);

// Alarms against the bound on real days redrawn by weekday; `folder` holds the streams.
int table_days(const struct effort *e, const char *folder);

// A simulated fleet: alarms against the bound at each level, fast and capped path.
void table_fleet(const struct effort *e);

#endif
