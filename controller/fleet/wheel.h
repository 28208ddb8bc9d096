// Wheel: thousands of deadlines, each set, moved and met in constant time.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_FLEET_WHEEL_H
#define KEDGE_CONTROLLER_FLEET_WHEEL_H

#include <stdint.h>

#define WHEEL_SLOTS 512u
#define WHEEL_STEP_NS UINT64_C(250000000) // how late a deadline is met at most

// One deadline; lies in what it belongs to. All zero: not set.
struct wheel_timer {
    struct wheel_timer *next, **link;
    uint64_t at_ns;
};

// A deadline beyond one turn of the wheel waits in its slot for another turn.
struct wheel {
    struct wheel_timer *slot[WHEEL_SLOTS];
    uint64_t step; // the last one that was met
};

void wheel_init(struct wheel *w, uint64_t now_ns);
// Sets or moves it. `at_ns` in the past is met at the next turn.
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t at_ns);
void wheel_cancel(struct wheel_timer *t);
// One whose time has come, taken off the wheel; NULL: none is left. `now_ns` never goes
// back.
struct wheel_timer *wheel_next(struct wheel *w, uint64_t now_ns);

#endif
