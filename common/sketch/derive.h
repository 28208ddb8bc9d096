// Derive: ordinary numeric features of embeddings and of texts, so that these can be
// watched like everything else.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_DERIVE_H
#define KEDGE_COMMON_SKETCH_DERIVE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define DERIVE_DIMS_MAX 4096
#define DERIVE_PROJECTIONS_MIN 8
#define DERIVE_PROJECTIONS_MAX 32
#define DERIVE_VECTOR_FIGURES 4 // norm, mean, min, max; the projections follow
#define DERIVE_TEXT_COLUMNS 4   // characters, words, shares of non-ASCII and of digits

struct derive;

// Opens what turns vectors of `dims` (1..4096) numbers into 4 + `projections` (8..32)
// columns. A projection is the sum of all numbers with random signs, over sqrt(dims):
// of independent numbers of variance 1 its variance is 1 too. The signs follow from the
// seed alone, so all hosts and versions that share it can be compared.
// Memory: dims * projections / 8 bytes. Errors: ST_RANGE, ST_NOMEM.
// Source: Achlioptas, Database-friendly random projections (2003).
MUST_USE enum status derive_open(uint32_t dims, uint32_t projections, uint64_t seed,
                                 struct derive **out);
void derive_close(struct derive *d); // NULL is fine

uint32_t derive_columns(const struct derive *d);

// Appends the name of column 0..: "norm" "mean" "min" "max" "p00" "p01" ...
void derive_put_name(const struct derive *d, uint32_t column, struct buf *out);

// `n` vectors, one after the other, to columns of `n` numbers, one after the other: out
// has derive_columns * n. A vector with a number that is not finite gives NaN in every
// column. The figures are the same on every machine. Allocates nothing.
void derive_vectors(const struct derive *d, const float *vectors, size_t n,
                    double *out);

// `n` texts to DERIVE_TEXT_COLUMNS columns of `n` numbers: characters (code points),
// words (between ASCII white space), the share of characters beyond ASCII, the share of
// ASCII digits. The shares of an empty text are NaN. In what is no UTF-8 every byte
// that continues nothing begins a character.
void derive_texts(const struct span *texts, size_t n, double *out);

// The name of a text's column 0..3. Never NULL.
const char *derive_text_name(uint32_t column);

#endif
