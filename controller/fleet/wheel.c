// SPDX-License-Identifier: Apache-2.0
#include "controller/fleet/wheel.h"

#include <stddef.h>

static uint64_t step_of(uint64_t ns)
{
    return ns / WHEEL_STEP_NS;
}

void wheel_init(struct wheel *w, uint64_t now_ns)
{
    *w = (struct wheel){.step = step_of(now_ns)};
}

void wheel_cancel(struct wheel_timer *t)
{
    if (!t->link)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    *t = (struct wheel_timer){0};
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t at_ns)
{
    wheel_cancel(t);
    // The step that was met last is not visited again: a past deadline goes to the
    // next.
    uint64_t step = step_of(at_ns) + 1;
    if (step <= w->step)
        step = w->step + 1;
    struct wheel_timer **slot = &w->slot[step % WHEEL_SLOTS];
    *t = (struct wheel_timer){.next = *slot, .link = slot, .at_ns = at_ns};
    if (*slot)
        (*slot)->link = &t->next;
    *slot = t;
}

static struct wheel_timer *due_in(struct wheel_timer *t, uint64_t now_ns)
{
    while (t && t->at_ns > now_ns)
        t = t->next;
    return t;
}

struct wheel_timer *wheel_next(struct wheel *w, uint64_t now_ns)
{
    uint64_t last = step_of(now_ns);
    // After a long pause one turn of the wheel meets them all.
    if (last > w->step + WHEEL_SLOTS)
        w->step = last - WHEEL_SLOTS;
    for (; w->step < last; w->step++) {
        struct wheel_timer *t = due_in(w->slot[(w->step + 1) % WHEEL_SLOTS], now_ns);
        if (t) {
            wheel_cancel(t);
            return t;
        }
    }
    return NULL;
}
