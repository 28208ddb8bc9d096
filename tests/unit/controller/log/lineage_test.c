// Lineage: what its text may say, when an edge holds, and where circles are.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/lineage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"

static enum status parsed(const char *text, struct lineage *l, struct lineage_fault *f)
{
    return lineage_parse(span_text(text), l, f);
}

static void a_chain_is_its_edges(void **state)
{
    (void)state;
    struct lineage l;
    struct lineage_fault f;
    assert_int_equal(parsed("# head\nfeed:x -> a -> b # tail\n\n a,c \r\n", &l, &f),
                     ST_OK);
    assert_int_equal(l.edges, 3);
    assert_int_equal(l.nodes, 4);
    assert_true(span_is(l.node[l.edge[1].up], "a"));
    assert_true(span_is(l.node[l.edge[1].down], "b"));
    assert_int_equal(l.edge[2].line, 4);
    assert_false(lineage_is_model(l.node[0]));
    assert_true(lineage_is_model(l.node[1]));
    lineage_fini(&l);
}

static void an_edge_holds_between_its_times(void **state)
{
    (void)state;
    struct lineage l;
    struct lineage_fault f;
    assert_int_equal(parsed("a -> b from=100 to=200\na -> c\n", &l, &f), ST_OK);
    const uint64_t s = 1000000000;
    assert_false(lineage_holds(&l.edge[0], 99 * s));
    assert_true(lineage_holds(&l.edge[0], 100 * s));
    assert_false(lineage_holds(&l.edge[0], 200 * s));
    assert_true(lineage_holds(&l.edge[1], 0));
    lineage_fini(&l);
}

static void broken_lines_are_named(void **state)
{
    (void)state;
    static const char *const broken[] = {"a ->\n",
                                         "-> b\n",
                                         "a b\n",
                                         "a\n",
                                         "a -> b c\n",
                                         "a -> b to=no\n",
                                         "a -> ../etc\n",
                                         "a,\n",
                                         "a -> -> b\n",
                                         "a,b,c\n",
                                         "a -> b from=9 to=9\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[64] = "x -> y\n";
        struct lineage l;
        struct lineage_fault f;
        strcat(text, broken[i]);
        assert_int_equal(parsed(text, &l, &f), ST_CORRUPT);
        assert_int_equal(f.line, 2);
        assert_non_null(f.what);
    }
}

static void circles_are_found_and_nothing_else(void **state)
{
    (void)state;
    struct lineage l;
    struct lineage_fault f;
    uint8_t mark[16];
    uint32_t count;
    assert_int_equal(parsed("in -> a -> b -> c -> out\nc -> a\n", &l, &f), ST_OK);
    assert_int_equal(lineage_circles(&l, mark, &count), ST_OK);
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < l.nodes; i++)
        assert_int_equal(mark[i], l.node[i].size == 1);
    lineage_fini(&l);
    assert_int_equal(parsed("a -> b\na -> c\nb -> d\nc -> d\n", &l, &f), ST_OK);
    assert_int_equal(lineage_circles(&l, mark, &count), ST_OK);
    assert_int_equal(count, 0);
    lineage_fini(&l);
}

static void an_empty_text_says_nothing(void **state)
{
    (void)state;
    struct lineage l;
    struct lineage_fault f;
    assert_int_equal(parsed("", &l, &f), ST_OK);
    assert_int_equal(l.edges, 0);
    lineage_fini(&l);
    lineage_fini(&l);
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    struct lineage l;
    struct lineage_fault f;
    enum status st = ST_NOMEM;
    for (uint64_t n = 1; st != ST_OK && n < 100; n++) {
        (void)mem_fail_from(n);
        st = parsed("a -> b -> c\n", &l, &f);
        (void)mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
    }
    assert_int_equal(st, ST_OK);
    lineage_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_its_edges),
        cmocka_unit_test(an_edge_holds_between_its_times),
        cmocka_unit_test(broken_lines_are_named),
        cmocka_unit_test(circles_are_found_and_nothing_else),
        cmocka_unit_test(an_empty_text_says_nothing),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
