// Profile: what is read encodes to the same bytes, merges with itself, and travels
// again.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/sketch/profile.h"

static struct profile *open_empty(void)
{
    const struct profile_options options = {PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, 0,
                                            1};
    struct profile *p;
    if (profile_open(&options, NULL, &p) != ST_OK)
        abort();
    return p;
}

static void is_finite(const struct profile *p)
{
    assert(isfinite(moments_mean(profile_moments(p))));
    assert(isfinite(moments_variance(profile_moments(p))));
    assert(isfinite(comoments_correlation(profile_comoments(p))));
}

static struct buf bytes_of(const struct profile *p, enum profile_sketches sketches)
{
    struct buf out;
    buf_init(&out, PROFILE_BYTES_MAX);
    profile_encode(p, sketches, &out);
    assert(out.failed == ST_OK);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile *p = open_empty(), *twice = open_empty();
    if (profile_decode(p, span_of(data, size)) == ST_OK) {
        is_finite(p);
        struct buf plain = bytes_of(p, PROFILE_PLAIN);
        assert(plain.size <= size && plain.size <= PROFILE_PLAIN_BYTES_MAX);
        assert(profile_merge(twice, p) == ST_OK);
        enum status st = profile_merge(twice, p);
        assert(st == ST_OK || st == ST_FULL);
        is_finite(twice);
        struct buf whole = bytes_of(twice, PROFILE_WITH_SKETCHES);
        assert(profile_decode(p, buf_span(&whole)) == ST_OK);
        struct buf again = bytes_of(p, PROFILE_WITH_SKETCHES);
        assert(span_equal(buf_span(&whole), buf_span(&again)));
        buf_fini(&again);
        buf_fini(&whole);
        buf_fini(&plain);
    }
    profile_close(p);
    profile_close(twice);
    return 0;
}
