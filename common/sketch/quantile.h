// Quantile: the distribution of a numeric feature in a few kilobytes (a KLL sketch).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_QUANTILE_H
#define KEDGE_COMMON_SKETCH_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

// Source of the method: Karnin, Lang, Liberty, Optimal Quantile Approximation in
// Streams (FOCS 2016). The bytes are the compact KLL form of Apache DataSketches
// (family 15), so that its readers in Java, C++, Python, Go and Rust understand ours
// and we theirs.
//
// Ranks are shares in 0..1. One sketch has one owner: no call may run beside another.
struct quantile;

// The width of the items. The bytes do not say it; whoever keeps them must.
enum quantile_type { QUANTILE_FLOAT, QUANTILE_DOUBLE };

// Whether a value counts itself: share of items <= x, or of items < x.
enum quantile_rule { QUANTILE_INCLUSIVE, QUANTILE_EXCLUSIVE };

// Which machine code runs. The same seed and values give the same bytes on each (but
// for the order of -0 and +0, where a foreign sketch brings -0).
enum quantile_path {
    QUANTILE_PATH_BEST, // the fastest that this processor has
    QUANTILE_PATH_PLAIN,
    QUANTILE_PATH_SSE2,
    QUANTILE_PATH_AVX2,
};

#define QUANTILE_K_MIN 8
#define QUANTILE_K_MAX 65535
#define QUANTILE_K_DEFAULT 200
#define QUANTILE_K_BASELINE 1000
#define QUANTILE_LEVELS_MAX 61

// What became of values that were offered. NaN and infinity never enter a sketch.
struct quantile_tally {
    uint64_t taken;
    uint64_t nan;
    uint64_t pos_inf; // a double too large for a float sketch counts here too
    uint64_t neg_inf;
    uint64_t lost; // offered to a parsed sketch that could not be prepared
};

// Opens an empty sketch. `k` (8..65535) sets size and error: quantile_rank_error(k).
// `seed` starts its coins: from random_os() where a stranger chooses the values, so
// that no order of them can be prepared against us; given in tests.
//
// Memory: about 5.5 KiB for float k=200, twice that for double; all taken here, so that
// neither update nor merge allocates.
// Errors: ST_RANGE, ST_NOMEM; *out is written only on ST_OK.
MUST_USE enum status quantile_open(enum quantile_type type, uint32_t k, uint64_t seed,
                                   struct quantile **out);

// Closes it. NULL is fine.
void quantile_close(struct quantile *q);

// Forgets all values and tallies; keeps type, k, memory and the place in the coins.
void quantile_reset(struct quantile *q);

// Takes one value; false when it was refused (see the tally). A float sketch rounds it
// to float. O(1) amortised, allocates nothing in a sketch that was opened or prepared.
bool quantile_add(struct quantile *q, double value);

// Takes `n` values, and says what became of these. Same bytes as n times quantile_add.
struct quantile_tally quantile_add_floats(struct quantile *q, const float *values,
                                          size_t n);
struct quantile_tally quantile_add_doubles(struct quantile *q, const double *values,
                                           size_t n);

// What became of all values offered since the opening or the last reset. Merging does
// not move it: what a sketch refused is no part of its bytes.
struct quantile_tally quantile_offered(const struct quantile *q);

// Adds all that `from` holds; its k may differ. `from` keeps its answers, but is
// settled (see quantile_settle). `into` and `from` may not be the same. Errors:
// ST_RANGE when the types differ, ST_FULL when n would pass 2^60; ST_NOMEM only when
// `into` was parsed and not prepared. On failure `into` is as it was.
MUST_USE enum status quantile_merge(struct quantile *into, struct quantile *from);

// The same from bytes, fully checked first, without making a sketch of them.
// Errors: ST_CORRUPT besides those above.
MUST_USE enum status quantile_merge_bytes(struct quantile *into, struct span bytes);

// Brings the sketch down to the size of its bytes: what was waiting enters its levels.
// The calls that say so do this first. Done after every value it makes the error that
// of an ordinary KLL sketch; otherwise it is smaller. Allocates nothing.
void quantile_settle(struct quantile *q);

// Appends the bytes to `out`; settles q. Fails only by `out`: ST_NOMEM, ST_FULL.
MUST_USE enum status quantile_serialize(struct quantile *q, struct buf *out);

// The most bytes that a sketch of this kind can have.
size_t quantile_bytes_max(enum quantile_type type, uint32_t k);

