// Outage: a day without a controller, on a clock that is only a number.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "proto/messages/window.h"

#define MINUTE (60 * NS_PER_S)
#define DAY_WINDOWS 1440
#define MODEL_DISK (4u << 20)
#define FEATURES_MAX 100

struct stage {
    char folder[64];
    struct spool *spool;
    uint32_t features;
    uint32_t parts; // in which a window travels
    struct buf profile[FEATURES_MAX];
    uint64_t rows, late, dropped;
};

static int open_stage(void **state)
{
    static const uint8_t boot[16] = {1};
    struct stage *s = MEM_NEW(struct stage);
    // Nothing here is about disks, and a thousand syncs of one take a minute.
    strcpy(s->folder, "/dev/shm/kedge-outage-XXXXXX");
    if (!mkdtemp(s->folder)) {
        strcpy(s->folder, "/tmp/kedge-outage-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
    }
    const struct spool_settings settings = {.folder = s->folder, .boot = boot};
    assert_int_equal(spool_open(&settings, &s->spool), ST_OK);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    char command[128];
    spool_close(s->spool);
    for (uint32_t i = 0; i < FEATURES_MAX; i++)
        buf_fini(&s->profile[i]);
    (void)snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    assert_int_equal(system(command), 0);
    mem_free(s);
    return 0;
}

// Profiles of 1,000 rows each; on the cells of a baseline, or with sketches alone.
static void make_profiles(struct stage *s, const struct grid *grid)
{
    static double value[1000];
    struct random r = {5};
    for (uint32_t i = 0; i < s->features; i++) {
        struct profile *p;
        const struct profile_options options = {.kind = PROFILE_NUMERIC,
                                                .width = GRID_F64,
                                                .sketches = PROFILE_WITH_SKETCHES,
                                                .seed = i + 1};
        for (int k = 0; k < 1000; k++)
            value[k] = random_normal(&r);
        assert_int_equal(profile_open(&options, grid, &p), ST_OK);
        profile_update(p, &(struct profile_column){.f64 = value, .n = 1000});
        buf_init(&s->profile[i], 1u << 20);
        profile_encode(p, PROFILE_WITH_SKETCHES, &s->profile[i]);
        profile_close(p);
    }
}

static void push_part(struct stage *s, uint64_t minute, uint32_t part,
                      struct window_feature *feature)
{
    uint32_t from = s->features * part / s->parts;
    uint32_t to = s->features * (part + 1) / s->parts;
    const struct tally drop = {span_text("crash"), minute % 5 + 1};
    struct buf body;
    struct window w = {.model = span_text("m"),
                       .version = span_text("v1"),
                       .start = minute * MINUTE,
                       .end = (minute + 1) * MINUTE,
                       .watermark = (minute + 1) * MINUTE,
                       .sent = 1,
                       .part = (uint16_t)part,
                       .parts = (uint16_t)(s->parts > 1 ? s->parts : 0),
                       .feature = feature + from,
                       .features = to - from};
    if (part == 0) {
        w.rows = 1000;
        w.late = minute % 3;
        w.dropped = &drop;
        w.drops = 1;
        w.observed = w.rows + w.late + drop.count;
        s->rows += w.rows;
        s->late += w.late;
        s->dropped += drop.count;
    }
    buf_init(&body, WINDOW_BYTES_MAX);
    spool_stamp(s->spool, w.boot, &w.seq);
    assert_int_equal(message_encode(&window_message, &w, &body, NULL), ST_OK);
    assert_int_equal(
        spool_entry(s->spool, window_message.type, buf_span(&body), (struct span){0}),
        ST_OK);
    buf_fini(&body);
}

static void push_window(struct stage *s, uint64_t minute)
{
    static struct window_feature feature[FEATURES_MAX];
    static char name[FEATURES_MAX][16];
    for (uint32_t i = 0; i < s->features; i++) {
        (void)snprintf(name[i], sizeof name[i], "f%03u", i);
        feature[i] = (struct window_feature){.name = span_text(name[i]),
                                             .profile = buf_span(&s->profile[i])};
    }
    for (uint32_t part = 0; part < s->parts; part++)
        push_part(s, minute, part, feature);
    assert_int_equal(spool_commit(s->spool), ST_OK);
}

// The state of the open window, as the agent keeps it every five seconds.
static void keep_state(struct stage *s, size_t size)
{
    static uint8_t state[256u << 10];
    assert_int_equal(spool_state(s->spool, span_text("model/m"), span_of(state, size)),
                     ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
}

struct total {
    uint64_t rows, observed, late, dropped, valid, entries, bytes, end;
};

static void add_entry(struct total *t, const struct spool_item *item)
{
    static uint8_t memory[MESSAGE_POOL_BYTES];
    struct pool pool;
    struct window w;
    const struct profile_options options = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(message_decode(&window_message, item->body, &pool, &w), ST_OK);
    assert_int_equal(window_check(&w), ST_OK);
    assert_int_equal(w.seq, item->seq);
    for (uint32_t i = 0; i < w.features; i++) {
        struct profile *p;
        assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
        assert_int_equal(profile_decode(p, w.feature[i].profile), ST_OK);
        t->valid += counters_valid(profile_counters(p));
        profile_close(p);
    }
    t->rows += w.rows;
    t->observed += w.observed;
    t->late += w.late;
    t->dropped += tally_get(w.dropped, w.drops, "crash");
    t->bytes += item->body.size;
    t->end = w.end > t->end ? w.end : t->end;
    t->entries++;
}

// The controller is back: everything is offered and acknowledged.
static struct total send_all(struct stage *s)
{
    struct total t = {0};
    struct spool_cursor at = {0};
    struct spool_item item;
    spool_online(s->spool, true);
    while (spool_offer(s->spool, &at, &item) == ST_OK) {
        uint8_t boot[16];
        memcpy(boot, item.boot, sizeof boot);
        add_entry(&t, &item);
        assert_int_equal(spool_ack(s->spool, boot, item.seq), ST_OK);
    }
    assert_int_equal(spool_stats(s->spool).entries, 0);
    return t;
}

// A quarter of the day is enough to reach the limits; KEDGE_LONG asks for all of it.
static uint64_t windows_to_live(void)
{
    return getenv("KEDGE_LONG") ? DAY_WINDOWS : DAY_WINDOWS / 4;
}

static void live_through_a_day(struct stage *s, const char *what, uint64_t windows,
                               size_t state_size)
{
    uint64_t most = 0;
    for (uint64_t i = 0; i < windows; i++) {
        for (int k = 0; state_size > 0 && k < 12; k++)
            keep_state(s, state_size);
        push_window(s, i);
        spool_turn(s->spool, i * MINUTE);
        uint64_t bytes = spool_stats(s->spool).bytes;
        most = bytes > most ? bytes : most;
        assert_true(spool_stats(s->spool).windows <= 65);
    }
    struct total t = send_all(s);
    print_message("%s: at most %llu KiB on disk; then %llu messages, %llu KiB\n", what,
                  (unsigned long long)most >> 10, (unsigned long long)t.entries,
                  (unsigned long long)t.bytes >> 10);
    assert_int_equal(t.rows, s->rows);
    assert_int_equal(t.late, s->late);
    assert_int_equal(t.dropped, s->dropped);
    assert_int_equal(t.observed, s->rows + s->late + s->dropped);
    assert_int_equal(t.valid, s->rows * s->features);
    assert_int_equal(t.end, windows * MINUTE);
    assert_true(most <= MODEL_DISK);
}

static struct grid *normal_grid(void)
{
    static double value[10000];
    struct grid *g;
    struct random r = {9};
    for (int i = 0; i < 10000; i++)
        value[i] = random_normal(&r);
    assert_int_equal(grid_of_rows(GRID_F64, value, 10000, &g), ST_OK);
    return g;
}

static void a_day_costs_a_model_with_a_baseline_four_mebibytes(void **state)
{
    struct stage *s = *state;
    struct grid *g = normal_grid();
    s->features = 20;
    s->parts = 1;
    make_profiles(s, g);
    live_through_a_day(s, "20 features on cells", DAY_WINDOWS, 8u << 10);
    grid_close(g);
}

static void and_one_without_a_baseline(void **state)
{
    struct stage *s = *state;
    s->features = 20;
    s->parts = 1;
    make_profiles(s, NULL);
    live_through_a_day(s, "20 features with sketches", windows_to_live(), 0);
}

static void a_wide_model_merges_part_by_part(void **state)
{
    struct stage *s = *state;
    struct grid *g = normal_grid();
    s->features = 100;
    s->parts = 7;
    make_profiles(s, g);
    live_through_a_day(s, "100 features in 7 parts", windows_to_live(), 0);
    grid_close(g);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_day_costs_a_model_with_a_baseline_four_mebibytes),
        TEST(and_one_without_a_baseline),
        TEST(a_wide_model_merges_part_by_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
