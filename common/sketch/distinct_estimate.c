// Distinct: from registers to a number, and how far it may be off.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "common/base/span.h"
#include "common/sketch/distinct_inner.h"

// The error of registers is 1.04 / sqrt(K); that of coupons comes from two values that
// share all 26 + 6 bits, and is this small.
#define REGISTER_ERROR 1.04
#define COUPON_ERROR 5e-5

#define QUANTUM (REGISTER_MAX - 1) // q of the paper: registers are 0..q+1

void distinct_histogram(const uint8_t *reg, size_t n, uint32_t count[REGISTER_MAX + 1])
{
    // Four in turn, so that equal neighbours do not wait for each other.
    uint32_t part[4][REGISTER_MAX + 1];
    memset(part, 0, sizeof part);
    for (size_t i = 0; i < n; i += 4)
        for (size_t k = 0; k < 4; k++)
            part[k][reg[i + k]]++;
    for (size_t v = 0; v <= REGISTER_MAX; v++)
        count[v] = part[0][v] + part[1][v] + part[2][v] + part[3][v];
}

// The bias of a sum over so few registers. Source: Flajolet et al. 2007.
static double alpha(double k)
{
    return k == 16   ? 0.673
           : k == 32 ? 0.697
           : k == 64 ? 0.709
                     : 0.7213 / (1 + 1.079 / k);
}

// Both series end when a term no longer changes the sum. Source: Ertl 2017, section 2.
static double sigma(double x)
{
    double y = 1, z = x, before = -1;
    while (z != before) {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    }
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before = -1;
    while (z != before) {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    }
    return z / 3;
}

static double improved_raw(const uint32_t *count, double k)
{
    double z = k * tau(1 - (double)count[QUANTUM + 1] / k);
    for (int v = QUANTUM; v >= 1; v--)
        z = 0.5 * (z + (double)count[v]);
    z += k * sigma((double)count[0] / k);
    return alpha(k) * k * k / z;
}

// How many values leave `zeros` of k registers empty: the collector's problem
// backwards.
static double by_empty(double zeros, double k)
{
    double sum = 0;
    for (double i = k; i > zeros; i--)
        sum += 1 / i;
    return k * sum;
}

static double estimate_registers(const struct distinct *d)
{
    uint32_t count[REGISTER_MAX + 1];
    double k = (double)(UINT32_C(1) << d->lg_k);
    distinct_histogram(d->reg, (size_t)1 << d->lg_k, count);
    if (count[0] == UINT32_C(1) << d->lg_k)
        return 0;
    // While most are empty, which ones are tells all there is to know, without any
    // bias.
    if (2 * (double)count[0] > k)
        return by_empty((double)count[0], k);
    return improved_raw(count, k);
}

// n different values give n - n (n - 1) / 2 p coupons, where p = 2^-26 / 3 is the
// chance that two agree: the same place, and the same value with chance 1/4 + 1/16 +
// ...
static double estimate_coupons(double n)
{
    return n + n * (n - 1) / (6.0 * COUPON_PLACES);
}

double distinct_estimate(const struct distinct *d)
{
    return d->has_registers ? estimate_registers(d) : estimate_coupons(d->coupons);
}

static double least_possible(const struct distinct *d)
{
    if (!d->has_registers)
        return d->coupons;
    uint32_t count[REGISTER_MAX + 1];
    distinct_histogram(d->reg, (size_t)1 << d->lg_k, count);
    return (double)((UINT32_C(1) << d->lg_k) - count[0]);
}

void distinct_bounds(const struct distinct *d, unsigned sd, double *low, double *high)
{
    double k = (double)(UINT32_C(1) << d->lg_k);
    double error = sd * (d->has_registers ? REGISTER_ERROR / sqrt(k) : COUPON_ERROR);
    double estimate = distinct_estimate(d), least = least_possible(d);
    *low = fmax(estimate / (1 + error), least);
    *high = fmax(estimate / (1 - fmin(error, 0.95)), least);
}
