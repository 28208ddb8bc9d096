// Decoders of files: JSON objects by pointers, comma-separated values by columns.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/intake/stamp.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "said.h"

#define NOW UINT64_C(1700000000000000000)

typedef enum status open_fn(const struct mapping *m, struct decoder *out);

struct line {
    const char *text;
    const char *said; // NULL: refused
};

// Feeds the lines; the first is a header where the format has one.
static void assert_lines(open_fn *open, const struct mapping *m,
                         const struct line *line, size_t lines)
{
    struct decoder d;
    struct said said;
    struct observation_sink sink;
    said_init(&said, &sink);
    assert_int_equal(open(m, &d), ST_OK);
    for (size_t i = 0; i < lines; i++) {
        buf_clear(&said.text);
        if (i == 0 && d.header && d.header(d.self, span_text(line[i].text)))
            continue;
        enum status st = d.line(d.self, span_text(line[i].text), NOW, &sink);
        if ((st == ST_OK) != (line[i].said != NULL))
            fail_msg("%s: %s", status_name(st), line[i].text);
        assert_string_equal(buf_cstr(&said.text), line[i].said ? line[i].said : "");
    }
    d.close(d.self);
    buf_fini(&said.text);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void jsonl_takes_what_the_pointers_name(void **state)
{
    (void)state;
    const struct mapping_column inputs[] = {{"/in", NULL}, {"/more/deep/0", "first"}};
    const struct mapping_column outputs[] = {{"/out", "y"}};
    const struct mapping m = {.model = "shop",
                              .time = "/ts",
                              .id = "/rid",
                              .version_column = "/meta/v",
                              .inputs = inputs,
                              .n_inputs = 2,
                              .outputs = outputs,
                              .n_outputs = 1};
    static const struct line line[] = {
        {"{\"ts\":1772460307.5,\"rid\":\"a1\",\"in\":{\"x\":1.5,\"seg\":\"eu\"},"
         "\"out\":0.25}",
         "shop/ #a1 @1772460307500 i:x=1.5 i:seg='eu' o:y=0.25\n"},
        {"{\"meta\":{\"u\":[{}],\"v\":\"7\"},\"in\":{\"a\":{\"b\":1}},\"junk\":{\"in\":"
         "{\"x\":9}},"
         "\"more\":{\"deep\":[5,6]},\"rid\":17}",
         "shop/7 #17 @now i:a.b=1 i:first=5\n"},
        {"{\"in\":3,\"out\":[1,2]}", "shop/ # @now i:in=3 o:y.0=1 o:y.1=2\n"},
        {"{\"ts\":null,\"rid\":null,\"in\":{\"x\":null}}", "shop/ # @now i:x=null\n"},
        {"{\"ts\":1}", NULL},
        {"{\"ts\":{},\"in\":{\"x\":1}}", NULL},
        {"{\"ts\":\"never\",\"in\":{\"x\":1}}", NULL},
        {"{\"rid\":[],\"in\":{\"x\":1}}", NULL},
        {"[1]", NULL},
        {"{\"in\":{\"x\":1}", NULL},
        {"{\"ts\":\"2026-03-02 14:05:07\",\"in\":{\"x\":1}}",
         "shop/ # @1772460307000 i:x=1\n"},
    };
    assert_lines(decoder_jsonl, &m, line, COUNT(line));
}

static void jsonl_without_inputs_takes_all_others(void **state)
{
    (void)state;
    const struct mapping_column outputs[] = {{"/score", NULL}};
    const struct mapping m = {.model = "m",
                              .version = "v3",
                              .time = "/t",
                              .outputs = outputs,
                              .n_outputs = 1};
    static const struct line line[] = {
        {"{\"t\":1,\"a\":1,\"b\":{\"c\":\"x\"},\"score\":2}",
         "m/v3 # @1000 i:a=1 i:b.c='x' o:score=2\n"},
    };
    assert_lines(decoder_jsonl, &m, line, COUNT(line));
}

static void jsonl_reads_labels_and_escaped_keys(void **state)
{
    (void)state;
    const struct mapping_column labels[] = {{"/a~1b/m~0n", "y"}};
    const struct mapping m = {
        .model = "m", .id = "/id", .time = "/at", .labels = labels, .n_labels = 1};
    static const struct line line[] = {
        {"{\"id\":\"q\",\"a/b\":{\"m~n\":1,\"z\":2},\"at\":\"1970-01-01T00:00:01Z\"}",
         "m/ #q @1000 l:y=1\n"},
        {"{\"id\":\"q\",\"a\":{\"b\":1}}", NULL},
    };
    assert_lines(decoder_jsonl, &m, line, COUNT(line));
}

static void jsonl_refuses_a_path_that_is_no_pointer(void **state)
{
    (void)state;
    struct decoder d;
    const struct mapping m = {.model = "m", .time = "ts"};
    assert_int_equal(decoder_jsonl(&m, &d), ST_RANGE);
}

static void csv_takes_the_columns_by_name(void **state)
{
    (void)state;
    const struct mapping_column inputs[] = {{"age", NULL}, {"country", "land"}};
    const struct mapping_column outputs[] = {{"score", NULL}};
    const struct mapping m = {.model = "shop",
                              .time = "ts",
                              .id = "id",
                              .inputs = inputs,
                              .n_inputs = 2,
                              .outputs = outputs,
                              .n_outputs = 1};
    static const struct line line[] = {
        {"ts,id,age,country,score,other", NULL},
        {"2026-03-02T14:05:07Z,r1,41,DE,0.12,x",
         "shop/ #r1 @1772460307000 i:age=41 i:land='DE' o:score=0.12\n"},
        {",r2,,\"F,R\",-0.5e1,", "shop/ #r2 @now i:age=null i:land='F,R' o:score=-5\n"},
        {"1,r3,NaN,\"a \"\"b\"\"\",inf,", "shop/ #r3 @1000 i:age=null i:land='a \"b\"' "
                                          "o:score=inf\n"},
        {"1,r4,True,x,-Infinity,", "shop/ #r4 @1000 i:age=1 i:land='x' o:score=-inf\n"},
        {"1,r5,1,x,2", NULL},
        {"1,r5,1,x,2,3,4", NULL},
        {"soon,r5,1,x,2,3", NULL},
        {"1,r5,1,\"x,2,3", NULL},
        {"1,r5,1,\"x\"y,2,3", NULL},
        {"1,r5,1,\xFF,2,3", NULL},
    };
    assert_lines(decoder_csv, &m, line, COUNT(line));
}

static void csv_without_inputs_takes_all_others(void **state)
{
    (void)state;
    const struct mapping m = {.model = "m", .time = "t", .version_column = "v"};
    static const struct line line[] = {
        {"\xEF\xBB\xBFt,v,a,\"b \"\"c\"\"\"", NULL},
        {"5,v2,1,two", "m/v2 # @5000 i:a=1 i:b \"c\"='two'\n"},
    };
    assert_lines(decoder_csv, &m, line, COUNT(line));
}

static void csv_keeps_the_header_of_the_file_before(void **state)
{
    (void)state;
    const struct mapping_column inputs[] = {{"a", NULL}};
    const struct mapping m = {
        .model = "m", .time = "t", .inputs = inputs, .n_inputs = 1};
    struct decoder d;
    assert_int_equal(decoder_csv(&m, &d), ST_OK);
    assert_true(d.header(d.self, span_text("t,a")));
    assert_false(d.header(d.self, span_text("1,2")));
    assert_true(d.header(d.self, span_text("a,t")));
    d.close(d.self);
}

static void stamps_are_read_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"2026-03-05T03:33:59.490137", 1772681639490},
        {"2026-03-05 03:33:59", 1772681639000},
        {"2026-03-05T03:33:59Z", 1772681639000},
        {"2026-03-05T03:33:59+01:00", 1772678039000},
        {"2026-03-05 03:33:59.5+00:00", 1772681639500},
        {"2026-03-05", 1772668800000},
        {"1772681639.25", 1772681639250},
    };
    uint64_t ns;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(stamp_text(span_text(good[i].text), &ns), ST_OK);
        assert_int_equal(ns / NS_PER_MS, good[i].ms);
    }
    static const char *const bad[] = {"",
                                      "x",
                                      "2026-13-05T03:33:59",
                                      "99999999999999999",
                                      "-1",
                                      "2026-03-05T03:33:59.490137 and so on for long"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(stamp_text(span_text(bad[i]), &ns), ST_RANGE);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    const struct mapping_column inputs[] = {{"/in", NULL}};
    const struct mapping jsonl = {.model = "m", .inputs = inputs, .n_inputs = 1};
    const struct mapping csv = {.model = "m"};
    struct said said;
    struct observation_sink sink;
    said_init(&said, &sink);
    for (uint64_t n = 1; n < 60; n++) {
        struct decoder d = {0};
        mem_fail_from(n);
        enum status st = decoder_jsonl(&jsonl, &d);
        if (st == ST_OK)
            st = d.line(d.self, span_text("{\"in\":{\"a\\n\":\"b\"}}"), NOW, &sink);
        mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        if (d.close)
            d.close(d.self);
        d = (struct decoder){0};
        mem_fail_from(n);
        st = decoder_csv(&csv, &d);
        if (st == ST_OK && d.header(d.self, span_text("a,\"b\"")))
            st = d.line(d.self, span_text("1,\"x\""), NOW, &sink);
        mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM || st == ST_CORRUPT);
        if (d.close)
            d.close(d.self);
    }
    buf_fini(&said.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonl_takes_what_the_pointers_name),
        cmocka_unit_test(jsonl_without_inputs_takes_all_others),
        cmocka_unit_test(jsonl_reads_labels_and_escaped_keys),
        cmocka_unit_test(jsonl_refuses_a_path_that_is_no_pointer),
        cmocka_unit_test(csv_takes_the_columns_by_name),
        cmocka_unit_test(csv_without_inputs_takes_all_others),
        cmocka_unit_test(csv_keeps_the_header_of_the_file_before),
        cmocka_unit_test(stamps_are_read_in_each_form),
        cmocka_unit_test(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
