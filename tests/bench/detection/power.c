// Power: how long until each shape of change is found, all tuned to the same false
// alarms.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/bench/detection/tables.h"

#define QUIET 24    // windows of a trial before the change
#define HORIZON 100 // windows in which it must be found
#define NULL_WINDOWS 600
#define RATE 0.001 // false alarms a window that all are tuned to
#define STREAMS_MAX 12
#define LADDER 10
#define NEVER (HORIZON + 1)

static const uint32_t sizes[] = {20, 100, 1000, 10000};
#define SIZES (sizeof sizes / sizeof sizes[0])
static const double ladder[LADDER] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

// Streams of one null, kind and size, learned once, and the lines that make all equal.
struct ground {
    uint32_t streams;
    struct sim *sim[STREAMS_MAX];
    struct baseline *baseline[STREAMS_MAX];
    double line[PEERS];
    double equal; // Kedge's level
};

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void run_null(struct ground *g, uint32_t i, double *peers, uint32_t *alarms)
{
    struct sim s = *g->sim[i]; // the streams themselves go on from their reference
    struct judge *j[LADDER];
    for (int l = 0; l < LADDER; l++)
        j[l] = table_judge(g->baseline[i], ladder[l], 0);
    s.random.state ^= 0x5555;
    s.feature[0].profile = s.profile;
    for (uint32_t w = 0; w < NULL_WINDOWS; w++) {
        double now[PEERS];
        const struct drift_window *window = sim_next(&s);
        peers_of(baseline_feature(g->baseline[i], 0), s.profile, now);
        for (int p = 0; p < PEERS; p++)
            peers[(size_t)p * STREAMS_MAX * NULL_WINDOWS + i * NULL_WINDOWS + w] =
                now[p];
        for (int l = 0; l < LADDER; l++)
            alarms[l] += table_alarms(j[l], window);
    }
    for (int l = 0; l < LADDER; l++)
        judge_close(j[l]);
}

// The lines that a peer would need, which no user has, and Kedge's level, at one false
// alarm in 1000 windows.
static void tune(struct ground *g)
{
    double *peers = mem_zero((size_t)PEERS * STREAMS_MAX * NULL_WINDOWS, sizeof *peers);
    uint32_t alarms[LADDER] = {0}, windows = g->streams * NULL_WINDOWS;
    assert(peers);
    for (uint32_t i = 0; i < g->streams; i++)
        run_null(g, i, peers, alarms);
    for (int p = 0; p < PEERS; p++) {
        double *all = peers + (size_t)p * STREAMS_MAX * NULL_WINDOWS;
        qsort(all, windows, sizeof *all, falling);
        g->line[p] = all[(size_t)(windows * RATE)];
    }
    g->equal = ladder[LADDER - 1];
    for (int l = LADDER; l-- > 0 && alarms[l] <= windows * RATE;)
        g->equal = ladder[l];
    mem_free(peers);
}

static void ground_open(struct ground *g, enum sim_null null, enum sim_kind kind,
                        uint32_t rows, uint32_t streams)
{
    g->streams = streams;
    for (uint32_t i = 0; i < streams; i++) {
        g->sim[i] = mem_zero(1, sizeof *g->sim[i]);
        assert(g->sim[i]);
        g->baseline[i] = sim_learn(g->sim[i], 77 + i, null, kind, rows);
    }
    tune(g);
}

static void ground_close(struct ground *g)
{
    for (uint32_t i = 0; i < g->streams; i++) {
        sim_close(g->sim[i]);
        mem_free(g->sim[i]);
        baseline_close(g->baseline[i]);
    }
}

enum { COLUMN_EQUAL = PEERS, COLUMN_1E3, COLUMN_1E4, COLUMNS };

// One trial: quiet, then broken; the window in which each one speaks, or NEVER.
static void run_trial(const struct ground *g, uint32_t i, uint64_t seed,
                      enum sim_shape shape, uint32_t delay[COLUMNS])
{
    struct sim s = *g->sim[i];
    struct judge *j[3] = {table_judge(g->baseline[i], g->equal, 0),
                          table_judge(g->baseline[i], 1e3, 0),
                          table_judge(g->baseline[i], 1e4, 0)};
    s.random.state ^= seed * 0x9e3779b97f4a7c15;
    s.window += seed * 7 % 48; // not always at the same hour
    for (int c = 0; c < COLUMNS; c++)
        delay[c] = NEVER;
    for (uint32_t w = 0; w < QUIET + HORIZON; w++) {
        if (w == QUIET)
            sim_break(&s, shape);
        const struct drift_window *now = sim_next(&s);
        double peers[PEERS];
        peers_of(baseline_feature(g->baseline[i], 0), s.profile, peers);
        uint32_t at = w < QUIET ? NEVER : w - QUIET + 1;
        for (int p = 0; p < PEERS; p++)
            if (peers[p] > g->line[p] && at < delay[p])
                delay[p] = at;
        for (int k = 0; k < 3; k++)
            if (table_alarms(j[k], now) > 0 && at < delay[COLUMN_EQUAL + k])
                delay[COLUMN_EQUAL + k] = at;
    }
    for (int k = 0; k < 3; k++)
        judge_close(j[k]);
}

