// Grid speed: what counting a value among 64 cells costs, on each path; and how far PSI
// stays from zero while nothing drifts, and how long the counts are as bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/counts.h"
#include "common/sketch/grid.h"
#include "common/sketch/simd.h"
#include "tests/bench/columns.h"

#define BASELINE_ROWS 100000
#define TRIALS 400
#define PSI_ROWS 100000

struct counting {
    struct columns *columns;
    struct grid *grid;
    uint64_t count[GRID_CELLS_MAX];
};

static uint64_t count_f32(void *arg, uint64_t run)
{
    struct counting *c = arg;
    const struct columns *in = c->columns;
    for (size_t k = 0; k < in->times; k++)
        grid_count_f32(c->grid, in->f32 + columns_at(in, run * in->times + k), in->n,
                       c->count);
    return in->n * in->times;
}

static uint64_t count_f64(void *arg, uint64_t run)
{
    struct counting *c = arg;
    const struct columns *in = c->columns;
    for (size_t k = 0; k < in->times; k++)
        grid_count_f64(c->grid, in->f64 + columns_at(in, run * in->times + k), in->n,
                       c->count);
    return in->n * in->times;
}

static void print_speed(struct columns *columns, enum columns_shape shape)
{
    static const char *const level_name[] = {"portable", "SSE2", "AVX2"};
    struct counting c = {.columns = columns};
    columns_fill(columns, shape);
    columns_must(grid_of_rows(GRID_F64, columns->f64, BASELINE_ROWS, &c.grid));
    printf("%s, %u cells, ns a value (float, double):\n", columns_name(shape),
           grid_cells(c.grid));
    for (int level = SIMD_PORTABLE; level <= SIMD_AVX2; level++) {
        simd_limit((enum simd_level)level);
        printf("  %-8s", level_name[level]);
        for (size_t n = 1000; n <= COLUMNS_POOL; n *= 100) {
            columns_cut(columns, n);
            printf("  n=%zu %.2f %.2f", n, bench_median(count_f32, &c),
                   bench_median(count_f64, &c));
        }
        printf("\n");
    }
    grid_close(c.grid);
}

static double psi_of(const uint64_t *a, const uint64_t *b, uint32_t cells)
{
    double psi = 0;
    for (uint32_t j = 0; j < cells; j++) {
        double p = fmax((double)a[j] / PSI_ROWS, 1e-4);
        double q = fmax((double)b[j] / PSI_ROWS, 1e-4);
        psi += (q - p) * log(q / p);
    }
    return psi;
}

// Both sides of each trial are fresh draws of one distribution; only the edges come
// from another one, as they would from a baseline.
static void print_psi(struct grid *g)
{
    static double psi[TRIALS], row[PSI_ROWS];
    struct random r = {7};
    double sum = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        uint64_t count[2][GRID_CELLS_MAX] = {{0}};
        for (size_t side = 0; side < 2; side++) {
            for (size_t i = 0; i < PSI_ROWS; i++)
                row[i] = columns_draw(COLUMNS_LOGNORMAL, &r);
            grid_count_f64(g, row, PSI_ROWS, count[side]);
        }
        psi[t] = psi_of(count[0], count[1], grid_cells(g));
        sum += psi[t];
    }
    qsort(psi, TRIALS, sizeof *psi, bench_ascending);
    printf("PSI without drift, n=1e5 on both sides, %u cells, %d trials: mean %.5f "
           "median %.5f p99 %.5f\n",
           grid_cells(g), TRIALS, sum / TRIALS, psi[TRIALS / 2],
           psi[TRIALS * 99 / 100]);
}

// Against a fixed baseline, as the detector has it: its shares are known without noise.
static void print_psi_one_sided(struct grid *g)
{
    static double psi[TRIALS], row[PSI_ROWS];
    struct random r = {9};
    uint64_t base[GRID_CELLS_MAX] = {0};
    for (size_t t = 0; t < 100; t++) {
        for (size_t i = 0; i < PSI_ROWS; i++)
            row[i] = columns_draw(COLUMNS_LOGNORMAL, &r);
        grid_count_f64(g, row, PSI_ROWS, base);
    }
    for (uint32_t j = 0; j < grid_cells(g); j++)
        base[j] = (base[j] + 50) / 100;
    for (size_t t = 0; t < TRIALS; t++) {
        uint64_t count[GRID_CELLS_MAX] = {0};
        for (size_t i = 0; i < PSI_ROWS; i++)
            row[i] = columns_draw(COLUMNS_LOGNORMAL, &r);
        grid_count_f64(g, row, PSI_ROWS, count);
        psi[t] = psi_of(base, count, grid_cells(g));
    }
    qsort(psi, TRIALS, sizeof *psi, bench_ascending);
    printf("PSI against a baseline of 1e7 rows, n=1e5: median %.5f p99 %.5f\n",
           psi[TRIALS / 2], psi[TRIALS * 99 / 100]);
}

static void print_bytes(const struct grid *g, const double *row)
{
    for (size_t n = 100; n <= 10000000; n *= 10) {
        uint64_t count[GRID_CELLS_MAX] = {0};
        struct buf out;
        buf_init(&out, 4096);
        grid_count_f64(g, row, n, count);
        counts_encode(count, grid_cells(g), &out);
        printf("%u cells of %zu rows: %zu bytes\n", grid_cells(g), n, out.size);
        buf_fini(&out);
    }
}

int main(void)
{
    struct columns columns = columns_open();
    bench_print_machine();
    columns_fill(&columns, COLUMNS_LOGNORMAL);
    columns_print_yardsticks(&columns);
    for (int shape = 0; shape < COLUMNS_SHAPES; shape++)
        print_speed(&columns, (enum columns_shape)shape);
    struct grid *g;
    columns_fill(&columns, COLUMNS_LOGNORMAL);
    columns_must(grid_of_rows(GRID_F64, columns.f64, COLUMNS_POOL / 10, &g));
    print_psi(g);
    print_psi_one_sided(g);
    print_bytes(g, columns.f64);
    grid_close(g);
    columns_close(&columns);
    return 0;
}
