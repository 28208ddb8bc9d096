// Verify: did the switched hosts recover, by the signals that had moved?
//
// For each signal there is the level it came from, the level it moved to, and what the
// switched hosts show since. Recovered means nearer to the first than to the second, by
// more than one standard error; not recovered the opposite; anything else is
// inconclusive, and inconclusive never advances. Hosts that were not switched yet are
// the control: they must not have recovered by themselves in the same time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_ACT_VERIFY_H
#define KEDGE_CONTROLLER_ACT_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/sketch/moments.h"
#include "controller/log/judged.h"

#define VERIFY_SIGNALS_MAX 8u
#define VERIFY_NAME_MAX 128u

enum verify_verdict { VERIFY_INCONCLUSIVE, VERIFY_RECOVERED, VERIFY_NOT_RECOVERED };

struct verify_signal {
    char feature[VERIFY_NAME_MAX + 1];
    bool is_contribution; // its correlation with the prediction; else its mean
    double before, after; // the level it came from, and the one it moved to
    struct moments mean[2];
    struct comoments pair[2]; // [0] switched hosts, [1] control
};

struct verify {
    struct verify_signal signal[VERIFY_SIGNALS_MAX];
    uint32_t signals;
    uint64_t begun_ns;  // event time: rows of windows that start earlier do not count
    uint64_t latest_ns; // event end of the latest window that was added
};

// Begins again with the same signals (the next wave).
void verify_begin(struct verify *v, uint64_t begun_ns);

// Adds a signal; further ones than VERIFY_SIGNALS_MAX, and those whose two levels are
// the same, are left out.
void verify_add_signal(struct verify *v, struct span feature, bool is_contribution,
                       double before, double after);

enum verify_side { VERIFY_SWITCHED, VERIFY_CONTROL };

// One host's window.
void verify_window(struct verify *v, enum verify_side side,
                   const struct judged_window *w);

// Values behind the weakest signal of the switched hosts.
uint64_t verify_rows(const struct verify *v);

// The verdict once every signal has `min_rows`; `why` gets one sentence with figures.
enum verify_verdict verify_judge(const struct verify *v, uint64_t min_rows,
                                 struct buf *why);

const char *verify_name(enum verify_verdict v); // "inconclusive" "recovered" ..

void verify_encode(const struct verify *v, struct buf *out);
// ST_CORRUPT, ST_VERSION.
MUST_USE enum status verify_decode(struct span bytes, struct verify *out);

#endif
