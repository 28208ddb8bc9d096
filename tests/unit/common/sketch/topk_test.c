// Topk: bounds that hold, the reference library's bytes, and nothing broken believed.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/topk.h"

#include <math.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "tests/unit/common/sketch/vectors.h"

#define NAMES 20000

static struct json_object *manifest;
static uint64_t truth[NAMES];

static struct topk *open_of(unsigned lg_max)
{
    struct topk *t = NULL;
    assert_int_equal(topk_open(lg_max, &t), ST_OK);
    return t;
}

static struct topk *parse(const char *name)
{
    struct buf bytes = vector_bytes(name);
    struct topk *t = NULL;
    assert_int_equal(topk_parse(buf_span(&bytes), &t), ST_OK);
    buf_fini(&bytes);
    return t;
}

static struct buf bytes_of(const struct topk *t)
{
    struct buf out;
    buf_init(&out, 4u << 20);
    topk_encode(t, &out);
    assert_int_equal(out.failed, ST_OK);
    return out;
}

static void same_bytes(const struct topk *a, const struct topk *b)
{
    struct buf x = bytes_of(a), y = bytes_of(b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    buf_fini(&x);
    buf_fini(&y);
}

static struct span name_of(uint64_t i, char room[32])
{
    snprintf(room, 32, "value %llu", (unsigned long long)i);
    return span_text(room);
}

// Zipf with exponent 1.1, roughly.
static uint64_t draw(struct random *r)
{
    double u = random_unit(r);
    double x = pow(u, -1 / 0.1);
    return x >= NAMES ? random_u64(r) % NAMES : (uint64_t)x;
}

static void feed(struct topk *t, uint64_t rows, uint64_t seed, uint64_t *counts)
{
    struct random r = {seed};
    char room[32];
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t name = draw(&r);
        counts[name]++;
        assert_int_equal(topk_add(t, name_of(name, room), 1), ST_OK);
    }
}

static void hold(const struct topk *t, const uint64_t *counts)
{
    char room[32];
    for (uint64_t i = 0; i < NAMES; i++) {
        struct topk_item item = topk_get(t, name_of(i, room));
        assert_true(item.lower <= counts[i] && counts[i] <= item.upper);
    }
}

static void never_outside_its_bounds(void **state)
{
    (void)state;
    for (unsigned lg = TOPK_LG_LEAST; lg <= TOPK_LG_MOST; lg++) {
        struct topk *t = open_of(lg);
        memset(truth, 0, sizeof truth);
        feed(t, 60000, lg, truth);
        hold(t, truth);
        assert_int_equal(topk_total(t), 60000);
        assert_true(topk_len(t) <= (3u << lg) / 4);
        assert_true((double)topk_error(t) <= 3.5 / (double)(1u << lg) * 60000);
        topk_close(t);
    }
}

static void exact_until_full(void **state)
{
    (void)state;
    struct topk *t = open_of(10);
    char room[32];
    for (uint64_t round = 0; round < 3; round++)
        for (uint64_t i = 0; i < 768; i++)
            assert_int_equal(topk_add(t, name_of(i, room), i + 1), ST_OK);
    assert_int_equal(topk_error(t), 0);
    assert_int_equal(topk_len(t), 768);
    struct topk_item best[10];
    assert_int_equal(topk_heaviest(t, 10, best), 10);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(best[i].lower, 3 * (768 - i));
        assert_int_equal(best[i].upper, best[i].lower);
        assert_true(span_equal(best[i].text, name_of(767 - i, room)));
    }
    assert_int_equal(topk_add(t, name_of(768, room), 1), ST_OK);
    assert_true(topk_error(t) > 0 && topk_len(t) <= 768);
    topk_close(t);
}

static void all_alike_may_all_go(void **state)
{
    (void)state;
    struct topk *t = open_of(3), *back = NULL;
    char room[32];
    for (uint64_t i = 0; i < 7; i++)
        assert_int_equal(topk_add(t, name_of(i, room), 5), ST_OK);
    assert_int_equal(topk_len(t), 0);
    assert_int_equal(topk_error(t), 5);
    assert_int_equal(topk_total(t), 35);
    struct buf bytes = bytes_of(t);
    assert_int_equal(topk_parse(buf_span(&bytes), &back), ST_OK);
    same_bytes(t, back);
    buf_fini(&bytes);
    topk_close(back);
    topk_close(t);
}

