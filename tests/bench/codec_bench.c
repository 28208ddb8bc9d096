// Codec: a window of 50 features by 1 KiB, encoded and decoded; and what cannot be
// avoided.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/trust/sign.h"
#include "proto/messages/window.h"

#define FEATURES 50
#define PROFILE_BYTES 1024
#define ROUNDS 401
#define TIMES 200

// A generous bound: ten times the median of the machine on which it was set.
#define DECODE_NS_MAX 14000.0

struct bench {
    char name[FEATURES][16];
    uint8_t profile[FEATURES][PROFILE_BYTES];
    struct window_feature feature[FEATURES];
    struct window window;
    struct buf buf;
    struct pool pool;
    uint8_t memory[65536];
};

typedef void work_fn(struct bench *b);

static double thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ns(work_fn *work, struct bench *b)
{
    static double round[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double begin = thread_ns();
        for (int j = 0; j < TIMES; j++)
            work(b);
        round[i] = (thread_ns() - begin) / TIMES;
    }
    qsort(round, ROUNDS, sizeof round[0], by_size);
    return round[ROUNDS / 2];
}

static void check(enum status st)
{
    if (st != ST_OK) {
        fprintf(stderr, "%s\n", status_text(st));
        exit(1);
    }
}

static void encode(struct bench *b)
{
    buf_clear(&b->buf);
    check(message_encode(&window_message, &b->window, &b->buf, NULL));
}

static void decode(struct bench *b)
{
    struct window out;
    pool_clear(&b->pool);
    check(message_decode(&window_message, buf_span(&b->buf), &b->pool, &out));
}

static void copy_only(struct bench *b)
{
    buf_clear(&b->buf);
    for (int i = 0; i < FEATURES; i++)
        buf_put(&b->buf, b->profile[i], PROFILE_BYTES);
}

static void seal(struct bench *b)
{
    static uint8_t seed[SIGN_SEED_BYTES] = {1}, sig[SIGN_BYTES];
    check(sign_body(seed, span_text("kedge.order.v1"), span_of(b->profile, 600), sig));
}

static void set_up(struct bench *b)
{
    struct random r = {7};
    for (int i = 0; i < FEATURES; i++) {
        snprintf(b->name[i], sizeof b->name[i], "feature_%02d", i);
        for (int j = 0; j < PROFILE_BYTES; j++)
            b->profile[i][j] = (uint8_t)random_u64(&r);
        b->feature[i].name = span_text(b->name[i]);
        b->feature[i].profile = span_of(b->profile[i], PROFILE_BYTES);
    }
    b->window = (struct window){
        .seq = 7,
        .model = span_text("bike-demand"),
        .version = span_text("v1"),
        .start = 1344988800000000000,
        .end = 1344988860000000000,
        .watermark = 1344988860000000000,
        .rows = 1000,
        .observed = 1000,
        .feature = b->feature,
        .features = FEATURES,
    };
    buf_init(&b->buf, 1 << 20);
    pool_init(&b->pool, b->memory, sizeof b->memory);
}

int main(void)
{
    struct bench *b = MEM_NEW(struct bench);
    if (!b)
        return 1;
    set_up(b);
    printf("copying the profiles alone  %8.0f ns\n", median_ns(copy_only, b));
    printf("encode                      %8.0f ns\n", median_ns(encode, b));
    double decode_ns = median_ns(decode, b);
    printf("decode and check            %8.0f ns\n", decode_ns);
    printf("sign 600 bytes              %8.0f ns\n", median_ns(seal, b));
    buf_fini(&b->buf);
    mem_free(b);
    return decode_ns > DECODE_NS_MAX;
}
