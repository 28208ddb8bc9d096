// Case: no JSON and no CSV makes the reader of recorded incidents crash, leak, or blame
// what is not there.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "controller/case_data.h"
#include "controller/watch/blame.h"

// The four texts stand behind each other, with a line of two dashes between them.
static struct span take_part(struct span *rest)
{
    static const char mark[] = "\n--\n";
    for (size_t i = 0; i + 4 <= rest->size; i++) {
        if (memcmp(rest->data + i, mark, 4) != 0)
            continue;
        struct span part = span_of(rest->data, i + 1);
        *rest = span_of(rest->data + i + 4, rest->size - i - 4);
        return part;
    }
    struct span all = *rest;
    *rest = span_of(NULL, 0);
    return all;
}

static void answer(const struct blame_case *c)
{
    struct blame_answer a;
    if (blame_run(c, NULL, &a) != ST_OK)
        return;
    double total = 0;
    for (uint32_t i = 0; i < c->entities; i++) {
        assert(a.rank[i] < c->entities);
        total += a.finding[i].share;
    }
    assert(total < 1.000001);
    assert(a.confidence >= 0 && a.confidence <= 1);
    blame_answer_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct case_texts t = {.signal_files = 1};
    struct case_names names;
    struct blame_case c;
    char why[CASE_WHY];
    t.question = take_part(&rest);
    t.signals[0] = take_part(&rest);
    t.lineage = take_part(&rest);
    t.events = take_part(&rest);
    (void)!case_names_own(t.question, &names);
    (void)!case_names_listed(t.question, "a/case.json", &names);
    if (case_data_read(&t, &c, why) != ST_OK)
        return 0;
    answer(&c);
    blame_case_fini(&c);
    return 0;
}
