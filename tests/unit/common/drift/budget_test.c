// Budget: levels from shares; tokens by the calendar.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/budget.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MINUTE 60000000000ull
#define DAY (24 * 60 * MINUTE)

static void levels_are_those_of_the_worked_example(void **state)
{
    (void)state;
    // 2,000 models, 60 s windows, one page in 30 days: 8.6e7 a model
    double a = budget_level(7 / 30., 1 / 2000., MINUTE);
    assert_true(fabs(a / 8.64e7 - 1) < 0.01);
    assert_true(isinf(budget_level(0, 1, MINUTE)));
    assert_true(isinf(budget_level(2, 0, MINUTE)));
    assert_true(budget_level(1e9, 1, MINUTE) == 1);
}

static void the_bucket_holds_its_burst_and_fills_by_time(void **state)
{
    (void)state;
    struct budget b;
    uint64_t now = 100 * DAY;
    assert_int_equal(budget_init(&b, 2, 3, now), ST_OK);
    for (int i = 0; i < 3; i++)
        assert_true(budget_take(&b, now));
    assert_false(budget_take(&b, now));
    assert_true(budget_next(&b, now) - now <= BUDGET_WEEK_NS / 2 + 1);
    assert_false(budget_take(&b, now + 3 * DAY));
    assert_true(budget_take(&b, now + BUDGET_WEEK_NS / 2 + 1));
    assert_false(budget_take(&b, now)); // time that goes back fills nothing
    assert_int_equal(b.spent, 4);
    assert_int_equal(b.held, 3);
    assert_true(budget_take(&b, now + 1000 * DAY));
    assert_true(b.tokens <= 2);
    assert_true(budget_next(&b, now + 1000 * DAY) == now + 1000 * DAY);
}

static void bytes_and_bounds(void **state)
{
    (void)state;
    struct budget b, back;
    assert_int_equal(budget_init(&b, 0, 3, 0), ST_RANGE);
    assert_int_equal(budget_init(&b, 2, 0.5, 0), ST_RANGE);
    assert_int_equal(budget_init(&b, 2, NAN, 0), ST_RANGE);
    assert_int_equal(budget_init(&b, 2, 3, DAY), ST_OK);
    budget_take(&b, 2 * DAY);
    struct buf bytes;
    buf_init(&bytes, 256);
    budget_encode(&b, &bytes);
    struct cursor in = {buf_span(&bytes)};
    assert_int_equal(budget_decode(&in, &back), ST_OK);
    assert_memory_equal(&b, &back, sizeof b);
    for (size_t cut = 0; cut < bytes.size; cut++) {
        in.left = span_of(bytes.data, cut);
        assert_int_equal(budget_decode(&in, &back), ST_CORRUPT);
    }
    store_le_f64(bytes.data + 16, 99); // more tokens than the bucket holds
    in.left = buf_span(&bytes);
    assert_int_equal(budget_decode(&in, &back), ST_CORRUPT);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_those_of_the_worked_example),
        cmocka_unit_test(the_bucket_holds_its_burst_and_fills_by_time),
        cmocka_unit_test(bytes_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
