// Clock: three system clocks as nanoseconds.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"

#include <stdlib.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;
    // These clocks exist on every Linux that can start us; there is no way to go on
    // without them.
    if (clock_gettime(id, &t) != 0 || t.tv_sec < 0)
        abort();
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}
