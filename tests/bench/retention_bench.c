// Retention: three days of twenty models with windows of unlike sizes, kept for two
// hours, hours for a day. Whether the file stays near what is alive, and whether
// anything stalls.
//
// usage: retention_bench [FOLDER [DAYS [MODELS]]]
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/fold_rig.h"

#define SHAPES 4u

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t days = argc > 2 ? (uint32_t)atoi(argv[2]) : 3;
    uint32_t models = argc > 3 ? (uint32_t)atoi(argv[3]) : 20;
    uint32_t rounds = days * 1440,
             models_most = models < RIG_GROUP ? models : RIG_GROUP;
    struct rig *b = MEM_NEW(struct rig);
    double *took = mem_zero(rounds, sizeof *took);
    struct buf profile[SHAPES];
    struct store_size z;
    if (!b || !took)
        return 1;
    rig_open(b, argc > 1 ? argv[1] : "/tmp", NULL, NULL);
    struct entry_arg keep[] = {{span_text("raw"), span_text("7200000000000")},
                               {span_text("hour"), span_text("86400000000000")},
                               {span_text("day"), span_text("34560000000000000")}};
    rig_command(b, "retention.set", keep, 3, (struct span){0});
    for (uint32_t i = 0; i < SHAPES; i++) {
        buf_init(&profile[i], 1u << 20);
        rig_profile(200 + 600 * i, i == 3 ? 64 : 0, 7 + i, &profile[i]);
    }
    uint64_t start = RIG_T0 - RIG_T0 % (86400 * NS_PER_S);
    double worst_ratio = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        b->now_ns = start + (r + 1) * 60 * NS_PER_S;
        for (uint32_t m = 0; m < models_most; m++) {
            // Every tenth window brings sketches; models have 4 to 43 features.
            uint32_t shape = (r + m) % 10 == 0 ? 3 : m % 3;
            struct rig_window w = {.model = m,
                                   .features = 4 + m * 13 % 40,
                                   .start_ns = start + r * 60 * NS_PER_S,
                                   .rows = 1000,
                                   .profile = buf_span(&profile[shape])};
            rig_gather(b, m, &w);
        }
        uint64_t t = clock_mono_ns();
        rig_append(b, models_most);
        took[r] = (double)(clock_mono_ns() - t) * 1e-6;
        effects_clear(b->effects);
        rig_check(store_measure(b->store, &z));
        double ratio = (double)z.file_bytes / (double)z.used_bytes;
        if (r >= 1440 && ratio > worst_ratio)
            worst_ratio = ratio;
        if ((r + 1) % 720 == 0)
            (void)printf("hour %4u  file %7.1f MB  alive %7.1f MB  ratio %.2f\n",
                         (r + 1) / 60, (double)z.file_bytes * 1e-6,
                         (double)z.used_bytes * 1e-6, ratio);
    }
    qsort(took, rounds, sizeof *took, by_size);
    (void)printf("%u windows, %.0f turns of the raw retention; worst ratio after the "
                 "first day %.2f; commit of %u windows: median %.1f ms, p99 %.1f, "
                 "longest %.1f\n",
                 rounds * models_most, rounds / 120.0, worst_ratio, models_most,
                 took[rounds / 2], took[rounds * 99 / 100], took[rounds - 1]);
    rig_close(b);
    for (uint32_t i = 0; i < SHAPES; i++)
        buf_fini(&profile[i]);
    mem_free(took);
    mem_free(b);
    return worst_ratio <= 1.25 ? 0 : 1;
}
