// Page: the pages in docs/ are those that the tables make today.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/messages/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "proto/messages/catalog.h"

typedef void page_fn(struct buf *out);

static void compare(page_fn *make, const char *path, const char *command)
{
    struct buf made, kept;
    buf_init(&made, 1 << 20);
    buf_init(&kept, 1 << 20);
    make(&made);
    assert_int_equal(made.failed, ST_OK);
    assert_int_equal(file_read(path, &kept), ST_OK);
    if (!span_equal(buf_span(&made), buf_span(&kept)))
        print_error("%s is out of date: kedge-describe %s > %s\n", path, command, path);
    assert_true(span_equal(buf_span(&made), buf_span(&kept)));
    buf_fini(&made);
    buf_fini(&kept);
}

static void the_page_of_the_wire_is_up_to_date(void **state)
{
    (void)state;
    compare(page_of_wire, "docs/protocol.md", "wire");
}

static void the_page_of_the_records_is_up_to_date(void **state)
{
    (void)state;
    compare(page_of_records, "docs/records.md", "records");
}

static void every_message_is_on_a_page(void **state)
{
    (void)state;
    struct buf page;
    size_t count;
    buf_init(&page, 1 << 20);
    page_of_wire(&page);
    const struct message *const *m = wire_messages(&count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(buf_cstr(&page), m[i]->type));
    page_of_records(&page);
    m = record_messages(&count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(buf_cstr(&page), m[i]->type));
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_of_the_wire_is_up_to_date),
        cmocka_unit_test(the_page_of_the_records_is_up_to_date),
        cmocka_unit_test(every_message_is_on_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
