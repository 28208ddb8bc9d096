// Component: see the header. The order of every sum is part of the contract: it decides
// the last bits of a verdict.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/component.h"

#include <math.h>
#include <string.h>

// Group masses at which the walk closes a group, and the least worth its own.
#define GROUP_MASS 0.075
#define GROUP_MASS_CATEGORICAL 0.04
#define GROUP_REMAINDER 0.03
#define NORM_LEAST 1e-6
#define ROWS_MAX 9007199254740992.0 // 2^53: counts stay exact as doubles

struct component_row {
    const char *name;
    double variance;  // times 1/n
    double tolerance; // step of a share where the component is one
    double gate;
    bool is_share;
    bool categorical; // whether a categorical feature has it
};

static const struct component_row table[COMPONENT_COUNT] = {
    [COMPONENT_LOC] = {"location", 1.0, 0.10, 0.20, false, false},
    [COMPONENT_SCALE] = {"scale", 1.0, 0.10, 0.20, false, false},
    [COMPONENT_TAIL] = {"tail", 0.25, 0.003, 0.008, true, true},
    [COMPONENT_DIST] = {"distance", 0.5, 0.10, 0.20, false, true},
    [COMPONENT_MISSING] = {"missing", 0.25, 0.01, 0.02, true, true},
};

static bool is_tail(const struct component_scores *s, uint32_t cell)
{
    if (!s->has_tail)
        return false;
    return cell + 1 == s->cells || (s->shape == SHAPE_NUMERIC && cell == 0);
}

// Whether the cell has a place in the order of values.
static bool is_ranked(const struct component_scores *s, uint32_t cell)
{
    return s->shape == SHAPE_NUMERIC ||
           (s->shape == SHAPE_FEW_VALUES && cell + 1 < s->cells);
}

static double dot(const struct component_scores *s, const double *pi, const double *f,
                  const double *g)
{
    double sum = 0;
    for (uint32_t j = 0; j < s->cells; j++)
        if (is_ranked(s, j))
            sum += pi[j] * f[j] * g[j];
    return sum;
}

// Takes `unit`'s direction out of f.
static void take_out(const struct component_scores *s, const double *pi, double *f,
                     const double *unit)
{
    double along = dot(s, pi, f, unit);
    for (uint32_t j = 0; j < s->cells; j++)
        f[j] -= along * unit[j];
}

// Scales f to length 1; false, and all zero, when there is nothing left of it.
static bool make_unit(const struct component_scores *s, const double *pi, double *f)
{
    double norm = sqrt(dot(s, pi, f, f));
    bool good = norm >= NORM_LEAST;
    for (uint32_t j = 0; j < s->cells; j++)
        f[j] = good && is_ranked(s, j) ? f[j] / norm : 0;
    return good;
}

// Neyman's first two smooth components over the baseline's mid-ranks.
static void score_ranks(struct component_scores *s, const double *pi)
{
    double one[COMPONENT_CELLS_MAX], loc[COMPONENT_CELLS_MAX],
        scale[COMPONENT_CELLS_MAX];
    double below = 0;
    for (uint32_t j = 0; j < s->cells; j++) {
        double u = below + pi[j] / 2;
        below += pi[j];
        one[j] = 1;
        loc[j] = u;
        scale[j] = (u - 0.5) * (u - 0.5);
    }
    bool any = make_unit(s, pi, one);
    take_out(s, pi, loc, one);
    s->has_loc = any && make_unit(s, pi, loc);
    if (s->has_loc) {
        take_out(s, pi, scale, one);
        take_out(s, pi, scale, loc);
        s->has_scale = make_unit(s, pi, scale);
    }
    for (uint32_t j = 0; j < s->cells; j++) {
        s->loc[j] = s->has_loc ? (float)loc[j] : 0;
        s->scale[j] = s->has_scale ? (float)scale[j] : 0;
    }
}

// The order of the walk: as the cells lie, or by falling mass for categories.
static void order_cells(const struct component_scores *s, const double *pi,
                        uint8_t *order)
{
    for (uint32_t j = 0; j < s->cells; j++) {
        uint32_t at = j;
        while (s->shape == SHAPE_CATEGORICAL && at > 0 && pi[order[at - 1]] < pi[j]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint8_t)j;
    }
}

