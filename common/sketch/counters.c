// Counters: merging, and the two figures derived from them.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/counters.h"

#include "common/sketch/counts.h"

void counters_merge(struct counters *into, const struct counters *from)
{
    into->rows = counts_sum(into->rows, from->rows);
    into->missing = counts_sum(into->missing, from->missing);
    into->type_error = counts_sum(into->type_error, from->type_error);
    into->nan = counts_sum(into->nan, from->nan);
    into->pos_inf = counts_sum(into->pos_inf, from->pos_inf);
    into->neg_inf = counts_sum(into->neg_inf, from->neg_inf);
    into->zero = counts_sum(into->zero, from->zero);
    into->negative = counts_sum(into->negative, from->negative);
    into->below = counts_sum(into->below, from->below);
    into->above = counts_sum(into->above, from->above);
    if (into->run_longest < from->run_longest)
        into->run_longest = from->run_longest;
}

uint64_t counters_valid(const struct counters *c)
{
    return c->rows - c->missing - c->type_error - c->nan - c->pos_inf - c->neg_inf;
}

uint64_t counters_absent(const struct counters *c)
{
    return c->missing + c->nan;
}
