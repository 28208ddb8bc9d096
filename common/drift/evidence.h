// Evidence: how strongly a test has spoken so far, at any time it is looked at.
//
// Shiryaev-Roberts e-processes over saturated Student-t5 likelihood ratios, four sizes
// of change at once. The fast path may take any leap; the capped path lets a block of
// windows multiply the evidence by 30 at most, which is what its promise rests on.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_DRIFT_EVIDENCE_H
#define KEDGE_COMMON_DRIFT_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#define EVIDENCE_SIZES 4         // D = 1, 2.5, 6, 18
#define EVIDENCE_LIMIT 1e30f     // M stops growing here
#define EVIDENCE_BLOCK_GROWTH 30 // most that one block may multiply M by

// M of one test, one for each size of change.
struct evidence {
    float m[EVIDENCE_SIZES];
};

// h_D(z) and L_D(z) = h_D / c_D in double precision, for explanations; the evidence
// itself is kept in floats. `size` is the index 0..3 of D. z is held between the least
// and the greatest point of h, so both are monotone in z.
double evidence_ratio_raw(uint32_t size, double z);
double evidence_ratio(uint32_t size, double z);

// M <- min(limit, L (M + 1)) for each size.
void evidence_add(struct evidence *e, double z);

// The same, and no M grows past 30 x max(start's M, 1). `start` is the evidence as it
// was when the block began.
void evidence_add_capped(struct evidence *e, const struct evidence *start, double z);

// Both at once, for the price of one ratio.
void evidence_add_both(struct evidence *fast, struct evidence *capped,
                       const struct evidence *start, double z);

// Both paths of the first `n` (at most 32) tests whose bit in `moves` is set, and the
// sums of all tests' evidence afterwards, in their order.
struct evidence_sums {
    double fast, capped;
};
struct evidence_sums evidence_add_all(struct evidence *fast, struct evidence *capped,
                                      const struct evidence *start, const double *z,
                                      uint32_t moves, uint32_t n);

// Mean over the sizes.
static inline double evidence_of(const struct evidence *e)
{
    return (double)((e->m[0] + e->m[1]) + (e->m[2] + e->m[3])) / EVIDENCE_SIZES;
}

void evidence_reset(struct evidence *e);

// How long a block is: longer than the memory of the series. max(1 h, 10
// (1+phi)/(1-phi) windows), a whole number of days where days have a season; for
// windows cut by rows (window_ns 0) the result counts windows, otherwise ns.
uint64_t evidence_block(double phi, uint64_t window_ns, bool has_season);

// e-BH: marks those of `count` e-values that stand at false discovery rate `rate`.
// `order` is scratch of `count`; `kept` receives the indices of the kept ones,
// strongest first. Returns how many. Source: Wang and Ramdas, False discovery rate
// control with e-values (2022).
uint32_t evidence_select(const double *e, uint32_t count, double rate, uint32_t *order,
                         uint32_t *kept);

#endif
