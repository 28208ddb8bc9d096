// Ids: what follows from an order's cause, and the line of a join token.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "proto/messages/enrol.h"
#include "proto/messages/order.h"
#include "proto/messages/receipt.h"
#include "proto/messages/window.h"

static struct order_cause cause(void)
{
    return (struct order_cause){
        .fleet = {1},
        .model = span_text("bike-demand"),
        .incident = {2},
        .action = span_text("rollback"),
        .plan = {3},
        .step = 1,
        .attempt = 0,
    };
}

static void the_same_decision_is_the_same_order(void **state)
{
    (void)state;
    struct order_cause c = cause();
    uint8_t id[16], same[16], other[16];
    assert_int_equal(order_id(&c, id), ST_OK);
    assert_int_equal(order_id(&c, same), ST_OK);
    assert_memory_equal(id, same, 16);
    for (int i = 0; i < 7; i++) {
        c = cause();
        switch (i) {
        case 0:
            c.fleet[15] = 1;
            break;
        case 1:
            c.model = span_text("bike-deman");
            break;
        case 2:
            c.incident[0] = 3;
            break;
        case 3:
            c.action = span_text("promote");
            break;
        case 4:
            c.plan[0] = 4;
            break;
        case 5:
            c.step = 0;
            break;
        default:
            c.attempt = 1;
        }
        assert_int_equal(order_id(&c, other), ST_OK);
        assert_memory_not_equal(id, other, 16);
    }
    c.model.size = 0;
    assert_int_equal(order_id(&c, other), ST_RANGE);
}

static void actions_and_states_are_named_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ORDER_ACTIONS; i++) {
        enum order_action action;
        const char *name = order_action_name((enum order_action)i);
        assert_int_equal(order_action_of(span_text(name), &action), ST_OK);
        assert_int_equal(action, i);
    }
    for (unsigned i = 0; i < RECEIPT_STATES; i++) {
        enum receipt_state found;
        const char *name = receipt_state_name((enum receipt_state)i);
        assert_int_equal(receipt_state_of(span_text(name), &found), ST_OK);
        assert_int_equal(found, i);
        assert_int_equal(receipt_is_final(found),
                         i != RECEIPT_ACCEPTED && i != RECEIPT_STARTED);
    }
    enum order_action action;
    enum receipt_state found;
    assert_int_equal(order_action_of(span_text("rm"), &action), ST_NOTFOUND);
    assert_int_equal(receipt_state_of(span_text(""), &found), ST_NOTFOUND);
}

static void a_window_says_what_its_table_cannot(void **state)
{
    (void)state;
    struct window w = {.start = 10, .end = 20};
    assert_int_equal(window_check(&w), ST_OK);
    w.end = 10;
    assert_int_equal(window_check(&w), ST_RANGE);
    w = (struct window){.start = 1, .end = 2, .part = 1};
    assert_int_equal(window_check(&w), ST_RANGE);
    w.parts = 2;
    assert_int_equal(window_check(&w), ST_OK);
}

static struct join_token token_of(void)
{
    static struct span endpoint[2], root[1];
    endpoint[0] = span_text("tcp://ctl1:7602");
    endpoint[1] = span_text("tcp://ctl2:7602");
    root[0] = span_text("0123456789abcdef0123456789abcdef");
    return (struct join_token){
        .fleet = {1, 2, 3},
        .id = {4},
        .seed = {5},
        .endpoint = endpoint,
        .endpoints = 2,
        .server_curve = {6},
        .root = root,
        .roots = 1,
        .expires_s = 1795000000,
    };
}

struct reading {
    struct buf line, scratch;
    struct pool pool;
    _Alignas(8) uint8_t memory[2048];
};

static int open_reading(void **state)
{
    struct reading *r = MEM_NEW(struct reading);
    struct join_token t = token_of();
    buf_init(&r->line, 4096);
    buf_init(&r->scratch, 4096);
    pool_init(&r->pool, r->memory, sizeof r->memory);
    *state = r;
    return join_token_write(&t, &r->line) == ST_OK ? 0 : -1;
}