struct outcome {
    double median; // of the delay; infinite when less than half are found
    double found;  // share
};

static int rising(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct outcome outcome_of(uint32_t *delay, uint32_t trials)
{
    uint32_t found = 0;
    qsort(delay, trials, sizeof *delay, rising);
    for (uint32_t t = 0; t < trials; t++)
        found += delay[t] < NEVER;
    double median = delay[(trials - 1) / 2];
    return (struct outcome){median < NEVER ? median : INFINITY, found / (double)trials};
}

static void print_outcome(struct outcome o)
{
    if (isinf(o.median))
        printf(" - (%.0f) |", 100 * o.found);
    else if (o.found < 0.995)
        printf(" %.0f (%.0f) |", o.median, 100 * o.found);
    else
        printf(" %.0f |", o.median);
}

// No worse: found as often within noise, and the median not later.
static bool is_no_worse(struct outcome a, struct outcome b)
{
    if (a.found < b.found - 0.1)
        return false;
    return a.median <= b.median || a.found > b.found + 0.1;
}

static bool is_better(struct outcome a, struct outcome b)
{
    return a.found > b.found + 0.1 || (a.found >= b.found - 0.1 && a.median < b.median);
}

struct score {
    uint32_t cells, no_worse, named, named_no_worse, season, season_better;
};

static void run_shape(const struct ground *g, enum sim_null null, enum sim_shape shape,
                      uint32_t rows, uint32_t trials, struct score *score)
{
    uint32_t *delay = mem_zero((size_t)COLUMNS * trials, sizeof *delay);
    struct outcome o[COLUMNS];
    assert(delay);
    for (uint32_t t = 0; t < trials; t++) {
        uint32_t one[COLUMNS];
        run_trial(g, t % g->streams, 100 + t, shape, one);
        for (int c = 0; c < COLUMNS; c++)
            delay[(size_t)c * trials + t] = one[c];
    }
    printf("| %s %u, %s |", sim_nulls[null], rows, sim_shapes[shape].name);
    struct outcome best = {INFINITY, 0};
    for (int c = 0; c < COLUMNS; c++) {
        o[c] = outcome_of(delay + (size_t)c * trials, trials);
        if (c < PEERS && is_better(o[c], best))
            best = o[c];
        print_outcome(o[c]);
    }
    bool good = is_no_worse(o[COLUMN_EQUAL], best);
    bool ahead = is_better(o[COLUMN_EQUAL], best);
    printf(" %s |\n", ahead ? "better" : good ? "equal" : "worse");
    fflush(stdout);
    score->cells++;
    score->no_worse += good;
    score->named += !sim_shapes[shape].is_extra;
    score->named_no_worse += !sim_shapes[shape].is_extra && good;
    bool has_room = !(best.median <= 1 && best.found > 0.99);
    score->season += null == SIM_SEASON && has_room;
    score->season_better += null == SIM_SEASON && has_room && ahead;
    mem_free(delay);
}

void table_power(const struct effort *e)
{
    uint32_t streams = effort_of(e, STREAMS_MAX, 4), trials = effort_of(e, 36, 12);
    struct score score = {0};
    printf(
        "## Delay in windows: median (per cent found within %d)\n\n"
        "Peers at the line that gives them one false alarm in 1000 windows of the same "
        "null, which no user has;\nKedge at its level for the same (equal), and at 1e3 "
        "and 1e4. %u trials a row.\n\n| null n, drift |",
        HORIZON, trials);
    for (int p = 0; p < PEERS; p++)
        printf(" %s |", peer_names[p]);
    printf(" Kedge equal | 1e3 | 1e4 | equal against the best peer |\n|---|");
    for (int c = 0; c < COLUMNS + 1; c++)
        printf("---|");
    printf("\n");
    for (int null = 0; null < SIM_NULLS; null++)
        for (size_t k = 0; k < SIZES; k++)
            for (int kind = 0; kind < SIM_KINDS; kind++) {
                struct ground g;
                ground_open(&g, (enum sim_null)null, (enum sim_kind)kind, sizes[k],
                            streams);
                for (int shape = 0; shape < SIM_SHAPES; shape++)
                    if (sim_shapes[shape].kind == (enum sim_kind)kind)
                        run_shape(&g, (enum sim_null)null, (enum sim_shape)shape,
                                  sizes[k], trials, &score);
                ground_close(&g);
            }
    printf("\nNo worse than the best peer in %u of %u cells (%.0f %%), of the twelve "
           "shapes "
           "that the goal names in %u of %u (%.0f %%).\nUnder season strictly better "
           "in %u "
           "of the %u cells where the best peer needs more than a window.\n\n",
           score.no_worse, score.cells, 100.0 * score.no_worse / score.cells,
           score.named_no_worse, score.named,
           100.0 * score.named_no_worse / score.named, score.season_better,
           score.season);
}
