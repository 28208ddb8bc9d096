// Sealed: what builder and judge both read from a profile.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/sealed.h"

#include <math.h>

#define PAIRS_MIN 6 // fewer pairs say nothing about a correlation
#define CORRELATION_MOST 0.9999

enum component_shape sealed_shape(const struct grid *g)
{
    switch (grid_form(g)) {
    case GRID_VALUES:
        return SHAPE_FEW_VALUES;
    case GRID_CATEGORIES:
        return SHAPE_CATEGORICAL;
    default:
        return SHAPE_NUMERIC;
    }
}

bool sealed_counts(const struct profile *p, struct component_counts *out)
{
    uint32_t cells;
    const uint64_t *cell = profile_cells(p, &cells);
    const struct counters *c = profile_counters(p);
    if (cells == 0 || cells > COMPONENT_CELLS_MAX)
        return false;
    uint64_t valid = counters_valid(c);
    *out =
        (struct component_counts){cell, cells, c->rows > valid ? c->rows - valid : 0};
    return true;
}

bool sealed_contribution(const struct profile *p, double *out, double *variance)
{
    const struct comoments *c = profile_comoments(p);
    if (c->n < PAIRS_MIN || !(c->m2_x.high > 0) || !(c->m2_y.high > 0))
        return false;
    double r = comoments_correlation(c);
    *out = atanh(fmin(fmax(r, -CORRELATION_MOST), CORRELATION_MOST));
    *variance = 1 / ((double)c->n - 3);
    return isfinite(*out);
}

bool sealed_is_dead(const struct component_counts *c, uint64_t valid)
{
    double all = (double)c->missing + (double)valid;
    return all >= 1 && (double)c->missing >= 0.99 * all;
}

static bool one_cell(const struct profile *p, double *value)
{
    uint32_t cells, held = 0;
    const uint64_t *cell = profile_cells(p, &cells);
    for (uint32_t j = 0; j < cells; j++) {
        if (cell[j] == 0)
            continue;
        held++;
        *value = j;
    }
    return held == 1 && *value + 2 < cells; // `rare` and `unseen` are many values
}

bool sealed_is_constant(const struct profile *p, double *value)
{
    if (profile_kind(p) == PROFILE_CATEGORICAL)
        return one_cell(p, value);
    const struct moments *m = profile_moments(p);
    *value = m->min;
    return m->n > 0 && m->min == m->max;
}

static double heaviest_share(const struct component_counts *c)
{
    double sum = 0, most = 0;
    for (uint32_t j = 0; j < c->cells; j++) {
        sum += (double)c->cell[j];
        most = fmax(most, (double)c->cell[j]);
    }
    return sum > 0 ? most / sum : 0;
}

enum status sealed_derive(struct baseline_feature *f, double tail_share)
{
    struct component_counts counts;
    f->has_scores = false;
    if (!f->grid)
        return ST_OK;
    if (!sealed_counts(f->total, &counts) || counts.cells != grid_cells(f->grid) ||
        profile_grid_id(f->total) != grid_id(f->grid))
        return ST_CORRUPT;
    if (component_scores_init(sealed_shape(f->grid), &counts, &f->scores) != ST_OK)
        return ST_CORRUPT;
    if (tail_share >= 0)
        component_set_tail(&f->scores, tail_share);
    f->heaviest = heaviest_share(&counts);
    f->has_scores = true;
    return ST_OK;
}
