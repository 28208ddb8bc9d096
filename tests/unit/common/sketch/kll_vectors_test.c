// KLL vectors: bytes made by the reference library are read, answered and written as it
// would, and broken ones are refused. What to expect stands in tests/data/kll/manifest.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/sketch/quantile.h"

#define FOLDER "tests/data/kll/"
#define FILE_BYTES_MAX (16u << 20)

static struct json_object *manifest;

static const char *text_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    assert_true(json_object_object_get_ex(o, key, &v));
    return json_object_get_string(v);
}

static double number_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    assert_true(json_object_object_get_ex(o, key, &v));
    return json_object_get_double(v);
}

// NULL when it is not there.
static struct json_object *list_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static size_t len_of(struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

static enum quantile_type type_of(struct json_object *o)
{
    return strcmp(text_of(o, "type"), "float") == 0 ? QUANTILE_FLOAT : QUANTILE_DOUBLE;
}

// The figure whose IEEE bits stand at `key`, in the width of the sketch.
static double bits_of(struct json_object *o, const char *key, enum quantile_type type)
{
    uint64_t bits = strtoull(text_of(o, key), NULL, 16);
    if (type == QUANTILE_DOUBLE) {
        double v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    uint32_t half = (uint32_t)bits;
    float v;
    memcpy(&v, &half, sizeof v);
    return (double)v;
}

static void read_blob(const char *name, struct buf *out)
{
    char path[256];
    snprintf(path, sizeof path, FOLDER "%s", name);
    buf_init(out, FILE_BYTES_MAX);
    assert_int_equal(file_read(path, out), ST_OK);
}

static struct quantile *parse(enum quantile_type type, const struct buf *b)
{
    struct quantile *q = NULL;
    assert_int_equal(quantile_parse(type, buf_span(b), 1, &q), ST_OK);
    return q;
}

static struct quantile_view *view_of(struct quantile *q)
{
    struct quantile_view *v = NULL;
    assert_int_equal(quantile_view_open(quantile_k(q), &v), ST_OK);
    assert_int_equal(quantile_view_load(v, q), ST_OK);
    return v;
}

static void answers_match(struct json_object *entry, struct quantile *q)
{
    enum quantile_type type = type_of(entry);
    struct quantile_view *v = view_of(q);
    struct json_object *quantiles = list_of(entry, "quantiles");
    for (size_t i = 0; i < len_of(quantiles); i++) {
        struct json_object *one = json_object_array_get_idx(quantiles, i);
        double rank = number_of(one, "rank");
        assert_true(quantile_view_quantile(v, rank, QUANTILE_INCLUSIVE) ==
                    bits_of(one, "incl_bits", type));
        assert_true(quantile_view_quantile(v, rank, QUANTILE_EXCLUSIVE) ==
                    bits_of(one, "excl_bits", type));
    }
    struct json_object *ranks = list_of(entry, "ranks");
    for (size_t i = 0; i < len_of(ranks); i++) {
        struct json_object *one = json_object_array_get_idx(ranks, i);
        double x = bits_of(one, "x_bits", type);
        assert_true(quantile_view_rank(v, x, QUANTILE_INCLUSIVE) ==
                    number_of(one, "incl"));
        assert_true(quantile_view_rank(v, x, QUANTILE_EXCLUSIVE) ==
                    number_of(one, "excl"));
    }
    quantile_view_close(v);
}

static void figures_match(struct json_object *entry, struct quantile *q)
{
    enum quantile_type type = type_of(entry);
    assert_int_equal(quantile_type_of(q), type);
    assert_int_equal(quantile_k(q), number_of(entry, "k"));
    assert_int_equal(quantile_min_k(q), number_of(entry, "min_k"));
    assert_int_equal(quantile_n(q), number_of(entry, "n"));
    assert_int_equal(quantile_levels(q), number_of(entry, "num_levels"));
    assert_int_equal(quantile_retained(q), number_of(entry, "retained"));
    if (list_of(entry, "rank_error")) {
        uint32_t min_k = quantile_min_k(q);
        assert_true(quantile_rank_error(min_k) == number_of(entry, "rank_error"));
        assert_true(quantile_pmf_error(min_k) == number_of(entry, "pmf_error"));
    }
    if (quantile_n(q) == 0)
        return;
    assert_true(quantile_min(q) == bits_of(entry, "min_bits", type));
    assert_true(quantile_max(q) == bits_of(entry, "max_bits", type));
    answers_match(entry, q);
}

// The historical full form of one item is written back as the single-item form.
static void bytes_match(struct json_object *entry, struct quantile *q,
                        const struct buf *original)
{
    struct buf out;
    buf_init(&out, FILE_BYTES_MAX);
    assert_int_equal(quantile_serialize(q, &out), ST_OK);
    if (list_of(entry, "roundtrip")) {
        size_t item = quantile_type_of(q) == QUANTILE_FLOAT ? 4 : 8;
        assert_int_equal(out.size, 8 + item);
        assert_memory_equal(out.data + 8, original->data + original->size - item, item);
    } else {
        assert_int_equal(out.size, original->size);
        assert_memory_equal(out.data, original->data, out.size);
    }
    assert_true(out.size <= quantile_bytes_max(quantile_type_of(q), quantile_k(q)));
    buf_fini(&out);
}

static void reads_answers_and_rewrites_each_vector(void **state)
{
    (void)state;
    struct json_object *vectors = list_of(manifest, "vectors");
    assert_int_equal(len_of(vectors), 193);
    for (size_t i = 0; i < len_of(vectors); i++) {
        struct json_object *entry = json_object_array_get_idx(vectors, i);
        struct buf blob;
        read_blob(text_of(entry, "file"), &blob);
        struct quantile *q = parse(type_of(entry), &blob);
        figures_match(entry, q);
        bytes_match(entry, q, &blob);
        quantile_close(q);
        buf_fini(&blob);
    }
}

// A vector poured into a sketch with room keeps its figures, and its answers within the
// error that both carry.
static void prepares_each_vector_for_more_values(void **state)
{
    (void)state;
    struct json_object *vectors = list_of(manifest, "vectors");
    for (size_t i = 0; i < len_of(vectors); i++) {
        struct json_object *entry = json_object_array_get_idx(vectors, i);
        struct buf blob;
        read_blob(text_of(entry, "file"), &blob);
        struct quantile *q = parse(type_of(entry), &blob);
        assert_int_equal(quantile_prepare(q), ST_OK);
        if (number_of(entry, "num_levels") <= 16)
            figures_match(entry, q);
        assert_true(quantile_add(q, 0));
        assert_int_equal(quantile_n(q), number_of(entry, "n") + 1);
        quantile_close(q);
        buf_fini(&blob);
    }
}

static void merge_matches(struct json_object *entry, struct quantile *q)
{
    enum quantile_type type = type_of(entry);
    assert_int_equal(quantile_k(q), number_of(entry, "k"));
    assert_int_equal(quantile_min_k(q), number_of(entry, "min_k"));
    assert_int_equal(quantile_n(q), number_of(entry, "n"));
    assert_true(quantile_min(q) == bits_of(entry, "min_bits", type));
    assert_true(quantile_max(q) == bits_of(entry, "max_bits", type));
    struct quantile_view *v = view_of(q);
    struct json_object *ranks = list_of(entry, "ranks");
    double bound = number_of(entry, "rank_error");
    for (size_t i = 0; i < len_of(ranks); i++) {
        struct json_object *one = json_object_array_get_idx(ranks, i);
        double x = bits_of(one, "x_bits", type);
        double ours = quantile_view_rank(v, x, QUANTILE_INCLUSIVE);
        assert_true(ours >= number_of(one, "true_incl") - bound);
        assert_true(ours <= number_of(one, "true_incl") + bound);
    }
    quantile_view_close(v);
}

enum way { FROM_SKETCH, FROM_BYTES };

static void merge_all(struct json_object *entry, enum way way)
{
    struct json_object *inputs = list_of(entry, "inputs");
    enum quantile_type type = type_of(entry);
    struct quantile *into = NULL;
    uint32_t k = (uint32_t)number_of(entry, "k");
    assert_int_equal(quantile_open(type, k, 7, &into), ST_OK);
    for (size_t i = 0; i < len_of(inputs); i++) {
        struct buf blob;
        read_blob(json_object_get_string(json_object_array_get_idx(inputs, i)), &blob);
        if (way == FROM_BYTES) {
            assert_int_equal(quantile_merge_bytes(into, buf_span(&blob)), ST_OK);
        } else {
            struct quantile *from = parse(type, &blob);
            assert_int_equal(quantile_merge(into, from), ST_OK);
            quantile_close(from);
        }
        buf_fini(&blob);
    }
    merge_matches(entry, into);
    quantile_close(into);
}

static void merges_as_the_reference_does(void **state)
{
    (void)state;
    struct json_object *merges = list_of(manifest, "merges");
    assert_int_equal(len_of(merges), 6);
    for (size_t i = 0; i < len_of(merges); i++) {
        merge_all(json_object_array_get_idx(merges, i), FROM_SKETCH);
        merge_all(json_object_array_get_idx(merges, i), FROM_BYTES);
    }
}

static void reads_forms_that_only_some_writers_use(void **state)
{
    (void)state;
    struct json_object *optional = list_of(manifest, "optional");
    assert_int_equal(len_of(optional), 6);
    for (size_t i = 0; i < len_of(optional); i++) {
        struct json_object *entry = json_object_array_get_idx(optional, i);
        struct buf blob, same, ours;
        read_blob(text_of(entry, "file"), &blob);
        read_blob(text_of(entry, "same_as"), &same);
        buf_init(&ours, FILE_BYTES_MAX);
        struct quantile *q = parse(type_of(entry), &blob);
        assert_int_equal(quantile_serialize(q, &ours), ST_OK);
        assert_true(span_equal(buf_span(&ours), buf_span(&same)));
        quantile_close(q);
        buf_fini(&blob);
        buf_fini(&same);
        buf_fini(&ours);
    }
}

static void is_refused(enum quantile_type type, struct span bytes,
                       struct quantile *into)
{
    const char *why = NULL;
    struct quantile *q = NULL;
    assert_int_equal(quantile_check(type, bytes, &why), ST_CORRUPT);
    assert_non_null(why);
    assert_int_equal(quantile_parse(type, bytes, 1, &q), ST_CORRUPT);
    assert_null(q);
    assert_int_equal(quantile_merge_bytes(into, bytes), ST_CORRUPT);
    assert_int_equal(quantile_n(into), 0);
}

static void refuses_each_broken_blob(void **state)
{
    (void)state;
    struct json_object *reject = list_of(manifest, "reject");
    assert_int_equal(len_of(reject), 136);
    for (size_t i = 0; i < len_of(reject); i++) {
        struct json_object *entry = json_object_array_get_idx(reject, i);
        struct buf blob;
        read_blob(text_of(entry, "file"), &blob);
        struct quantile *into = NULL;
        assert_int_equal(quantile_open(type_of(entry), 200, 1, &into), ST_OK);
        is_refused(type_of(entry), buf_span(&blob), into);
        quantile_close(into);
        buf_fini(&blob);
    }
}

// Each cut is copied to a block of just its size, so that the address sanitizer sees a
// byte read beyond it.
static void refuses_every_truncation(void **state)
{
    (void)state;
    struct json_object *vectors = list_of(manifest, "vectors");
    for (size_t i = 0; i < len_of(vectors); i++) {
        struct json_object *entry = json_object_array_get_idx(vectors, i);
        struct buf blob;
        read_blob(text_of(entry, "file"), &blob);
        for (size_t size = 0; size < blob.size; size++) {
            uint8_t *cut = mem_copy(span_of(blob.data, size));
            assert_int_equal(quantile_check(type_of(entry), span_of(cut, size), NULL),
                             ST_CORRUPT);
            mem_free(cut);
        }
        buf_fini(&blob);
    }
}

static void tells_the_type_by_the_length(void **state)
{
    (void)state;
    struct json_object *vectors = list_of(manifest, "vectors");
    for (size_t i = 0; i < len_of(vectors); i++) {
        struct json_object *entry = json_object_array_get_idx(vectors, i);
        struct buf blob;
        read_blob(text_of(entry, "file"), &blob);
        enum quantile_type type = QUANTILE_FLOAT;
        enum status st = quantile_infer_type(buf_span(&blob), &type);
        if (number_of(entry, "n") == 0) {
            assert_int_equal(st, ST_CONFLICT);
        } else {
            assert_int_equal(st, ST_OK);
            assert_int_equal(type, type_of(entry));
        }
        buf_fini(&blob);
    }
}

static int open_manifest(void **state)
{
    (void)state;
    manifest = json_object_from_file(FOLDER "manifest.json");
    return manifest ? 0 : -1;
}

static int close_manifest(void **state)
{
    (void)state;
    json_object_put(manifest);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers_and_rewrites_each_vector),
        cmocka_unit_test(prepares_each_vector_for_more_values),
        cmocka_unit_test(merges_as_the_reference_does),
        cmocka_unit_test(reads_forms_that_only_some_writers_use),
        cmocka_unit_test(refuses_each_broken_blob),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(tells_the_type_by_the_length),
    };
    return cmocka_run_group_tests(tests, open_manifest, close_manifest);
}
