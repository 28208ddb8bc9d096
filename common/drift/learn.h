// Learn: what is normal for one series of windows: level, season, memory and noise.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_LEARN_H
#define KEDGE_COMMON_DRIFT_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define LEARN_WINDOWS_MIN 4     // fewer: nothing is learned, nothing can be judged
#define LEARN_WINDOWS_MAX 40320 // four weeks of minutes; callers keep the newest
#define LEARN_HOURS 24
#define LEARN_SIGMA_LEAST 1e-9
#define LEARN_DAYS 7

// The series' values, one a window, in time order.
struct learn_series {
    const double *value;
    const double *variance; // V/n of each window: what independent rows would show
    const uint64_t *start;  // ns since 1970
    uint32_t windows;       // 0..LEARN_WINDOWS_MAX
    uint64_t window_ns;     // 0: windows are cut by rows, so they have no season
};

// Which tests look at the series; tests of direction + and -.
enum learn_sides { LEARN_UP = 1, LEARN_DOWN = 2, LEARN_BOTH = 3 };

// The learned profile of one component.
struct learn_profile {
    double mu;
    double phi;               // lag-1 correlation of the residual, 0..0.95
    double noise;             // a: factor on V/n, 0.9 and up
    double extra;             // b: variance between windows that rows do not explain
    double sd;                // s_r: sd of the residual
    double tau;               // tolerance: a shift below this belongs to the null
    double gate;              // least effect worth an alarm
    double kappa;             // widens sigma until the reference itself stays quiet
    uint32_t windows;         // R
    bool has_hours, has_days; // whether the slots below are in use
    float hour[LEARN_HOURS];  // by UTC hour of the window's start
    float day[LEARN_DAYS];    // by UTC day of the week, Sunday = 0
};

// Learns from the reference windows. `tolerance` is the practical one (same unit as the
// values); `relative` adds that many sd of the residual to it (0 for counts, 0.1 for
// scalar signals). With fewer than LEARN_WINDOWS_MIN windows `out->windows` tells so
// and the profile must not be used. Errors: ST_NOMEM, ST_RANGE; *out only on ST_OK.
MUST_USE enum status learn_profile_of(const struct learn_series *series,
                                      enum learn_sides sides, double tolerance,
                                      double relative, double gate,
                                      struct learn_profile *out);

// Whether the profile rests on enough windows to judge by.
bool learn_is_usable(const struct learn_profile *p);

// The value less level and season: the residual r.
double learn_residual(const struct learn_profile *p, double value, uint64_t start_ns);

// u = r - phi clip(lag, +-4 sd).
double learn_innovation(const struct learn_profile *p, double residual, double lag);

// sigma of the innovation for a window whose row variance is V/n.
double learn_sigma(const struct learn_profile *p, double variance);

// UTC hour of the day, 0..23, and day of the week, Sunday = 0.
uint32_t learn_hour(uint64_t ns);
uint32_t learn_day(uint64_t ns);

#endif
