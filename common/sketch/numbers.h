// Numbers: a borrowed run of floats or of doubles, for code that takes either.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_NUMBERS_H
#define KEDGE_COMMON_SKETCH_NUMBERS_H

#include <stddef.h>

// One of the two; the other is NULL.
struct numbers {
    const double *f64;
    const float *f32;
};

static inline double numbers_at(struct numbers x, size_t i)
{
    return x.f32 ? (double)x.f32[i] : x.f64[i];
}

static inline struct numbers numbers_skip(struct numbers x, size_t n)
{
    return x.f32 ? (struct numbers){NULL, x.f32 + n}
                 : (struct numbers){x.f64 + n, NULL};
}

#endif