static void merge_cells(struct component_scores *s, const double *pi)
{
    double close_at =
        s->shape == SHAPE_CATEGORICAL ? GROUP_MASS_CATEGORICAL : GROUP_MASS;
    uint8_t order[COMPONENT_CELLS_MAX];
    double share[COMPONENT_CELLS_MAX] = {0};
    uint32_t group = 0;
    order_cells(s, pi, order);
    for (uint32_t i = 0; i < s->cells; i++) {
        s->group[order[i]] = (uint8_t)group;
        share[group] += pi[order[i]];
        if (share[group] >= close_at && i + 1 < s->cells)
            group++;
    }
    if (group > 0 && share[group] < GROUP_REMAINDER) {
        for (uint32_t j = 0; j < s->cells; j++)
            if (s->group[j] == group)
                s->group[j] = (uint8_t)(group - 1);
        share[group - 1] += share[group];
        group--;
    }
    s->groups = group + 1;
    for (uint32_t g = 0; g < s->groups; g++) {
        s->share[g] = (float)share[g];
        s->per_share[g] = (float)(1 / share[g]);
    }
    for (uint32_t j = 0; j < s->cells; j++)
        s->group_end[s->group[j]] = (uint8_t)(j + 1);
}

enum status component_scores_init(enum component_shape shape,
                                  const struct component_counts *baseline,
                                  struct component_scores *out)
{
    uint32_t k = baseline->cells;
    if (k == 0 || k > COMPONENT_CELLS_MAX || shape >= SHAPE_COUNT)
        return ST_RANGE;
    double n = 0;
    for (uint32_t j = 0; j < k; j++)
        n += (double)baseline->cell[j];
    double all = n + (double)baseline->missing;
    if (!(all < ROWS_MAX))
        return ST_RANGE;

    struct component_scores s = {.cells = k, .shape = (uint8_t)shape, .rows = n};
    s.has_tail = shape == SHAPE_NUMERIC ? k >= 3 : k >= 2;
    double pi[COMPONENT_CELLS_MAX];
    double tail = 0;
    for (uint32_t j = 0; j < k; j++) {
        pi[j] = ((double)baseline->cell[j] + 0.5) / (n + 0.5 * k);
        tail += is_tail(&s, j) ? pi[j] : 0;
    }
    s.tail_share = fmax(tail, 0.5 / (n + 1));
    s.missing_share = fmax((double)baseline->missing / fmax(all, 1), 0.5 / (all + 1));
    score_ranks(&s, pi);
    merge_cells(&s, pi);
    s.bias = fmax(s.groups - 1.5, 0.5);
    *out = s;
    return ST_OK;
}

void component_set_tail(struct component_scores *scores, double share)
{
    scores->tail_share = fmin(fmax(share, 0.5 / (scores->rows + 1)), 1);
}

// asin sqrt a - asin sqrt b with one asin: sin(x - y) = sin x cos y - cos x sin y.
static double arcsine_between(double a, double b)
{
    return asin(sqrt(a * (1 - b)) - sqrt(b * (1 - a)));
}

// The variance-stabilised share of `hits` in n rows, less what `share` predicts.
static double arcsine_gap(double hits, double n, double share)
{
    double per = 1 / (n + 0.75);
    return arcsine_between((hits + 0.375) * per, (n * share + 0.375) * per);
}

static double clip(double v)
{
    if (!(v > -COMPONENT_LIMIT))
        return isnan(v) ? 0 : -COMPONENT_LIMIT;
    return v < COMPONENT_LIMIT ? v : COMPONENT_LIMIT;
}

// Distance over the merged cells, less what chance alone would show.
static double group_distance(const struct component_scores *s, const uint64_t *hits,
                             double n)
{
    double sum = 0, per = 1 / n;
    for (uint32_t g = 0; g < s->groups; g++) {
        double gap = (double)(int64_t)hits[g] * per - (double)s->share[g];
        sum += gap * gap * (double)s->per_share[g];
    }
    return sqrt(sum) - sqrt(s->bias * (per + 1 / (s->rows > 1 ? s->rows : 1)));
}

// Rows of each group, in integers: as runs of cells where they are runs.
static void count_groups(const struct component_scores *s, const uint64_t *cell,
                         uint64_t *hits)
{
    if (s->shape == SHAPE_CATEGORICAL) {
        for (uint32_t g = 0; g < s->groups; g++)
            hits[g] = 0;
        for (uint32_t j = 0; j < s->cells; j++)
            hits[s->group[j]] += cell[j];
        return;
    }
    for (uint32_t g = 0, j = 0; g < s->groups; g++) {
        uint64_t sum = 0;
        for (; j < s->group_end[g]; j++)
            sum += cell[j];
        hits[g] = sum;
    }
}

