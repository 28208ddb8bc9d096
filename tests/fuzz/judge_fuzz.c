// Judge: hostile state over a small baseline is refused, or goes on without harm.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/drift/builder.h"
#include "common/drift/deploy.h"

#define HOUR 3600000000000ull

static struct baseline *little(void)
{
    struct builder_settings s = {
        .window_ns = HOUR, .performance = PERFORMANCE_REGRESSION, .seed = 1};
    struct builder *b;
    struct baseline *out;
    static const char *const names[] = {"x", "c", "p", "y"};
    static const enum drift_role roles[] = {ROLE_INPUT, ROLE_INPUT, ROLE_OUTPUT,
                                            ROLE_LABEL};
    assert(builder_open(&s, &b) == ST_OK);
    for (int f = 0; f < 4; f++)
        assert(builder_feature(b, span_text(names[f]), roles[f],
                               f == 1 ? KIND_CATEGORICAL : KIND_NUMERIC,
                               GRID_F64) == ST_OK);
    for (int pass = 0; pass < 2; pass++) {
        struct random r = {3};
        for (uint64_t i = 0; i < 12 * 20; i++) {
            struct builder_value v[4] = {{0}};
            v[0].number = random_normal(&r);
            v[1].text = span_text(i % 3 ? "a" : "b");
            v[2].number = v[0].number + random_unit(&r);
            v[3].number = v[2].number + random_unit(&r);
            assert(builder_row(b, i * (HOUR / 20), v) == ST_OK);
        }
        if (pass == 0)
            assert(builder_turn(b) == ST_OK);
    }
    assert(builder_seal(b, &out) == ST_OK);
    builder_close(b);
    return out;
}

// The head holds the baseline's fingerprint: mutations would never get past it.
static void restore_head(struct buf *bytes, const struct buf *good)
{
    size_t head = 9;
    if (bytes->size >= head)
        memcpy(bytes->data, good->data, head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct baseline *b;
    static struct buf judged, deployed;
    struct judge_settings settings = judge_defaults();
    struct deploy_settings watch = deploy_defaults();
    struct judge *j;
    struct deploy *d;
    if (!b) {
        b = little();
        buf_init(&judged, 1 << 16);
        buf_init(&deployed, 1 << 16);
        assert(judge_open(b, &settings, &j) == ST_OK);
        assert(deploy_open(j, &watch, &d) == ST_OK);
        judge_encode(j, &judged);
        deploy_encode(d, &deployed);
        judge_close(j);
        deploy_close(d);
    }
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    buf_put(&bytes, data, size < 1 << 20 ? size : 1 << 20);
    restore_head(&bytes, &judged);
    if (judge_decode(b, &settings, buf_span(&bytes), &j) == ST_OK) {
        static struct judgement got;
        struct judge_view v;
        struct drift_window w = {.start = UINT64_MAX - 2 * HOUR,
                                 .end = UINT64_MAX - HOUR};
        (void)!judge_window(j, &w, &got);
        for (uint32_t i = 0; i < judge_subjects(j); i++)
            judge_view(j, i, &v);
        judge_close(j);
    }
    restore_head(&bytes, &deployed);
    if (deploy_decode(b, buf_span(&bytes), &d) == ST_OK) {
        struct deploy_report r;
        deploy_report(d, &r);
        deploy_close(d);
    }
    buf_fini(&bytes);
    return 0;
}
