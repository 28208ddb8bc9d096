// Paced: what one call costs a thread that makes 50,000 a second, beside the consumer.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_BENCH_PACED_H
#define KEDGE_TESTS_BENCH_PACED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PACED_ROWS 50000
#define PACED_EVERY_NS 20000

struct paced {
    double p50, p99, p999;
};

static inline uint64_t paced_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int paced_by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static inline struct paced paced_of(uint32_t *taken, int n)
{
    qsort(taken, (size_t)n, sizeof *taken, paced_by_size);
    return (struct paced){taken[n / 2], taken[n / 100 * 99], taken[n / 1000 * 999]};
}

// Runs `push` at the pace; the cost of reading the clock is taken off.
static inline struct paced paced_run(void (*push)(void *self), void *self)
{
    static uint32_t taken[PACED_ROWS];
    static uint32_t clock[1001];
    for (int i = 0; i < 1001; i++) {
        uint64_t a = paced_ns();
        clock[i] = (uint32_t)(paced_ns() - a);
    }
    uint64_t over = (uint64_t)paced_of(clock, 1001).p50;
    for (int i = 0; i < PACED_ROWS; i++) {
        uint64_t a = paced_ns();
        push(self);
        uint64_t d = paced_ns() - a;
        taken[i] = (uint32_t)(d > over ? d - over : 0);
        while (paced_ns() < a + PACED_EVERY_NS)
            continue;
    }
    return paced_of(taken, PACED_ROWS);
}

static inline double paced_median(double *v, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
            double swap = v[k];
            v[k] = v[k - 1];
            v[k - 1] = swap;
        }
    return v[n / 2];
}

#endif
