// Distinct, inside: coupons while there are few values, registers later.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SKETCH_DISTINCT_INNER_H
#define KEDGE_COMMON_SKETCH_DISTINCT_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/sketch/distinct.h"

// A coupon is the hash of a value: 26 bits of place, above them the register's value
// 1..63. So 0 is none.
#define COUPON_PLACE_BITS 26
#define COUPON_PLACES (UINT32_C(1) << COUPON_PLACE_BITS)
#define REGISTER_MAX 63
#define LIST_COUPONS_MAX 7 // the bytes keep so few without their number of slots
#define SET_LG_LEAST 5     // smallest set in the bytes
#define SET_LG_K_LEAST 8   // smaller summaries go from list to registers

struct distinct {
    unsigned lg_k;
    unsigned lg_k_opened; // what a reset returns to; a union may have lowered lg_k
    bool has_registers;
    uint32_t coupons;  // in the table
    unsigned lg_table; // open addressing, at most 3/4 full
    uint32_t *table;
    uint8_t *reg;      // 2^lg_k_opened; NULL in a parsed one without registers
    bool is_unordered; // a union: `hip` means nothing any more
    double hip;        // the running estimate of Ting 2014, which other readers use
    double inverse[2]; // sums of 2^-register below 32, and from 32 on; exact
};

static inline uint32_t coupon_place(uint32_t coupon)
{
    return coupon & (COUPON_PLACES - 1);
}

static inline uint8_t coupon_value(uint32_t coupon)
{
    return (uint8_t)(coupon >> COUPON_PLACE_BITS);
}

// The most coupons that a summary of this size keeps.
static inline uint32_t coupons_max(unsigned lg_k)
{
    return lg_k < SET_LG_K_LEAST ? LIST_COUPONS_MAX : 3 * (UINT32_C(1) << lg_k) / 32;
}

// 2^-v for v <= REGISTER_MAX.
static inline double distinct_inverse(unsigned v)
{
    return 1.0 / (double)(UINT64_C(1) << v);
}

// How many registers have each value.
void distinct_histogram(const uint8_t *reg, size_t n, uint32_t count[REGISTER_MAX + 1]);

// Makes one with room for `coupons` alone, or with registers alone (coupons = 0).
MUST_USE enum status distinct_make(unsigned lg_k, uint32_t coupons,
                                   struct distinct **out);

// False when it is there already. There is room for it.
bool distinct_put_coupon(struct distinct *d, uint32_t coupon);

#endif
