// Bench: a clock that counts this thread's work alone, and the median of many runs.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_BENCH_H
#define KEDGE_TESTS_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_RUNS 15
#define BENCH_WARM_UPS 3

static inline uint64_t bench_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static inline int bench_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median nanoseconds of one unit of work: `work(arg, run)` is called for warm-up and
// then BENCH_RUNS times, and says how many units it did. `run` differs each time, so
// that the work can take fresh data.
static inline double bench_median(uint64_t (*work)(void *arg, uint64_t run), void *arg)
{
    double ns[BENCH_RUNS];
    for (uint64_t run = 0; run < BENCH_WARM_UPS; run++)
        work(arg, run);
    for (uint64_t i = 0; i < BENCH_RUNS; i++) {
        uint64_t from = bench_cpu_ns();
        uint64_t units = work(arg, BENCH_WARM_UPS + i);
        ns[i] = (double)(bench_cpu_ns() - from) / (double)units;
    }
    qsort(ns, BENCH_RUNS, sizeof ns[0], bench_ascending);
    return ns[BENCH_RUNS / 2];
}

// The processor, as the system names it.
static inline void bench_print_machine(void)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) == 0) {
            printf("machine: %s", strchr(line, ':') + 2);
            break;
        }
    }
    if (f)
        fclose(f);
    printf("compiler: %s\n", __VERSION__);
}

#endif