static void merges_keep_the_bounds(void **state)
{
    (void)state;
    for (unsigned lg = 4; lg <= 10; lg += 2) {
        memset(truth, 0, sizeof truth);
        struct topk *all = open_of(lg);
        for (uint64_t part = 0; part < 20; part++) {
            struct topk *t = open_of((unsigned)(3 + (part + lg) % 9));
            feed(t, 500 + 700 * part, part, truth);
            struct buf bytes = bytes_of(t);
            topk_close(t);
            assert_int_equal(topk_parse(buf_span(&bytes), &t), ST_OK);
            assert_int_equal(topk_merge(all, t), ST_OK);
            topk_close(t);
            buf_fini(&bytes);
        }
        hold(all, truth);
        topk_close(all);
    }
}

// Two processes have other seeds, so other tables, but must come to the same bytes.
static void merging_depends_on_the_content_alone(void **state)
{
    (void)state;
    struct topk *result[2];
    for (size_t k = 0; k < 2; k++) {
        result[k] = open_of(6);
        for (uint64_t part = 0; part < 10; part++) {
            struct topk *t = open_of(7);
            feed(t, 3000, part, truth);
            assert_int_equal(topk_merge(result[k], t), ST_OK);
            topk_close(t);
        }
    }
    same_bytes(result[0], result[1]);
    topk_close(result[0]);
    topk_close(result[1]);
}

static void hashes_are_their_digits(void **state)
{
    (void)state;
    struct topk *a = open_of(10), *b = open_of(10);
    struct random r = {3};
    for (int i = 0; i < 3000; i++) {
        uint64_t hash = random_u64(&r) % 900 * UINT64_C(0x0123456789abcdef);
        char digits[17];
        snprintf(digits, sizeof digits, "%016llx", (unsigned long long)hash);
        topk_add_hash(a, hash, 2);
        assert_int_equal(topk_add(b, span_text(digits), 2), ST_OK);
    }
    same_bytes(a, b);
    struct topk_item best;
    struct buf name;
    assert_int_equal(topk_heaviest(b, 1, &best), 1);
    assert_int_equal(best.text.size, 0);
    buf_init(&name, 100);
    topk_put_name(&best, &name);
    struct topk_item by_text = topk_get(a, buf_span(&name));
    struct topk_item by_hash = topk_get_hash(a, best.hash);
    assert_int_equal(by_text.upper, best.upper);
    assert_int_equal(by_hash.upper, best.upper);
    buf_fini(&name);
    topk_close(a);
    topk_close(b);
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    struct topk *t = open_of(4);
    char text[400];
    for (size_t lead = 0; lead < 4; lead++) { // 2-byte characters at either parity
        memset(text, 'a', lead);
        for (size_t i = lead; i + 1 < 300; i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        topk_reset(t);
        assert_int_equal(topk_add(t, span_of(text, 300 - lead % 2), 1), ST_OK);
        struct topk_item item;
        assert_int_equal(topk_heaviest(t, 1, &item), 1);
        assert_int_equal(item.text.size, lead % 2 ? 127 : 128);
    }
    assert_int_equal(topk_add(t, span_text(""), 1), ST_RANGE);
    assert_int_equal(topk_add(t, span_text("\xff\xfe"), 1), ST_RANGE);
    assert_int_equal(topk_add(t, span_text("x"), 0), ST_OK);
    assert_int_equal(topk_len(t), 1);
    topk_close(t);
}

// Texts of the largest size come and go: memory stays below its limit.
static void texts_are_swept(void **state)
{
    (void)state;
    struct topk *t = open_of(5);
    char text[TOPK_TEXT_MAX + 1];
    for (unsigned i = 0; i < 20000; i++) {
        memset(text, 'x', TOPK_TEXT_MAX);
        snprintf(text, sizeof text, "%u", i);
        text[strlen(text)] = '.';
        uint64_t weight = i % 97 == 0 ? 50 : 1;
        assert_int_equal(topk_add(t, span_of(text, TOPK_TEXT_MAX), weight), ST_OK);
    }
    struct buf bytes = bytes_of(t);
    struct topk *back = NULL;
    assert_int_equal(topk_parse(buf_span(&bytes), &back), ST_OK);
    same_bytes(t, back);
    buf_fini(&bytes);
    topk_close(back);
    topk_close(t);
}

static void every_vector(void **state)
{
    (void)state;
    struct json_object *list = vector_get(manifest, "frequent_items");
    size_t n = json_object_array_length(list);
    assert_int_equal(n, 16);
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct topk *t = parse(vector_text(entry, "file"));
        assert_int_equal(topk_total(t), vector_number(entry, "total_weight"));
        assert_int_equal(topk_error(t), vector_number(entry, "max_error"));
        assert_int_equal(topk_len(t), vector_number(entry, "active"));
        assert_int_equal(topk_lg_max(t), vector_number(entry, "lg_max"));
        struct json_object *items = vector_get(entry, "items");
        for (size_t k = 0; items && k < json_object_array_length(items); k++) {
            struct json_object *item = json_object_array_get_idx(items, k);
            struct json_object *name = json_object_array_get_idx(item, 0);
            uint64_t figure[3];
            for (size_t f = 0; f < 3; f++)
                figure[f] =
                    json_object_get_uint64(json_object_array_get_idx(item, f + 1));
            struct topk_item got = topk_get(t, span_text(json_object_get_string(name)));
            assert_int_equal(got.upper, figure[0]);
            assert_int_equal(got.lower, figure[1]);
            assert_int_equal(got.upper, figure[2]);
        }
        topk_close(t);
    }
}

