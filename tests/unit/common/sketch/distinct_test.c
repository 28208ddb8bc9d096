// Distinct: the reference library's sketches are read, rebuilt and joined as it would,
// and nothing that is broken is believed.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/distinct.h"

#include <math.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "tests/unit/common/sketch/vectors.h"

static struct json_object *manifest;

static struct distinct *open_of(unsigned lg_k)
{
    struct distinct *d = NULL;
    assert_int_equal(distinct_open(lg_k, &d), ST_OK);
    return d;
}

static struct distinct *parse(const char *name)
{
    struct buf bytes = vector_bytes(name);
    struct distinct *d = NULL;
    assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_OK);
    buf_fini(&bytes);
    return d;
}

static struct buf bytes_of(const struct distinct *d, enum distinct_form form)
{
    struct buf out;
    buf_init(&out, 4u << 20);
    distinct_encode(d, form, &out);
    assert_int_equal(out.failed, ST_OK);
    return out;
}

// Equal but for what is no part of the set: the running estimate and its flag.
static void same_content(const struct distinct *a, const struct distinct *b)
{
    struct buf x = bytes_of(a, DISTINCT_HLL_8), y = bytes_of(b, DISTINCT_HLL_8);
    assert_int_equal(x.size, y.size);
    bool has_registers = x.data[0] == 10;
    assert_memory_equal(x.data, y.data, 5);
    size_t skip = has_registers ? 16 : 8;
    assert_memory_equal(x.data + skip, y.data + skip, x.size - skip);
    buf_fini(&x);
    buf_fini(&y);
}

static void within_bounds(struct json_object *entry, const struct distinct *d)
{
    double estimate = distinct_estimate(d), want = vector_number(entry, "composite");
    if (fabs(estimate - want) > 0.01 * want ||
        estimate < vector_number(entry, "lb2") - 1e-9 ||
        estimate > vector_number(entry, "ub2") + 1e-9)
        fail_msg("%s: %.3f for %.3f", vector_text(entry, "file"), estimate, want);
}

static void add_key(struct distinct *d, const char *kind, int64_t key)
{
    char text[32];
    if (strcmp(kind, "i64") == 0) {
        distinct_add_u64(d, (uint64_t)key);
    } else if (strcmp(kind, "f64") == 0) {
        distinct_add_f64(d, (double)key * 0.5);
    } else {
        snprintf(text, sizeof text, "cat_%lld", (long long)key);
        distinct_add_text(d, span_text(text));
    }
}

static void rebuild(struct json_object *entry, const struct distinct *want)
{
    struct distinct *d = open_of((unsigned)vector_number(entry, "lg_k"));
    int64_t start = (int64_t)vector_number(entry, "start");
    int64_t n = (int64_t)vector_number(entry, "n");
    for (int64_t i = 0; i < n; i++)
        add_key(d, vector_text(entry, "kind"), start + i);
    same_content(d, want);
    distinct_close(d);
}

static void join(struct json_object *entry, const struct distinct *want)
{
    struct json_object *names = vector_get(entry, "union_of");
    struct distinct *d = open_of(DISTINCT_LG_K);
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        struct json_object *name = json_object_array_get_idx(names, i);
        struct distinct *part = parse(json_object_get_string(name));
        assert_int_equal(distinct_merge(d, part), ST_OK);
        distinct_close(part);
    }
    same_content(d, want);
    distinct_close(d);
}

static void every_vector(void **state)
{
    (void)state;
    struct json_object *list = vector_get(manifest, "hll");
    size_t n = json_object_array_length(list), built = 0, joined = 0;
    assert_int_equal(n, 124);
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct distinct *d = parse(vector_text(entry, "file"));
        if (vector_get(entry, "same_as")) {
            struct distinct *other = parse(vector_text(entry, "same_as"));
            same_content(d, other);
            distinct_close(other);
        } else {
            within_bounds(entry, d);
        }
        if (vector_get(entry, "union_of")) {
            join(entry, d);
            joined++;
        } else if (vector_get(entry, "kind")) {
            rebuild(entry, d);
            built++;
        }
        distinct_close(d);
    }
    assert_int_equal(joined, 4);
    assert_true(built >= 100);
}

