// Files: lines of JSON objects and of comma-separated values, under a mapping.
//
// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "agent/intake/decoder.h"

static void take_row(void *self, const struct observation *o)
{
    uint32_t *rows = self;
    assert(o->values > 0 && o->values <= OBSERVATION_VALUES_MAX);
    assert(o->id.size <= OBSERVATION_NAME_MAX);
    (*rows)++;
}

// The first line is the header; each of the others is one row or none.
static void feed(struct decoder *d, struct span s)
{
    uint32_t rows = 0;
    const struct observation_sink sink = {.self = &rows, .row = take_row};
    bool is_first = true;
    while (s.size > 0) {
        const uint8_t *nl = memchr(s.data, '\n', s.size);
        size_t n = nl ? (size_t)(nl - s.data) : s.size;
        struct span line = span_of(s.data, n);
        uint32_t before = rows;
        if (!is_first || !d->header || !d->header(d->self, line)) {
            enum status st = d->line(d->self, line, 1, &sink);
            assert(rows - before == (st == ST_OK));
        }
        is_first = false;
        s = span_of(s.data + n, s.size - n);
        if (s.size > 0)
            s = span_of(s.data + 1, s.size - 1);
    }
    d->close(d->self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mapping_column pointers[] = {{"/in", NULL}, {"/a/0/b", "x"}};
    static const struct mapping_column outputs[] = {{"/out", NULL}};
    static const struct mapping_column columns[] = {{"a", NULL}, {"b", "x"}};
    const struct mapping jsonl = {.model = "m",
                                  .time = "/ts",
                                  .id = "/id",
                                  .version_column = "/v",
                                  .inputs = pointers,
                                  .n_inputs = 2,
                                  .outputs = outputs,
                                  .n_outputs = 1};
    const struct mapping csv = {
        .model = "m", .time = "ts", .id = "id", .labels = columns, .n_labels = 2};
    const struct mapping open = {.model = "m"};
    struct decoder d;
    struct span s = span_of(data, size);
    if (decoder_jsonl(&jsonl, &d) == ST_OK)
        feed(&d, s);
    if (decoder_jsonl(&open, &d) == ST_OK)
        feed(&d, s);
    if (decoder_csv(&csv, &d) == ST_OK)
        feed(&d, s);
    if (decoder_csv(&open, &d) == ST_OK)
        feed(&d, s);
    return 0;
}
