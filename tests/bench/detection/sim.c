// Sim: rows from a table of normals, so that a window of 10,000 rows is drawn in no
// time.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/detection/sim.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"

#define TABLE (1u << 18)
#define GRID_SAMPLE 20000
#define CATEGORIES 9

const struct sim_shape_row sim_shapes[SIM_SHAPES] = {
    [SHAPE_MEAN_HALF] = {"mean +.5 sd", SIM_NORMAL, false},
    [SHAPE_MEAN_THIRD] = {"mean +.3 sd", SIM_NORMAL, true},
    [SHAPE_WIDER] = {"scale x1.5", SIM_NORMAL, false},
    [SHAPE_TAIL_TENFOLD] = {"2 % of rows x10", SIM_NORMAL, false},
    [SHAPE_RAMP] = {"ramp 1 sd / 60", SIM_NORMAL, false},
    [SHAPE_MISSING_TEN] = {"missing 2 -> 12 %", SIM_NORMAL, false},
    [SHAPE_ZEROS] = {"2 % become 0", SIM_LOGNORMAL, false},
    [SHAPE_UNIT] = {"unit x100", SIM_LOGNORMAL, false},
    [SHAPE_STUCK] = {"stuck at one value", SIM_NORMAL, false},
    [SHAPE_SLICE] = {"5 % slice +3 sd", SIM_NORMAL, false},
    [SHAPE_CLUSTER_LOST] = {"a cluster is lost", SIM_CLUSTERS, false},
    [SHAPE_UNSEEN] = {"5 % unseen", SIM_CATEGORY, false},
    [SHAPE_SWAP] = {"two categories swap", SIM_CATEGORY, true},
    [SHAPE_FLIP] = {"correlation flips", SIM_PAIR, false},
    [SHAPE_NARROWER] = {"scale x.7", SIM_NORMAL, true},
};

const char *const sim_nulls[SIM_NULLS] = {"iid", "over", "season"};

static const float *normals(void)
{
    static float table[TABLE];
    static bool made;
    struct random r = {4711};
    for (uint32_t i = 0; !made && i < TABLE; i++)
        table[i] = (float)random_normal(&r);
    made = true;
    return table;
}

void sim_open(struct sim *s, uint64_t seed, enum sim_null null, enum sim_kind kind,
              uint32_t rows, const struct grid *grid)
{
    memset(s, 0, sizeof *s);
    s->random.state = seed;
    s->null = null;
    s->kind = kind;
    s->rows = rows;
    struct profile_options o = {.kind = kind == SIM_CATEGORY ? PROFILE_CATEGORICAL
                                                             : PROFILE_NUMERIC,
                                .width = GRID_F64};
    assert(profile_open(&o, grid, &s->profile) == ST_OK);
    s->feature[0] = (struct drift_feature){
        span_text("v"), ROLE_INPUT,
        kind == SIM_CATEGORY ? KIND_CATEGORICAL : KIND_NUMERIC, s->profile};
}

void sim_close(struct sim *s)
{
    profile_close(s->profile);
    s->profile = NULL;
}

void sim_break(struct sim *s, enum sim_shape shape)
{
    s->shape = shape;
    s->broken = 1;
}

static bool breaks(const struct sim *s, enum sim_shape shape)
{
    return s->broken > 0 && s->shape == shape;
}

// Level of the window, in sd of a row.
static double draw_level(struct sim *s)
{
    const float *z = normals();
    double season = 0, shift = 0;
    if (s->null != SIM_IID)
        s->level = 0.7 * s->level +
                   0.1 * sqrt(1 - 0.49) * (double)z[random_u64(&s->random) % TABLE];
    if (s->null == SIM_SEASON) {
        double hour = (double)(s->window % 48) / 48, day = (double)(s->window / 48 % 7);
        season = 0.4 * sin(2 * M_PI * hour) + 0.1 * sin(2 * M_PI * day / 7);
    }
    if (breaks(s, SHAPE_MEAN_HALF))
        shift = 0.5;
    if (breaks(s, SHAPE_MEAN_THIRD))
        shift = 0.3;
    if (breaks(s, SHAPE_RAMP))
        shift = fmin(1, s->broken / 60.0);
    return s->level + season + shift;
}

static double draw_scale(struct sim *s)
{
    const float *z = normals();
    double scale = 1;
    if (s->null != SIM_IID)
        scale = exp(0.05 * (double)z[random_u64(&s->random) % TABLE]);
    if (breaks(s, SHAPE_WIDER))
        scale *= 1.5;
    if (breaks(s, SHAPE_NARROWER))
        scale *= 0.7;
    return scale;
}

// A share in 0..1 as a bound for the upper 32 bits of a draw.
static uint32_t bound(double share)
{
    return (uint32_t)(share * 4294967295.0);
}