static void merges_like_the_reference(void **state)
{
    (void)state;
    struct topk *a = parse("fi_merge_in0.sk"), *b = parse("fi_merge_in1.sk");
    struct topk *want = parse("fi_merge_out.sk");
    assert_int_equal(topk_merge(a, b), ST_OK);
    same_bytes(a, want);
    topk_close(a);
    topk_close(b);
    topk_close(want);
}

static void each_file(void (*check)(struct buf *bytes))
{
    struct json_object *list = vector_get(manifest, "frequent_items");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct buf bytes =
            vector_bytes(vector_text(json_object_array_get_idx(list, i), "file"));
        check(&bytes);
        buf_fini(&bytes);
    }
}

static void check_truncation(struct buf *bytes)
{
    struct topk *t = NULL;
    for (size_t cut = 0; cut < bytes->size; cut++)
        assert_int_equal(topk_parse(span_of(bytes->data, cut), &t), ST_CORRUPT);
    buf_put_u8(bytes, 0);
    assert_int_equal(topk_parse(buf_span(bytes), &t), ST_CORRUPT);
}

static void check_round_trip(struct buf *bytes)
{
    struct topk *t = NULL, *again = NULL;
    assert_int_equal(topk_parse(buf_span(bytes), &t), ST_OK);
    struct buf out = bytes_of(t);
    assert_int_equal(out.size, bytes->size);
    assert_memory_equal(out.data, bytes->data, 4);
    assert_int_equal(topk_parse(buf_span(&out), &again), ST_OK);
    same_bytes(t, again);
    buf_fini(&out);
    topk_close(t);
    topk_close(again);
}

static void no_truncation_is_read(void **state)
{
    (void)state;
    each_file(check_truncation);
}

static void bytes_come_back(void **state)
{
    (void)state;
    each_file(check_round_trip);
}

struct change {
    size_t at;
    uint8_t value;
    enum status want;
};

