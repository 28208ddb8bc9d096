// Packets: maps are cut out of a stream wherever it is cut itself, and mean what the
// same JSON line means.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "agent/intake/packets.h"
#include "agent/intake/rows.h"
#include "common/base/mem.h"

// {"model":"m","ts":1.5,"features":{"a":-3,"b":[1,"x"],"c":nil,"d":true},"prediction":2.5}
static const uint8_t row[] = {
    0x84, 0xa5, 'm', 'o',  'd',  'e',  'l',  0xa1, 'm',  0xa2, 't',  's',  0xcb,
    0x3f, 0xf8, 0,   0,    0,    0,    0,    0,    0xa8, 'f',  'e',  'a',  't',
    'u',  'r',  'e', 's',  0x84, 0xa1, 'a',  0xfd, 0xa1, 'b',  0x92, 0x01, 0xa1,
    'x',  0xa1, 'c', 0xc0, 0xa1, 'd',  0xc3, 0xaa, 'p',  'r',  'e',  'd',  'i',
    'c',  't',  'i', 'o',  'n',  0xca, 0x40, 0x20, 0,    0};
static const char line[] =
    "{\"model\":\"m\",\"ts\":1.5,\"features\":{\"a\":-3,\"b\":[1,\"x\"],\"c\":null,"
    "\"d\":true},\"prediction\":2.5}";

static void assert_same(const struct observation *a, const struct observation *b)
{
    assert_true(span_equal(a->model, b->model) && a->t == b->t);
    assert_int_equal(a->values, b->values);
    for (uint32_t i = 0; i < a->values; i++) {
        const struct datum *x = &a->value[i], *y = &b->value[i];
        assert_true(span_equal(x->name, y->name) && x->side == y->side);
        assert_int_equal(x->kind, y->kind);
        if (x->kind == DATUM_NUMBER)
            assert_true(x->number == y->number);
        if (x->kind == DATUM_CATEGORY)
            assert_true(span_equal(x->text, y->text));
    }
}

static void a_map_means_what_its_line_means(void **state)
{
    (void)state;
    struct rows *one, *two;
    struct observation a, b;
    assert_int_equal(rows_open(NULL, &one), ST_OK);
    assert_int_equal(rows_open(NULL, &two), ST_OK);
    assert_int_equal(rows_read(one, span_text(line), 1, &a), ST_OK);
    assert_int_equal(rows_unpack(two, span_of(row, sizeof row), 1, &b), ST_OK);
    assert_same(&a, &b);
    assert_int_equal(a.values, 6);
    rows_close(one);
    rows_close(two);
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    uint8_t stream[3 * sizeof row];
    for (int i = 0; i < 3; i++)
        memcpy(stream + (size_t)i * sizeof row, row, sizeof row);
    for (size_t step = 1; step <= sizeof stream; step++) {
        struct packets p;
        int maps = 0;
        packets_init(&p);
        for (size_t at = 0; at < sizeof stream; at += step) {
            size_t n = sizeof stream - at < step ? sizeof stream - at : step;
            struct span bytes = span_of(stream + at, n), packet;
            while (packets_next(&p, &bytes, &packet) == PACKET_WHOLE) {
                assert_true(span_equal(packet, span_of(row, sizeof row)));
                maps++;
            }
        }
        assert_int_equal(maps, 3);
        packets_fini(&p);
    }
}

// {"": bin of 2 MiB} goes by, and what follows it is read.
static void one_that_is_too_long_is_passed_over(void **state)
{
    (void)state;
    const uint8_t begin[] = {0x81, 0xa0, 0xc6, 0, 0x20, 0, 0};
    uint8_t *piece = mem_zero(1 << 20, 1);
    struct packets p;
    struct span packet, bytes = span_of(begin, sizeof begin);
    packets_init(&p);
    assert_int_equal(packets_next(&p, &bytes, &packet), PACKET_NONE);
    bytes = span_of(piece, 1 << 20);
    assert_int_equal(packets_next(&p, &bytes, &packet), PACKET_NONE);
    bytes = span_of(piece, 1 << 20);
    assert_int_equal(packets_next(&p, &bytes, &packet), PACKET_OVERSIZE);
    bytes = span_of(row, sizeof row);
    assert_int_equal(packets_next(&p, &bytes, &packet), PACKET_WHOLE);
    packets_fini(&p);
    mem_free(piece);
}

static void what_is_no_map_breaks_the_stream(void **state)
{
    (void)state;
    const uint8_t bad[][6] = {{0x01}, {0x81, 0xc1}, {0xdf, 0xff, 0xff, 0xff, 0xff}};
    const size_t size[] = {1, 2, 5};
    for (int i = 0; i < 3; i++) {
        struct packets p;
        struct span packet, bytes = span_of(bad[i], size[i]);
        packets_init(&p);
        assert_int_equal(packets_next(&p, &bytes, &packet), PACKET_BROKEN);
        packets_fini(&p);
    }
}

static void maps_that_are_no_rows_are_refused(void **state)
{
    (void)state;
    static const uint8_t numbers_as_keys[] = {0x81, 0x01, 0x02};
    static const uint8_t only_a_model[] = {0x81, 0xa5, 'm',  'o', 'd',
                                           'e',  'l',  0xa1, 'm'};
    struct rows *r;
    struct observation o;
    assert_int_equal(rows_open("m", &r), ST_OK);
    assert_int_equal(rows_unpack(r, span_of(numbers_as_keys, 3), 1, &o), ST_CORRUPT);
    assert_int_equal(rows_unpack(r, span_of(only_a_model, 9), 1, &o), ST_CORRUPT);
    for (size_t n = 0; n < sizeof row; n++)
        assert_int_not_equal(rows_unpack(r, span_of(row, n), 1, &o), ST_OK);
    assert_int_equal(rows_unpack(r, span_of(row, sizeof row), 1, &o), ST_OK);
    rows_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_means_what_its_line_means),
        cmocka_unit_test(a_stream_may_be_cut_anywhere),
        cmocka_unit_test(one_that_is_too_long_is_passed_over),
        cmocka_unit_test(what_is_no_map_breaks_the_stream),
        cmocka_unit_test(maps_that_are_no_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
