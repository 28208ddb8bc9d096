// Quantile accuracy: how far ranks are from the truth, over hundreds of seeds a cell.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdbool.h>

#include "common/base/hash.h"
#include "common/sketch/quantile.h"
#include "tests/bench/bench.h"

// A trial feeds one stream to a sketch, or to many that are then merged in a random
// tree, and takes the largest error of a rank over POINTS values. The true ranks are
// counted.
#define POINTS 199
#define TRIALS_MAX 2000
#define SEEDS 400
#define PARTS_MAX 1000
#define N_MAX 10000000u

enum shape { UNIFORM, LOGNORMAL, PARETO, SORTED, REVERSED, SAWTOOTH, TIES };
static const char *const shape_name[] = {"uniform",  "lognormal", "pareto", "sorted",
                                         "reversed", "sawtooth",  "ties"};

struct cell {
    enum quantile_type type;
    enum shape shape;
    uint32_t k;
    uint32_t n;
    uint32_t parts; // 1: no merging
    uint32_t trials;
};

struct outcome {
    double max[TRIALS_MAX];
    double mean[TRIALS_MAX]; // signed
    double squares;
};

static float *stream, *drawn;
static double *wide;
static uint32_t seed_base;

// Longer streams are drawn once a cell. Each trial takes their values in another order,
// so that the true ranks, which take longest, are counted once.
#define FRESH_MAX 100000u
#define BLOCK 89u // values that stay together: no multiple of a tile's lanes

static void must(enum status st)
{
    if (st != ST_OK) {
        fprintf(stderr, "bench: %s\n", status_text(st));
        exit(1);
    }
}

// The ordered shapes are the same in each trial; only coins differ.
static bool is_ordered(enum shape shape)
{
    return shape == SORTED || shape == REVERSED || shape == SAWTOOTH;
}

// A stream of n values.
static void draw(enum shape shape, uint32_t n, struct random *r)
{
    for (uint32_t i = 0; i < n; i++) {
        double v = 0;
        if (shape == UNIFORM)
            v = random_unit(r);
        else if (shape == LOGNORMAL)
            v = exp(random_normal(r));
        else if (shape == PARETO)
            v = pow(1 - random_unit(r), -1 / 1.5);
        else if (shape == SORTED)
            v = i;
        else if (shape == REVERSED)
            v = n - i;
        else if (shape == SAWTOOTH) // as many teeth as a tile has floats
            v = (double)(i % 128) * n + i;
        else
            v = floor(random_unit(r) * 10);
        stream[i] = (float)v;
        wide[i] = (double)stream[i];
    }
}

// The drawn values as a stream, in blocks, whose order and first block are drawn anew.
static void shuffle(uint32_t n, struct random *r)
{
    static uint32_t order[N_MAX / BLOCK + 1];
    uint32_t blocks = n / BLOCK, at = n % BLOCK;
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t j = (uint32_t)(random_u64(r) % (i + 1));
        order[i] = order[j];
        order[j] = i;
    }
    uint32_t head = (uint32_t)(random_u64(r) % (at + 1));
    memcpy(stream, drawn, head * sizeof *stream);
    memcpy(stream + n - (at - head), drawn + head, (at - head) * sizeof *stream);
    for (uint32_t i = 0; i < blocks; i++)
        memcpy(stream + head + (size_t)i * BLOCK, drawn + at + (size_t)order[i] * BLOCK,
               BLOCK * sizeof *stream);
    for (uint32_t i = 0; i < n; i++)
        wide[i] = (double)stream[i];
}

// The stream of a trial; true when its values are other ones than those of the trial
// before.
static bool next_stream(const struct cell *c, uint32_t trial, struct random *r)
{
    if (trial == 0 || (c->n <= FRESH_MAX && !is_ordered(c->shape))) {
        draw(c->shape, c->n, r);
        memcpy(drawn, stream, c->n * sizeof *stream);
        return true;
    }
    if (!is_ordered(c->shape))
        shuffle(c->n, r);
    return false;
}

