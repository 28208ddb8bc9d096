// Scrape: which samples of a page a metric names.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/scrape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char page[] =
    "# HELP orders_total Orders.\n"
    "# TYPE orders_total counter\n"
    "orders_total{shop=\"eu\",till=\"1\"} 10\n"
    "orders_total{shop=\"eu\",till=\"2\"} 2.5e1 1790000000000\r\n"
    "orders_total{shop=\"us\",note=\"a \\\"b\\\" {c}\"} 7\n"
    "orders_total_created 99\n"
    "plain 3\n"
    "broken{x=\"1\" 5\n"
    "bad NaN\n"
    "last -4.5";

static double sum(const char *metric)
{
    double v = -1;
    assert_int_equal(scrape_sum(span_text(page), span_text(metric), &v), ST_OK);
    return v;
}

static enum status refused(const char *metric)
{
    double v;
    return scrape_sum(span_text(page), span_text(metric), &v);
}

static void samples_of_a_metric_are_added_up(void **state)
{
    (void)state;
    assert_true(sum("orders_total") == 42);
    assert_true(sum("plain") == 3);
    assert_true(sum("last") == -4.5);
}

static void labels_choose_among_them(void **state)
{
    (void)state;
    assert_true(sum("orders_total{shop=\"eu\"}") == 35);
    assert_true(sum("orders_total{till=\"2\",shop=\"eu\"}") == 25);
    assert_true(sum("orders_total{note=\"a \\\"b\\\" {c}\"}") == 7);
    assert_int_equal(refused("orders_total{shop=\"asia\"}"), ST_NOTFOUND);
}

static void what_is_not_there_or_no_number_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(refused("orders"), ST_NOTFOUND);
    assert_int_equal(refused("broken"), ST_NOTFOUND);
    assert_int_equal(refused("bad"), ST_NOTFOUND);
    assert_int_equal(refused(""), ST_CORRUPT);
    assert_int_equal(refused("orders_total{shop=eu}"), ST_CORRUPT);
    assert_int_equal(refused("orders_total{shop=\"eu\"} x"), ST_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_a_metric_are_added_up),
        cmocka_unit_test(labels_choose_among_them),
        cmocka_unit_test(what_is_not_there_or_no_number_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
