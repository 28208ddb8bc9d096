// Diagnosis: would a rollback help? A table of patterns over what is known to be hit,
// known to be clean, or unknown.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_WATCH_DIAGNOSIS_H
#define KEDGE_CONTROLLER_WATCH_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

// What is known of one signal since the onset. Unknown (too few rows, or a band that
// straddles the threshold) is never treated as clean.
enum cell { CELL_UNKNOWN, CELL_CLEAN, CELL_HIT };

// Where the counterfactual, "what would the previous version have done?", comes from,
// best first.
enum rung {
    RUNG_CONCURRENT, // hosts that serve the previous version at the same time
    RUNG_SHADOW,     // the previous version or a challenger on the same rows
    RUNG_SITE,       // the same model at another site
    RUNG_HISTORY,    // the previous version's own windows before the onset
    RUNG_NONE,
};

// The evidence about model M, serving version B, the previous one being A.
struct symptoms {
    enum cell telemetry;         // HIT: agents silent, clocks skewed, windows refused
    enum cell inputs;            // I:  inputs of B moved
    enum cell inputs_elsewhere;  // Iv: and where A serves, or with no version changed
    enum cell outputs;           // O:  outputs of B moved
    enum cell outputs_elsewhere; // Ov
    enum cell behaviour;         // Oc: outputs moved beyond what inputs explain
    enum cell performance;       // P:  loss, bias or errors are worse on B
    enum cell performance_elsewhere; // Pv
    enum cell calibration;           // bias: predictions lie too high or too low
    enum cell service_only;          // P is latency or errors alone
    enum cell deployed;              // D:  the onset follows B's deployment
    enum cell schema;                // S:  category, null share, unit or type jumped
    enum cell schema_related;        // S in another model that shares the source
    enum cell some_hosts;            // H:  only some hosts of B are hit
    enum cell deploy_worse;          // the deploy watch called B worse
    bool previous_healthy;           // A had no open alert when it last served
    enum rung rung;
    unsigned long long
        inputs_onset_ns; // when the first input began to move; 0: none did
};

enum cause {
    CAUSE_NO_EVIDENCE,
    CAUSE_HOST,
    CAUSE_UPSTREAM,
    CAUSE_WORLD,
    CAUSE_WORLD_WORSE_HERE,
    CAUSE_BAD_VERSION,
    CAUSE_BEHAVIOUR,
    CAUSE_VERSION_PIPELINE,
    CAUSE_PRIOR_SHIFT,
    CAUSE_CONCEPT,
    CAUSE_INFRASTRUCTURE,
    CAUSE_CALIBRATION,
    CAUSE_HARMLESS,
    CAUSE_NO_COUNTERFACTUAL,
    CAUSE_INCONCLUSIVE,
};

enum remedy {
    REMEDY_NONE,
    REMEDY_ROLLBACK,
    REMEDY_QUARANTINE,
    REMEDY_RETRAIN,
    REMEDY_FIX_UPSTREAM,
    REMEDY_INVESTIGATE,
};

struct diagnosis {
    unsigned row; // 1..15 of the table in docs/concepts.md
    enum cause cause;
    enum remedy remedy;
    bool may_auto;       // a rollback that a policy in mode `auto` may start alone
    const char *refusal; // reason code for refusing a rollback ("E_WORLD"), or NULL
    const char *reason;  // one sentence for people; static
};

// The first row of the table that matches. Never fails: the last row is "inconclusive".
struct diagnosis diagnose(const struct symptoms *s);

const char *cell_name(enum cell c);     // "unknown" "clean" "hit"
const char *rung_name(enum rung r);     // "concurrent" ..
const char *cause_name(enum cause c);   // "bad_version" .., the symbols of a policy
const char *remedy_name(enum remedy r); // "rollback" ..

#endif
