// Rows: the agent's own JSON lines, the good ones and the bad ones.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "said.h"

#define NOW UINT64_C(1700000000000000000)

static void assert_reads(const char *line, const char *wanted)
{
    struct rows *r;
    struct said said;
    struct observation_sink sink;
    struct observation o;
    said_init(&said, &sink);
    assert_int_equal(rows_open(NULL, &r), ST_OK);
    assert_int_equal(rows_read(r, span_text(line), NOW, &o), ST_OK);
    sink.row(sink.self, &o);
    assert_string_equal(buf_cstr(&said.text), wanted);
    rows_close(r);
    buf_fini(&said.text);
}

static enum status read_of(struct span line)
{
    struct rows *r;
    struct observation o;
    assert_int_equal(rows_open(NULL, &r), ST_OK);
    enum status st = rows_read(r, line, NOW, &o);
    rows_close(r);
    return st;
}

static void reads_the_documented_line(void **state)
{
    (void)state;
    assert_reads("{\"model\":\"m\",\"version\":\"v1\",\"id\":\"x\",\"ts\":1341100800,"
                 "\"features\":{\"hr\":5,\"season\":\"s1\",\"temp\":null},"
                 "\"prediction\":123.4}",
                 "m/v1 #x @1341100800000 i:hr=5 i:season='s1' i:temp=null "
                 "o:prediction=123.4\n");
    assert_reads("{\"model\":\"m\",\"id\":\"x\",\"ts\":1341104400,\"label\":99}",
                 "m/ #x @1341104400000 l:label=99\n");
}

static void takes_members_in_any_order(void **state)
{
    (void)state;
    assert_reads(
        "{\"prediction\":1,\"features\":{\"a\":true},\"ts\":\"2012-07-01T01:00:"
        "00Z\",\"id\":17,\"model\":\"m\"}",
        "m/ #17 @1341104400000 o:prediction=1 i:a=1\n");
    assert_reads("{\"model\":\"m\",\"features\":{\"a\":false}}", "m/ # @now i:a=0\n");
    assert_reads("{\"model\":\"m\",\"ts\":1341100800.5,\"features\":{\"a\":1}}",
                 "m/ # @1341100800500 i:a=1\n");
    assert_reads("{\"model\":\"m\",\"ts\":1.3411008005e9,\"features\":{\"a\":1}}",
                 "m/ # @1341100800500 i:a=1\n");
}

static void counts_what_it_does_not_know(void **state)
{
    (void)state;
    assert_reads(
        "{\"model\":\"m\",\"trace\":{\"a\":[1,{\"model\":\"z\"}]},\"features\":"
        "{\"a\":1},\"host\":\"h\",\"x\":[]}",
        "m/ # @now i:a=1 unknown=3\n");
}

static void flattens_what_is_nested(void **state)
{
    (void)state;
    assert_reads(
        "{\"model\":\"m\",\"features\":{\"a\":{\"b\":{\"c\":1},\"d\":[1,\"x\"]},"
        "\"m\":[[1,2],[3]],\"e\":{},\"z\":2},\"prediction\":{\"p\":[0.5,0.25]}}",
        "m/ # @now i:a.b.c=1 i:a.d.0=1 i:a.d.1='x' i:m.0.0=1 i:m.0.1=2 "
        "i:m.1.0=3 i:z=2 o:prediction.p.0=0.5 o:prediction.p.1=0.25\n");
}

static void sees_text_vectors_and_bytes(void **state)
{
    (void)state;
    assert_reads("{\"model\":\"m\",\"features\":{"
                 "\"v\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"
                 "\"w\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,null,-17],"
                 "\"x\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],"
                 "\"t\":\"one two three four five\",\"b\":{\"b64\":\"aGVsbG8=\"},"
                 "\"c\":\"one two three four\"}}",
                 "m/ # @now i:v=vec(16,38.6782,8.5,1,16) i:w=vec(17,39.1024,6.4375,-17,"
                 "15) i:x.0=1 i:x.1=2 i:x.2=3 i:x.3=4 i:x.4=5 i:x.5=6 i:x.6=7 i:x.7=8 "
                 "i:x.8=9 i:x.9=10 i:x.10=11 i:x.11=12 i:x.12=13 i:x.13=14 i:x.14=15 "
                 "i:t=text(23,5) i:b=bytes(5) i:c='one two three four'\n");
    assert_reads(
        "{\"model\":\"m\",\"features\":{\"a\":\"\xC3\xA9\xC3\xA9 b c d e f\"}}",
        "m/ # @now i:a=text(12,6)\n");
    assert_reads(
        "{\"model\":\"m\",\"features\":{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,"
        "15,\"x\"]}}",
        "m/ # @now i:a.0=1 i:a.1=2 i:a.2=3 i:a.3=4 i:a.4=5 i:a.5=6 i:a.6=7 "
        "i:a.7=8 i:a.8=9 i:a.9=10 i:a.10=11 i:a.11=12 i:a.12=13 i:a.13=14 "
        "i:a.14=15 i:a.15='x'\n");
}

