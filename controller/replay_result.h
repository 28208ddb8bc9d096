// Replay result: what a replay found, kept until it is printed.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_REPLAY_RESULT_H
#define KEDGE_CONTROLLER_REPLAY_RESULT_H

#include "common/drift/contest.h"
#include "common/drift/deploy.h"
#include "common/drift/verdict.h"
#include "controller/replay_plan.h"

#define REPLAY_ALARMS_MAX 100000 // further ones are counted

struct replay_alarm {
    enum alarm_kind kind;              // open or further
    enum tier tier;                    // the highest it reached
    uint64_t row;                      // the last row of the judged window, from 0
    uint64_t at_ns;                    // end of that window
    char feature[REPLAY_NAME_MAX + 1]; // or the version's column
    char signal[REPLAY_NAME_MAX + 1];
    int direction;
    double effect, evidence;
    uint64_t paged_ns;   // when it became a page; 0 never
    uint64_t cleared_ns; // 0: still open at the end
    uint32_t key;        // judge and subject it belongs to
};

struct replay_contest {
    uint64_t at_ns;
    char champion[REPLAY_NAME_MAX + 1], challenger[REPLAY_NAME_MAX + 1];
    enum contest_verdict verdict;
    double evidence;
};

struct replay_deploy {
    uint64_t at_ns;
    char version[REPLAY_NAME_MAX + 1];
    enum deploy_verdict verdict;
    bool withheld;
    uint64_t rows_needed;
};

struct replay_result {
    const struct replay_plan *plan;
    uint64_t rows, reference_rows, late_rows;
    uint64_t reference_windows, windows, feature_windows;
    uint32_t alarms, alarms_capacity;
    uint64_t alarms_dropped;
    struct replay_alarm *alarm;
    uint32_t contests, contests_capacity;
    struct replay_contest *contest;
    uint32_t deploys, deploys_capacity;
    struct replay_deploy *deploy;
};

void replay_result_fini(struct replay_result *r);

// Copies at the end. ST_NOMEM; beyond REPLAY_ALARMS_MAX alarms are only counted.
MUST_USE enum status replay_result_alarm(struct replay_result *r,
                                         const struct replay_alarm *a);
MUST_USE enum status replay_result_contest(struct replay_result *r,
                                           const struct replay_contest *c);
MUST_USE enum status replay_result_deploy(struct replay_result *r,
                                          const struct replay_deploy *d);

// The open alarm of that key, the newest; NULL for none.
struct replay_alarm *replay_result_open(struct replay_result *r, uint32_t key);

// Appends one JSON document, or a table for people.
void replay_result_json(const struct replay_result *r, struct buf *out);
void replay_result_table(const struct replay_result *r, struct buf *out);

#endif