// The points lie at even steps of the stream itself, some hundred drawn values apart.
static void choose_points(uint32_t n, struct random *r, double *points)
{
    enum { DRAWN = 9999 };
    static double sample[DRAWN];
    for (uint32_t i = 0; i < DRAWN; i++)
        sample[i] = wide[random_u64(r) % n];
    qsort(sample, DRAWN, sizeof sample[0], bench_ascending);
    for (uint32_t i = 0; i < POINTS; i++)
        points[i] = sample[(i + 1) * DRAWN / (POINTS + 1)];
}

// True inclusive ranks of the points, by putting each value below the first point that
// is not less.
static void true_ranks(uint32_t n, const double *points, double *ranks)
{
    uint64_t below[256 + 1] = {0};
    double padded[255];
    for (uint32_t i = 0; i < 255; i++)
        padded[i] = i < POINTS ? points[i] : INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 0;
        for (uint32_t step = 128; step > 0; step /= 2)
            at += wide[i] > padded[at + step - 1] ? step : 0;
        below[at]++;
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < POINTS; i++) {
        sum += below[i];
        ranks[i] = (double)sum / n;
    }
}

static struct quantile *sketch_of(const struct cell *c, uint64_t seed, uint32_t from,
                                  uint32_t n)
{
    struct quantile *q;
    must(quantile_open(c->type, c->k, seed, &q));
    if (c->type == QUANTILE_FLOAT)
        quantile_add_floats(q, stream + from, n);
    else
        quantile_add_doubles(q, wide + from, n);
    return q;
}

// Parts of unlike length, merged two by two in random order until one is left; every
// other merge goes by bytes, as between agent and controller.
static struct quantile *merged(const struct cell *c, struct random *r)
{
    static struct quantile *part[PARTS_MAX];
    uint32_t from = 0, left = c->parts;
    for (uint32_t i = 0; i < c->parts; i++) {
        uint32_t even = (c->n - from) / (c->parts - i);
        uint32_t n = i + 1 == c->parts
                         ? c->n - from
                         : even / 2 + (uint32_t)(random_u64(r) % (even + 1));
        n = n > c->n - from ? c->n - from : n;
        part[i] = sketch_of(c, random_u64(r), from, n);
        from += n;
    }
    struct buf bytes;
    buf_init(&bytes, 1u << 22);
    while (left > 1) {
        uint32_t a = (uint32_t)(random_u64(r) % left),
                 b = (uint32_t)(random_u64(r) % left);
        if (a == b)
            continue;
        if (left & 1) {
            must(quantile_merge(part[a], part[b]));
        } else {
            buf_clear(&bytes);
            must(quantile_serialize(part[b], &bytes));
            must(quantile_merge_bytes(part[a], buf_span(&bytes)));
        }
        quantile_close(part[b]);
        part[b] = part[--left];
    }
    buf_fini(&bytes);
    return part[0];
}

static void run_trial(const struct cell *c, uint32_t trial, struct quantile_view *v,
                      struct outcome *o)
{
    struct random r = {((uint64_t)seed_base << 32) + trial * UINT64_C(7919) + c->n};
    static double points[POINTS], ranks[POINTS];
    if (next_stream(c, trial, &r)) {
        choose_points(c->n, &r, points);
        true_ranks(c->n, points, ranks);
    }
    struct quantile *q =
        c->parts > 1 ? merged(c, &r) : sketch_of(c, random_u64(&r), 0, c->n);
    must(quantile_view_load(v, q));
    o->max[trial] = o->mean[trial] = 0;
    for (uint32_t i = 0; i < POINTS; i++) {
        double error = quantile_view_rank(v, points[i], QUANTILE_INCLUSIVE) - ranks[i];
        o->max[trial] = fabs(error) > o->max[trial] ? fabs(error) : o->max[trial];
        o->mean[trial] += error / POINTS;
        o->squares += error * error / POINTS;
    }
    quantile_close(q);
}