static void draw_numbers(struct sim *s)
{
    const float *z = normals();
    double level = draw_level(s), scale = draw_scale(s);
    uint32_t tail = bound(breaks(s, SHAPE_TAIL_TENFOLD) ? 0.02 : 0);
    uint32_t slice = bound(breaks(s, SHAPE_SLICE) ? 0.05 : 0);
    uint32_t zeros = bound(breaks(s, SHAPE_ZEROS) ? 0.02 : 0);
    uint32_t missing = bound(breaks(s, SHAPE_MISSING_TEN) ? 0.12 : 0.02);
    uint32_t hill = bound(s->kind == SIM_CLUSTERS ? 0.2 : 0);
    for (uint32_t i = 0; i < s->rows; i++) {
        uint64_t one = random_u64(&s->random), two = random_u64(&s->random);
        uint32_t draw = (uint32_t)(one >> 32), other = (uint32_t)(two >> 32);
        double x = level + scale * (double)z[one % TABLE];
        if (draw < hill && !breaks(s, SHAPE_CLUSTER_LOST))
            x += 3;
        x *= draw < tail ? 10 : 1;
        x += draw < slice ? 3 : 0;
        if (s->kind == SIM_LOGNORMAL)
            x = exp(x) * (breaks(s, SHAPE_UNIT) ? 100 : 1);
        x = draw < zeros ? 0 : x;
        s->number[i] = breaks(s, SHAPE_STUCK) ? 0.123 : x;
        s->prediction[i] = (breaks(s, SHAPE_FLIP) ? -0.6 : 0.6) * s->number[i] +
                           0.8 * (double)z[two % TABLE];
        s->state[i] = other < missing ? VALUE_MISSING : VALUE_PRESENT;
    }
    profile_update(s->profile,
                   &(struct profile_column){
                       .f64 = s->number,
                       .state = s->state,
                       .prediction = s->kind == SIM_PAIR ? s->prediction : NULL,
                       .n = s->rows});
}

// Categories cut a normal with the window's level: their shares wander as a level does.
static void draw_categories(struct sim *s)
{
    static const double edge[CATEGORIES - 1] = {-1.5, -0.8, -0.4, 0, 0.3, 0.7, 1.2, 2};
    const float *z = normals();
    double level = draw_level(s), scale = draw_scale(s);
    uint32_t unseen = bound(breaks(s, SHAPE_UNSEEN) ? 0.05 : 0);
    for (uint32_t i = 0; i < s->rows; i++) {
        uint64_t one = random_u64(&s->random);
        double x = level + scale * (double)z[one % TABLE];
        uint64_t c = 0;
        while (c < CATEGORIES - 1 && x > edge[c])
            c++;
        if (breaks(s, SHAPE_SWAP) && (c == 0 || c == 3))
            c = 3 - c; // 7 and 16 per cent: a PSI of .15
        s->hash[i] = (uint32_t)(one >> 32) < unseen ? 99 : c + 1;
    }
    profile_update_hash(s->profile,
                        &(struct profile_categories){.hash = s->hash, .n = s->rows});
}

const struct drift_window *sim_next(struct sim *s)
{
    profile_reset(s->profile);
    if (s->kind == SIM_CATEGORY)
        draw_categories(s);
    else
        draw_numbers(s);
    uint64_t start = (1341100800ull * 1000000000) + s->window * SIM_WINDOW_NS;
    s->drift = (struct drift_window){start, start + SIM_WINDOW_NS, 0, 1, s->feature};
    s->window++;
    s->broken += s->broken > 0;
    return &s->drift;
}

// The grid comes from a sample of the stream's own first windows.
static struct grid *draw_grid(uint64_t seed, enum sim_null null, enum sim_kind kind,
                              uint32_t rows)
{
    struct sim *s = mem_zero(1, sizeof *s);
    struct grid *grid;
    assert(s);
    sim_open(s, seed, null, kind, rows, NULL);
    if (kind == SIM_CATEGORY) {
        struct grid_category c[CATEGORIES];
        for (uint32_t i = 0; i < CATEGORIES; i++)
            c[i] = (struct grid_category){i + 1, 1000 - i};
        assert(grid_of_categories(c, CATEGORIES, &grid) == ST_OK);
    } else {
        double *row = mem_zero(GRID_SAMPLE + SIM_ROWS_MAX, sizeof *row);
        size_t n = 0;
        for (uint32_t w = 0; w < SIM_REFERENCE && n < GRID_SAMPLE; w++) {
            (void)sim_next(s);
            size_t part = s->rows < GRID_SAMPLE / SIM_REFERENCE + 1
                              ? s->rows
                              : GRID_SAMPLE / SIM_REFERENCE + 1;
            memcpy(row + n, s->number, part * sizeof *row);
            n += part;
        }
        assert(grid_of_rows(GRID_F64, row, n, &grid) == ST_OK);
        mem_free(row);
    }
    sim_close(s);
    mem_free(s);
    return grid;
}

struct baseline *sim_learn(struct sim *s, uint64_t seed, enum sim_null null,
                           enum sim_kind kind, uint32_t rows)
{
    struct builder_settings settings = {.window_ns = SIM_WINDOW_NS, .seed = 1};
    struct builder *b;
    struct baseline *out;
    struct buf bytes;
    struct grid *grid = draw_grid(seed, null, kind, rows);
    buf_init(&bytes, 1 << 20);
    grid_encode(grid, &bytes);
    assert(builder_open(&settings, &b) == ST_OK);
    assert(builder_feature(b, span_text("v"), ROLE_INPUT,
                           kind == SIM_CATEGORY ? KIND_CATEGORICAL : KIND_NUMERIC,
                           GRID_F64) == ST_OK);
    assert(builder_grid(b, 0, buf_span(&bytes)) == ST_OK);
    sim_open(s, seed, null, kind, rows, builder_grid_of(b, 0));
    for (uint32_t w = 0; w < SIM_REFERENCE; w++)
        assert(builder_window(b, sim_next(s)) == ST_OK);
    assert(builder_seal(b, &out) == ST_OK);
    assert(profile_set_grid(s->profile, baseline_feature(out, 0)->grid) == ST_OK);
    builder_close(b);
    grid_close(grid);
    buf_fini(&bytes);
    return out;
}