// Two lanes of the 128-bit registers that every machine of ours has.
typedef double pair __attribute__((vector_size(16)));
typedef uint64_t pair_u64 __attribute__((vector_size(16)));

// Counts below 2^52 as doubles: they are the mantissa of a double of that exponent.
static pair counts_at(const uint64_t *cell)
{
    const pair_u64 exponent = {0x4330000000000000, 0x4330000000000000};
    const pair_u64 mantissa = {0x000fffffffffffff, 0x000fffffffffffff};
    const pair base = {0x1p52, 0x1p52};
    pair_u64 v;
    memcpy(&v, cell, sizeof v);
    return (pair)((v & mantissa) | exponent) - base;
}

static pair scores_at(const float *score)
{
    return (pair){(double)score[0], (double)score[1]};
}

// Sums of count x score in four interleaved lanes, so that an addition need not wait
// for the one before it: the order of the additions is part of the result.
static void weigh(const struct component_scores *s, const uint64_t *cell, double *loc,
                  double *scale)
{
    pair a[2] = {{0, 0}, {0, 0}}, b[2] = {{0, 0}, {0, 0}};
    uint32_t j = 0;
    for (; j + 3 < s->cells; j += 4) {
        pair first = counts_at(cell + j), second = counts_at(cell + j + 2);
        a[0] += first * scores_at(s->loc + j);
        b[0] += first * scores_at(s->scale + j);
        a[1] += second * scores_at(s->loc + j + 2);
        b[1] += second * scores_at(s->scale + j + 2);
    }
    a[0] += a[1];
    b[0] += b[1];
    *loc = a[0][0] + a[0][1];
    *scale = b[0][0] + b[0][1];
    for (; j < s->cells; j++) {
        *loc += (double)cell[j] * (double)s->loc[j];
        *scale += (double)cell[j] * (double)s->scale[j];
    }
}

void component_of(const struct component_scores *scores,
                  const struct component_counts *window, struct component_values *out)
{
    const struct component_scores *s = scores;
    uint64_t hits[COMPONENT_GROUPS_MAX], rows_seen = 0;
    count_groups(s, window->cell, hits);
    for (uint32_t g = 0; g < s->groups; g++)
        rows_seen += hits[g];
    double n = (double)(int64_t)(rows_seen & INT64_MAX),
           all = n + (double)window->missing;

    *out = (struct component_values){.rows = n, .all_rows = all};
    if (all >= 1)
        out->value[COMPONENT_MISSING] =
            clip(arcsine_gap((double)window->missing, all, s->missing_share));
    if (n < 1)
        return;
    if (s->has_loc) {
        double loc, scale;
        weigh(s, window->cell, &loc, &scale);
        out->value[COMPONENT_LOC] = clip(loc / n);
        out->value[COMPONENT_SCALE] = clip(scale / n);
    }
    if (s->has_tail) {
        uint64_t tail = window->cell[s->cells - 1];
        tail += s->shape == SHAPE_NUMERIC ? window->cell[0] : 0;
        out->value[COMPONENT_TAIL] = clip(arcsine_gap((double)tail, n, s->tail_share));
    }
    if (s->groups > 1)
        out->value[COMPONENT_DIST] = clip(group_distance(s, hits, n));
}

double component_variance(enum component c)
{
    return table[c].variance;
}

bool component_exists(const struct component_scores *scores, enum component c)
{
    switch (c) {
    case COMPONENT_LOC:
        return scores->has_loc;
    case COMPONENT_SCALE:
        return scores->has_scale;
    case COMPONENT_TAIL:
        return scores->has_tail;
    case COMPONENT_DIST:
        return scores->groups > 1;
    default:
        return true;
    }
}

static double base_share(const struct component_scores *scores, enum component c)
{
    return c == COMPONENT_TAIL ? scores->tail_share : scores->missing_share;
}

double component_tolerance(const struct component_scores *scores, enum component c)
{
    if (!table[c].is_share)
        return table[c].tolerance;
    return component_arcsine_step(base_share(scores, c), table[c].tolerance);
}

double component_gate(const struct component_scores *scores, enum component c)
{
    if (!table[c].is_share)
        return table[c].gate;
    return component_arcsine_step(base_share(scores, c), table[c].gate);
}

double component_arcsine_step(double share, double step)
{
    return asin(sqrt(fmin(1, share + step))) - asin(sqrt(share));
}

const char *component_name(enum component c)
{
    return c < COMPONENT_COUNT ? table[c].name : "unknown";
}
