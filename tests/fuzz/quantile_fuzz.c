// Fuzz: bytes that claim to be a KLL sketch are refused, or keep every promise.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/kll.h"
#include "common/sketch/quantile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int claim)
{
    if (!claim)
        abort();
}

// What is written is read again, and written again the same. The first writing may turn
// rare forms into common ones.
static void writes_what_it_reads(struct quantile *q, enum quantile_type type)
{
    struct buf once, twice;
    struct quantile *back = NULL;
    buf_init(&once, 1u << 24);
    buf_init(&twice, 1u << 24);
    must(quantile_serialize(q, &once) == ST_OK);
    must(quantile_parse(type, buf_span(&once), 1, &back) == ST_OK);
    must(quantile_n(back) == quantile_n(q));
    must(quantile_serialize(back, &twice) == ST_OK);
    must(span_equal(buf_span(&once), buf_span(&twice)));
    quantile_close(back);
    buf_fini(&once);
    buf_fini(&twice);
}

static void answers(struct quantile *q)
{
    struct quantile_view *v = NULL;
    must(quantile_view_open(quantile_k(q), &v) == ST_OK);
    if (quantile_view_load(v, q) == ST_OK) {
        size_t len = quantile_view_len(v);
        must(quantile_view_weight(v, len - 1) == quantile_n(q));
        for (size_t i = 1; i < len; i++)
            must(quantile_view_item(v, i - 1) <= quantile_view_item(v, i) &&
                 quantile_view_weight(v, i - 1) < quantile_view_weight(v, i));
        must(quantile_view_item(v, 0) >= quantile_min(q));
        must(quantile_view_item(v, len - 1) <= quantile_max(q));
        must(quantile_view_rank(v, quantile_max(q), QUANTILE_INCLUSIVE) == 1);
    }
    quantile_view_close(v);
}

static void merges(struct quantile *from, struct span bytes, enum quantile_type type)
{
    struct quantile *into = NULL;
    uint64_t n = quantile_n(from);
    must(quantile_open(type, 8 + bytes.size % 300, 1, &into) == ST_OK);
    for (uint64_t i = 0; i < bytes.size % 700; i++)
        quantile_add(into, (double)(i % 101));
    uint64_t had = quantile_n(into);
    enum status st = quantile_merge_bytes(into, bytes);
    must(st == ST_OK || st == ST_FULL);
    had += st == ST_OK ? n : 0;
    st = quantile_merge(into, from);
    must(st == ST_OK || st == ST_FULL);
    had += st == ST_OK ? n : 0;
    must(quantile_n(into) == had);
    answers(into);
    writes_what_it_reads(into, type);
    quantile_close(into);
}

static void one_type(enum quantile_type type, struct span bytes)
{
    struct quantile *q = NULL;
    enum status checked = quantile_check(type, bytes, NULL);
    enum status st = quantile_parse(type, bytes, 1, &q);
    must(st == checked);
    if (st != ST_OK)
        return;
    must(quantile_memory(q) <= 1024 + 4 * bytes.size);
    writes_what_it_reads(q, type);
    // With room for values it is as large as its k says; and one good input in eight is
    // enough of this, that the reader sees more of them in an hour.
    if (quantile_k(q) <= 256 && hash_crc32c(0, bytes) % 8 == 0) {
        answers(q);
        merges(q, bytes, type);
        bool has_room = quantile_prepare(q) == ST_OK;
        must(has_room || quantile_n(q) > UINT64_C(1) << 60);
        must(quantile_add(q, 1) == has_room);
        answers(q);
    }
    quantile_close(q);
}

// Good bytes of any shape: k, levels and their lengths as `data` says, up to the 61
// levels and the weights that no stream will ever reach. Mutation alone rarely gets n
// right.
static void craft(struct span data, struct buf *out)
{
    uint32_t k = 8 + data.data[0] % 64, levels = 1 + data.data[1] % 61;
    uint32_t lens[61], retained = 0;
    uint64_t n = 0;
    for (uint32_t h = 0; h < levels; h++) {
        lens[h] = data.data[(2 + h) % data.size] % 9;
        retained += lens[h];
        n += (uint64_t)lens[h] << h;
    }
    if (n < 2)
        return;
    const uint8_t head[] = {5, 1, 15, 0, (uint8_t)k, 0, 8, 0};
    buf_put(out, head, sizeof head);
    buf_put_le64(out, n);
    const uint8_t more[] = {(uint8_t)k, 0, (uint8_t)levels, 0};
    buf_put(out, more, sizeof more);
    uint32_t at = kll_total_capacity(k, levels) - retained;
    for (uint32_t h = 0; h < levels; h++) {
        buf_put_le32(out, at);
        at += lens[h];
    }
    buf_put_le_f64(out, -INFINITY);
    buf_put_le_f64(out, INFINITY);
    for (uint32_t h = 0; h < levels; h++) {
        double item = h % 3 ? -1.0 : -INFINITY;
        for (uint32_t i = 0; i < lens[h]; i++) {
            buf_put_le_f64(out, h == 0 ? -item : item);
            item += data.data[i * 7 % data.size] * 0x1p-52;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // A copy of just this size, so that one byte too far is seen.
    uint8_t *copy = mem_copy(span_of(data, size));
    if (!copy)
        return 0;
    one_type(QUANTILE_FLOAT, span_of(copy, size));
    one_type(QUANTILE_DOUBLE, span_of(copy, size));
    mem_free(copy);
    // One in eight is enough of these too.
    if (size < 3 || hash_crc32c(1, span_of(data, size)) % 8 != 0)
        return 0;
    struct buf crafted;
    buf_init(&crafted, 1u << 20);
    craft(span_of(data, size), &crafted);
    if (crafted.size > 0) {
        must(quantile_check(QUANTILE_DOUBLE, buf_span(&crafted), NULL) == ST_OK);
        one_type(QUANTILE_DOUBLE, buf_span(&crafted));
    }
    buf_fini(&crafted);
    return 0;
}
