// Pair: a request and its answer become one row; what stays alone is told as such.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "said.h"

struct stage {
    struct said said;
    struct observation_sink next, sink;
    struct pair *pair;
};

static int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    said_init(&s->said, &s->next);
    assert_int_equal(pair_open(&s->next, 60, &s->pair), ST_OK);
    s->sink = pair_sink(s->pair);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    pair_close(s->pair);
    buf_fini(&s->said.text);
    mem_free(s);
    return 0;
}

static void give(struct stage *s, const char *id, uint32_t row,
                 enum observation_side side, double v)
{
    char name[16], copy[64];
    snprintf(name, sizeof name, "%c", "xyls"[side]);
    snprintf(copy, sizeof copy, "%s", id);
    const struct datum d[] = {
        {.name = span_text(name), .side = side, .kind = DATUM_NUMBER, .number = v},
        {.name = span_text("c"),
         .side = side,
         .kind = DATUM_CATEGORY,
         .text = span_text(copy)}};
    const struct observation o = {.model = span_text("m"),
                                  .version = span_text(side == SIDE_OUTPUT ? "v2" : ""),
                                  .id = span_text(copy),
                                  .t = 5,
                                  .row = row,
                                  .weight = 1,
                                  .value = d,
                                  .values = 2};
    s->sink.row(s->sink.self, &o);
    memset(copy, '?', sizeof copy); // what was lent is gone
    memset(name, '?', sizeof name);
}

static void assert_said(struct stage *s, const char *wanted)
{
    assert_string_equal(buf_cstr(&s->said.text), wanted);
}

static void joins_by_model_id_and_place(void **state)
{
    struct stage *s = *state;
    give(s, "a", 0, SIDE_INPUT, 1);
    give(s, "a", 1, SIDE_INPUT, 2);
    give(s, "b", 0, SIDE_INPUT, 3);
    assert_said(s, "");
    give(s, "b", 0, SIDE_OUTPUT, 30);
    give(s, "a", 1, SIDE_OUTPUT, 20);
    give(s, "a", 0, SIDE_OUTPUT, 10);
    assert_said(s, "m/v2 #b @now i:x=3 i:c='b' o:y=30 o:c='b'\n"
                   "m/v2 #a @now i:x=2 i:c='a' o:y=20 o:c='a'\n"
                   "m/v2 #a @now i:x=1 i:c='a' o:y=10 o:c='a'\n");
    assert_int_equal(pair_stats(s->pair).joined, 3);
    assert_int_equal(pair_stats(s->pair).waiting, 0);
}

static void what_stays_alone_goes_on(void **state)
{
    struct stage *s = *state;
    give(s, "z", 0, SIDE_OUTPUT, 1);
    assert_said(s, "m/v2 #z @now o:y=1 o:c='z'\n");
    give(s, "", 0, SIDE_INPUT, 2); // nobody could find it again
    give(s, "q", 0, SIDE_LABEL, 3);
    buf_clear(&s->said.text);
    give(s, "a", 0, SIDE_INPUT, 1);
    pair_turn(s->pair, 60);
    assert_said(s, "");
    pair_turn(s->pair, 61);
    assert_said(s, "m/ #a @now i:x=1 i:c='a'\n");
    assert_int_equal(pair_stats(s->pair).unanswered, 2);
    assert_int_equal(pair_stats(s->pair).unasked, 1);
}

static void an_id_that_comes_again_replaces_the_first(void **state)
{
    struct stage *s = *state;
    give(s, "a", 0, SIDE_INPUT, 1);
    give(s, "a", 0, SIDE_INPUT, 2);
    assert_said(s, "m/ #a @now i:x=1 i:c='a'\n");
    give(s, "a", 0, SIDE_OUTPUT, 9);
    assert_int_equal(s->said.rows, 2);
}

static void keeps_its_limit_and_loses_nothing(void **state)
{
    struct stage *s = *state;
    char id[16];
    for (int i = 0; i < PAIR_HELD_MAX + 10; i++) {
        snprintf(id, sizeof id, "%d", i);
        give(s, id, 0, SIDE_INPUT, i);
    }
    assert_int_equal(s->said.rows, 10);
    assert_int_equal(pair_stats(s->pair).waiting, PAIR_HELD_MAX);
    pair_turn(s->pair, UINT64_MAX);
    assert_int_equal(s->said.rows, PAIR_HELD_MAX + 10);
}

static void passes_on_drops_and_settles(void **state)
{
    struct stage *s = *state;
    s->sink.drop(s->sink.self, span_text("m"), DROP_MALFORMED, 2);
    s->sink.settle(s->sink.self);
    assert_int_equal(s->said.dropped[DROP_MALFORMED], 2);
    assert_int_equal(s->said.settled, 1);
}

static void without_memory_a_request_goes_on_alone(void **state)
{
    struct stage *s = *state;
    give(s, "w", 0, SIDE_INPUT, 0); // the said text has its memory now
    pair_turn(s->pair, UINT64_MAX);
    mem_fail_from(1);
    give(s, "a", 0, SIDE_INPUT, 1);
    mem_fail_from(0);
    assert_int_equal(s->said.rows, 2);
    assert_int_equal(pair_stats(s->pair).waiting, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(joins_by_model_id_and_place),
        TEST(what_stays_alone_goes_on),
        TEST(an_id_that_comes_again_replaces_the_first),
        TEST(keeps_its_limit_and_loses_nothing),
        TEST(passes_on_drops_and_settles),
        TEST(without_memory_a_request_goes_on_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