// In the forms that are written, bytes of the reference come back as they were, but for
// the order of coupons and the place for exceptions.
static void bytes_come_back(void **state)
{
    (void)state;
    struct json_object *list = vector_get(manifest, "hll");
    size_t same = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *name = vector_text(json_object_array_get_idx(list, i), "file");
        struct buf bytes = vector_bytes(name);
        struct distinct *d = parse(name);
        enum distinct_form form = (enum distinct_form)(bytes.data[7] >> 2 & 3);
        struct buf out = bytes_of(d, form);
        bool is_exact =
            form == DISTINCT_HLL_8 && bytes.data[5] & 8 && bytes.data[0] != 3;
        if (is_exact && bytes.data[0] == 10 && !(bytes.data[5] & 16)) {
            assert_int_equal(out.size, bytes.size);
            assert_memory_equal(out.data, bytes.data, bytes.size);
            same++;
        }
        struct distinct *again = NULL;
        assert_int_equal(distinct_parse(buf_span(&out), &again), ST_OK);
        same_content(d, again);
        distinct_close(again);
        distinct_close(d);
        buf_fini(&out);
        buf_fini(&bytes);
    }
    assert_true(same >= 10);
}

static void no_truncation_is_read(void **state)
{
    (void)state;
    struct json_object *list = vector_get(manifest, "hll");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct buf bytes =
            vector_bytes(vector_text(json_object_array_get_idx(list, i), "file"));
        struct distinct *d = NULL;
        for (size_t cut = 0; cut < bytes.size; cut++) {
            enum status st = distinct_parse(span_of(bytes.data, cut), &d);
            assert_true(st == ST_CORRUPT);
        }
        buf_put_u8(&bytes, 0);
        assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_CORRUPT);
        buf_fini(&bytes);
    }
}

struct change {
    const char *file;
    size_t at;
    uint8_t mask; // flipped bits
};

static void refuses_what_contradicts_itself(void **state)
{
    (void)state;
    const char *list = "hll_i64_lgk12_t8_n7.sk", *set = "hll_i64_lgk12_t8_n100.sk";
    const char *wide = "hll_i64_lgk12_t8_n50000.sk",
               *six = "hll_i64_lgk12_t6_n50000.sk";
    const char *four = "hll_i64_lgk12_t4_n50000.sk";
    const struct change changes[] = {
        {list, 0, 1},    {list, 1, 1},      {list, 2, 1},       {list, 3, 16},
        {list, 5, 4},    {list, 6, 1},      {list, 6, 8},       {list, 7, 1},
        {list, 7, 4},   {list, 7, 16},     {list, 7, 3},       {set, 0, 1},
        {set, 3, 4},     {set, 4, 15},      {set, 4, 7},        {set, 5, 4},
        {set, 8, 1},     {set, 11, 128},    {set, 7, 1},        {wide, 0, 2},
        {wide, 3, 1},    {wide, 5, 4},      {wide, 6, 1},       {wide, 15, 0x80},
        {wide, 16, 1},   {wide, 24, 1},     {wide, 32, 1},      {wide, 36, 1},
        {wide, 40, 1},   {wide, 40, 0x40},  {wide, 4135, 0x80}, {wide, 7, 12},
        {six, 6, 1},     {six, 40, 1},      {six, 3111, 1},     {six, 7, 12},
        {four, 6, 1},    {four, 6, 0x40},   {four, 32, 1},      {four, 36, 1},
        {four, 36, 3},   {four, 40, 1},     {four, 2087, 0x10}, {four, 2088, 1},
        {four, 2091, 2}, {four, 2091, 128}, {four, 2090, 2},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct buf bytes = vector_bytes(changes[i].file);
        assert_true(changes[i].at < bytes.size);
        bytes.data[changes[i].at] ^= changes[i].mask;
        struct distinct *d = NULL;
        enum status st = distinct_parse(buf_span(&bytes), &d);
        if (st == ST_OK)
            fail_msg("change %zu of %s was read", i, changes[i].file);
        buf_fini(&bytes);
    }
}

