// Integrity: each rule reads exact counters, none of them a sketch.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/integrity.h"

#define MISSING_STEP 0.20 // points of missing share that are gross
#define HEAVY 0.50        // a baseline value this heavy may fill a window by chance

static double missing_share(const struct component_counts *c, uint64_t valid)
{
    double all = (double)c->missing + (double)valid;
    return all > 0 ? (double)c->missing / all : 0;
}

static bool is_mostly_missing(const struct baseline_feature *f,
                              const struct component_counts *c, uint64_t valid,
                              uint64_t rows_min)
{
    if (c->missing + valid < rows_min)
        return false;
    return missing_share(c, valid) >= f->scores.missing_share + MISSING_STEP;
}

// No row where the reference had any.
static bool is_out_of_range(const struct baseline_feature *f, const struct profile *p,
                            const struct component_counts *c, uint64_t valid,
                            uint64_t rows_min)
{
    if (valid < rows_min || !f->scores.has_tail || f->scores.tail_share > HEAVY)
        return false;
    if (f->scores.shape != SHAPE_NUMERIC)
        return c->cell[c->cells - 1] == valid;
    const struct counters *k = profile_counters(p);
    return k->below + k->above == valid;
}

static uint32_t rule_run(uint32_t longest)
{
    uint64_t run = (uint64_t)INTEGRITY_RUN_FACTOR * longest + 1;
    if (run < INTEGRITY_RUN_MIN)
        return INTEGRITY_RUN_MIN;
    return run < UINT32_MAX ? (uint32_t)run : UINT32_MAX;
}

static uint32_t one_more(uint32_t run)
{
    return run < UINT32_MAX ? run + 1 : run;
}

static void count_runs(const struct profile *p, const struct component_counts *c,
                       uint64_t valid, struct subject_state *state)
{
    state->dead_run = sealed_is_dead(c, valid) ? one_more(state->dead_run) : 0;
    if (valid == 0)
        return; // nothing was held, neither this value nor another one
    double held = 0;
    bool constant = sealed_is_constant(p, &held);
    bool same = constant && state->stuck_run > 0 && (float)held == state->held;
    state->stuck_run = same ? one_more(state->stuck_run) : constant ? 1 : 0;
    state->held = (float)held;
}

uint8_t integrity_add(const struct baseline_feature *f, uint32_t reference_windows,
                      const struct profile *p, const struct component_counts *c,
                      struct subject_state *state)
{
    uint64_t valid = counters_valid(profile_counters(p));
    uint8_t gross = 0;
    count_runs(p, c, valid, state);
    if (is_mostly_missing(f, c, valid, INTEGRITY_ROWS_MIN))
        gross |= GROSS_MISSING;
    if (is_out_of_range(f, p, c, valid, INTEGRITY_ROWS_MIN))
        gross |= GROSS_RANGE;
    if (f->stuck_run < reference_windows && state->stuck_run >= rule_run(f->stuck_run))
        gross |= GROSS_STUCK;
    if (f->dead_run < reference_windows && state->dead_run >= rule_run(f->dead_run))
        gross |= GROSS_DEAD;
    return gross;
}

uint8_t integrity_flash(const struct baseline_feature *f, const struct profile *p,
                        const struct component_counts *c)
{
    uint64_t valid = counters_valid(profile_counters(p));
    uint8_t gross = 0;
    double held;
    if (is_mostly_missing(f, c, valid, INTEGRITY_FLASH_ROWS))
        gross |= GROSS_MISSING;
    if (is_out_of_range(f, p, c, valid, INTEGRITY_FLASH_ROWS))
        gross |= GROSS_RANGE;
    if (valid >= INTEGRITY_FLASH_ROWS && f->heaviest < HEAVY &&
        sealed_is_constant(p, &held))
        gross |= GROSS_STUCK;
    return gross;
}

uint32_t integrity_reasons(uint8_t gross)
{
    uint32_t n = 0;
    for (uint8_t bit = GROSS_MISSING; bit <= GROSS_DEAD; bit = (uint8_t)(bit << 1))
        n += (gross & bit) != 0;
    return n;
}
