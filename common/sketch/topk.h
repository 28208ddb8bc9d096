// Topk: the heaviest values of a categorical feature, in fixed memory.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_TOPK_H
#define KEDGE_COMMON_SKETCH_TOPK_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"

#define TOPK_LG_MAX 10 // what Kedge writes: 768 values
#define TOPK_LG_LEAST 3
#define TOPK_LG_MOST 12
#define TOPK_TEXT_MAX 128 // bytes of one value; longer ones are cut to whole characters
#define TOPK_TOTAL_MAX (UINT64_C(1) << 60)

struct topk;

// A value is known by its clear text, or by its keyed hash alone: then `text` is empty.
// In the bytes a hash is the text of its 16 lower-case hex digits, and such a text is a
// hash.
struct topk_item {
    struct span text; // lent until the next change of the summary
    uint64_t hash;    // 0 beside a text
    uint64_t lower;   // the true weight is in lower..upper
    uint64_t upper;   // also the estimate
};

// A summary of at most 0.75 * 2^lg_max values, lg_max in 3..12. Exact up to that many;
// beyond it an upper bound is too high by at most 3.5 / 2^lg_max of the total weight.
// Takes 24 bytes a slot at once; texts take room as they come, twice 128 bytes a value
// at most. Errors: ST_RANGE, ST_NOMEM. Source: Anderson et al., A High-Performance
// Algorithm for Identifying Frequent Items in Data Streams (IMC 2017).
MUST_USE enum status topk_open(unsigned lg_max, struct topk **out);
void topk_close(struct topk *t); // NULL is fine
void topk_reset(struct topk *t);

// Counts a value `weight` times, amortised O(1); 0 times is nothing. topk_add_hash
// never allocates, topk_add only for a text that is new. A summary that was parsed must
// be prepared first. Errors, nothing was changed: ST_NOMEM; ST_RANGE for a text that is
// empty or no UTF-8.
void topk_add_hash(struct topk *t, uint64_t hash, uint64_t weight);
MUST_USE enum status topk_add(struct topk *t, struct span text, uint64_t weight);

// Adds `from`, the errors of both add up. The result depends on what was merged in
// which order, not on the machine. Nothing was changed on ST_NOMEM, and on ST_FULL: a
// total beyond TOPK_TOTAL_MAX.
MUST_USE enum status topk_merge(struct topk *into, const struct topk *from);

uint64_t topk_total(const struct topk *t); // all weight ever added
uint64_t topk_error(const struct topk *t); // most that an upper bound is too high
uint32_t topk_len(const struct topk *t);   // values kept
unsigned topk_lg_max(const struct topk *t);

// Writes the at most `n` heaviest, falling, then by text; returns how many.
uint32_t topk_heaviest(const struct topk *t, uint32_t n, struct topk_item *out);

// The bounds of one value; 0..error when it is not kept.
struct topk_item topk_get(const struct topk *t, struct span text);
struct topk_item topk_get_hash(const struct topk *t, uint64_t hash);

// Appends the item's text or its 16 digits.
void topk_put_name(const struct topk_item *item, struct buf *out);

// Apache DataSketches Frequent Items bytes for strings.
void topk_encode(const struct topk *t, struct buf *out);

// Reads exactly `bytes`. Allocates by what they hold, at most 4 times their size and 1
// KiB. Errors: ST_CORRUPT, ST_VERSION, ST_UNSUPPORTED (lg_max above 12), ST_NOMEM.
MUST_USE enum status topk_parse(struct span bytes, struct topk **out);

// Takes the slots that values need in a parsed summary. ST_NOMEM: nothing changed.
MUST_USE enum status topk_prepare(struct topk *t);

#endif
