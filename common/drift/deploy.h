// Deploy: is the new version better, worse, or the same as the one before it?
//
// For its first windows a new version has no baseline of its own. It is counted on the
// previous version's grid and judged against that version's recent windows, season
// taken out, with a small budget of its own.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_DEPLOY_H
#define KEDGE_COMMON_DRIFT_DEPLOY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/drift/judge.h"

enum deploy_verdict {
    DEPLOY_INSUFFICIENT, // about rows_needed more rows
    DEPLOY_BETTER,
    DEPLOY_WORSE,
    DEPLOY_DIFFERENT, // outputs or contributions moved; no loss says which way
    DEPLOY_SAME,      // no difference beyond tolerance
    DEPLOY_COUNT
};

// Three-valued: unknown is never treated as clean.
enum deploy_moved { MOVED_UNKNOWN, MOVED_CLEAN, MOVED_HIT };

struct deploy_settings {
    uint32_t windows;    // W: how long the watch lasts, default 60
    double false_alarms; // alpha: of one deployment, default 1/1000; level W / alpha
};

struct deploy_settings deploy_defaults(void);

struct deploy;

// `before` is the judge that has followed the previous version up to now; its baseline
// is kept, its recent level is copied. ST_RANGE, ST_NOMEM.
MUST_USE enum status deploy_open(const struct judge *before,
                                 const struct deploy_settings *settings,
                                 struct deploy **out);
void deploy_close(struct deploy *d); // NULL is fine

// A window of the new version; and, when the previous one still serves, its window of
// the same time (else NULL): then differences are judged, so that common shocks cancel.
MUST_USE enum status deploy_window(struct deploy *d, const struct drift_window *now,
                                   const struct drift_window *old);

struct deploy_report {
    enum deploy_verdict verdict;
    enum deploy_moved inputs;        // I: any input
    enum deploy_moved outputs;       // O: the prediction's distribution
    enum deploy_moved contributions; // Oc: relation of features to the prediction
    enum deploy_moved performance;   // P: loss or bias for the worse
    bool withheld;    // inputs moved as well: going back cannot be said to help
    uint32_t subject; // strongest mover, index into the judge's subjects
    enum signal signal;
    int direction;
    double effect; // against the recent level
    double evidence;
    uint32_t windows;     // judged since the deployment
    uint64_t rows_needed; // INSUFFICIENT only; 0 not known
    bool is_over;         // W windows have passed
};
void deploy_report(const struct deploy *d, struct deploy_report *out);

// Of one subject, for explanations.
enum deploy_moved deploy_subject(const struct deploy *d, uint32_t subject,
                                 double *effect, double *evidence);

const char *deploy_verdict_name(enum deploy_verdict v);

void deploy_encode(const struct deploy *d, struct buf *out);
MUST_USE enum status deploy_decode(const struct baseline *b, struct span bytes,
                                   struct deploy **out);

#endif
