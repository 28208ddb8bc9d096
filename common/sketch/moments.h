// Moments: mean, variance and range of a feature, and how it moves with the prediction.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_MOMENTS_H
#define KEDGE_COMMON_SKETCH_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

// A value beyond this bound enters the mean and the squares as the bound, so that no
// sum can overflow. The least and the largest value stay exact.
#define MOMENTS_BOUND 1e140

// A sum with the part that rounding took from it: its value is high + low.
struct moments_sum {
    double high;
    double low;
};

// All zero is empty. Merging gives the same answer in every order up to the last bits
// of a double. Sources: Chan, Golub, LeVeque 1979 (merging); Neumaier 1974 (sums).
struct moments {
    uint64_t n;
    struct moments_sum mean;
    struct moments_sum m2; // sum of (x - mean)^2
    double min;            // meaningless while n = 0
    double max;
};

// Of pairs (x, y): the feature's value and the prediction of the same row.
struct comoments {
    uint64_t n;
    struct moments_sum mean_x;
    struct moments_sum mean_y;
    struct moments_sum m2_x;
    struct moments_sum m2_y;
    struct moments_sum c_xy; // sum of (x - mean_x) (y - mean_y)
};

// Adds `n` finite values. The bits of the result depend on the values and on how they
// were cut into calls, not on the machine.
void moments_add_f32(struct moments *m, const float *value, size_t n);
void moments_add_f64(struct moments *m, const double *value, size_t n);
void moments_merge(struct moments *into, const struct moments *from);

double moments_mean(const struct moments *m);     // 0 while n = 0
double moments_total(const struct moments *m);    // n times the mean
double moments_variance(const struct moments *m); // m2 / (n - 1); 0 while n < 2
double moments_sd(const struct moments *m);

// Adds `n` pairs; all values are finite.
void comoments_add_f32(struct comoments *c, const float *x, const double *y, size_t n);
void comoments_add_f64(struct comoments *c, const double *x, const double *y, size_t n);
void comoments_merge(struct comoments *into, const struct comoments *from);

// Pearson's r in -1..1; 0 while n < 2 or one side does not vary.
double comoments_correlation(const struct comoments *c);

#endif
