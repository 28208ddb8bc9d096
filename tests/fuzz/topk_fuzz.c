// Topk: what is read is written in a form that is read again as the same, and can be
// merged and counted on.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>

#include "common/sketch/topk.h"

static struct buf bytes_of(const struct topk *t)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    topk_encode(t, &out);
    assert(out.failed == ST_OK);
    return out;
}

static void check(const struct topk *t)
{
    struct buf out = bytes_of(t);
    struct topk *again;
    assert(topk_parse(buf_span(&out), &again) == ST_OK);
    struct buf twice = bytes_of(again);
    assert(span_equal(buf_span(&out), buf_span(&twice)));
    enum status st = topk_merge(again, t);
    assert(st == ST_FULL || topk_total(again) == 2 * topk_total(t));
    assert(topk_prepare(again) == ST_OK);
    assert(topk_add(again, span_text("one more"), 1) == ST_OK);
    struct topk_item item = topk_get(again, span_text("one more"));
    assert(item.lower <= item.upper && item.upper >= 1);
    topk_close(again);
    buf_fini(&twice);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topk *t;
    if (topk_parse(span_of(data, size), &t) != ST_OK)
        return 0;
    check(t);
    topk_close(t);
    return 0;
}
