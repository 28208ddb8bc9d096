// Judge: the detector of one model version. Windows in, evidence and alarms out.
//
// Pure: the same baseline, settings and windows give the same bits, everywhere.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_JUDGE_H
#define KEDGE_COMMON_DRIFT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/drift/baseline.h"
#include "common/drift/distance.h"
#include "common/drift/verdict.h"
#include "common/drift/window.h"

#define JUDGE_ALARMS_MAX 64      // of one window; further ones are counted
#define JUDGE_SUBJECT_BYTES 1229 // most that one subject's state takes, encoded

struct judge_settings {
    double warn_feature; // least M of a subject for WARN (fast path), default 1e4
    double warn_model;   // the same for the model: a subject needs warn_model / weight
    double page_model;   // capped path, for the model; 0: no pages by evidence
    double gate_factor;  // on the gates of outputs (2 in a deploy watch), default 1
    bool page_on_gross;  // the operator opts in: one gross reason is enough for a page
};

// The defaults above.
struct judge_settings judge_defaults(void);

struct judge;

// Keeps the baseline. ST_RANGE, ST_NOMEM.
MUST_USE enum status judge_open(const struct baseline *b,
                                const struct judge_settings *settings,
                                struct judge **out);
void judge_close(struct judge *j); // NULL is fine

// What one window did.
struct judgement {
    struct alarm alarm[JUDGE_ALARMS_MAX]; // the first `alarms` are set, in the order of
                                          // subjects
    uint32_t alarms;
    uint32_t alarms_dropped; // beyond JUDGE_ALARMS_MAX
    uint32_t judged;         // subjects that had rows
    uint32_t foreign;        // features without a place in the baseline, or counted on
                             // another grid: not judged
    double evidence;         // M of the model, fast path: sum of weight x M
    double capped;           // the same, capped path
};

// Judges one window; windows come in the order of their end (an earlier one: ST_RANGE).
// Allocates nothing.
MUST_USE enum status judge_window(struct judge *j, const struct drift_window *w,
                                  struct judgement *out);

// Subjects: every input and output, then a contribution for each numeric input that has
// one, then the scalars. Their number and order belong to the baseline.
uint32_t judge_subjects(const struct judge *j);
const struct baseline *judge_baseline(const struct judge *j);

// What is known of one subject now.
struct judge_view {
    const char *name; // of the feature or scalar; lent by the baseline
    enum subject_kind subject;
    enum drift_role role;
    enum verdict verdict;
    enum tier tier;     // of the open alert; TIER_NONE
    enum signal signal; // of the strongest test
    int direction;      // +1, -1
    double evidence;    // M, fast
    double capped;      // M, capped
    double e_value;     // M / t, for the fleet's WATCH list
    double effect;      // of that test: smoothed, or of the last window if larger
    double gate;
    double tolerance;                 // tau of that test's component
    double residual[COMPONENT_COUNT]; // last r of each component (scalars: first)
    double smooth[COMPONENT_COUNT];   // smoothed r
    double value;                     // last value of that component
    double missing;                   // share in the last window
    uint64_t rows;                    // in the last window that had any
    uint64_t rows_needed;             // INSUFFICIENT: about this many more; 0 not known
    uint64_t windows;                 // judged
    uint64_t opened;                  // end of the window that opened the alert; 0 none
    uint64_t since;                   // start of the window M last grew from
    uint8_t gross;                    // enum gross bits, of the last window
    double weight;                    // share in the model's statistic
};
void judge_view(const struct judge *j, uint32_t subject, struct judge_view *out);

// Distances for people, on the counts pooled since M last grew from about 1. False for
// scalars and contributions.
bool judge_distance(const struct judge *j, uint32_t subject, struct distance *out);

// Evidence that a change from `before` (the windows the judge saw last) is meant:
// forgets all evidence and open alerts, keeps what it learned of the recent level. For
// a version change that is judged on the same baseline.
void judge_restart(struct judge *j);

// Sets settings.page_model from the next window on; 0: no pages by evidence. Ignored
// when it is negative or not finite.
void judge_set_page(struct judge *j, double page_model);

// State as bytes, and back over the same baseline: ST_CORRUPT, ST_CONFLICT (another
// baseline), ST_NOMEM.
void judge_encode(const struct judge *j, struct buf *out);
MUST_USE enum status judge_decode(const struct baseline *b,
                                  const struct judge_settings *settings,
                                  struct span bytes, struct judge **out);

#endif
