// Distinct: what is read has a finite estimate, is written in a form that is read again
// as the same, and joins with itself to itself.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>

#include "common/sketch/distinct.h"

static void check(struct distinct *d)
{
    double low, high, estimate = distinct_estimate(d);
    distinct_bounds(d, 2, &low, &high);
    assert(isfinite(estimate) && estimate >= 0 && low <= high);
    for (int form = DISTINCT_HLL_4; form <= DISTINCT_HLL_8; form += 2) {
        struct buf out;
        struct distinct *again;
        buf_init(&out, 8u << 20);
        distinct_encode(d, (enum distinct_form)form, &out);
        assert(out.failed == ST_OK);
        assert(distinct_parse(buf_span(&out), &again) == ST_OK);
        assert(distinct_estimate(again) == estimate);
        assert(distinct_merge(again, d) == ST_OK);
        assert(distinct_estimate(again) == estimate);
        distinct_close(again);
        buf_fini(&out);
    }
    if (distinct_prepare(d) == ST_OK)
        for (uint64_t i = 0; i < 100; i++)
            distinct_add_u64(d, i);
    assert(distinct_estimate(d) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct distinct *d;
    if (distinct_parse(span_of(data, size), &d) != ST_OK)
        return 0;
    check(d);
    distinct_close(d);
    return 0;
}
