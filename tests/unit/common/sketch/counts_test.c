// Counts: short, unambiguous, and refused when cut or padded.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"

static void round_trip(const uint64_t *row, size_t n, size_t *size)
{
    struct buf out;
    uint64_t back[COUNTS_MAX];
    buf_init(&out, 4096);
    counts_encode(row, n, &out);
    assert_int_equal(out.failed, ST_OK);
    struct cursor from = {buf_span(&out)};
    assert_int_equal(counts_decode(&from, back, n), ST_OK);
    assert_int_equal(cursor_end(&from), ST_OK);
    assert_memory_equal(row, back, n * sizeof *row);
    for (size_t cut = 0; cut < out.size; cut++) {
        from.left = span_of(out.data, cut);
        assert_int_equal(counts_decode(&from, back, n), ST_CORRUPT);
    }
    *size = out.size;
    buf_fini(&out);
}

static void gives_back_any_row(void **state)
{
    (void)state;
    struct random r = {1};
    for (int trial = 0; trial < 2000; trial++) {
        uint64_t row[COUNTS_MAX];
        size_t n = random_u64(&r) % (COUNTS_MAX + 1), size;
        unsigned bits = (unsigned)(random_u64(&r) % 65);
        for (size_t i = 0; i < n; i++)
            row[i] = bits ? random_u64(&r) >> (64 - bits) >> random_u64(&r) % bits : 0;
        round_trip(row, n, &size);
    }
}

static void costs_little(void **state)
{
    (void)state;
    uint64_t row[64] = {0};
    size_t size;
    round_trip(row, 64, &size);
    assert_int_equal(size, 17);
    for (size_t i = 0; i < 64; i++)
        row[i] = 100000 / 64;
    round_trip(row, 64, &size);
    assert_int_equal(size, 145);
    row[0] = UINT64_MAX;
    round_trip(row, 64, &size);
}

static void refuses_a_second_form(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t size, n;
    } bad[] = {
        {"\x00\x01\x00", 3, 1},             // a zero in one byte
        {"\x00\x02\xff\x00", 4, 1},         // a byte in two
        {"\x00\x03\xff\xff\x00\x00", 6, 1}, // two bytes in four
        {"\x01\x01\x05\x00", 4, 1},         // the long scale for small numbers
        {"\x02\x00", 2, 1},                 // a third scale
        {"\x00\x04", 2, 1},                 // a length beyond the row
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t row[4];
        struct cursor from = {span_of(bad[i].bytes, bad[i].size)};
        assert_int_equal(counts_decode(&from, row, bad[i].n), ST_CORRUPT);
    }
}

static void adds_without_wrapping(void **state)
{
    (void)state;
    uint64_t a[2] = {1, UINT64_MAX - 1}, b[2] = {2, 5};
    counts_add(a, b, 2);
    assert_int_equal(a[0], 3);
    assert_true(a[1] == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_any_row),
        cmocka_unit_test(costs_little),
        cmocka_unit_test(refuses_a_second_form),
        cmocka_unit_test(adds_without_wrapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
