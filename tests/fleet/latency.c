// Latency: 32 cells for each doubling.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/latency.h"

#define STEPS 32u

static uint32_t cell_of(uint64_t us)
{
    if (us < STEPS)
        return (uint32_t)us;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(us) - 5u;
    uint32_t cell = STEPS + octave * STEPS + (uint32_t)((us >> octave) & (STEPS - 1));
    return cell < LATENCY_CELLS ? cell : LATENCY_CELLS - 1;
}

static double middle_of(uint32_t cell)
{
    if (cell < STEPS)
        return cell;
    uint32_t octave = (cell - STEPS) / STEPS;
    double low = (double)((uint64_t)(STEPS + (cell - STEPS) % STEPS) << octave);
    return low + (double)(UINT64_C(1) << octave) / 2;
}

void latency_add(struct latency *l, uint64_t us)
{
    l->cell[cell_of(us)]++;
    l->n++;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    for (uint32_t i = 0; i < LATENCY_CELLS; i++)
        into->cell[i] += from->cell[i];
    into->n += from->n;
}

double latency_ms(const struct latency *l, double share)
{
    uint64_t rank = (uint64_t)(share * (double)l->n), seen = 0;
    for (uint32_t i = 0; i < LATENCY_CELLS; i++) {
        seen += l->cell[i];
        if (seen > rank)
            return middle_of(i) / 1000;
    }
    return 0;
}
