// What people see of an answer: nothing cut unseen, nothing missing unsaid.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/cli/render.h"

#define HEX "0967355ecc15ae5150bbaf7ae58984a642fc4a687f6adfd44659874564b631dc"
#define NONE "0000000000000000000000000000000000000000000000000000000000000000"

static void expect(const char *json, enum render_form form,
                   const struct render_view *view, const char *wanted)
{
    struct buf out;
    buf_init(&out, 1u << 16);
    assert_int_equal(render_answer(span_text(json), form, view, &out), ST_OK);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_fini(&out);
}

static void a_digest_is_short_in_a_table_and_whole_where_it_is_taken_up(void **state)
{
    (void)state;
    static const struct render_list lists[] = {{"list", NULL, "root other"}};
    static const struct render_view rows = {"", lists, 1, NULL},
                                    facts = {"root other", NULL, 0, NULL};
    const char *in_list = "{\"list\":[{\"root\":\"" HEX "\",\"other\":\"" NONE "\"}]}";
    const char *alone = "{\"root\":\"" HEX "\",\"other\":null}";
    expect(in_list, RENDER_TABLE, &rows, "ROOT          OTHER\n0967355ecc15  -\n");
    expect(in_list, RENDER_NAME, &rows, HEX "\n");
    expect(alone, RENDER_TABLE, &facts, "root   " HEX "\nother  -\n");
    expect(alone, RENDER_NAME, &facts, HEX "\n");
    expect(alone, RENDER_CSV, &facts, "root,other\n" HEX ",\n");
}

// Sixty characters, and then fifty-six, which is all that a column shows.
static void what_is_cut_shows_it(void **state)
{
    (void)state;
    static const struct render_list lists[] = {{"list", NULL, "text n"}};
    static const struct render_view view = {"", lists, 1, NULL};
#define FIFTY "loss rose from 32.57 to 242.3, and then 56.78 fell "
    const char *head = "TEXT                                                      N\n";
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s%s1.2\u2026  1\n", head, FIFTY "t");
    expect("{\"list\":[{\"text\":\"" FIFTY "t1.2345\",\"n\":1}]}", RENDER_TABLE, &view,
           wanted);
    snprintf(wanted, sizeof wanted, "%s%s1.23  1\n", head, FIFTY "t");
    expect("{\"list\":[{\"text\":\"" FIFTY "t1.23\",\"n\":1}]}", RENDER_TABLE, &view,
           wanted);
}

static void a_time_is_as_exact_as_people_need_it(void **state)
{
    (void)state;
    static const struct render_view view = {"a b c d", NULL, 0, NULL};
    expect("{\"a\":\"2012-08-15T00:00:00Z\",\"b\":\"2012-08-15T10:20:30Z\","
           "\"c\":\"2012-08-15T10:20:30.123Z\",\"d\":\"2012-08-15 or so\"}",
           RENDER_TABLE, &view,
           "a  2012-08-15 00:00Z\nb  2012-08-15 10:20:30Z\nc  2012-08-15 10:20:30Z\n"
           "d  2012-08-15 or so\n");
}

static void an_absent_value_has_its_word(void **state)
{
    (void)state;
    static const struct render_list lists[] = {{"list", NULL, "to=to|now by"}};
    static const struct render_view view = {"", lists, 1, NULL};
    expect("{\"list\":[{\"to\":null}]}", RENDER_TABLE, &view, "TO   BY\nnow  -\n");
    expect("{\"list\":[]}", RENDER_TABLE, &view, "list: none\n");
}

static void lists_of_all_members_are_one(void **state)
{
    (void)state;
    static const struct render_list lists[] = {{"plans", "plans", "plan"},
                                               {"plans.*.line", "lines", "what"}};
    static const struct render_view view = {"", lists, 2, NULL};
    const char *json = "{\"plans\":[{\"plan\":1,\"line\":[{\"what\":\"a\"}]},"
                       "{\"plan\":2},{\"plan\":3,\"line\":[{\"what\":\"b\"}]}]}";
    expect(json, RENDER_TABLE, &view, "plans\nPLAN\n1\n2\n3\n\nlines\nWHAT\na\nb\n");
    expect(json, RENDER_NAME, &view, "1\n2\n3\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_short_in_a_table_and_whole_where_it_is_taken_up),
        cmocka_unit_test(what_is_cut_shows_it),
        cmocka_unit_test(a_time_is_as_exact_as_people_need_it),
        cmocka_unit_test(an_absent_value_has_its_word),
        cmocka_unit_test(lists_of_all_members_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
