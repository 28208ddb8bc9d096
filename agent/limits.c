// SPDX-License-Identifier: Apache-2.0
#include "agent/limits.h"

#include <time.h>

#include "agent/trim.h"
#include "common/base/clock.h"

#define CALM_NS (10 * NS_PER_S)

static uint64_t cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void look_at_memory(struct limits *l, uint64_t mono_ns)
{
    l->resident = trim_resident();
    if (l->memory_bytes == 0)
        return;
    if (l->resident > l->memory_bytes) {
        l->over++;
        trim_now();
        l->resident = trim_resident();
    }
    if (l->resident > l->memory_bytes) {
        l->level += l->level + 1 < LIMITS_LEVELS;
        l->calm_ns = 0;
    } else if (l->resident > l->memory_bytes / 4 * 3) {
        l->calm_ns = 0;
    } else if (l->calm_ns == 0) {
        l->calm_ns = mono_ns;
    } else if (l->level > 0 && mono_ns >= l->calm_ns + CALM_NS) {
        l->level--;
        l->calm_ns = mono_ns;
    }
}

void limits_turn(struct limits *l, uint64_t mono_ns)
{
    if (mono_ns < l->next_look_ns)
        return;
    uint64_t used = cpu_ns();
    if (l->second_ns > 0 && mono_ns > l->second_ns)
        l->cpu_share =
            (double)(used - l->second_cpu_ns) / (double)(mono_ns - l->second_ns);
    l->second_ns = mono_ns;
    l->second_cpu_ns = used;
    l->next_look_ns = mono_ns + NS_PER_S;
    look_at_memory(l, mono_ns);
}

uint32_t limits_coarseness(const struct limits *l)
{
    static const uint32_t times[LIMITS_LEVELS] = {1, 4, 16, 64};
    return times[l->level];
}

uint64_t limits_pause_ns(struct limits *l, uint64_t mono_ns)
{
    if (l->cpu_percent == 0 || mono_ns >= l->next_look_ns)
        return 0;
    if (cpu_ns() - l->second_cpu_ns < l->cpu_percent * (NS_PER_S / 100))
        return 0;
    uint64_t pause = l->next_look_ns - mono_ns;
    l->paused_ns += pause;
    return pause;
}

void limits_status(const struct limits *l, struct json *out)
{
    json_object(out);
    json_key_u64(out, "memory_bytes", l->resident);
    json_key_u64(out, "memory_limit", l->memory_bytes);
    json_key_u64(out, "over", l->over);
    json_key_u64(out, "level", l->level);
    json_key_u64(out, "windows_longer", limits_coarseness(l));
    json_key_f64(out, "cpu_percent", (double)(int)(l->cpu_share * 10000) / 100);
    json_key_u64(out, "cpu_limit", l->cpu_percent);
    json_key_u64(out, "paused_ms", l->paused_ns / NS_PER_MS);
    json_object_end(out);
}
