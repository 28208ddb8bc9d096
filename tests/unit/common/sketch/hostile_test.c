// Hostile bytes: cut at every length, changed in every byte, at odd addresses, no
// decoder allocates more than the bytes that came allow, and what it accepts holds
// together.
//
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "common/sketch/quantile.h"

#define BLOB_MAX (1u << 22)

// About so many lengths and so many bytes of a blob are tried in the short run, in the
// long one (KEDGE_LONG=1) all. Each kind's own test cuts at all lengths in any case.
#define SHORT_TRIES 150

// What the linker puts in the place of the room's own (tests/unit/CMakeLists.txt): they
// add up all that is asked for, freed or not.
static size_t taken;
void *__real_mem_zero(size_t count, size_t size);
void *__real_mem_resize(void *block, size_t count, size_t size);
void *__real_mem_copy(struct span bytes);

void *__wrap_mem_zero(size_t count, size_t size)
{
    taken += count * size;
    return __real_mem_zero(count, size);
}

void *__wrap_mem_resize(void *block, size_t count, size_t size)
{
    taken += count * size;
    return __real_mem_resize(block, count, size);
}

void *__wrap_mem_copy(struct span bytes)
{
    taken += bytes.size;
    return __real_mem_copy(bytes);
}

// Reads the bytes as one kind of thing, drops it, and says whether they were accepted.
typedef bool reads_fn(struct span bytes);

static bool reads_kll(enum quantile_type type, struct span bytes)
{
    struct quantile *q;
    struct buf out;
    taken = 0;
    if (quantile_parse(type, bytes, 1, &q) != ST_OK)
        return false;
    assert_true(taken <= 1024 + 4 * bytes.size);
    assert_true(quantile_memory(q) <= 1024 + 4 * bytes.size);
    assert_true(quantile_n(q) == 0 || quantile_min(q) <= quantile_max(q));
    buf_init(&out, BLOB_MAX);
    assert_int_equal(quantile_serialize(q, &out), ST_OK);
    assert_int_equal(quantile_check(type, buf_span(&out), NULL), ST_OK);
    buf_fini(&out);
    quantile_close(q);
    return true;
}

static bool reads_float(struct span bytes)
{
    return reads_kll(QUANTILE_FLOAT, bytes);
}

static bool reads_double(struct span bytes)
{
    return reads_kll(QUANTILE_DOUBLE, bytes);
}

static bool reads_distinct(struct span bytes)
{
    struct distinct *d;
    double low, high;
    taken = 0;
    if (distinct_parse(bytes, &d) != ST_OK)
        return false;
    assert_true(taken <= 1024 + 4 * bytes.size);
    distinct_bounds(d, 2, &low, &high);
    assert_true(0 <= low && low <= high);
    distinct_close(d);
    return true;
}

static bool reads_topk(struct span bytes)
{
    struct topk *t;
    taken = 0;
    if (topk_parse(bytes, &t) != ST_OK)
        return false;
    assert_true(taken <= 1024 + 4 * bytes.size);
    assert_true(topk_error(t) <= topk_total(t));
    topk_close(t);
    return true;
}

static bool reads_grid(struct span bytes)
{
    struct grid *g;
    taken = 0;
    if (grid_decode(bytes, &g) != ST_OK)
        return false;
    assert_true(taken <= 4096 + 4 * bytes.size);
    assert_true(grid_cells(g) <= GRID_CELLS_MAX);
    grid_close(g);
    return true;
}

static bool reads_profile(struct span bytes)
{
    const struct profile_options any = {PROFILE_SIGNAL, GRID_F64, PROFILE_PLAIN, 0, 1};
    struct profile *p;
    assert_int_equal(profile_open(&any, NULL, &p), ST_OK);
    taken = 0;
    bool is_good = profile_decode(p, bytes) == ST_OK;
    assert_true(taken <= 4096 + 4 * bytes.size);
    profile_close(p);
    return is_good;
}

// In a block of just this size, so that one byte too far is seen; and it begins at an
// odd address.
static bool reads_copy(reads_fn *reads, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy + 1, data, size);
    bool is_good = reads(span_of(copy + 1, size));
    // A refusal costs no more than reading does.
    assert_true(taken <= 4096 + 4 * size);
    free(copy);
    return is_good;
}

static size_t step_of(size_t size)
{
    return getenv("KEDGE_LONG") ? 1 : 1 + size / SHORT_TRIES;
}

static void cut_everywhere(reads_fn *reads, struct span blob)
{
    for (size_t size = 0; size < blob.size; size += step_of(blob.size))
        assert_false(reads_copy(reads, blob.data, size));
    assert_false(reads_copy(reads, blob.data, blob.size - 1));
}

// Whatever it is then: refused, or something that holds together. The head, where the
// lengths are, is changed byte by byte.
static void change_everywhere(reads_fn *reads, const struct buf *blob)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < blob->size; i += i < 80 ? 1 : step_of(blob->size)) {
        for (size_t k = 0; k < sizeof flips; k++) {
            blob->data[i] ^= flips[k];
            (void)reads_copy(reads, blob->data, blob->size);
            blob->data[i] ^= flips[k];
        }
    }
}