static void keeps_missing_and_infinite_apart(void **state)
{
    (void)state;
    assert_reads(
        "{\"model\":\"m\",\"features\":{\"a\":NaN,\"b\":Infinity,\"c\":-Infinity,"
        "\"d\":1e999}}",
        "m/ # @now i:a=null i:b=inf i:c=-inf i:d=inf\n");
}

static void refuses_what_is_no_row(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "12",
        "{}",
        "{\"model\":\"m\"}",
        "{\"features\":{\"a\":1}}",
        "{\"model\":5,\"features\":{\"a\":1}}",
        "{\"model\":[\"m\"],\"features\":{\"a\":1}}",
        "{\"model\":\"m\",\"features\":[1]}",
        "{\"model\":\"m\",\"features\":7}",
        "{\"model\":\"m\",\"ts\":\"soon\",\"features\":{\"a\":1}}",
        "{\"model\":\"m\",\"ts\":-5,\"features\":{\"a\":1}}",
        "{\"model\":\"m\",\"ts\":1e30,\"features\":{\"a\":1}}",
        "{\"model\":\"m\",\"ts\":[],\"features\":{\"a\":1}}",
        "{\"model\":\"m\",\"features\":{\"a\":1}",
        "{\"model\":\"m\",\"features\":{\"a\":1}} {}",
        "{\"model\":\"m\",\"features\":{\"a\":1}}\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum status st = read_of(span_text(bad[i]));
        if (st != ST_CORRUPT && st != ST_RANGE)
            fail_msg("taken (%s): %s", status_name(st), bad[i]);
    }
}

static void a_limit_is_full_not_corrupt(void **state)
{
    (void)state;
    struct buf line;
    buf_init(&line, 1 << 20);
    buf_put_text(&line, "{\"model\":\"m\",\"features\":{");
    for (int i = 0; i < OBSERVATION_VALUES_MAX; i++)
        buf_printf(&line, "%s\"f%d\":1", i ? "," : "", i);
    size_t size = line.size;
    buf_put_text(&line, "}}");
    assert_int_equal(read_of(buf_span(&line)), ST_OK);
    line.size = size;
    buf_put_text(&line, ",\"g\":1}}");
    assert_int_equal(read_of(buf_span(&line)), ST_FULL);
    buf_fini(&line);
}

static void a_long_string_is_text(void **state)
{
    (void)state;
    struct buf line, wanted;
    buf_init(&line, 1 << 20);
    buf_init(&wanted, 256);
    buf_put_text(&line, "{\"model\":\"m\",\"features\":{\"s\":\"");
    memset(buf_reserve(&line, 65000), 'y', 65000);
    buf_put_text(&line, "\"}}");
    assert_reads(buf_cstr(&line), "m/ # @now i:s=text(65000,1)\n");
    buf_fini(&line);
    buf_fini(&wanted);
}

static void blames_the_model_that_was_named(void **state)
{
    (void)state;
    struct rows *r;
    struct observation o;
    assert_int_equal(rows_open(NULL, &r), ST_OK);
    assert_int_equal(
        rows_read(r, span_text("{\"model\":\"m1\",\"features\":{"), NOW, &o),
        ST_CORRUPT);
    assert_true(span_is(rows_blame(r), "m1"));
    assert_int_equal(rows_read(r, span_text("{"), NOW, &o), ST_CORRUPT);
    assert_int_equal(rows_blame(r).size, 0);
    rows_close(r);
    assert_int_equal(rows_open("door", &r), ST_OK);
    assert_int_equal(rows_read(r, span_text("{\"label\":1}"), NOW, &o), ST_OK);
    assert_true(span_is(o.model, "door"));
    rows_close(r);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    const char *line = "{\"model\":\"m\",\"features\":{\"a\\n\":1,\"b\":\"x\"}}";
    for (uint64_t n = 1; n < 40; n++) {
        struct rows *r = NULL;
        struct observation o;
        mem_fail_from(n);
        enum status st = rows_open(NULL, &r);
        if (st == ST_OK)
            st = rows_read(r, span_text(line), NOW, &o);
        mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        if (st == ST_NOMEM && r)
            assert_int_equal(rows_read(r, span_text(line), NOW, &o), ST_OK);
        rows_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_documented_line),
        cmocka_unit_test(takes_members_in_any_order),
        cmocka_unit_test(counts_what_it_does_not_know),
        cmocka_unit_test(flattens_what_is_nested),
        cmocka_unit_test(sees_text_vectors_and_bytes),
        cmocka_unit_test(keeps_missing_and_infinite_apart),
        cmocka_unit_test(refuses_what_is_no_row),
        cmocka_unit_test(a_limit_is_full_not_corrupt),
        cmocka_unit_test(a_long_string_is_text),
        cmocka_unit_test(blames_the_model_that_was_named),
        cmocka_unit_test(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
