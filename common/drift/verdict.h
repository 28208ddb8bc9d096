// Verdict: what detection says about one judged thing, and the alarms it raises.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_VERDICT_H
#define KEDGE_COMMON_DRIFT_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

// What can be said about a judged thing now. Unknown is never treated as quiet.
enum verdict {
    VERDICT_INSUFFICIENT, // about `rows_needed` more rows would tell
    VERDICT_QUIET,
    VERDICT_DRIFT,
    VERDICT_COUNT
};

enum tier {
    TIER_NONE,
    TIER_WATCH, // a list, nobody is called
    TIER_WARN,  // a ticket; may arm automatic action
    TIER_PAGE,  // a call, within the fleet's budget
    TIER_COUNT
};

// What kind of thing is judged.
enum subject_kind {
    SUBJECT_NUMERIC,      // a feature by its grid
    SUBJECT_CATEGORICAL,  // a feature by its categories
    SUBJECT_SCALAR,       // one number a window: loss, bias, error share...
    SUBJECT_CONTRIBUTION, // the feature's correlation with the prediction
    SUBJECT_COUNT
};

// What moved. The first five are component.h's components in their order.
enum signal {
    SIGNAL_LOCATION,
    SIGNAL_SCALE,
    SIGNAL_TAIL,
    SIGNAL_DISTANCE,
    SIGNAL_MISSING,
    SIGNAL_LEVEL,        // a scalar
    SIGNAL_CONTRIBUTION, // feature contribution index
    SIGNAL_DEAD,         // no value any more
    SIGNAL_STUCK,        // one value only
    SIGNAL_FLASH,        // a flash window: gross at once
    SIGNAL_COUNT
};

enum alarm_kind {
    ALARM_OPEN,
    ALARM_ESCALATE, // the effect doubled, or a higher tier was reached
    ALARM_FURTHER,  // a second change while the first is still open
    ALARM_CLEAR,
    ALARM_COUNT
};

// Bits of alarm.gross: why a change is gross (integrity).
enum gross {
    GROSS_EFFECT = 1,  // more than five gates
    GROSS_MISSING = 2, // missing share at least 20 points up
    GROSS_RANGE = 4,   // every row outside the reference range
    GROSS_STUCK = 8,
    GROSS_DEAD = 16,
};

struct alarm {
    uint32_t subject; // index into the judge's subjects
    uint8_t kind;     // enum alarm_kind
    uint8_t tier;     // enum tier
    uint8_t signal;   // enum signal
    int8_t direction; // +1 up, -1 down
    uint8_t gross;    // enum gross bits
    double effect;    // in the component's unit, in `direction`
    double gate;      // the least effect worth an alarm, same unit
    double evidence;  // M of the fast path when it was raised
    double capped;    // M of the capped path
    uint64_t at;      // end of the judged window, ns
    uint64_t since;   // best guess when it began: start of the window M last grew from
};

const char *verdict_name(enum verdict v);      // "insufficient" "quiet" "drift"
const char *tier_name(enum tier t);            // "none" "watch" "warn" "page"
const char *signal_name(enum signal s);        // "location" ... "flash"
const char *alarm_name(enum alarm_kind k);     // "open" "escalate" "further" "clear"
const char *subject_name(enum subject_kind s); // "numeric" ...
const char *direction_name(int direction);     // "up" "down"

#endif