static int close_reading(void **state)
{
    struct reading *r = *state;
    buf_fini(&r->line);
    buf_fini(&r->scratch);
    mem_free(r);
    return 0;
}

static enum status read_line(struct reading *r, struct span line,
                             struct join_token *out)
{
    pool_clear(&r->pool);
    return join_token_read(line, &r->scratch, &r->pool, out);
}

static void a_token_comes_back_from_its_line(void **state)
{
    struct reading *r = *state;
    struct join_token t;
    assert_memory_equal(r->line.data, "kedge1_", 7);
    assert_int_equal(read_line(r, buf_span(&r->line), &t), ST_OK);
    assert_true(t.endpoints == 2 && span_is(t.endpoint[1], "tcp://ctl2:7602"));
    assert_true(t.roots == 1 && t.expires_s == 1795000000 && t.seed[0] == 5);
    buf_put_text(&r->line, " \r\n");
    assert_int_equal(read_line(r, buf_span(&r->line), &t), ST_OK);
}

static void no_slip_of_the_hand_is_taken(void **state)
{
    struct reading *r = *state;
    struct join_token t;
    for (size_t i = 0; i < r->line.size; i++) {
        uint8_t keep = r->line.data[i];
        r->line.data[i] = keep == 'x' ? 'y' : 'x';
        assert_int_not_equal(read_line(r, buf_span(&r->line), &t), ST_OK);
        r->line.data[i] = keep;
    }
    for (size_t cut = 0; cut < r->line.size; cut++)
        assert_int_not_equal(read_line(r, span_of(r->line.data, cut), &t), ST_OK);
}

static void no_flipped_bit_is_taken(void **state)
{
    struct reading *r = *state;
    struct join_token t;
    for (size_t bit = 0; bit < r->line.size * 8; bit++) {
        r->line.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(read_line(r, buf_span(&r->line), &t), ST_OK);
        r->line.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_token_without_doors_or_roots_is_refused(void **state)
{
    struct reading *r = *state;
    struct join_token t = token_of(), out;
    t.roots = 0;
    buf_clear(&r->line);
    assert_int_equal(join_token_write(&t, &r->line), ST_OK);
    assert_int_equal(read_line(r, buf_span(&r->line), &out), ST_CORRUPT);
    t = token_of();
    t.endpoints = 0;
    buf_clear(&r->line);
    assert_int_equal(join_token_write(&t, &r->line), ST_OK);
    assert_int_equal(read_line(r, buf_span(&r->line), &out), ST_CORRUPT);
}

static void every_allocation_may_fail(void **state)
{
    struct reading *r = *state;
    struct join_token t = token_of();
    for (uint64_t n = 1;; n++) {
        buf_fini(&r->line);
        buf_clear(&r->line);
        mem_fail_from(n);
        enum status st = join_token_write(&t, &r->line);
        mem_fail_from(0);
        if (st == ST_OK)
            break;
        assert_int_equal(st, ST_NOMEM);
    }
    buf_fini(&r->scratch);
    mem_fail_from(1);
    enum status st = read_line(r, buf_span(&r->line), &t);
    mem_fail_from(0);
    assert_int_equal(st, ST_NOMEM);
    assert_int_equal(read_line(r, buf_span(&r->line), &t), ST_OK);
}

#define WITH_LINE(test)                                                                \
    cmocka_unit_test_setup_teardown(test, open_reading, close_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_decision_is_the_same_order),
        cmocka_unit_test(actions_and_states_are_named_both_ways),
        cmocka_unit_test(a_window_says_what_its_table_cannot),
        WITH_LINE(a_token_comes_back_from_its_line),
        WITH_LINE(no_slip_of_the_hand_is_taken),
        WITH_LINE(no_flipped_bit_is_taken),
        WITH_LINE(a_token_without_doors_or_roots_is_refused),
        WITH_LINE(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
