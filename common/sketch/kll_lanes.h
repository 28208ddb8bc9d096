// Kll lanes: the vertical work of a sketch, with as many lanes as fill 32 bytes.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_KLL_LANES_H
#define KEDGE_COMMON_SKETCH_KLL_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/sketch/quantile.h"

// A tile is 16 rows of KLL_ROW_BYTES: 8 lanes of floats or 4 of doubles, whatever the
// machine's registers hold, so that all machines make the same choices. Each lane is
// sorted by itself, down the rows, and then halved by a coin of its own: one coin for
// all lanes would make their errors add up. Half a tile, 8 rows of doubled weight,
// meets another of its weight, and the two are a tile again.
#define KLL_ROWS 16
#define KLL_ROW_BYTES 32
#define KLL_TILE_BYTES (KLL_ROWS * KLL_ROW_BYTES)
#define KLL_HALF_BYTES (KLL_TILE_BYTES / 2)

// Tiles that are sorted as one, 64 rows high.
#define KLL_TALL_TILES 4

// Beyond this, halving more often in lanes would save next to nothing.
#define KLL_CASCADE_MAX 8

// Coins, drawn from a generator 64 at a time.
struct kll_coins {
    struct random source;
    uint64_t bits;
    uint32_t left;
};

// `count` (1..32) coins in the low bits.
static inline uint32_t kll_coins_take(struct kll_coins *c, uint32_t count)
{
    if (c->left < count) {
        c->bits = random_u64(&c->source);
        c->left = 64;
    }
    uint32_t taken = (uint32_t)(c->bits & ((UINT64_C(1) << count) - 1));
    c->bits >>= count;
    c->left -= count;
    return taken;
}

// One coin for each of `lanes` lanes (an even number up to 16). Half of the lanes toss;
// each other lane takes the opposite of one of them. Every coin is fair, and where the
// errors of two such lanes would add up they cancel: half the variance at no cost.
static inline uint32_t kll_coins_lanes(struct kll_coins *c, uint32_t lanes)
{
    uint32_t tossed = kll_coins_take(c, lanes / 2);
    uint32_t opposite = ~tossed & ((1u << lanes / 2) - 1);
    return tossed | opposite << lanes / 2;
}

struct kll_range {
    double min, max;
};

struct kll_cascade {
    uint32_t levels; // how often each tile is halved before it leaves: 1..CASCADE_MAX
    uint32_t
        pending; // bit i: half[i - 1] waits, of weight 2^i, for another; 0 < i < levels
    uint8_t *half; // KLL_CASCADE_MAX - 1 of KLL_HALF_BYTES
};

// One for each width of items and kind of processor. Scratch has room for as many items
// as are worked on. What is called `columns` are items row by row, LANES to a row.
struct kll_lanes {
    uint32_t lanes;

    // Puts n items in ascending order.
    void (*sort)(void *run, size_t n, void *scratch);

    // Merges two ascending runs. `b` may end where `out` ends; `a` lies elsewhere.
    void (*merge)(void *out, const void *a, size_t na, const void *b, size_t nb);

    // Keeps one of each pair of neighbours, the second when coin is 1: 2 pairs items
    // become `pairs`, in place.
    void (*halve)(void *run, size_t pairs, uint32_t coin);

    // Takes the items of 1, 2 or 4 tiles in any order, halves them by the coins of the
    // lanes and returns the survivors, ascending: in `run` or in `scratch`. The range
    // is widened to the items.
    void *(*thin)(void *run, uint32_t tiles, uint32_t coins, void *scratch,
                  struct kll_range *range);

    // Columns whose lanes ascend (rows: a power of two, 8 or more) become one ascending
    // run: in `columns` or in `scratch`.
    void *(*flatten)(void *columns, uint32_t rows, void *scratch);

    // Takes up to `tiles` tiles from `values`, stopping before one that holds NaN or
    // infinity, and after one from which half a tile came out, ascending in its lanes,
    // at `out`; *is_out says so. Returns how many tiles it took. -0 becomes +0.
    size_t (*cascade)(struct kll_cascade *c, struct kll_coins *coins,
                      const void *values, size_t tiles, void *out, bool *is_out,
                      struct kll_range *range);
};

// The fastest that this processor has, or the one asked for; NULL when it has not got
// it.
const struct kll_lanes *kll_lanes_for(enum quantile_type type, enum quantile_path path);

extern const struct kll_lanes kll_lanes_float_plain;
extern const struct kll_lanes kll_lanes_double_plain;
#if defined(__x86_64__)
extern const struct kll_lanes kll_lanes_float_sse2;
extern const struct kll_lanes kll_lanes_double_sse2;
extern const struct kll_lanes kll_lanes_float_avx2;
extern const struct kll_lanes kll_lanes_double_avx2;
#endif

#endif
