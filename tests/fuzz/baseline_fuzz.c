// Baseline: bytes that are accepted come back the same, and can be judged over.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>

#include "common/drift/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct baseline *b, *again;
    if (baseline_decode(span_of(data, size), &b) != ST_OK)
        return 0;
    struct buf bytes, twice;
    buf_init(&bytes, BASELINE_BYTES_MAX);
    buf_init(&twice, BASELINE_BYTES_MAX);
    baseline_encode(b, &bytes);
    if (bytes.failed == ST_OK) {
        assert(baseline_decode(buf_span(&bytes), &again) == ST_OK);
        baseline_encode(again, &twice);
        assert(span_equal(buf_span(&bytes), buf_span(&twice)));
        baseline_close(again);
    }
    struct judge_settings settings = judge_defaults();
    struct judge *j;
    if (judge_open(b, &settings, &j) == ST_OK) {
        struct judge_view v;
        for (uint32_t i = 0; i < judge_subjects(j); i++)
            judge_view(j, i, &v);
        judge_close(j);
    }
    baseline_close(b);
    buf_fini(&bytes);
    buf_fini(&twice);
    return 0;
}
