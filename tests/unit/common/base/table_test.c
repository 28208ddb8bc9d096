// Table: bounded, in the order of insertion, safe against each failing allocation.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

static struct table *table_of(size_t limit)
{
    struct table *t = NULL;
    assert_int_equal(table_open(limit, &t), ST_OK);
    return t;
}

static void gives_back_what_was_put(void **state)
{
    (void)state;
    struct table *t = table_of(10);
    int a, b;
    assert_null(table_get(t, span_text("a")));
    assert_null(table_take(t, span_text("a")));
    assert_int_equal(table_put(t, span_text("a"), &a), ST_OK);
    assert_int_equal(table_put(t, span_text(""), &b), ST_OK);
    assert_ptr_equal(table_get(t, span_text("a")), &a);
    assert_ptr_equal(table_get(t, span_of(NULL, 0)), &b);
    assert_int_equal(table_put(t, span_text("a"), &b), ST_EXISTS);
    assert_ptr_equal(table_get(t, span_text("a")), &a);
    assert_ptr_equal(table_take(t, span_text("a")), &a);
    assert_null(table_get(t, span_text("a")));
    assert_int_equal(table_len(t), 1);
    table_close(t, NULL);
    table_close(NULL, NULL);
}

static void keys_are_copied(void **state)
{
    (void)state;
    struct table *t = table_of(10);
    char key[] = "key";
    assert_int_equal(table_put(t, span_text(key), key), ST_OK);
    key[0] = 'x';
    assert_non_null(table_get(t, span_text("key")));
    table_close(t, NULL);
}

static void full_at_the_limit(void **state)
{
    (void)state;
    struct table *t = table_of(2);
    assert_int_equal(table_put(t, span_text("a"), t), ST_OK);
    assert_int_equal(table_put(t, span_text("b"), t), ST_OK);
    assert_int_equal(table_put(t, span_text("c"), t), ST_FULL);
    assert_int_equal(table_put(t, span_text("b"), t), ST_EXISTS);
    assert_non_null(table_take(t, span_text("a")));
    assert_int_equal(table_put(t, span_text("c"), t), ST_OK);
    table_close(t, NULL);
    t = table_of(0);
    assert_int_equal(table_put(t, span_text("a"), t), ST_FULL);
    table_close(t, NULL);
}

static void walks_in_the_order_of_insertion(void **state)
{
    (void)state;
    struct table *t = table_of(1000);
    uint32_t values[300];
    for (uint32_t i = 0; i < 300; i++) {
        values[i] = i;
        assert_int_equal(table_put(t, span_of(&values[i], sizeof i), &values[i]),
                         ST_OK);
    }
    size_t at = 0;
    struct span key;
    void *value;
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(table_next(t, &at, &key, &value));
        assert_ptr_equal(value, &values[i]);
        assert_memory_equal(key.data, &i, sizeof i);
    }
    assert_false(table_next(t, &at, NULL, NULL));
    table_close(t, NULL);
}

static unsigned dropped;

static void count_drop(void *value)
{
    (void)value;
    dropped++;
}

static void closing_drops_each_value_once(void **state)
{
    (void)state;
    struct table *t = table_of(10);
    assert_int_equal(table_put(t, span_text("a"), t), ST_OK);
    assert_int_equal(table_put(t, span_text("b"), t), ST_OK);
    assert_int_equal(table_put(t, span_text("c"), t), ST_OK);
    assert_non_null(table_take(t, span_text("b")));
    dropped = 0;
    table_close(t, count_drop);
    assert_int_equal(dropped, 2);
}

// Random puts and takes beside an array that cannot be wrong.
static void agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { KEYS = 200 };
    struct table *t = table_of(KEYS);
    struct random r = {7};
    char present[KEYS] = {0};
    size_t len = 0;
    for (int step = 0; step < 50000; step++) {
        uint32_t key = (uint32_t)(random_u64(&r) % KEYS);
        struct span s = span_of(&key, sizeof key);
        if (random_u64(&r) & 1) {
            enum status st = table_put(t, s, &present[key]);
            assert_int_equal(st, present[key] ? ST_EXISTS : ST_OK);
            len += st == ST_OK;
            present[key] = 1;
        } else {
            void *expected = present[key] ? &present[key] : NULL;
            assert_ptr_equal(table_take(t, s), expected);
            len -= expected != NULL;
            present[key] = 0;
        }
        assert_int_equal(table_len(t), len);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        void *expected = present[key] ? &present[key] : NULL;
        assert_ptr_equal(table_get(t, span_of(&key, sizeof key)), expected);
    }
    table_close(t, NULL);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct table *t = NULL;
        size_t put = 0;
        mem_fail_from(n);
        enum status st = table_open(100, &t);
        for (uint32_t i = 0; st == ST_OK && i < 50; i++) {
            st = table_put(t, span_of(&i, sizeof i), t);
            put += st == ST_OK;
        }
        uint64_t asked = mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        for (uint32_t i = 0; t && i < 50; i++)
            assert_int_equal(table_get(t, span_of(&i, sizeof i)) != NULL, i < put);
        table_close(t, NULL);
        if (asked < n) {
            assert_int_equal(put, 50);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_put),
        cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(full_at_the_limit),
        cmocka_unit_test(walks_in_the_order_of_insertion),
        cmocka_unit_test(closing_drops_each_value_once),
        cmocka_unit_test(agrees_with_a_plain_array),
        cmocka_unit_test(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
