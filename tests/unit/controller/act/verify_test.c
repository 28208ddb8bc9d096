// Proof of recovery: its three verdicts, its control group, and its bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/act/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/sketch/profile.h"

#define DAY UINT64_C(86400000000000)

// One host's window with `n` losses around `level`.
static void add_losses(struct verify *v, enum verify_side side, uint64_t day,
                       double level, double spread, size_t n)
{
    const struct profile_options options = {.kind = PROFILE_SIGNAL, .width = GRID_F64};
    struct profile *p = NULL;
    struct random r = {day * 977 + (uint64_t)side};
    double value[256];
    assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
    for (size_t i = 0; i < n; i++)
        value[i] = level + spread * random_normal(&r);
    profile_update(p, &(struct profile_column){.f64 = value, .n = n});
    const struct judged_feature f = {
        .name = span_text("loss"), .role = 3, .profile = p};
    const struct judged_window w = {
        .start_ns = day * DAY, .end_ns = (day + 1) * DAY, .feature = &f, .features = 1};
    verify_window(v, side, &w);
    profile_close(p);
}

static struct verify loss_from_32_to_250(void)
{
    struct verify v = {0};
    verify_add_signal(&v, span_text("loss"), false, 32, 250);
    verify_begin(&v, 0);
    return v;
}

static enum verify_verdict judge(const struct verify *v)
{
    struct buf why;
    buf_init(&why, 1024);
    enum verify_verdict verdict = verify_judge(v, 16, &why);
    assert_true(why.size > 0);
    buf_fini(&why);
    return verdict;
}

static void a_loss_that_came_back_is_recovered(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250();
    add_losses(&v, VERIFY_SWITCHED, 1, 50, 40, 24);
    assert_int_equal(judge(&v), VERIFY_RECOVERED);
}

static void expect_words(const struct verify *v, const char *begin, const char *end)
{
    struct buf why;
    buf_init(&why, 1024);
    (void)!verify_judge(v, 16, &why);
    const char *text = buf_cstr(&why);
    assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
    assert_true(strlen(text) >= strlen(end));
    assert_string_equal(text + strlen(text) - strlen(end), end);
    buf_fini(&why);
}

static void the_proof_says_how_far_it_came_back(void **state)
{
    (void)state;
    struct verify none = loss_from_32_to_250(), half = none, worse = none;
    expect_words(&none, "loss has no rows yet", "");
    add_losses(&half, VERIFY_SWITCHED, 1, 141, 0, 24);
    expect_words(&half, "loss is 141 over 24 rows",
                 ", 50 % of the way back from 250 to 32");
    add_losses(&worse, VERIFY_SWITCHED, 1, 300, 0, 24);
    expect_words(&worse, "loss is 300 over 24 rows",
                 "; it was 250, and 32 in the baseline");
}

static void a_loss_that_stayed_is_not(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250();
    add_losses(&v, VERIFY_SWITCHED, 1, 240, 40, 24);
    assert_int_equal(judge(&v), VERIFY_NOT_RECOVERED);
}

static void half_way_or_too_few_is_inconclusive(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250();
    assert_int_equal(judge(&v), VERIFY_INCONCLUSIVE);
    add_losses(&v, VERIFY_SWITCHED, 1, 50, 40, 8);
    assert_int_equal(judge(&v), VERIFY_INCONCLUSIVE);
    v = loss_from_32_to_250();
    add_losses(&v, VERIFY_SWITCHED, 1, 141, 200, 24);
    assert_int_equal(judge(&v), VERIFY_INCONCLUSIVE);
}

// When the hosts that were left alone recover as well, the switch proved nothing.
static void a_recovered_control_takes_the_proof_away(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250();
    add_losses(&v, VERIFY_SWITCHED, 1, 50, 40, 24);
    add_losses(&v, VERIFY_CONTROL, 1, 45, 40, 24);
    assert_int_equal(judge(&v), VERIFY_INCONCLUSIVE);
    v = loss_from_32_to_250();
    add_losses(&v, VERIFY_SWITCHED, 1, 50, 40, 24);
    add_losses(&v, VERIFY_CONTROL, 1, 250, 40, 24);
    assert_int_equal(judge(&v), VERIFY_RECOVERED);
}

static void windows_from_before_the_switch_do_not_count(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250();
    verify_begin(&v, 5 * DAY);
    add_losses(&v, VERIFY_SWITCHED, 4, 50, 40, 100);
    assert_int_equal(verify_rows(&v), 0);
    add_losses(&v, VERIFY_SWITCHED, 5, 50, 40, 100);
    assert_int_equal(verify_rows(&v), 100);
}

static void without_a_signal_nothing_is_proven(void **state)
{
    (void)state;
    struct verify v = {0};
    assert_int_equal(judge(&v), VERIFY_INCONCLUSIVE);
}

static void its_bytes_read_back_and_cut_ones_are_refused(void **state)
{
    (void)state;
    struct verify v = loss_from_32_to_250(), back;
    verify_add_signal(&v, span_text("hr"), true, 0.47, -0.14);
    add_losses(&v, VERIFY_SWITCHED, 1, 50, 40, 24);
    struct buf b;
    buf_init(&b, 1u << 16);
    verify_encode(&v, &b);
    assert_int_equal(verify_decode(buf_span(&b), &back), ST_OK);
    assert_memory_equal(&v.signal[0].mean, &back.signal[0].mean,
                        sizeof v.signal[0].mean);
    assert_int_equal(judge(&back), judge(&v));
    assert_string_equal(back.signal[1].feature, "hr");
    assert_int_equal(back.latest_ns, v.latest_ns);
    for (size_t n = 0; n < b.size; n++)
        assert_int_not_equal(verify_decode(span_of(b.data, n), &back), ST_OK);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_that_came_back_is_recovered),
        cmocka_unit_test(the_proof_says_how_far_it_came_back),
        cmocka_unit_test(a_loss_that_stayed_is_not),
        cmocka_unit_test(half_way_or_too_few_is_inconclusive),
        cmocka_unit_test(a_recovered_control_takes_the_proof_away),
        cmocka_unit_test(windows_from_before_the_switch_do_not_count),
        cmocka_unit_test(without_a_signal_nothing_is_proven),
        cmocka_unit_test(its_bytes_read_back_and_cut_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