// Not a number, or infinite, as the running estimate.
static void refuses_a_silly_estimate(void **state)
{
    (void)state;
    const uint64_t silly[] = {0x7ff8000000000000, 0x7ff0000000000000,
                              0xbff0000000000000};
    for (size_t i = 0; i < 3; i++) {
        struct buf bytes = vector_bytes("hll_i64_lgk12_t8_n50000.sk");
        struct distinct *d = NULL;
        store_le64(bytes.data + 8, silly[i]);
        assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_CORRUPT);
        buf_fini(&bytes);
    }
}

static void coupon_twice_is_refused(void **state)
{
    (void)state;
    struct buf bytes = vector_bytes("hll_i64_lgk12_t8_n100.sk");
    struct distinct *d = NULL;
    memcpy(bytes.data + 12, bytes.data + 16, 4);
    assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_CORRUPT);
    store_le32(bytes.data + 12, 0); // none at all
    assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_CORRUPT);
    store_le32(bytes.data + 12, 77); // the value 0
    assert_int_equal(distinct_parse(buf_span(&bytes), &d), ST_CORRUPT);
    buf_fini(&bytes);
}

static void errs_as_little_as_promised(void **state)
{
    (void)state;
    const uint64_t sizes[] = {10, 300, 500, 2000, 5000, 12000, 50000, 300000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct random r = {k};
        double squares = 0, sum = 0;
        const int trials = sizes[k] > 20000 ? 30 : 200;
        struct distinct *d = open_of(DISTINCT_LG_K);
        for (int t = 0; t < trials; t++) {
            distinct_reset(d);
            for (uint64_t i = 0; i < sizes[k]; i++)
                distinct_add_u64(d, random_u64(&r));
            double error = distinct_estimate(d) / (double)sizes[k] - 1;
            squares += error * error;
            sum += error;
        }
        double rms = sqrt(squares / trials), mean = sum / trials;
        assert_true(rms < 0.0163 * 1.35);
        assert_true(fabs(mean) < 4 * 0.0163 / sqrt(trials));
        distinct_close(d);
    }
}

static void bounds_hold_the_truth(void **state)
{
    (void)state;
    struct random r = {5};
    int outside = 0;
    for (int t = 0; t < 400; t++) {
        struct distinct *d = open_of(8 + t % 6);
        uint64_t n = 1 + random_u64(&r) % 20000;
        for (uint64_t i = 0; i < n; i++)
            distinct_add_u64(d, random_u64(&r));
        double low, high;
        distinct_bounds(d, 2, &low, &high);
        outside += low > (double)n || high < (double)n;
        distinct_close(d);
    }
    assert_true(outside < 400 * 0.07);
}

static void order_and_repetition_do_not_matter(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 3000; n = n * 2 + 1) {
        struct distinct *a = open_of(12), *b = open_of(12);
        for (uint64_t i = 0; i < n; i++) {
            distinct_add_u64(a, i);
            distinct_add_u64(a, i / 2);
            distinct_add_u64(b, n - 1 - i);
        }
        same_content(a, b);
        distinct_close(a);
        distinct_close(b);
    }
}

