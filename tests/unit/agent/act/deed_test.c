// Deed: the register survives restarts and tidying, and forgets only what it may.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#define DAY_NS (86400 * NS_PER_S)

static struct deeds *open_at(const struct stand *s)
{
    char path[STAND_PATH];
    struct journal_report report;
    struct deeds *d = NULL;
    stand_path(s, "deeds", path);
    assert_int_equal(deeds_open(path, &report, &d), ST_OK);
    return d;
}

static size_t body_bytes = 17;

static struct deed *receive(const struct stand *s, struct deeds *d, uint64_t seq,
                            const char *model, uint64_t now)
{
    struct order o = stand_order(s, seq);
    o.model = span_text(model);
    stand_name(&o);
    struct deed *deed;
    uint8_t kernel[16] = {7};
    static uint8_t body[ORDER_BYTES_MAX] = "the order's bytes";
    assert_int_equal(
        deeds_receive(d, &o, span_of(body, body_bytes), kernel, 42, now, &deed), ST_OK);
    return deed;
}

static struct outcome outcome_of(enum receipt_state state)
{
    struct outcome o = {.state = state, .exit_code = 3, .has_run = true, .signal = 9};
    (void)snprintf(o.code, sizeof o.code, "E_FAILED");
    (void)snprintf(o.before, sizeof o.before, "v2");
    (void)snprintf(o.after, sizeof o.after, "v1");
    memset(o.after_digest, 5, 32);
    o.tail_size = 5;
    memcpy(o.tail, "a\0b\xff\n", 5);
    (void)snprintf(o.detail, sizeof o.detail, "why");
    return o;
}

static void remembers_each_stage_over_a_restart(void **state)
{
    struct stand *s = *state;
    struct deeds *d = open_at(s);
    struct outcome out = outcome_of(RECEIPT_DONE), back;
    uint8_t id[3][16];
    struct deed *deed = receive(s, d, 1, "a", DAY_NS);
    memcpy(id[0], deed->order, 16);
    assert_int_equal(deeds_begin(d, deed, "v2", DAY_NS), ST_OK);
    assert_int_equal(deeds_finish(d, deed, &out, DAY_NS), ST_OK);
    deed = receive(s, d, 2, "a", DAY_NS);
    memcpy(id[1], deed->order, 16);
    assert_int_equal(deeds_begin(d, deed, "v2", DAY_NS + 5), ST_OK);
    deed = receive(s, d, 3, "b", DAY_NS);
    memcpy(id[2], deed->order, 16);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(deeds_waiting(d), 2);
        assert_int_equal(deeds_find(d, id[0])->stage, DEED_DONE);
        assert_int_equal(deeds_find(d, id[1])->stage, DEED_BEGUN);
        assert_int_equal(deeds_find(d, id[2])->stage, DEED_RECEIVED);
        assert_int_equal(deeds_find(d, id[2])->hb_boot_ns, 42);
        assert_int_equal(deeds_model(d, span_text("a"))->fence.seq, 2);
        assert_ptr_equal(deeds_next(d, span_text("")), deeds_find(d, id[1]));
        assert_ptr_equal(deeds_next(d, span_text("b")), deeds_find(d, id[2]));
        assert_ptr_equal(deeds_unanswered(d, 0), deeds_find(d, id[0]));
        assert_null(deeds_unanswered(d, 1));
        uint64_t last;
        assert_int_equal(deeds_effects(d, span_text("a"), DAY_NS + 10, 100, &last), 2);
        assert_int_equal(last, DAY_NS + 5);
        assert_int_equal(deeds_effects(d, span_text(""), DAY_NS + 10, 7, &last), 1);
        struct buf bytes;
        buf_init(&bytes, 100);
        assert_int_equal(deeds_order(d, deeds_find(d, id[2]), &bytes), ST_OK);
        assert_true(span_is(buf_span(&bytes), "the order's bytes"));
        buf_fini(&bytes);
        assert_int_equal(deeds_outcome(d, deeds_find(d, id[0]), &back), ST_OK);
        assert_memory_equal(&back, &out, sizeof out);
        deeds_close(d);
        d = open_at(s);
    }
    deeds_close(d);
}

static void knows_its_receipts_fences_and_locks_after_tidying(void **state)
{
    struct stand *s = *state;
    struct deeds *d = open_at(s);
    struct outcome done = outcome_of(RECEIPT_DONE),
                   unsure = outcome_of(RECEIPT_UNCERTAIN);
    done.tail_size = JOB_TAIL_MAX;
    memset(done.tail, 'x', JOB_TAIL_MAX);
    uint8_t first[16], last[16];
    body_bytes = ORDER_BYTES_MAX;
    for (uint64_t i = 1; deeds_journal_bytes(d) < (5u << 20); i++) {
        struct deed *deed = receive(s, d, i, i % 2 ? "a" : "b", DAY_NS + i);
        memcpy(i == 1 ? first : last, deed->order, 16);
        assert_int_equal(deeds_begin(d, deed, "v2", DAY_NS + i), ST_OK);
        assert_int_equal(deeds_finish(d, deed, &done, i < 50 ? DAY_NS : 40 * DAY_NS),
                         ST_OK);
    }
    body_bytes = 17;
    struct deed *deed = receive(s, d, 60000, "c", DAY_NS);
    uint8_t locked[16];
    memcpy(locked, deed->order, 16);
    assert_int_equal(deeds_finish(d, deed, &unsure, 40 * DAY_NS), ST_OK);
    uint64_t number = deeds_last_number(d), before = deeds_journal_bytes(d), at;
    uint32_t effects = deeds_effects(d, span_text("a"), DAY_NS, 2 * DAY_NS, &at);
    assert_int_equal(deeds_tidy(d, 41 * DAY_NS), ST_OK);
    assert_true(deeds_journal_bytes(d) < before);
    for (int i = 0; i < 2; i++) {
        assert_null(deeds_find(d, first)); // older than 30 days
        assert_int_equal(deeds_find(d, last)->stage, DEED_DONE);
        struct outcome back;
        assert_int_equal(deeds_outcome(d, deeds_find(d, last), &back), ST_OK);
        assert_memory_equal(&back, &done, sizeof done);
        assert_int_equal(deeds_last_number(d), number);
        assert_true(deeds_model(d, span_text("a"))->fence.seq > 50);
        assert_int_equal(deeds_effects(d, span_text("a"), DAY_NS, 2 * DAY_NS, &at),
                         effects);
        assert_int_equal(deeds_waiting(d), 0);
        struct deed_model *m = deeds_model(d, span_text("c"));
        assert_true(m->is_locked == (i == 0));
        if (i == 0)
            assert_int_equal(deeds_unlock(d, m), ST_OK);
        deeds_close(d);
        d = open_at(s);
    }
    deeds_close(d);
}

static void refuses_an_outcome_with_bytes_cut_or_added(void **state)
{
    (void)state;
    struct outcome out = outcome_of(RECEIPT_FAILED), back;
    struct buf bytes;
    buf_init(&bytes, 8192);
    outcome_put(&bytes, &out);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(outcome_get(span_of(bytes.data, size), &back), ST_CORRUPT);
    assert_int_equal(outcome_get(buf_span(&bytes), &back), ST_OK);
    buf_put_u8(&bytes, 0);
    assert_int_equal(outcome_get(buf_span(&bytes), &back), ST_CORRUPT);
    buf_fini(&bytes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(remembers_each_stage_over_a_restart),
        TEST(knows_its_receipts_fences_and_locks_after_tidying),
        cmocka_unit_test(refuses_an_outcome_with_bytes_cut_or_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
