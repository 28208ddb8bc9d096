// Meter: makes figures that can be judged of signals that only count: rates of
// counters, and values of ready-made histograms.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_METER_H
#define KEDGE_AGENT_INTAKE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "proto/observation.h"

#define METER_SERIES_MAX 1024
#define METER_PERIOD_S 10 // counts become one rate for each such span of event time
#define METER_QUIET_MAX 6 // periods of zero that are told of a counter that fell silent
#define METER_UNFOLD_MAX 200 // values that one histogram becomes at most

struct meter;

struct meter_stats {
    uint64_t series;
    uint64_t rates;    // that were told
    uint64_t unfolded; // values out of histograms
    uint64_t resets;   // totals that went back: their server began anew
    uint64_t refused;  // over METER_SERIES_MAX
};

// A sink before another one, which it keeps. Signals of form FORM_COUNTS become
// "NAME_per_s"; what counts from a beginning (`since`) is told as what came on top
// since the last time, and of a histogram each bucket's count as so many values in its
// middle. All else goes straight on. A period, or a total, whose beginning was not seen
// is not told. ST_NOMEM.
MUST_USE enum status meter_open(const struct observation_sink *next,
                                struct meter **out);
void meter_close(struct meter *m); // NULL is fine

// From now on each row of a model counts as one of `name` too (static, "requests").
void meter_count_rows(struct meter *m, const char *name);

// The sink to give to a door; valid until meter_close.
struct observation_sink meter_sink(struct meter *m);

// Tells the periods that are over by the wall clock, of counters that are of the
// present.
void meter_turn(struct meter *m, uint64_t now_ns);

struct meter_stats meter_stats(const struct meter *m);

#endif
