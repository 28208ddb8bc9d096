// Subject: one judged thing, its tests, and what is remembered of it. For this room
// alone.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_SUBJECT_H
#define KEDGE_COMMON_DRIFT_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/drift/baseline.h"
#include "common/drift/evidence.h"
#include "common/drift/verdict.h"

#define SUBJECT_TESTS_MAX 8
#define SUBJECT_SECOND_LEAST 10  // windows that a second profile learns, at least
#define SUBJECT_SECOND_MOST 1440 // and at most
#define SUBJECT_RECENT 28        // windows that `recent` remembers, about

// A test looks at one component in one direction.
struct subject_test {
    uint8_t component; // index into values, profiles and memories
    int8_t sign;
    uint8_t signal; // enum signal
};

// Components are taken two at a time; the last place is never read as one.
#define SUBJECT_PLACES (COMPONENT_COUNT + 1)

// What the hot path needs of the components' learned profiles, side by side.
struct subject_norm {
    double mu[SUBJECT_PLACES], phi[SUBJECT_PLACES], noise[SUBJECT_PLACES],
        extra[SUBJECT_PLACES], kappa[SUBJECT_PLACES];
    double most[SUBJECT_PLACES];      // 4 sd: as much of the lag is believed
    double hold_back[SUBJECT_PLACES]; // tau (1 - phi)
};

// Fixed by the baseline: no part of the state.
struct subject {
    uint8_t kind;    // enum subject_kind
    uint8_t role;    // enum drift_role
    bool watch_only; // never an alarm
    uint32_t index;  // into the baseline's features or scalars
    uint32_t tests;  // active ones; 0: nothing can be judged
    struct subject_test test[SUBJECT_TESTS_MAX];
    uint32_t components;
    struct subject_norm norm;
    // Hours, then days, each with all components side by side; zeros where none is
    // learned.
    float season[LEARN_HOURS + LEARN_DAYS][COMPONENT_COUNT];
    const struct learn_profile *profile[COMPONENT_COUNT];
    double weight;     // share in the model's statistic
    double level;      // M for WARN
    double page_level; // capped M for PAGE; infinite: never
    double gate_factor;
    double gate[SUBJECT_TESTS_MAX]; // of each test, the factor in it
    uint64_t block;                 // ns; windows, where windows are cut by rows
    bool by_rows;
    uint32_t second; // windows that a second profile learns
};

// One component's memory.
struct subject_memory {
    float lag;     // last residual
    float smooth;  // EWMA (1/2) of the residual
    float value;   // last value
    float mean;    // recent mean and variance of the residual
    float spread;  //
    float shift;   // of the second profile: its mean, and
    float squares; // the sum of squared deviations while it learns, its variance after
};

// State of one subject: all that moves. 32-bit floats: the rounding is the same
// everywhere.
struct subject_state {
    struct evidence fast[SUBJECT_TESTS_MAX];
    struct evidence capped[SUBJECT_TESTS_MAX];
    struct evidence start[SUBJECT_TESTS_MAX];  // capped, when its block began
    struct evidence second[SUBJECT_TESTS_MAX]; // against the second profile
    struct subject_memory memory[COMPONENT_COUNT];
    uint64_t windows;  // judged
    uint64_t age;      // judged since the evidence was last forgotten
    uint64_t block;    // number of the capped path's block
    uint64_t since;    // start of the window M last grew from about 1
    uint64_t opened;   // end of the window that opened the alert; 0: none is open
    uint64_t gross_at; // start of the window the present gross change began in; 0 none
    uint64_t rows;     // in the last window that had any
    double carried_rows, carried_sum; // of windows too small to be judged (scalars)
    float missing;                    // share in the last window
    float evidence;                   // M of the fast path after the last window
    float opened_effect;              // effect at the opening or the last escalation
    float held;                       // the value of the run of constant windows
    uint32_t second_seen;             // windows the second profile has learned from
    uint32_t dead_run, stuck_run, calm_run;
    uint32_t gross_run; // windows in sequence with a gross change
    uint8_t tier;       // enum tier of the open alert
    uint8_t signal;     // what opened it
    int8_t direction;
    uint8_t gross; // enum gross bits of the last window
};

// One window's values for a subject. A component that has no rows is not valid.
struct subject_window {
    uint64_t start, end;
    double value[COMPONENT_COUNT];
    double variance[SUBJECT_PLACES]; // V/n
    bool valid[COMPONENT_COUNT];
    uint64_t rows;
};

// The strongest of the tests whose effect, smoothed or of the last window, reaches its
// gate.
struct subject_peak {
    bool any;        // one reaches it
    uint32_t test;   // that one, or else the strongest of all
    double evidence; // of all tests together: M of the subject
    double admitted; // the part of it that the tests at their gates have
    double effect;   // of `test`, in its direction
    double gate;     // of `test`
};

// Lays down tests, profiles and block of the feature, scalar or contribution `index`.
void subject_of_feature(const struct baseline *b, uint32_t index, struct subject *out);
void subject_of_contribution(const struct baseline *b, uint32_t index,
                             struct subject *out);
void subject_of_scalar(const struct baseline *b, uint32_t index, struct subject *out);

// Sets the factor on all gates.
void subject_set_gates(struct subject *s, double factor);

// Adds one window to evidence and memories, fast and capped path, and to the second
// profile while an alert is open. Returns M of the capped path.
double subject_add(const struct subject *s, struct subject_state *state,
                   const struct subject_window *w);

// Looks at the fast path; at the capped one; at the one against the second profile.
void subject_peak_fast(const struct subject *s, const struct subject_state *state,
                       struct subject_peak *out);
void subject_peak_capped(const struct subject *s, const struct subject_state *state,
                         struct subject_peak *out);
void subject_peak_second(const struct subject *s, const struct subject_state *state,
                         struct subject_peak *out);

// M of the subject: mean over its tests and sizes.
double subject_evidence(const struct subject *s, const struct evidence *of);

// Effect of a test: the smoothed residual in the test's direction.
double subject_effect(const struct subject *s, const struct subject_state *state,
                      uint32_t test);
static inline double subject_gate(const struct subject *s, uint32_t test)
{
    return s->gate[test];
}

// Whether any effect reaches its gate: without that nothing can be raised.
bool subject_is_admitted(const struct subject *s, const struct subject_state *state);

// Whether every effect is under half its gate.
bool subject_is_calm(const struct subject *s, const struct subject_state *state);

// Sets M of one path to 0.
void subject_forget(const struct subject *s, struct evidence *of);

#endif
