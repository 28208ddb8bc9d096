// The memory drivers of shelf and tape against the contract, and when memory ends.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/memory.h"

#include "tests/unit/controller/log/contract.h"

static struct shelf *begin(void *self)
{
    memory_begin(self);
    return memory_shelf(self);
}

static enum status commit(void *self)
{
    return memory_commit(self);
}

static void undo(void *self)
{
    memory_abort(self);
}

static struct tape *open_tape(void *self, const struct tape_fold *fold)
{
    struct tape_options o = {.fold = fold, .memory = self, .partitions = 1};
    struct tape *t;
    assert_int_equal(tape_memory.open(&o, &t), ST_OK);
    return t;
}

static struct tape *reopen_tape(void *self, struct tape *old,
                                const struct tape_fold *fold)
{
    tape_memory.close(old);
    return open_tape(self, fold);
}

static struct driver the_driver;

static int setup(void **state)
{
    struct memory *m;
    if (memory_open(256u << 20, &m) != ST_OK)
        return -1;
    the_driver = (struct driver){.self = m,
                                 .begin = begin,
                                 .commit = commit,
                                 .abort = undo,
                                 .tape = &tape_memory,
                                 .open = open_tape,
                                 .reopen = reopen_tape};
    *state = &the_driver;
    return 0;
}

static int teardown(void **state)
{
    struct driver *d = *state;
    memory_close(d->self);
    return 0;
}

static void a_full_memory_refuses_and_keeps_what_it_had(void **state)
{
    (void)state;
    struct memory *m;
    assert_int_equal(memory_open(1000, &m), ST_OK);
    memory_begin(m);
    struct shelf *s = memory_shelf(m);
    put(s, "k", "value");
    assert_int_equal(memory_commit(m), ST_OK);
    memory_begin(m);
    uint8_t large[1200] = {0};
    put(s, "k", "other");
    assert_int_equal(s->put(s->self, SHELF_EVENT, bytes_of("l"), span_of(large, 1200)),
                     ST_FULL);
    struct span v;
    assert_int_equal(s->get(s->self, SHELF_EVENT, bytes_of("k"), &v),
                     ST_FULL); // broken
    assert_int_equal(memory_commit(m), ST_FULL);
    memory_begin(m);
    expect(s, "k", "value");
    memory_abort(m);
    memory_close(m);
}

static void each_failing_allocation_is_told(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct memory *m;
        assert_int_equal(memory_open(1u << 20, &m), ST_OK);
        struct shelf *s = memory_shelf(m);
        memory_begin(m);
        put(s, "k", "value");
        assert_int_equal(memory_commit(m), ST_OK);
        (void)mem_fail_from(n);
        memory_begin(m);
        enum status st = s->put(s->self, SHELF_EVENT, bytes_of("k"), bytes_of("two"));
        if (st == ST_OK)
            st = s->put(s->self, SHELF_EVENT, bytes_of("l"), bytes_of("three"));
        (void)mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        assert_int_equal(memory_commit(m), st);
        memory_begin(m);
        expect(s, "k", st == ST_OK ? "two" : "value");
        expect(s, "l", st == ST_OK ? "three" : NULL);
        memory_abort(m);
        memory_close(m);
    }
}

static void the_memory_tape_says_that_it_is_not_durable(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    struct tape_durability how;
    assert_int_equal(d->tape->durability(t, &how), ST_OK);
    assert_false(how.is_synced);
    assert_non_null(how.why_not);
    d->tape->close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_TESTS(setup, teardown),
        cmocka_unit_test(a_full_memory_refuses_and_keeps_what_it_had),
        cmocka_unit_test(each_failing_allocation_is_told),
        cmocka_unit_test_setup_teardown(the_memory_tape_says_that_it_is_not_durable,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
