// Topk speed: what a value costs while all fit, and in a long tail that keeps purging.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/topk.h"
#include "tests/bench/columns.h"

#define ROWS 1000000u
#define NAMES 20000u
#define TIMES 20

struct stream {
    struct topk *t;
    char (*name)[16];
    uint8_t *size;
    uint32_t *row;
    struct buf bytes;
};

// `names` values, the low numbers much more often.
static void draw(struct stream *s, uint32_t names)
{
    struct random r = {5};
    for (size_t i = 0; i < ROWS; i++) {
        double u = random_unit(&r);
        s->row[i] = (uint32_t)(names * u * u * u);
    }
}

static uint64_t add_texts(void *arg, uint64_t run)
{
    struct stream *s = arg;
    (void)run;
    topk_reset(s->t);
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t k = s->row[i];
        columns_must(topk_add(s->t, span_of(s->name[k], s->size[k]), 1));
    }
    return ROWS;
}

static uint64_t add_hashes(void *arg, uint64_t run)
{
    struct stream *s = arg;
    (void)run;
    topk_reset(s->t);
    for (size_t i = 0; i < ROWS; i++)
        topk_add_hash(s->t, s->row[i] * UINT64_C(0x9e3779b97f4a7c15), 1);
    return ROWS;
}

static uint64_t write_bytes(void *arg, uint64_t run)
{
    struct stream *s = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++) {
        buf_clear(&s->bytes);
        topk_encode(s->t, &s->bytes);
    }
    return TIMES;
}

static uint64_t read_bytes(void *arg, uint64_t run)
{
    struct stream *s = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++) {
        struct topk *t;
        columns_must(topk_parse(buf_span(&s->bytes), &t));
        topk_close(t);
    }
    return TIMES;
}

int main(void)
{
    struct stream s = {
        .name = malloc(NAMES * sizeof *s.name),
        .size = malloc(NAMES),
        .row = malloc(ROWS * sizeof *s.row),
    };
    static const uint32_t names[] = {100, 524, 2000, NAMES};
    if (!s.name || !s.size || !s.row)
        columns_must(ST_NOMEM);
    for (uint32_t i = 0; i < NAMES; i++)
        s.size[i] = (uint8_t)snprintf(s.name[i], sizeof s.name[i], "cat_%u", i);
    columns_must(topk_open(TOPK_LG_MAX, &s.t));
    buf_init(&s.bytes, 1u << 20);
    bench_print_machine();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        draw(&s, names[i]);
        double hash_ns = bench_median(add_hashes, &s);
        double text_ns = bench_median(add_texts, &s);
        printf("lg_max 10, %5u values: hash %.2f ns, text %.2f ns, kept %u, error %.3f "
               "%%\n",
               names[i], hash_ns, text_ns, topk_len(s.t),
               100.0 * (double)topk_error(s.t) / (double)topk_total(s.t));
    }
    double write_ns = bench_median(write_bytes, &s);
    printf("write %.0f ns, read and check %.0f ns, %zu bytes\n", write_ns,
           bench_median(read_bytes, &s), s.bytes.size);
    buf_fini(&s.bytes);
    topk_close(s.t);
    free(s.name);
    free(s.size);
    free(s.row);
    return 0;
}
