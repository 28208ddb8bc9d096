// Kll items: what is done to runs of items of either width.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_KLL_ITEMS_H
#define KEDGE_COMMON_SKETCH_KLL_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sketch/quantile.h"

// All of them are instances of kll_items_template.h. Runs are `n` items of `item_bytes`
// each, in the machine's own byte order, without NaN; "ascending" allows equal ones.
struct kll_items {
    uint32_t item_bytes;

    // Copies the finite values to `out` (room for n) and counts the others. -0 becomes
    // +0, so that equal items have equal bytes. Returns how many were copied.
    size_t (*sift)(void *out, const void *values, size_t n, struct quantile_tally *t);

    // Least and greatest of a run of n >= 1, widened.
    void (*range)(const void *run, size_t n, double *min, double *max);

    // Whether little-endian bytes are n items within min..max (so no NaN), and
    // ascending.
    bool (*within)(const uint8_t *bytes, size_t n, double min, double max);
    bool (*ascend)(const uint8_t *bytes, size_t n);

    // Items from little-endian bytes, and back.
    void (*load)(void *run, const uint8_t *bytes, size_t n);
    void (*store)(uint8_t *bytes, const void *run, size_t n);

    double (*at)(const void *run, size_t i);
    void (*widen)(const void *run, size_t n, double *out);
    double (*load_one)(const uint8_t *bytes);
    void (*store_one)(uint8_t *bytes, double value);
};

extern const struct kll_items kll_items_float;
extern const struct kll_items kll_items_double;

static inline const struct kll_items *kll_items_for(enum quantile_type type)
{
    return type == QUANTILE_FLOAT ? &kll_items_float : &kll_items_double;
}

#endif