// Reads a sketch from hostile bytes. What it allocates is bounded by bytes.size (never
// by what they claim), so it has no room for values yet; see quantile_prepare. Answers,
// bytes and merging *from* it need none.
// Errors: ST_CORRUPT (quantile_check says why), ST_NOMEM.
MUST_USE enum status quantile_parse(enum quantile_type type, struct span bytes,
                                    uint64_t seed, struct quantile **out);

// Judges bytes without keeping anything. On ST_CORRUPT *why (may be NULL) is a phrase
// that names the broken rule.
MUST_USE enum status quantile_check(enum quantile_type type, struct span bytes,
                                    const char **why);

// Infers the type from the length. ST_CONFLICT when both fit (an empty sketch, always),
// ST_CORRUPT when neither does.
MUST_USE enum status quantile_infer_type(struct span bytes, enum quantile_type *out);

// Takes the memory that a parsed sketch needs for values. Values and merges do this by
// themselves; call it first where allocation must not happen then. Errors: ST_NOMEM,
// ST_FULL when n is over 2^60.
MUST_USE enum status quantile_prepare(struct quantile *q);

// What it holds: values, merged ones included; the least and the greatest (NaN when
// there are none); k as opened; and the smallest k that was merged in, which sets the
// error.
enum quantile_type quantile_type_of(const struct quantile *q);
uint64_t quantile_n(const struct quantile *q);
double quantile_min(const struct quantile *q);
double quantile_max(const struct quantile *q);
uint32_t quantile_k(const struct quantile *q);
uint32_t quantile_min_k(const struct quantile *q);

// Levels and items of its bytes; both settle q.
uint32_t quantile_levels(struct quantile *q);
uint32_t quantile_retained(struct quantile *q);

// Bytes of heap held.
size_t quantile_memory(const struct quantile *q);

// One-sided error of a rank, and of a share between two points, at 99 % confidence.
// Source: the constants that DataSketches publishes for KLL.
double quantile_rank_error(uint32_t min_k);
double quantile_pmf_error(uint32_t min_k);

// For tests and benches: the code that later calls use. ST_UNSUPPORTED when the
// processor lacks it.
MUST_USE enum status quantile_set_path(struct quantile *q, enum quantile_path path);

// View: the items of one settled sketch in order with their running weights; what all
// questions are put to. It keeps nothing of the sketch.
struct quantile_view;

// Opens a view with room for any sketch of this k, foreign ones included. The only
// allocation of its life: 32 bytes an item, quantile_items_max(k) items.
// Errors: ST_RANGE, ST_NOMEM.
MUST_USE enum status quantile_view_open(uint32_t k, struct quantile_view **out);
void quantile_view_close(struct quantile_view *v);
size_t quantile_items_max(uint32_t k);

// Fills it anew; settles q. Errors: ST_EMPTY (the view is then empty), ST_RANGE when q
// has a larger k than the view.
MUST_USE enum status quantile_view_load(struct quantile_view *v, struct quantile *q);

// Items in ascending order, and the weight of all up to and including the i-th.
size_t quantile_view_len(const struct quantile_view *v);
double quantile_view_item(const struct quantile_view *v, size_t i);
uint64_t quantile_view_weight(const struct quantile_view *v, size_t i);

// The share of values <= x (inclusive) or < x (exclusive). x may be infinite; NaN for
// NaN and for an empty view. O(log items).
double quantile_view_rank(const struct quantile_view *v, double x,
                          enum quantile_rule rule);

// Inclusive: the smallest item whose running weight reaches ceil(rank n). Exclusive:
// the first that passes floor(rank n), else the last. NaN when rank is not in 0..1, and
// for an empty view. O(log items).
double quantile_view_quantile(const struct quantile_view *v, double rank,
                              enum quantile_rule rule);

// At `n` ascending, distinct points: out[0..n) the ranks and out[n] = 1. The PMF gives
// the shares between them, n + 1 of them that add to 1.
// Errors: ST_RANGE when the points do not ascend or one is NaN, ST_EMPTY.
MUST_USE enum status quantile_view_cdf(const struct quantile_view *v,
                                       const double *points, size_t n,
                                       enum quantile_rule rule, double *out);
MUST_USE enum status quantile_view_pmf(const struct quantile_view *v,
                                       const double *points, size_t n,
                                       enum quantile_rule rule, double *out);

#endif
