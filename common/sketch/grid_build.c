// Grid: choosing the edges from weighted values, and the cells from categories.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sketch/grid_inner.h"
#include "common/sketch/quantile.h"

#define ATOM_SHARE 0.01

// The detector's ranks: close together in the tails, where it must see small shares.
static const double detector_rank[] = {
    .001, .005, .01, .02, .05, .10, .15, .20, .25, .30, .35, .40,  .45,  .50,
    .55,  .60,  .65, .70, .75, .80, .85, .90, .95, .98, .99, .995, .999,
};

#define DETECTOR_RANKS (sizeof detector_rank / sizeof *detector_rank)

// Distinct values, ascending, with the weight of all up to and including each.
struct curve {
    enum grid_width width;
    double *value;
    double *upto;
    size_t n;
};

struct edges {
    double at[GRID_EDGES_MAX]; // ascending
    size_t n;
};

static double total_of(const struct curve *c)
{
    return c->upto[c->n - 1];
}

static double weight_of(const struct curve *c, size_t i)
{
    return c->upto[i] - (i ? c->upto[i - 1] : 0);
}

// The first i with c->upto[i] >= weight.
static size_t reach(const struct curve *c, double weight)
{
    size_t low = 0, high = c->n - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->upto[middle] >= weight)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// How many values are <= x.
static size_t rank_of(const struct curve *c, double x)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->value[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Where x stands or belongs.
static size_t place_of(const struct edges *e, double x)
{
    size_t i = 0;
    while (i < e->n && e->at[i] < x)
        i++;
    return i;
}

static bool has_edge(const struct edges *e, double x)
{
    size_t i = place_of(e, x);
    return i < e->n && e->at[i] == x;
}

static void add_edge(struct edges *e, double x)
{
    if (has_edge(e, x) || e->n == GRID_EDGES_MAX)
        return;
    size_t i = place_of(e, x);
    memmove(e->at + i + 1, e->at + i, (e->n - i) * sizeof *e->at);
    e->at[i] = x;
    e->n++;
}

// The largest number of this width below x; may be -inf.
static double number_below(enum grid_width width, double x)
{
    return width == GRID_F32 ? (double)nextafterf((float)x, -INFINITY)
                             : nextafter(x, -INFINITY);
}

static void add_detector_edges(const struct curve *c, struct edges *e)
{
    for (size_t i = 0; i < DETECTOR_RANKS; i++)
        add_edge(e, c->value[reach(c, detector_rank[i] * total_of(c))]);
}

// Both edges of the atom's own cell, or none when there is no room for them.
static void add_atom(enum grid_width width, double atom, struct edges *e)
{
    double below = number_below(width, atom);
    bool needs_below = isfinite(below) && !has_edge(e, below);
    size_t needed = (size_t)needs_below + !has_edge(e, atom);
    if (e->n + needed > GRID_EDGES_MAX)
        return;
    if (needs_below)
        add_edge(e, below);
    add_edge(e, atom);
}

static void add_atoms(const struct curve *c, struct edges *e)
{
    // At most 100 values can hold 1 % each; take the heaviest that is left, again and
    // again, the smaller value first where two weigh the same.
    double least = ATOM_SHARE * total_of(c), before = INFINITY;
    size_t after = 0; // among those that weigh as much as `before`
    for (;;) {
        size_t best = c->n;
        for (size_t i = 0; i < c->n; i++) {
            double w = weight_of(c, i);
            bool is_left = w < before || (w == before && i > after);
            if (w >= least && is_left && (best == c->n || w > weight_of(c, best)))
                best = i;
        }
        if (best == c->n)
            return;
        add_atom(c->width, c->value[best], e);
        before = weight_of(c, best);
        after = best;
    }
}

// The values [*first, *end) of cell j.
static void values_of_cell(const struct curve *c, const struct edges *e, size_t j,
                           size_t *first, size_t *end)
{
    *first = j > 0 ? rank_of(c, e->at[j - 1]) : 0;
    *end = j < e->n ? rank_of(c, e->at[j]) : c->n;
}

// Halves the heaviest cell that has two values or more; false when there is none. Each
// call that is true has added an edge, so that calls come to an end.
static bool halve_heaviest(const struct curve *c, struct edges *e)
{
    double heaviest = 0;
    size_t best_first = 0, best_end = 0;
    for (size_t j = 0; j <= e->n; j++) {
        size_t first, end;
        values_of_cell(c, e, j, &first, &end);
        if (end < first + 2)
            continue;
        double w = c->upto[end - 1] - (first ? c->upto[first - 1] : 0);
        if (w > heaviest) {
            heaviest = w;
            best_first = first;
            best_end = end;
        }
    }
    if (heaviest == 0)
        return false;
    double before = best_first ? c->upto[best_first - 1] : 0;
    size_t middle = reach(c, before + heaviest / 2);
    if (middle > best_end - 2) // the last value of a cell cannot split it
        middle = best_end - 2;
    if (middle < best_first)
        middle = best_first;
    size_t had = e->n;
    add_edge(e, c->value[middle]);
    return e->n > had;
}

static enum status grid_of_curve(const struct curve *c, struct grid **out)
{
    double min = c->value[0], max = c->value[c->n - 1];
    if (c->n <= GRID_EDGES_MAX)
        return grid_make(GRID_VALUES, c->width, c->value, c->n, min, max, out);
    struct edges e = {.n = 0};
    add_detector_edges(c, &e);
    add_atoms(c, &e);
    while (e.n < GRID_EDGES_MAX && halve_heaviest(c, &e))
        continue;
    return grid_make(GRID_EDGES, c->width, e.at, e.n, min, max, out);
}

static int compare_points(const void *a, const void *b)
{
    struct grid_point x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x.value > y.value) - (x.value < y.value);
}

