// Mem: checked products, and allocations that fail on demand.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

static void zeroed_and_never_null_for_nothing(void **state)
{
    (void)state;
    uint64_t *v = mem_zero(100, sizeof *v);
    for (int i = 0; i < 100; i++)
        assert_int_equal(v[i], 0);
    mem_free(v);
    void *none = mem_zero(0, 8);
    assert_non_null(none);
    mem_free(none);
    mem_free(NULL);
}

static void a_product_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(mem_zero(SIZE_MAX / 2, 4));
    char *kept = mem_text(span_text("kept"));
    assert_null(mem_resize(kept, SIZE_MAX / 2, 4));
    assert_string_equal(kept, "kept");
    mem_free(kept);
}

static void copies_own_their_bytes(void **state)
{
    (void)state;
    char source[] = "abc";
    char *text = mem_text(span_text(source));
    uint8_t *bytes = mem_copy(span_of(source, 2));
    source[0] = 'x';
    assert_string_equal(text, "abc");
    assert_memory_equal(bytes, "ab", 2);
    mem_free(text);
    mem_free(bytes);
    void *empty = mem_copy(span_of(NULL, 0));
    assert_non_null(empty);
    mem_free(empty);
    text = mem_text(span_of(NULL, 0));
    assert_string_equal(text, "");
    mem_free(text);
}

static void fails_from_the_nth_on(void **state)
{
    (void)state;
    mem_fail_from(2);
    void *first = mem_zero(1, 1);
    assert_non_null(first);
    assert_null(mem_zero(1, 1));
    assert_null(mem_copy(span_text("x")));
    assert_null(mem_text(span_text("x")));
    assert_null(mem_resize(first, 2, 1));
    assert_int_equal(mem_fail_from(0), 5);
    void *again = mem_zero(1, 1);
    assert_non_null(again);
    assert_int_equal(mem_fail_from(0), 1);
    mem_free(first);
    mem_free(again);
}

static void *allocate(void *unused)
{
    (void)unused;
    return mem_zero(1, 1);
}

static void fails_in_its_own_thread_only(void **state)
{
    (void)state;
    pthread_t thread;
    void *block = NULL;
    mem_fail_from(1);
    assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
    assert_int_equal(pthread_join(thread, &block), 0);
    assert_null(mem_zero(1, 1));
    mem_fail_from(0);
    assert_non_null(block);
    mem_free(block);
}

static void wipes(void **state)
{
    (void)state;
    char secret[] = "secret";
    mem_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
    mem_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_and_never_null_for_nothing),
        cmocka_unit_test(a_product_that_overflows_is_refused),
        cmocka_unit_test(copies_own_their_bytes),
        cmocka_unit_test(fails_from_the_nth_on),
        cmocka_unit_test(fails_in_its_own_thread_only),
        cmocka_unit_test(wipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