// All sizes on either side, few values and many, parsed or not.
static void unions_are_those_of_the_values(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0, 3, 50, 6000};
    for (unsigned lg_a = 6; lg_a <= 13; lg_a += 1) {
        for (unsigned lg_b = 5; lg_b <= 13; lg_b += 2) {
            for (size_t k = 0; k < 16; k++) {
                uint64_t na = sizes[k / 4], nb = sizes[k % 4];
                struct distinct *a = open_of(lg_a), *b = open_of(lg_b);
                for (uint64_t i = 0; i < na; i++)
                    distinct_add_u64(a, i);
                for (uint64_t i = 0; i < nb; i++)
                    distinct_add_u64(b, i + na / 2);
                struct buf bytes = bytes_of(a, DISTINCT_HLL_4);
                struct distinct *parsed = NULL;
                assert_int_equal(distinct_parse(buf_span(&bytes), &parsed), ST_OK);
                assert_int_equal(distinct_merge(a, b), ST_OK);
                assert_int_equal(distinct_merge(parsed, b), ST_OK);
                same_content(a, parsed);
                struct distinct *all = open_of(distinct_lg_k(a));
                for (uint64_t i = 0; i < na; i++)
                    distinct_add_u64(all, i);
                for (uint64_t i = 0; i < nb; i++)
                    distinct_add_u64(all, i + na / 2);
                double want = distinct_estimate(all);
                assert_true(fabs(distinct_estimate(a) - want) <= 1e-3 * want);
                distinct_reset(a);
                assert_int_equal(distinct_lg_k(a), lg_a);
                assert_true(distinct_is_empty(a));
                buf_fini(&bytes);
                distinct_close(all);
                distinct_close(parsed);
                distinct_close(a);
                distinct_close(b);
            }
        }
    }
}

static void kinds_of_values(void **state)
{
    (void)state;
    struct distinct *d = open_of(12);
    distinct_add_f64(d, 0.0);
    distinct_add_f64(d, -0.0);
    distinct_add_f64(d, NAN);
    distinct_add_f64(d, -NAN);
    distinct_add_text(d, span_text(""));
    assert_true(round(distinct_estimate(d)) == 2);
    distinct_add_f64(d, 1.0);
    distinct_add_u64(d, 1);
    distinct_add_text(d, span_text("1"));
    assert_true(round(distinct_estimate(d)) == 5);
    distinct_close(d);
    assert_int_equal(distinct_open(3, &d), ST_RANGE);
    assert_int_equal(distinct_open(22, &d), ST_RANGE);
}

static void every_failed_allocation_is_clean(void **state)
{
    (void)state;
    const char *files[] = {"hll_i64_lgk12_t8_n100.sk", "hll_i64_lgk12_t4_n50000.sk"};
    struct distinct *from = parse(files[1]);
    for (size_t f = 0; f < 2; f++) {
        struct buf bytes = vector_bytes(files[f]);
        for (uint64_t n = 1;; n++) {
            struct distinct *d = NULL;
            mem_fail_from(n);
            enum status st = distinct_parse(buf_span(&bytes), &d);
            double before = st == ST_OK ? distinct_estimate(d) : 0;
            if (st == ST_OK)
                st = distinct_merge(d, from);
            mem_fail_from(0);
            assert_true(st == ST_OK || st == ST_NOMEM);
            if (st == ST_NOMEM && d)
                assert_true(distinct_estimate(d) == before);
            distinct_close(d);
            if (st == ST_OK)
                break;
        }
        buf_fini(&bytes);
    }
    distinct_close(from);
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
        cmocka_unit_test(every_vector),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(no_truncation_is_read),
        cmocka_unit_test(refuses_what_contradicts_itself),
        cmocka_unit_test(refuses_a_silly_estimate),
        cmocka_unit_test(coupon_twice_is_refused),
        cmocka_unit_test(errs_as_little_as_promised),
        cmocka_unit_test(bounds_hold_the_truth),
        cmocka_unit_test(order_and_repetition_do_not_matter),
        cmocka_unit_test(unions_are_those_of_the_values),
        cmocka_unit_test(kinds_of_values),
        cmocka_unit_test(every_failed_allocation_is_clean),
    };
    return cmocka_run_group_tests(tests, read_manifest, drop_manifest);
}
