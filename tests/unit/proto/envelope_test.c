// Envelope: types with their versions, frames, and frames joined into one run of bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "proto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void a_type_names_its_version(void **state)
{
    (void)state;
    struct envelope e;
    assert_int_equal(envelope_of_type(span_text("kedge.enrol.hello.v12"), &e), ST_OK);
    assert_true(span_is(e.name, "enrol.hello"));
    assert_int_equal(e.version, 12);
    assert_int_equal(envelope_of_type(span_text("kedge.order.v999"), &e), ST_OK);
    assert_int_equal(e.version, 999);
}

static void other_types_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "kedge.",
        "kedge.v1",
        "kedge..v1",
        "kedge.order",
        "kedge.order.v",
        "kedge.order.v0",
        "kedge.order.v01",
        "kedge.order.v1000",
        "kedge.order.1",
        "kedge.Order.v1",
        "kedge.or der.v1",
        "kedge.a..b.v1",
        "kedge.a.b..v1",
        "wedge.order.v1",
        "kedge.order.v1 ",
        "kedge.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.v1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct envelope e;
        assert_int_equal(envelope_of_type(span_text(bad[i]), &e), ST_CORRUPT);
    }
}

static void two_or_three_frames_and_no_others(void **state)
{
    (void)state;
    struct span frame[4] = {span_text("kedge.order.v1"), span_text("body"),
                            span_text("sigs"), span_text("more")};
    struct envelope e;
    assert_int_equal(envelope_of_frames(frame, 0, &e), ST_CORRUPT);
    assert_int_equal(envelope_of_frames(frame, 1, &e), ST_CORRUPT);
    assert_int_equal(envelope_of_frames(frame, 2, &e), ST_OK);
    assert_int_equal(e.sigs.size, 0);
    assert_int_equal(envelope_of_frames(frame, 3, &e), ST_OK);
    assert_true(span_is(e.body, "body") && span_is(e.sigs, "sigs"));
    assert_int_equal(envelope_of_frames(frame, 4, &e), ST_CORRUPT);
    frame[2].size = 0;
    assert_int_equal(envelope_of_frames(frame, 3, &e), ST_CORRUPT);
    frame[1].size = 0;
    assert_int_equal(envelope_of_frames(frame, 2, &e), ST_CORRUPT);
}

static void joined_frames_split_again_and_only_those(void **state)
{
    (void)state;
    struct span frame[3] = {span_text("kedge.order.v1"), span_text("body"),
                            span_text("sigs")};
    for (uint32_t frames = 2; frames <= 3; frames++) {
        struct envelope e, back;
        struct buf b;
        buf_init(&b, 256);
        assert_int_equal(envelope_of_frames(frame, frames, &e), ST_OK);
        envelope_join(&e, &b);
        assert_int_equal(envelope_split(buf_span(&b), &back), ST_OK);
        assert_true(span_equal(back.type, e.type) && span_equal(back.body, e.body) &&
                    span_equal(back.sigs, e.sigs));
        for (size_t cut = 0; cut < b.size; cut++) {
            uint8_t *part = mem_copy(span_of(b.data, cut));
            assert_int_equal(envelope_split(span_of(part, cut), &back), ST_CORRUPT);
            mem_free(part);
        }
        buf_put_u8(&b, 0);
        assert_int_equal(envelope_split(buf_span(&b), &back), ST_CORRUPT);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_names_its_version),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(two_or_three_frames_and_no_others),
        cmocka_unit_test(joined_frames_split_again_and_only_those),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
