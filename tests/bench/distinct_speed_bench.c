// Distinct speed: what a key, a union, an estimate, writing and reading cost.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/distinct.h"
#include "tests/bench/columns.h"

#define KEYS 1000000u
#define TIMES 200

struct pair {
    struct distinct *a, *b;
    struct buf bytes;
    char (*text)[16];
};

static uint64_t add_integers(void *arg, uint64_t run)
{
    struct pair *p = arg;
    distinct_reset(p->a);
    for (uint64_t i = 0; i < KEYS; i++)
        distinct_add_u64(p->a, run * KEYS + i);
    return KEYS;
}

static uint64_t add_texts(void *arg, uint64_t run)
{
    struct pair *p = arg;
    (void)run;
    distinct_reset(p->a);
    for (uint64_t i = 0; i < KEYS; i++)
        distinct_add_text(p->a, span_of(p->text[i], 10));
    return KEYS;
}

static uint64_t join(void *arg, uint64_t run)
{
    struct pair *p = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++)
        columns_must(distinct_merge(p->a, p->b));
    return TIMES;
}

static uint64_t estimate(void *arg, uint64_t run)
{
    struct pair *p = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++)
        columns_sink = distinct_estimate(p->a);
    return TIMES;
}

static uint64_t write_four(void *arg, uint64_t run)
{
    struct pair *p = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++) {
        buf_clear(&p->bytes);
        distinct_encode(p->a, DISTINCT_HLL_4, &p->bytes);
    }
    return TIMES;
}

static uint64_t read_bytes(void *arg, uint64_t run)
{
    struct pair *p = arg;
    (void)run;
    for (size_t i = 0; i < TIMES; i++) {
        struct distinct *d;
        columns_must(distinct_parse(buf_span(&p->bytes), &d));
        distinct_close(d);
    }
    return TIMES;
}

int main(void)
{
    struct pair p = {.text = malloc(KEYS * sizeof *p.text)};
    if (!p.text)
        columns_must(ST_NOMEM);
    for (uint32_t i = 0; i < KEYS; i++)
        snprintf(p.text[i], sizeof p.text[i], "c_%08u", i);
    columns_must(distinct_open(DISTINCT_LG_K, &p.a));
    columns_must(distinct_open(DISTINCT_LG_K, &p.b));
    buf_init(&p.bytes, 1u << 20);
    for (uint64_t i = 0; i < KEYS; i++)
        distinct_add_u64(p.b, i * 7);
    bench_print_machine();
    printf("lg_k 12: integer key %.2f ns, text of 10 bytes %.2f ns\n",
           bench_median(add_integers, &p), bench_median(add_texts, &p));
    printf("union of 4096 registers %.0f ns, estimate %.0f ns\n",
           bench_median(join, &p), bench_median(estimate, &p));
    double write_ns = bench_median(write_four, &p);
    printf("HLL_4: write %.0f ns, read and check %.0f ns, %zu bytes\n", write_ns,
           bench_median(read_bytes, &p), p.bytes.size);
    buf_fini(&p.bytes);
    distinct_close(p.a);
    distinct_close(p.b);
    free(p.text);
    return 0;
}
