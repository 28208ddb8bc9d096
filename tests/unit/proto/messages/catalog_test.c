// Catalog: which frames are let in, and the place of what is durable.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "proto/messages/attest.h"
#include "proto/messages/session.h"

static void rows_stand_at_their_kind_and_are_found_by_type(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WIRE_KINDS; i++) {
        const struct wire_row *row = wire_row((enum wire_kind)i), *found = NULL;
        struct envelope e;
        assert_int_equal(row->kind, i);
        assert_int_equal(envelope_of_type(span_text(row->message->type), &e), ST_OK);
        assert_int_equal(wire_find(&e, &found), ST_OK);
        assert_ptr_equal(found, row);
        if (row->is_durable) {
            assert_string_equal(row->message->field[0].name, "boot");
            assert_string_equal(row->message->field[1].name, "seq");
        }
    }
}

static void strangers_and_other_versions_differ(void **state)
{
    (void)state;
    const struct wire_row *row;
    struct envelope e;
    assert_int_equal(envelope_of_type(span_text("kedge.window.v2"), &e), ST_OK);
    assert_int_equal(wire_find(&e, &row), ST_VERSION);
    assert_int_equal(envelope_of_type(span_text("kedge.windows.v1"), &e), ST_OK);
    assert_int_equal(wire_find(&e, &row), ST_NOTFOUND);
    assert_int_equal(envelope_of_type(span_text("kedge.enrol.v1"), &e), ST_OK);
    assert_int_equal(wire_find(&e, &row), ST_NOTFOUND);
}

static void a_message_needs_its_own_number_of_frames_and_its_size(void **state)
{
    (void)state;
    const struct wire_row *row = NULL;
    struct envelope e;
    struct span frame[3] = {span_text("kedge.order.v1"), span_text("b"),
                            span_text("s")};
    assert_int_equal(wire_open(frame, 3, &e, &row), ST_OK);
    assert_int_equal(row->kind, WIRE_ORDER);
    assert_int_equal(wire_open(frame, 2, &e, &row), ST_CORRUPT);
    frame[0] = span_text("kedge.hello.v1");
    assert_int_equal(wire_open(frame, 2, &e, &row), ST_OK);
    assert_int_equal(wire_open(frame, 3, &e, &row), ST_CORRUPT);
    frame[1].size = wire_row(WIRE_HELLO)->bytes_max - frame[0].size;
    assert_int_equal(wire_open(frame, 2, &e, &row), ST_OK);
    frame[1].size++;
    assert_int_equal(wire_open(frame, 2, &e, &row), ST_RANGE);
}

static struct attest some_attest(void)
{
    return (struct attest){
        .boot = {1, 2, 3},
        .seq = 300,
        .model = span_text("m"),
        .version = span_text("v1"),
        .wall = 5,
        .cause = span_text("start"),
    };
}

static void the_place_is_read_without_the_rest(void **state)
{
    (void)state;
    struct attest a = some_attest();
    struct buf b;
    uint8_t boot[16];
    uint64_t seq = 0;
    buf_init(&b, 4096);
    assert_int_equal(message_encode(&attest_message, &a, &b, NULL), ST_OK);
    assert_int_equal(wire_place(buf_span(&b), boot, &seq), ST_OK);
    assert_memory_equal(boot, a.boot, 16);
    assert_int_equal(seq, 300);
    for (size_t cut = 0; cut < 30; cut++)
        assert_int_equal(wire_place(span_of(b.data, cut), boot, &seq), ST_CORRUPT);
    struct beat beat = {.time_ms = 1};
    buf_clear(&b);
    assert_int_equal(message_encode(&beat_message, &beat, &b, NULL), ST_OK);
    assert_int_equal(wire_place(buf_span(&b), boot, &seq), ST_CORRUPT);
    buf_fini(&b);
}

static void joining_writes_all_or_says_why(void **state)
{
    (void)state;
    struct attest a = some_attest(), back;
    struct envelope e;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(wire_join(WIRE_ATTEST, &a, (struct span){0}, &b), ST_OK);
    assert_int_equal(envelope_split(buf_span(&b), &e), ST_OK);
    assert_true(span_is(e.type, "kedge.attest.v1"));
    assert_int_equal(message_decode(&attest_message, e.body, NULL, &back), ST_OK);
    assert_true(back.seq == 300);
    a.cause.size = 0;
    assert_int_equal(wire_join(WIRE_ATTEST, &a, (struct span){0}, &b), ST_RANGE);
    a = some_attest();
    for (uint64_t n = 1;; n++) {
        buf_fini(&b);
        b.failed = ST_OK;
        mem_fail_from(n);
        enum status st = wire_join(WIRE_ATTEST, &a, (struct span){0}, &b);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_at_their_kind_and_are_found_by_type),
        cmocka_unit_test(strangers_and_other_versions_differ),
        cmocka_unit_test(a_message_needs_its_own_number_of_frames_and_its_size),
        cmocka_unit_test(the_place_is_read_without_the_rest),
        cmocka_unit_test(joining_writes_all_or_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