static void attack(reads_fn *reads, const struct buf *blob)
{
    assert_true(reads_copy(reads, blob->data, blob->size));
    cut_everywhere(reads, buf_span(blob));
    change_everywhere(reads, blob);
}

// Each file of the folder whose name begins so.
static void attack_files(const char *folder, const char *begin, reads_fn *reads,
                         size_t at_least)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    size_t seen = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char path[512];
        struct buf blob;
        if (strncmp(e->d_name, begin, strlen(begin)) != 0)
            continue;
        buf_init(&blob, BLOB_MAX);
        assert_int_equal(file_join(folder, e->d_name, path, sizeof path), ST_OK);
        assert_int_equal(file_read(path, &blob), ST_OK);
        attack(reads, &blob);
        buf_fini(&blob);
        seen++;
    }
    closedir(d);
    assert_true(seen >= at_least);
}

static void kll_of_floats(void **state)
{
    (void)state;
    attack_files("tests/data/kll", "kll_f32", reads_float, 90);
}

static void kll_of_doubles(void **state)
{
    (void)state;
    attack_files("tests/data/kll", "kll_f64", reads_double, 90);
}

static void hll(void **state)
{
    (void)state;
    attack_files("tests/data/hll_fi", "hll_i64_lgk4", reads_distinct, 20);
    attack_files("tests/data/hll_fi", "hll_f64", reads_distinct, 10);
}

static void frequent_items(void **state)
{
    (void)state;
    attack_files("tests/data/hll_fi", "fi_", reads_topk, 15);
}

#define ROWS 3000

static struct grid *some_grid(enum grid_width width)
{
    static double row[ROWS];
    struct random r = {3};
    struct grid *g;
    for (size_t i = 0; i < ROWS; i++)
        row[i] = (double)(float)random_normal(&r);
    assert_int_equal(grid_of_rows(width, row, ROWS, &g), ST_OK);
    return g;
}

static void grids(void **state)
{
    (void)state;
    const enum grid_width widths[] = {GRID_F32, GRID_F64};
    for (size_t i = 0; i < 2; i++) {
        struct grid *g = some_grid(widths[i]);
        struct buf blob;
        buf_init(&blob, GRID_BYTES_MAX);
        grid_encode(g, &blob);
        assert_int_equal(blob.failed, ST_OK);
        attack(reads_grid, &blob);
        buf_fini(&blob);
        grid_close(g);
    }
}

static void profiles(void **state)
{
    (void)state;
    static double value[ROWS];
    static uint64_t hash[ROWS];
    struct random r = {5};
    struct grid *g = some_grid(GRID_F64);
    for (size_t i = 0; i < ROWS; i++) {
        value[i] = random_normal(&r);
        hash[i] = random_u64(&r) % 40;
    }
    for (int kind = PROFILE_NUMERIC; kind <= PROFILE_SIGNAL; kind++) {
        const struct profile_options o = {(enum profile_kind)kind, GRID_F64,
                                          PROFILE_WITH_SKETCHES, 20, 1};
        bool is_categorical = kind == PROFILE_CATEGORICAL;
        struct profile *p;
        struct buf blob;
        assert_int_equal(profile_open(&o, kind == PROFILE_NUMERIC ? g : NULL, &p),
                         ST_OK);
        if (is_categorical)
            profile_update_hash(p,
                                &(struct profile_categories){hash, NULL, NULL, ROWS});
        else
            profile_update(p, &(struct profile_column){
                                  .f64 = value, .prediction = value, .n = ROWS});
        buf_init(&blob, PROFILE_BYTES_MAX);
        profile_encode(p, PROFILE_WITH_SKETCHES, &blob);
        assert_int_equal(blob.failed, ST_OK);
        attack(reads_profile, &blob);
        buf_fini(&blob);
        profile_close(p);
    }
    grid_close(g);
}

// Eight bytes that promise the largest sketch there is.
static void promises_cost_nothing(void **state)
{
    (void)state;
    const uint8_t empty[] = {2, 1, 15, 1, 0xff, 0xff, 8, 0};
    assert_true(reads_copy(reads_float, empty, sizeof empty));
    uint8_t full[64] = {5, 1, 15,         0,           0xff, 0xff,
                        8, 0, [8] = 0xff, [16] = 0xff, 0xff, 61};
    assert_false(reads_copy(reads_double, full, sizeof full));
    assert_true(taken <= 1024);
    const uint8_t hll21[] = {2, 1, 7, 21, 3, 4 | 8, 0, 8};
    assert_true(reads_copy(reads_distinct, hll21, sizeof hll21));
    const uint8_t items[] = {1, 1, 10, 12, 12, 5, 0, 0};
    assert_true(reads_copy(reads_topk, items, sizeof items));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kll_of_floats),
        cmocka_unit_test(kll_of_doubles),
        cmocka_unit_test(hll),
        cmocka_unit_test(frequent_items),
        cmocka_unit_test(grids),
        cmocka_unit_test(profiles),
        cmocka_unit_test(promises_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