// The mean signed error, in standard errors.
static double bias_of(const struct outcome *o, uint32_t trials)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < trials; i++)
        sum += o->mean[i];
    double mean = sum / trials;
    for (uint32_t i = 0; i < trials; i++)
        squares += (o->mean[i] - mean) * (o->mean[i] - mean);
    double sigma = sqrt(squares / (trials - 1) / trials);
    return sigma > 0 ? mean / sigma : 0;
}

static bool run_cell(const struct cell *c)
{
    static struct outcome o;
    struct quantile_view *v;
    must(quantile_view_open(c->k, &v));
    o.squares = 0;
    for (uint32_t i = 0; i < c->trials; i++)
        run_trial(c, i, v, &o);
    quantile_view_close(v);
    uint32_t beyond = 0;
    for (uint32_t i = 0; i < c->trials; i++)
        beyond += o.max[i] > quantile_rank_error(c->k);
    qsort(o.max, c->trials, sizeof o.max[0], bench_ascending);
    double p99 = o.max[(c->trials * 99 + 99) / 100 - 1];
    double bias = bias_of(&o, c->trials);
    double goal = c->k >= 1000 ? .0025 : .01;
    bool is_good = p99 <= goal && fabs(bias) <= 4 && beyond <= (c->trials + 99) / 100;
    printf("%-6s %5u %-9s %8u %5u %5u  %.3f  %.3f  %.3f  %.3f  %5.1f  %u%s\n",
           c->type == QUANTILE_FLOAT ? "float" : "double", c->k, shape_name[c->shape],
           c->n, c->parts, c->trials, 100 * sqrt(o.squares / c->trials),
           100 * o.max[c->trials / 2], 100 * p99, 100 * o.max[c->trials - 1], bias,
           beyond, is_good ? "" : "  MISSED");
    fflush(stdout);
    return is_good;
}

static bool run_all(enum quantile_type type, uint32_t k, uint32_t n_max)
{
    bool is_good = true;
    for (uint32_t parts = 1; parts <= PARTS_MAX; parts *= PARTS_MAX) {
        for (int shape = UNIFORM; shape <= TIES; shape++) {
            for (uint32_t n = parts > 1 ? 10000 : 1000; n <= n_max; n *= 10) {
                struct cell c = {type, (enum shape)shape, k, n, parts, SEEDS};
                is_good &= run_cell(&c);
            }
        }
    }
    return is_good;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

// No argument: 400 seeds a cell up to n = 1e6. --long: up to 1e7, half an hour. --cell
// TYPE K SHAPE N PARTS SEEDS: that one alone, TYPE and SHAPE as numbers.
int main(int argc, char **argv)
{
    bool is_good = true, is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
    uint32_t n_max = is_long ? N_MAX : N_MAX / 10;
    drawn = malloc(N_MAX * sizeof *drawn);
    stream = malloc(N_MAX * sizeof *stream);
    wide = malloc(N_MAX * sizeof *wide);
    if (!drawn || !stream || !wide)
        return 1;
    bench_print_machine();
    printf("rank errors in %% over %d points\n", POINTS);
    printf("type       k shape            n parts seeds    RMS  medmx  p99mx  worst   "
           "bias/sigma  beyond bound\n");
    if (argc == 8 && strcmp(argv[1], "--cell") == 0) {
        struct cell c = {(enum quantile_type)number(argv[2]),
                         (enum shape)number(argv[4]),
                         number(argv[3]),
                         number(argv[5]),
                         number(argv[6]),
                         number(argv[7])};
        is_good = c.n <= N_MAX && c.parts <= PARTS_MAX && c.trials <= TRIALS_MAX &&
                  run_cell(&c);
    } else {
        is_good &= run_all(QUANTILE_FLOAT, 200, n_max);
        is_good &= run_all(QUANTILE_DOUBLE, 1000, n_max);
        is_good &= run_all(QUANTILE_DOUBLE, 200, n_max);
    }
    free(drawn);
    free(stream);
    free(wide);
    return is_good ? 0 : 1;
}