// fi_lg3_n5: weights 1 1 1 1 9 at 32, then "cat_40" from 72, and so on.
static void refuses_what_contradicts_itself(void **state)
{
    (void)state;
    const struct change changes[] = {
        {0, 1, ST_CORRUPT},     {0, 3, ST_CORRUPT},      {1, 0, ST_CORRUPT},
        {1, 2, ST_VERSION},     {2, 7, ST_CORRUPT},      {3, 2, ST_CORRUPT},
        {3, 27, ST_CORRUPT},    {3, 13, ST_UNSUPPORTED}, {4, 2, ST_CORRUPT},
        {4, 4, ST_CORRUPT},     {5, 4, ST_CORRUPT},      {5, 1, ST_CORRUPT},
        {8, 4, ST_CORRUPT},     {8, 6, ST_CORRUPT},      {8, 7, ST_CORRUPT},
        {11, 0x80, ST_CORRUPT}, {16, 12, ST_CORRUPT},    {16, 0, ST_CORRUPT},
        {23, 0x80, ST_CORRUPT}, {24, 14, ST_CORRUPT},    {31, 0x80, ST_CORRUPT},
        {32, 0, ST_CORRUPT},    {39, 0xff, ST_CORRUPT},  {72, 0, ST_CORRUPT},
        {72, 5, ST_CORRUPT},    {72, 129, ST_CORRUPT},   {75, 0x80, ST_CORRUPT},
        {76, 0xff, ST_CORRUPT},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct buf bytes = vector_bytes("fi_lg3_n5.sk");
        struct topk *t = NULL;
        bytes.data[changes[i].at] = changes[i].value;
        enum status st = topk_parse(buf_span(&bytes), &t);
        if (st != changes[i].want)
            fail_msg("change %zu: %s", i, status_name(st));
        buf_fini(&bytes);
    }
    struct buf bytes = vector_bytes("fi_lg3_n5.sk"); // one name twice
    struct topk *t = NULL;
    memcpy(bytes.data + 82, bytes.data + 72, 10);
    assert_int_equal(topk_parse(buf_span(&bytes), &t), ST_CORRUPT);
    buf_fini(&bytes);
}

static void totals_are_bounded(void **state)
{
    (void)state;
    struct topk *a = open_of(3), *b = open_of(3);
    topk_add_hash(a, 1, TOPK_TOTAL_MAX - 5);
    topk_add_hash(b, 1, 6);
    assert_int_equal(topk_merge(a, b), ST_FULL);
    assert_true(topk_total(a) == TOPK_TOTAL_MAX - 5);
    topk_close(a);
    topk_close(b);
    assert_int_equal(topk_open(2, &a), ST_RANGE);
    assert_int_equal(topk_open(13, &a), ST_RANGE);
}

static void every_failed_allocation_is_clean(void **state)
{
    (void)state;
    struct buf bytes = vector_bytes("fi_lg10_n1000.sk");
    struct topk *from = parse("fi_lg10_n100000.sk");
    for (uint64_t n = 1;; n++) {
        struct topk *t = NULL;
        mem_fail_from(n);
        enum status st = topk_parse(buf_span(&bytes), &t);
        uint64_t before = st == ST_OK ? topk_total(t) : 0;
        if (st == ST_OK)
            st = topk_merge(t, from);
        mem_fail_from(0);
        assert_true(st == ST_OK || st == ST_NOMEM);
        if (st == ST_NOMEM && t)
            assert_true(topk_total(t) == before);
        topk_close(t);
        if (st == ST_OK)
            break;
    }
    struct topk *t = open_of(4);
    mem_fail_from(1);
    assert_int_equal(topk_add(t, span_text("new"), 1), ST_NOMEM);
    topk_add_hash(t, 7, 1);
    mem_fail_from(0);
    assert_int_equal(topk_total(t), 1);
    topk_close(t);
    topk_close(from);
    buf_fini(&bytes);
}

static int read_manifest(void **state)
{
    (void)state;
    manifest = json_object_from_file(VECTORS_FOLDER "manifest.json");
    return manifest ? 0 : -1;
}

static int drop_manifest(void **state)
{
    (void)state;
    json_object_put(manifest);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_outside_its_bounds),
        cmocka_unit_test(exact_until_full),
        cmocka_unit_test(all_alike_may_all_go),
        cmocka_unit_test(merges_keep_the_bounds),
        cmocka_unit_test(merging_depends_on_the_content_alone),
        cmocka_unit_test(hashes_are_their_digits),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(texts_are_swept),
        cmocka_unit_test(every_vector),
        cmocka_unit_test(merges_like_the_reference),
        cmocka_unit_test(no_truncation_is_read),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(refuses_what_contradicts_itself),
        cmocka_unit_test(totals_are_bounded),
        cmocka_unit_test(every_failed_allocation_is_clean),
    };
    return cmocka_run_group_tests(tests, read_manifest, drop_manifest);
}
