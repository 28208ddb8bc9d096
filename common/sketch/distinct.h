// Distinct: about how many different values were seen, in 4 KiB.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_DISTINCT_H
#define KEDGE_COMMON_SKETCH_DISTINCT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define DISTINCT_LG_K 12 // what Kedge writes: 1.6 % standard error
#define DISTINCT_LG_K_MIN 4
#define DISTINCT_LG_K_MAX 21

struct distinct;

// The registers' width in the bytes; in memory a register is one byte.
enum distinct_form { DISTINCT_HLL_4 = 0, DISTINCT_HLL_6 = 1, DISTINCT_HLL_8 = 2 };

// HyperLogLog of 2^lg_k registers (4..21). Memory: 2^lg_k bytes and 2 KiB, all taken
// here. Errors: ST_RANGE, ST_NOMEM.
MUST_USE enum status distinct_open(unsigned lg_k, struct distinct **out);
void distinct_close(struct distinct *d); // NULL is fine
void distinct_reset(struct distinct *d);

// These allocate nothing. An integer (also a keyed hash), a double (-0 as 0, every NaN
// alike) and a text are different values. The empty text is not counted. A summary that
// was parsed must be prepared first.
void distinct_add_u64(struct distinct *d, uint64_t value);
void distinct_add_f64(struct distinct *d, double value);
void distinct_add_text(struct distinct *d, struct span text);

// The union. Of two sizes the smaller one's precision remains. Allocates only when
// `into` was parsed and not prepared; ST_NOMEM: nothing changed.
MUST_USE enum status distinct_merge(struct distinct *into, const struct distinct *from);

// Source: Ertl, New cardinality estimation algorithms for HyperLogLog sketches (2017).
double distinct_estimate(const struct distinct *d);
// Bounds at `sd` = 1, 2 or 3 standard deviations.
void distinct_bounds(const struct distinct *d, unsigned sd, double *low, double *high);
bool distinct_is_empty(const struct distinct *d);
unsigned distinct_lg_k(const struct distinct *d);

// Apache DataSketches HLL bytes, compact; DISTINCT_HLL_8 or DISTINCT_HLL_4.
void distinct_encode(const struct distinct *d, enum distinct_form form,
                     struct buf *out);

// Reads exactly `bytes` in any of the three forms, list and set. Allocates by what they
// hold, at most 4 times their size and 1 KiB. Errors: ST_CORRUPT, ST_VERSION, ST_NOMEM.
MUST_USE enum status distinct_parse(struct span bytes, struct distinct **out);

// Takes the memory that values need in a parsed summary. ST_NOMEM: nothing changed.
MUST_USE enum status distinct_prepare(struct distinct *d);

#endif
