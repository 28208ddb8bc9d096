// Load: a model server that only observes: rows of floats at a steady pace.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/client/kedge.h"

#define FEATURES 20
#define BURSTS 1000 // a second

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct kedge_model *open_model(void)
{
    static struct kedge_feature feature[FEATURES + 1];
    static char name[FEATURES][16];
    struct kedge_model *m;
    for (int i = 0; i < FEATURES; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%d", i);
        feature[i] = (struct kedge_feature){name[i], KEDGE_NUMBER, KEDGE_INPUT};
    }
    feature[FEATURES] =
        (struct kedge_feature){"prediction", KEDGE_NUMBER, KEDGE_OUTPUT};
    return kedge_open("bike-demand", "v2", feature, FEATURES + 1, &m) == KEDGE_OK ? m
                                                                                  : NULL;
}

static void observe(struct kedge_model *m, uint64_t *random)
{
    float value[FEATURES + 1];
    for (int i = 0; i <= FEATURES; i++) {
        *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        value[i] = (float)(*random >> 40) / (float)(1 << 24);
    }
    (void)kedge_observe_f32(m, value, FEATURES + 1, NULL);
}

// usage: load ROWS_A_SECOND SECONDS   prints what became of the rows
int main(int argc, char **argv)
{
    uint64_t rate = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 10;
    struct kedge_model *m = open_model();
    if (!m)
        return 1;
    uint64_t begin = now_ns(), random = 1, done = 0;
    while (done < rate * seconds) {
        uint64_t due = (now_ns() - begin) / (1000000000 / BURSTS) * rate / BURSTS;
        for (; done < due && done < rate * seconds; done++)
            observe(m, &random);
        const struct timespec pause = {0, 1000000000 / BURSTS};
        nanosleep(&pause, NULL);
    }
    struct kedge_stats s;
    kedge_stats(m, &s);
    printf("%llu %llu\n", (unsigned long long)s.observed, (unsigned long long)s.dropped);
    return 0;
}