static bool is_number(enum grid_width width, double v)
{
    return isfinite(v) && (width == GRID_F64 || (double)(float)v == v);
}

// Sorts the points and joins equal ones.
static void curve_fill(struct curve *c, struct grid_point *point, size_t n)
{
    double upto = 0;
    qsort(point, n, sizeof *point, compare_points);
    for (size_t i = 0; i < n; i++) {
        upto += point[i].weight;
        if (c->n == 0 || point[i].value > c->value[c->n - 1])
            c->value[c->n++] = point[i].value;
        c->upto[c->n - 1] = upto;
    }
}

// Takes over `point` for sorting.
static enum status grid_of_sorted(enum grid_width width, struct grid_point *point,
                                  size_t n, struct grid **out)
{
    for (size_t i = 0; i < n; i++) {
        double w = point[i].weight;
        if (!is_number(width, point[i].value) || !(w > 0) || !isfinite(w))
            return ST_RANGE;
    }
    if (n == 0 || (width != GRID_F32 && width != GRID_F64))
        return ST_RANGE;
    struct curve c = {.width = width};
    enum status st = ST_NOMEM;
    c.value = mem_zero(n, sizeof *c.value);
    c.upto = mem_zero(n, sizeof *c.upto);
    if (c.value && c.upto) {
        curve_fill(&c, point, n);
        st = isfinite(total_of(&c)) ? grid_of_curve(&c, out) : ST_RANGE;
    }
    mem_free(c.value);
    mem_free(c.upto);
    return st;
}

enum status grid_of_points(enum grid_width width, const struct grid_point *point,
                           size_t n, struct grid **out)
{
    struct grid_point *copy = mem_zero(n, sizeof *copy);
    if (!copy)
        return ST_NOMEM;
    if (n)
        memcpy(copy, point, n * sizeof *copy);
    enum status st = grid_of_sorted(width, copy, n, out);
    mem_free(copy);
    return st;
}

enum status grid_of_rows(enum grid_width width, const double *row, size_t n,
                         struct grid **out)
{
    struct grid_point *point = mem_zero(n, sizeof *point);
    if (!point)
        return ST_NOMEM;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(row[i]))
            point[kept++] = (struct grid_point){row[i], 1};
    enum status st = grid_of_sorted(width, point, kept, out);
    mem_free(point);
    return st;
}

static const struct grid_point *find_atom(const struct grid_point *atom, size_t n,
                                          double value)
{
    for (size_t i = 0; i < n; i++)
        if (atom[i].value == value)
            return &atom[i];
    return NULL;
}

