// Nulls: nothing drifts; whoever speaks is wrong.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/bench/detection/tables.h"

#define LEVELS 3

static const uint32_t sizes[] = {20, 100, 1000, 10000};
static const double levels[LEVELS] = {10, 1e3, 1e4};

uint32_t effort_of(const struct effort *e, uint32_t full, uint32_t least)
{
    uint32_t n = (uint32_t)(full * e->share + 0.5);
    return n < least ? least : n > full ? full : n;
}

struct judge *table_judge(const struct baseline *b, double warn, double page)
{
    struct judge_settings s = judge_defaults();
    struct judge *j;
    s.warn_feature = warn;
    s.warn_model = 1;
    s.page_model = page;
    assert(judge_open(b, &s, &j) == ST_OK);
    return j;
}

uint32_t table_alarms(struct judge *j, const struct drift_window *w)
{
    static struct judgement got;
    uint32_t n = 0;
    assert(judge_window(j, w, &got) == ST_OK);
    for (uint32_t i = 0; i < got.alarms; i++) {
        const struct alarm *a = &got.alarm[i];
        bool is_new = a->kind == ALARM_OPEN || a->kind == ALARM_FURTHER;
        n += is_new && a->signal < SIGNAL_DEAD; // runs have no level to be held to
    }
    return n;
}

struct cell {
    double windows;
    double peer[PEER_RULES];
    double kedge[LEVELS];
};

static void run_stream(uint64_t seed, enum sim_null null, uint32_t rows,
                       uint32_t windows, struct cell *out)
{
    struct sim *s = mem_zero(1, sizeof *s);
    struct judge *j[LEVELS];
    assert(s);
    struct baseline *b = sim_learn(s, seed, null, SIM_NORMAL, rows);
    for (int l = 0; l < LEVELS; l++)
        j[l] = table_judge(b, levels[l], 0);
    for (uint32_t w = 0; w < windows; w++) {
        double peers[PEERS];
        const struct drift_window *now = sim_next(s);
        peers_of(baseline_feature(b, 0), s->profile, peers);
        for (int r = 0; r < PEER_RULES; r++)
            out->peer[r] += peers[peer_rules[r].peer] > peer_rules[r].line;
        for (int l = 0; l < LEVELS; l++)
            out->kedge[l] += table_alarms(j[l], now);
        out->windows++;
    }
    for (int l = 0; l < LEVELS; l++)
        judge_close(j[l]);
    baseline_close(b);
    sim_close(s);
    mem_free(s);
}

void table_nulls(const struct effort *e)
{
    uint32_t streams = effort_of(e, 20, 3);
    printf(
        "## False alarms per 1000 windows, nothing drifts (%u streams x 1500 windows a "
        "row)\n\n| null, n |",
        streams);
    for (int r = 0; r < PEER_RULES; r++)
        printf(" %s |", peer_rules[r].name);
    printf(" Kedge 10 | Kedge 1e3 | Kedge 1e4 |\n|---|");
    for (int r = 0; r < PEER_RULES + LEVELS; r++)
        printf("---|");
    printf("\n");
    for (int null = 0; null < SIM_NULLS; null++) {
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            struct cell c = {.windows = 0};
            for (uint32_t i = 0; i < streams; i++)
                run_stream(1000 + i, (enum sim_null)null, sizes[k], 1500, &c);
            printf("| %s %u |", sim_nulls[null], sizes[k]);
            for (int r = 0; r < PEER_RULES; r++)
                printf(" %.3g |", 1000 * c.peer[r] / c.windows);
            for (int l = 0; l < LEVELS; l++)
                printf(" %.2f |", 1000 * c.kedge[l] / c.windows);
            printf("\n");
            fflush(stdout);
        }
    }
    printf("\n");
}
