// Spool: in order, once, whole or not at all; and smaller, not poorer, when it is full.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/spool/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "proto/messages/window.h"

#define MINUTE (60 * NS_PER_S)

struct stage {
    char folder[64];
    uint8_t boot[16];
    struct spool_settings settings;
    struct spool *spool;
};

static void open_spool(struct stage *s)
{
    s->boot[0]++;
    s->settings.folder = s->folder;
    s->settings.boot = s->boot;
    assert_int_equal(spool_open(&s->settings, &s->spool), ST_OK);
}

static void reopen(struct stage *s)
{
    spool_close(s->spool);
    open_spool(s);
}

static int open_stage(void **state)
{
    struct stage *s = MEM_NEW(struct stage);
    strcpy(s->folder, "/tmp/kedge-spool-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    open_spool(s);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    char command[128];
    spool_close(s->spool);
    snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    assert_int_equal(system(command), 0);
    mem_free(s);
    return 0;
}

// --- Plain entries: the body is a number

static void push(struct stage *s, uint64_t number)
{
    uint8_t body[8];
    store_le64(body, number);
    assert_int_equal(
        spool_entry(s->spool, "kedge.notice.v1", span_of(body, 8), (struct span){0}),
        ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
}

// The numbers in the order of sending; how many.
static size_t offer_all(struct stage *s, uint64_t *out, size_t most)
{
    struct spool_cursor at = {0};
    struct spool_item item;
    size_t n = 0;
    while (n < most && spool_offer(s->spool, &at, &item) == ST_OK)
        out[n++] = load_le64(item.body.data);
    return n;
}

static void offers_in_order_until_confirmed(void **state)
{
    struct stage *s = *state;
    for (uint64_t i = 1; i <= 5; i++)
        push(s, i);
    struct spool_cursor at = {0};
    struct spool_item item;
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
        assert_int_equal(load_le64(item.body.data), i);
        assert_int_equal(item.seq, i);
        assert_memory_equal(item.boot, s->boot, 16);
        assert_true(span_is(item.type, "kedge.notice.v1"));
    }
    assert_int_equal(spool_offer(s->spool, &at, &item), ST_EMPTY);
    assert_int_equal(spool_ack(s->spool, s->boot, 2), ST_OK);
    assert_int_equal(spool_ack(s->spool, s->boot, 2), ST_NOTFOUND);
    uint64_t left[8];
    assert_int_equal(offer_all(s, left, 8), 4);
    assert_int_equal(left[0], 1);
    assert_int_equal(left[1], 3);
}

static void keeps_all_over_a_restart(void **state)
{
    struct stage *s = *state;
    uint8_t first_boot[16];
    memcpy(first_boot, s->boot, 16);
    for (uint64_t i = 1; i <= 3; i++)
        push(s, i);
    assert_int_equal(spool_ack(s->spool, s->boot, 1), ST_OK);
    reopen(s);
    push(s, 10);
    uint64_t left[8];
    assert_int_equal(offer_all(s, left, 8), 3);
    assert_int_equal(left[0], 2);
    assert_int_equal(left[2], 10);
    assert_int_equal(spool_ack(s->spool, first_boot, 3), ST_OK);
    reopen(s);
    assert_int_equal(offer_all(s, left, 8), 2);
    assert_int_equal(left[1], 10);
}

static void a_group_is_whole_or_not_there(void **state)
{
    struct stage *s = *state;
    uint8_t boot[16];
    uint64_t seq;
    struct span value, sigs = span_text("signed");
    assert_int_equal(spool_entry(s->spool, "a", span_text("one"), sigs), ST_OK);
    assert_int_equal(spool_entry(s->spool, "b", span_text("two"), sigs), ST_OK);
    assert_int_equal(spool_state(s->spool, span_text("k"), span_text("v1")), ST_OK);
    spool_abort(s->spool);
    spool_stamp(s->spool, boot, &seq);
    assert_int_equal(seq, 1);
    assert_int_equal(spool_state_get(s->spool, span_text("k"), &value), ST_NOTFOUND);
    assert_int_equal(spool_entry(s->spool, "a", span_text("one"), sigs), ST_OK);
    assert_int_equal(spool_state(s->spool, span_text("k"), span_text("v2")), ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
    reopen(s);
    assert_int_equal(spool_state_get(s->spool, span_text("k"), &value), ST_OK);
    assert_true(span_is(value, "v2"));
    struct spool_cursor at = {0};
    struct spool_item item;
    assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    assert_true(span_is(item.sigs, "signed"));
    assert_true(span_is(item.body, "one"));
    assert_int_equal(spool_offer(s->spool, &at, &item), ST_EMPTY);
    assert_int_equal(spool_state(s->spool, span_text("k"), (struct span){0}), ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
    reopen(s);
    assert_int_equal(spool_state_get(s->spool, span_text("k"), &value), ST_NOTFOUND);
}

static void holds_its_limits(void **state)
{
    struct stage *s = *state;
    struct span none = {0};
    uint8_t *big = mem_zero(SPOOL_STATE_BYTES_MAX + 1, 1);
    assert_int_equal(spool_entry(s->spool, "a", none, none), ST_RANGE);
    assert_int_equal(
        spool_entry(s->spool, "a", span_of(big, SPOOL_ENTRY_BYTES_MAX + 1), none),
        ST_RANGE);
    assert_int_equal(
        spool_entry(s->spool, "a", span_of(big, SPOOL_ENTRY_BYTES_MAX), span_text("s")),
        ST_RANGE);
    assert_int_equal(
        spool_entry(s->spool, "a", span_of(big, SPOOL_ENTRY_BYTES_MAX), none), ST_OK);
    assert_int_equal(
        spool_state(s->spool, span_text("k"), span_of(big, SPOOL_STATE_BYTES_MAX + 1)),
        ST_RANGE);
    assert_int_equal(spool_state(s->spool, none, span_text("v")), ST_RANGE);
    assert_int_equal(spool_commit(s->spool), ST_OK);
    mem_free(big);
}

static void belongs_to_one_process(void **state)
{
    struct stage *s = *state;
    struct spool *other;
    assert_int_equal(spool_open(&s->settings, &other), ST_EXISTS);
}

// --- Damage

static void segment_path(const struct stage *s, char out[128])
{
    snprintf(out, 128, "%s/0000000000000001.seg", s->folder);
}

static void cuts_a_torn_end_at_any_byte(void **state)
{
    struct stage *s = *state;
    char path[128];
    struct stat st;
    segment_path(s, path);
    push(s, 1);
    push(s, 2);
    assert_int_equal(stat(path, &st), 0);
    off_t two = st.st_size;
    push(s, 3);
    assert_int_equal(stat(path, &st), 0);
    off_t three = st.st_size;
    for (off_t size = three - 1; size > two; size--) {
        spool_close(s->spool);
        assert_int_equal(truncate(path, size), 0);
        open_spool(s);
        uint64_t left[8];
        assert_int_equal(spool_stats(s->spool).torn_bytes, (uint64_t)(size - two));
        assert_int_equal(offer_all(s, left, 8), 2);
        // And what is written next is read again.
        push(s, 9);
        reopen(s);
        assert_int_equal(offer_all(s, left, 8), 3);
        assert_int_equal(left[2], 9);
        spool_close(s->spool);
        assert_int_equal(truncate(path, two), 0);
        open_spool(s);
        push(s, 3);
    }
}

static void passes_over_damage_inside(void **state)
{
    struct stage *s = *state;
    char path[128];
    struct stat st;
    segment_path(s, path);
    push(s, 1);
    assert_int_equal(stat(path, &st), 0);
    off_t one = st.st_size;
    push(s, 2);
    assert_int_equal(stat(path, &st), 0);
    off_t two = st.st_size;
    push(s, 3);
    spool_close(s->spool);
    for (off_t at = one; at < two; at++) {
        uint8_t byte;
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        open_spool(s);
        uint64_t left[8];
        assert_int_equal(offer_all(s, left, 8), 2);
        assert_int_equal(left[0], 1);
        assert_int_equal(left[1], 3);
        assert_int_equal(spool_stats(s->spool).bad_records, 1);
        spool_close(s->spool);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    open_spool(s);
}

// --- Windows

struct sample {
    const char *model;
    const char *version;
    uint64_t minute;
    uint64_t rows;
    double value;
    uint64_t late;
};

static struct span profile_of(const struct sample *w, struct buf *bytes)
{
    const struct profile_options options = {.kind = PROFILE_NUMERIC,
                                            .width = GRID_F64,
                                            .sketches = PROFILE_PLAIN,
                                            .seed = 1};
    struct profile *p;
    assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
    for (uint64_t i = 0; i < w->rows; i++)
        profile_update(p, &(struct profile_column){.f64 = &w->value, .n = 1});
    buf_clear(bytes);
    profile_encode(p, PROFILE_PLAIN, bytes);
    profile_close(p);
    return buf_span(bytes);
}

static void push_window(struct stage *s, const struct sample *sample)
{
    struct buf profile, body;
    buf_init(&profile, 1 << 16);
    buf_init(&body, 1 << 16);
    const struct window_feature feature = {.name = span_text("x"),
                                           .profile = profile_of(sample, &profile)};
    const struct tally drop = {span_text("malformed"), 1};
    struct window w = {.model = span_text(sample->model),
                       .version = span_text(sample->version),
                       .start = sample->minute * MINUTE,
                       .end = (sample->minute + 1) * MINUTE,
                       .watermark = (sample->minute + 1) * MINUTE,
                       .sent = 1,
                       .rows = sample->rows,
                       .late = sample->late,
                       .observed = sample->rows + sample->late + 1,
                       .dropped = &drop,
                       .drops = 1,
                       .feature = &feature,
                       .features = 1};
    spool_stamp(s->spool, w.boot, &w.seq);
    assert_int_equal(message_encode(&window_message, &w, &body, NULL), ST_OK);
    assert_int_equal(
        spool_entry(s->spool, window_message.type, buf_span(&body), (struct span){0}),
        ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
    buf_fini(&profile);
    buf_fini(&body);
}

struct totals {
    uint64_t windows, rows, observed, late, dropped, merged, valid;
    uint64_t last_end;
    uint64_t last_seq;
    bool in_order;
};

static void add_window(struct totals *t, const struct spool_item *item)
{
    static uint8_t memory[MESSAGE_POOL_BYTES];
    struct pool pool;
    struct window w;
    struct profile *p;
    const struct profile_options options = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(message_decode(&window_message, item->body, &pool, &w), ST_OK);
    assert_int_equal(window_check(&w), ST_OK);
    assert_int_equal(w.seq, item->seq);
    assert_int_equal(w.features, 1);
    assert_int_equal(profile_open(&options, NULL, &p), ST_OK);
    assert_int_equal(profile_decode(p, w.feature[0].profile), ST_OK);
    t->valid += counters_valid(profile_counters(p));
    profile_close(p);
    t->windows++;
    t->rows += w.rows;
    t->observed += w.observed;
    t->late += w.late;
    t->dropped += tally_get(w.dropped, w.drops, "malformed");
    t->merged += (w.flags & WINDOW_MERGED) != 0;
    t->in_order = t->in_order && w.start >= t->last_end;
    t->last_end = w.end;
}

static struct totals total(struct stage *s)
{
    struct totals t = {.in_order = true};
    struct spool_cursor at = {0};
    struct spool_item item;
    while (spool_offer(s->spool, &at, &item) == ST_OK)
        add_window(&t, &item);
    return t;
}

static void a_day_of_outage_is_merged_to_the_unit(void **state)
{
    struct stage *s = *state;
    for (uint64_t i = 0; i < 1440; i++) {
        push_window(s, &(struct sample){"m", "v1", i, i % 7, (double)i, i % 3});
        if (i % 97 == 0)
            spool_turn(s->spool, i * MINUTE);
        assert_true(spool_stats(s->spool).windows <= 65);
    }
    spool_turn(s->spool, 0);
    assert_true(spool_stats(s->spool).windows <= 64);
    struct totals t = total(s);
    uint64_t rows = 0, late = 0;
    for (uint64_t i = 0; i < 1440; i++) {
        rows += i % 7;
        late += i % 3;
    }
    assert_int_equal(t.rows, rows);
    assert_int_equal(t.valid, rows);
    assert_int_equal(t.late, late);
    assert_int_equal(t.dropped, 1440);
    assert_int_equal(t.observed, rows + late + 1440);
    assert_true(t.in_order);
    assert_true(t.merged > 0);
    assert_int_equal(t.last_end, 1440 * MINUTE);
    assert_true(spool_stats(s->spool).bytes < 4u << 20);
}

static void versions_and_models_are_never_mixed(void **state)
{
    struct stage *s = *state;
    s->settings.windows_max = 4;
    reopen(s);
    for (uint64_t i = 0; i < 40; i++) {
        push_window(s, &(struct sample){"m", i < 20 ? "v1" : "v2", i, 1, 1.0, 0});
        push_window(s, &(struct sample){"n", "v1", i, 2, 1.0, 0});
    }
    struct spool_cursor at = {0};
    struct spool_item item;
    uint64_t rows[3] = {0};
    static uint8_t memory[MESSAGE_POOL_BYTES];
    while (spool_offer(s->spool, &at, &item) == ST_OK) {
        struct pool pool;
        struct window w;
        pool_init(&pool, memory, sizeof memory);
        assert_int_equal(message_decode(&window_message, item.body, &pool, &w), ST_OK);
        rows[span_is(w.model, "n") ? 2 : span_is(w.version, "v2")] += w.rows;
    }
    assert_int_equal(rows[0], 20);
    assert_int_equal(rows[1], 20);
    assert_int_equal(rows[2], 80);
}

static void what_was_offered_is_never_merged(void **state)
{
    struct stage *s = *state;
    s->settings.windows_max = 2;
    reopen(s);
    for (uint64_t i = 0; i < 10; i++)
        push_window(s, &(struct sample){"m", "v1", i, 1, 1.0, 0});
    struct spool_cursor at = {0};
    struct spool_item item;
    assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    uint64_t first = item.seq;
    // Killed here, after the offer: the mark is on disk.
    for (int life = 0; life < 3; life++) {
        reopen(s);
        for (uint64_t i = 10; i < 40; i++)
            push_window(s, &(struct sample){"m", "v1", i, 1, 1.0, 0});
        at = (struct spool_cursor){0};
        assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
        assert_int_equal(item.seq, first);
        assert_int_equal(item.boot[0], 2);
    }
    assert_int_equal(total(s).rows, 10 + 3 * 30);
}

static void while_online_nothing_is_merged_and_then_again(void **state)
{
    struct stage *s = *state;
    s->settings.windows_max = 4;
    reopen(s);
    spool_online(s->spool, true);
    struct spool_cursor at = {0};
    struct spool_item item;
    for (uint64_t i = 0; i < 3; i++) {
        push_window(s, &(struct sample){"m", "v1", i, 1, 1.0, 0});
        assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    }
    spool_online(s->spool, false);
    for (uint64_t i = 3; i < 60; i++)
        push_window(s, &(struct sample){"m", "v1", i, 1, 1.0, 0});
    assert_true(spool_stats(s->spool).windows <= 3 + 5);
    uint64_t seq = 0;
    at = (struct spool_cursor){0};
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
        assert_int_equal(item.seq, i);
        seq = item.seq;
    }
    assert_int_equal(seq, 3);
    assert_int_equal(total(s).rows, 60);
}

// The link is up, and the controller takes nothing: the queue keeps its limit all the
// same.
static void a_slow_controller_lets_windows_merge_too(void **state)
{
    struct stage *s = *state;
    s->settings.windows_max = 4;
    reopen(s);
    spool_online(s->spool, true);
    struct spool_cursor at = {0};
    struct spool_item item;
    for (uint64_t i = 0; i < 60; i++) {
        push_window(s, &(struct sample){"m", "v1", i, 1, 1.0, 0});
        if (i == 1)
            assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    }
    assert_true(spool_stats(s->spool).windows <= 6);
    reopen(s);
    assert_true(spool_stats(s->spool).windows <= 6);
    assert_int_equal(total(s).rows, 60);
}

static void one_sync_serves_a_whole_connection(void **state)
{
    struct stage *s = *state;
    spool_online(s->spool, true);
    struct spool_cursor at = {0};
    struct spool_item item;
    push(s, 1);
    assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    uint64_t before = spool_stats(s->spool).syncs;
    for (uint64_t i = 2; i < 12; i++) {
        push(s, i);
        assert_int_equal(spool_offer(s->spool, &at, &item), ST_OK);
    }
    assert_int_equal(spool_stats(s->spool).syncs - before, 10);
}

// --- Room

static void old_segments_go_and_states_stay(void **state)
{
    struct stage *s = *state;
    static uint8_t big[100000];
    struct span value;
    assert_int_equal(spool_state(s->spool, span_text("old"), span_text("kept")), ST_OK);
    assert_int_equal(spool_commit(s->spool), ST_OK);
    for (uint64_t i = 1; i <= 400; i++) {
        store_le64(big, i);
        assert_int_equal(
            spool_state(s->spool, span_text("s"), span_of(big, sizeof big)), ST_OK);
        assert_int_equal(
            spool_entry(s->spool, "e", span_of(big, 1000), (struct span){0}), ST_OK);
        assert_int_equal(spool_commit(s->spool), ST_OK);
        if (i > 10)
            assert_int_equal(spool_ack(s->spool, s->boot, i - 10), ST_OK);
        spool_turn(s->spool, i);
    }
    assert_true(spool_stats(s->spool).bytes < 13u << 20);
    uint8_t boot[16];
    memcpy(boot, s->boot, 16);
    reopen(s);
    assert_int_equal(spool_state_get(s->spool, span_text("old"), &value), ST_OK);
    assert_true(span_is(value, "kept"));
    assert_int_equal(spool_state_get(s->spool, span_text("s"), &value), ST_OK);
    assert_int_equal(load_le64(value.data), 400);
    assert_int_equal(spool_stats(s->spool).entries, 10);
}

static void a_full_disk_waits_in_memory_and_then_says_so(void **state)
{
    struct stage *s = *state;
    s->settings.memory_max = 1000;
    reopen(s);
    push(s, 1);
    // The limit on file sizes stands in for the full disk.
    struct rlimit before, limit;
    struct stat st;
    char path[128];
    segment_path(s, path);
    assert_int_equal(stat(path, &st), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){(rlim_t)st.st_size + 20, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint64_t taken = 1;
    for (;;) {
        uint8_t body[8];
        store_le64(body, taken + 1);
        assert_int_equal(spool_entry(s->spool, "e", span_of(body, 8), (struct span){0}),
                         ST_OK);
        enum status one = spool_commit(s->spool);
        if (one == ST_FULL)
            break;
        assert_int_equal(one, ST_OK);
        taken++;
    }
    assert_true(taken > 5);
    assert_true(spool_stats(s->spool).waiting_bytes > 0);
    uint64_t left[100];
    assert_int_equal(offer_all(s, left, 100), 1); // only what is on disk
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    spool_turn(s->spool, 0);
    assert_int_equal(spool_stats(s->spool).waiting_bytes, 0);
    push(s, taken + 1);
    assert_int_equal(offer_all(s, left, 100), taken + 1);
    for (uint64_t i = 0; i <= taken; i++)
        assert_int_equal(left[i], i + 1);
    reopen(s);
    assert_int_equal(offer_all(s, left, 100), taken + 1);
}

// --- Kills

// What a killed writer had done for sure, in a page that outlives it.
struct witness {
    uint64_t committed; // the greatest number whose commit returned
    uint64_t acked;     // the greatest number whose ack was begun
    _Atomic bool is_open;
};

static void write_for_ever(const struct stage *s, struct witness *w, uint64_t seed)
{
    struct random r = {seed};
    struct spool_settings settings = s->settings;
    struct spool *spool;
    uint8_t boot[16];
    random_os_bytes(boot, sizeof boot);
    settings.boot = boot;
    if (spool_open(&settings, &spool) != ST_OK)
        _exit(1);
    w->is_open = true;
    struct spool_cursor at = {0};
    for (;;) {
        uint8_t body[3000];
        uint64_t number = w->committed + 1;
        size_t size = 16 + random_u64(&r) % (sizeof body - 16);
        memset(body, (int)number, size);
        store_le64(body, number);
        uint8_t state[8];
        store_le64(state, number);
        if (spool_entry(spool, "e", span_of(body, size), (struct span){0}) != ST_OK ||
            spool_state(spool, span_text("n"), span_of(state, 8)) != ST_OK ||
            spool_commit(spool) != ST_OK)
            _exit(2);
        w->committed = number;
        struct spool_item item;
        if (random_u64(&r) % 2 && spool_offer(spool, &at, &item) == ST_OK) {
            w->acked = load_le64(item.body.data);
            if (spool_ack(spool, item.boot, item.seq) != ST_OK)
                _exit(3);
        }
        if (random_u64(&r) % 16 == 0)
            spool_turn(spool, number);
    }
}

static void check_witness(struct stage *s, const struct witness *w)
{
    uint64_t last = w->acked;
    struct spool_cursor at = {0};
    struct spool_item item;
    struct span value;
    bool is_first = true;
    while (spool_offer(s->spool, &at, &item) == ST_OK) {
        uint64_t number = load_le64(item.body.data);
        // The ack of the last one may or may not have been written.
        assert_true(number == last + 1 || (is_first && number == last));
        for (size_t i = 8; i < item.body.size; i++)
            assert_int_equal(item.body.data[i], (uint8_t)number);
        last = number;
        is_first = false;
    }
    // The group under way when the kill came may be there, with its state.
    assert_true(last == w->committed || last == w->committed + 1);
    if (spool_state_get(s->spool, span_text("n"), &value) == ST_OK)
        assert_int_equal(load_le64(value.data), last);
    else
        assert_int_equal(last, 0);
}

static void a_kill_at_any_moment_loses_and_doubles_nothing(void **state)
{
    struct stage *s = *state;
    struct random r = {random_os()};
    struct witness *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 300; round++) {
        spool_close(s->spool);
        s->spool = NULL;
        uint64_t seed = random_u64(&r);
        w->is_open = false;
        pid_t child = fork();
        if (child == 0)
            write_for_ever(s, w, seed);
        // Some are killed while they open, most while they write.
        while (round % 5 != 0 && !w->is_open)
            usleep(100);
        usleep((useconds_t)(random_u64(&r) % 6000));
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFSIGNALED(how));
        open_spool(s);
        check_witness(s, w);
        // The next life goes on behind what is really there.
        struct span value;
        if (spool_state_get(s->spool, span_text("n"), &value) == ST_OK)
            w->committed = load_le64(value.data);
    }
    print_message("%llu groups in 300 lives\n", (unsigned long long)w->committed);
    munmap(w, sizeof *w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(offers_in_order_until_confirmed),
        TEST(keeps_all_over_a_restart),
        TEST(a_group_is_whole_or_not_there),
        TEST(holds_its_limits),
        TEST(belongs_to_one_process),
        TEST(cuts_a_torn_end_at_any_byte),
        TEST(passes_over_damage_inside),
        TEST(a_day_of_outage_is_merged_to_the_unit),
        TEST(versions_and_models_are_never_mixed),
        TEST(what_was_offered_is_never_merged),
        TEST(while_online_nothing_is_merged_and_then_again),
        TEST(a_slow_controller_lets_windows_merge_too),
        TEST(one_sync_serves_a_whole_connection),
        TEST(old_segments_go_and_states_stay),
        TEST(a_full_disk_waits_in_memory_and_then_says_so),
        TEST(a_kill_at_any_moment_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