// The sketch's items but for atoms, then the atoms, then the ends, which the sketch
// knows exactly and need not have among its items.
static size_t points_of_view(const struct quantile_view *v, const struct quantile *q,
                             const struct grid_point *atom, size_t n_atoms,
                             struct grid_point *point)
{
    size_t n = 0;
    uint64_t before = 0;
    double end[2] = {quantile_min(q), quantile_max(q)};
    bool has_end[2] = {false, false};
    for (size_t i = 0; i < quantile_view_len(v); i++) {
        double value = quantile_view_item(v, i);
        double weight = (double)(quantile_view_weight(v, i) - before);
        before = quantile_view_weight(v, i);
        if (find_atom(atom, n_atoms, value) || !isfinite(value))
            continue;
        has_end[0] = has_end[0] || value == end[0];
        has_end[1] = has_end[1] || value == end[1];
        point[n++] = (struct grid_point){value, weight};
    }
    for (size_t i = 0; i < n_atoms; i++)
        point[n++] = atom[i];
    for (size_t i = 0; i < 2; i++)
        if (isfinite(end[i]) && !has_end[i] && !find_atom(atom, n_atoms, end[i]))
            point[n++] = (struct grid_point){end[i], 1};
    return n;
}

enum status grid_of_quantile(struct quantile *q, const struct grid_point *atom,
                             size_t n_atoms, struct grid **out)
{
    enum grid_width width = quantile_type_of(q) == QUANTILE_FLOAT ? GRID_F32 : GRID_F64;
    struct quantile_view *view = NULL;
    struct grid_point *point = NULL;
    enum status st = quantile_view_open(quantile_k(q), &view);
    if (st != ST_OK)
        return st;
    st = quantile_view_load(view, q);
    if (st == ST_EMPTY)
        st = ST_OK;
    if (st == ST_OK) {
        point = mem_zero(quantile_view_len(view) + n_atoms + 2, sizeof *point);
        st = point ? ST_OK : ST_NOMEM;
    }
    if (st == ST_OK) {
        size_t n = points_of_view(view, q, atom, n_atoms, point);
        st = grid_of_sorted(width, point, n, out);
    }
    mem_free(point);
    quantile_view_close(view);
    return st;
}

enum status grid_of_edges(enum grid_width width, const double *edge, size_t n,
                          double min, double max, struct grid **out)
{
    if (n < 1 || n > GRID_EDGES_MAX || (width != GRID_F32 && width != GRID_F64))
        return ST_RANGE;
    if (!is_number(width, min) || !is_number(width, max) || min > max)
        return ST_RANGE;
    for (size_t i = 0; i < n; i++)
        if (!is_number(width, edge[i]) || (i > 0 && edge[i] <= edge[i - 1]))
            return ST_RANGE;
    return grid_make(GRID_EDGES, width, edge, n, min, max, out);
}

// Heavy ones first; of two that weigh the same, the smaller hash.
static int compare_categories(const void *a, const void *b)
{
    struct grid_category x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (x.weight != y.weight)
        return x.weight < y.weight ? 1 : -1;
    return (x.hash > y.hash) - (x.hash < y.hash);
}

enum status grid_of_categories(const struct grid_category *category, size_t n,
                               struct grid **out)
{
    struct grid_category *sorted = mem_zero(n, sizeof *sorted);
    uint64_t hash[GRID_KEPT_MAX];
    if (!sorted)
        return ST_NOMEM;
    if (n)
        memcpy(sorted, category, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_categories);
    size_t kept = n < GRID_KEPT_MAX ? n : GRID_KEPT_MAX;
    size_t top = n < GRID_TOP_MAX ? n : GRID_TOP_MAX;
    enum status st = ST_OK;
    for (size_t i = 0; i < kept; i++) {
        hash[i] = sorted[i].hash;
        if (sorted[i].weight == 0)
            st = ST_RANGE;
    }
    mem_free(sorted);
    if (st != ST_OK)
        return st;
    return grid_make_categories(hash, (uint32_t)top, (uint32_t)kept, out);
}
