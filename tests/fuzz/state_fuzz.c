// State: a model takes up what it kept, or begins anew, and then counts on.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>

#include "agent/model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct model_settings settings = {.name = "m", .window_ns = 60000000000};
    struct model *m;
    struct span mark;
    struct buf again;
    if (model_open(&settings, &m) != ST_OK)
        return 0;
    enum status st = model_restore(m, span_of(data, size), &mark);
    assert(st == ST_OK || (mark.size == 0 && m->panes == 0));
    buf_init(&again, 8u << 20);
    model_snapshot(m, 0, &m->account, &m->told, mark, &again);
    const struct datum d = {.name = span_text("x"), .kind = DATUM_NUMBER, .number = 1};
    const struct observation o = {
        .model = span_text("m"), .t = 1, .weight = 1, .value = &d, .values = 1};
    uint64_t before = m->account.observed;
    model_row(m, &o, 1);
    assert(m->account.observed == before + 1);
    buf_fini(&again);
    model_close(m);
    return 0;
}
