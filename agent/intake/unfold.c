// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/unfold.h"

#include <math.h>

static double middle(double low, double high)
{
    return low > 0 && high > 2 * low ? sqrt(low * high) : low + (high - low) / 2;
}

static double value_of(const struct histogram_figures *h, uint32_t i)
{
    if (h->n_bounds == 0)
        return h->count > 0 ? h->sum / (double)h->count : NAN;
    if (i == 0) {
        double high = h->bounds[0];
        double low = isfinite(h->min) && h->min <= high ? h->min : high > 0 ? 0 : high;
        return middle(low, high);
    }
    double low = h->bounds[i - 1];
    if (i < h->n_bounds)
        return middle(low, h->bounds[i]);
    return isfinite(h->max) && h->max > low ? middle(low, h->max) : low;
}

void unfold(const struct histogram_figures *h, uint32_t most,
            void (*take)(void *self, double v), void *self)
{
    double total = 0;
    for (uint32_t i = 0; i <= h->n_bounds; i++)
        total += (double)h->counts[i];
    double share = total > most ? most / total : 1;
    for (uint32_t i = 0; i <= h->n_bounds; i++) {
        double v = value_of(h, i);
        double n = (double)h->counts[i] * share;
        uint32_t times = h->counts[i] == 0 ? 0 : n < 1 ? 1 : (uint32_t)(n + 0.5);
        for (uint32_t k = 0; k < times && isfinite(v); k++)
            take(self, v);
    }
}
