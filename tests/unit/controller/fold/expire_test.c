// Rollups and retention: every row of a window stands in its hour and its day, old
// windows go as new ones come, and another fold of the log keeps the same bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/controller/fold/world.h"

#include "common/sketch/quantile.h"
#include "controller/fold/rollup.h"
#include "controller/log/blob.h"
#include "controller/log/progress.h"

#define HOUR 3600u
#define DAY 86400u
// T0 is not the start of an hour.
#define HOUR0 (T0 - T0 % (HOUR * S))

static struct world *fleet(const char *raw_s, const char *hour_s, const char *day_s)
{
    struct world *o = world_open();
    char ns[3][32];
    const char *given[] = {raw_s, hour_s, day_s};
    for (int i = 0; i < 3; i++)
        (void)snprintf(ns[i], sizeof ns[i], "%s000000000", given[i]);
    begin_fleet(o);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}, {"owner", "ann"}), 0);
    assert_int_equal(
        command_as(o, "system", "retention.set",
                   (const struct kv[]){{"raw", ns[0]}, {"hour", ns[1]}, {"day", ns[2]}},
                   3, (struct span){0}),
        0);
    return o;
}

static struct rollup_series merged(struct world *o)
{
    struct shelf *s = memory_shelf(o->memory);
    struct rollup_series r;
    assert_int_equal(names_model(s, span_text("bike"), &r.model), ST_OK);
    assert_int_equal(names_version(s, r.model, span_text("v1"), &r.version), ST_OK);
    assert_int_equal(names_series(s, r.model, r.version, NULL, &r.series), ST_OK);
    return r;
}

// Blobs of the merged series; *rows of those with part 0 (of raw ones: all).
static uint32_t count(struct world *o, enum key_resolution res, uint64_t *rows)
{
    struct shelf *s = memory_shelf(o->memory);
    struct shelf_key prefix = key_window_series(merged(o).series, res);
    struct shelf_walk w;
    uint32_t n = 0;
    *rows = 0;
    shelf_walk_init(&w, s, SHELF_WINDOW, &prefix);
    while (shelf_walk_next(&w, NULL, NULL) == ST_OK) {
        struct blob b;
        assert_int_equal(blob_get(s, &w.at, &b), ST_OK);
        if (res == KEY_RAW || w.at.bytes[w.at.size - 1] == 0)
            *rows += b.rows;
        n++;
    }
    return n;
}

static void give_hours(struct host *h, uint64_t from_s, uint64_t hours, uint32_t rows)
{
    for (uint64_t i = 0; i < hours * 6; i++) {
        h->o->now_ns += 600 * S;
        effects_clear(h->o->effects);
        give_window(h, (struct seen){
                           .start_s = from_s + i * 600, .length_s = 600, .rows = rows});
    }
}

// A profile of the merged series at a resolution.
static void read_profile(struct world *o, enum key_resolution res, uint64_t start_ns,
                         const char *feature, struct profile **out)
{
    struct shelf *s = memory_shelf(o->memory);
    struct shelf_key k = key_window(merged(o).series, res, start_ns, 0);
    struct profile_options po = {.kind = PROFILE_NUMERIC, .width = GRID_F64, .seed = 1};
    struct blob b;
    struct blob_feature f;
    assert_int_equal(blob_get(s, &k, &b), ST_OK);
    assert_int_equal(blob_find(&b, span_text(feature), &f), ST_OK);
    assert_int_equal(profile_open(&po, NULL, out), ST_OK);
    assert_int_equal(profile_decode(*out, f.profile), ST_OK);
}

static void an_hour_holds_every_row_of_its_windows(void **state)
{
    (void)state;
    struct world *o = fleet("864000", "8640000", "34560000");
    struct host h = host_of(o, 1, "web-1");
    uint64_t from = HOUR - (T0 / S) % HOUR, rows;
    give_hours(&h, from, 30, 10);
    uint32_t hours = count(o, KEY_HOUR, &rows);
    assert_in_range(hours, 28, 29); // the last one or two are not made yet
    assert_int_equal(rows, hours * 60);
    struct profile *p;
    read_profile(o, KEY_HOUR, HOUR0 + HOUR * S, "hr", &p);
    assert_int_equal(profile_counters(p)->rows, 60);
    assert_int_equal(quantile_n(profile_quantile(p)), 60);
    profile_close(p);
    world_close(o);
}

static void a_day_holds_every_row_of_its_hours(void **state)
{
    (void)state;
    struct world *o = fleet("864000", "8640000", "34560000");
    struct host h = host_of(o, 1, "web-1");
    uint64_t from = DAY - (T0 / S) % DAY, rows;
    give_hours(&h, from, 4 * 24, 3);
    assert_int_equal(count(o, KEY_DAY, &rows), 3);
    assert_int_equal(rows, 3 * 24 * 6 * 3);
    struct profile *p;
    read_profile(o, KEY_DAY, T0 - T0 % (DAY * S) + DAY * S, "season", &p);
    assert_int_equal(profile_counters(p)->rows, 24 * 6 * 3);
    profile_close(p);
    world_close(o);
}

static void old_windows_go_when_they_are_rolled_up(void **state)
{
    (void)state;
    // Windows of ten minutes: 7,200 s of minutes are 20 hours of them.
    struct world *o = fleet("7200", "259200", "34560000");
    struct host h = host_of(o, 1, "web-1");
    uint64_t from = DAY - (T0 / S) % DAY, rows;
    give_hours(&h, from, 10 * 24, 2);
    assert_in_range(count(o, KEY_RAW, &rows), 20 * 6, 20 * 6 + 11);
    assert_in_range(count(o, KEY_HOUR, &rows), 70, 73);
    assert_int_equal(count(o, KEY_DAY, &rows), 9);
    assert_int_equal(rows, 9 * 24 * 6 * 2);
    // Its host's reports went with them.
    struct shelf *s = memory_shelf(o->memory);
    struct rollup_series r = merged(o);
    uint32_t series, n = 0;
    assert_int_equal(names_series(s, r.model, r.version, h.agent, &series), ST_OK);
    struct shelf_key prefix = key_window_series(series, KEY_RAW);
    struct shelf_walk w;
    shelf_walk_init(&w, s, SHELF_WINDOW, &prefix);
    while (shelf_walk_next(&w, NULL, NULL) == ST_OK)
        n++;
    assert_in_range(n, 20 * 6, 20 * 6 + 11);
    world_close(o);
}

static void a_silent_model_is_rolled_up_and_expires_by_ticks(void **state)
{
    (void)state;
    struct world *o = fleet("7200", "259200", "34560000");
    struct host h = host_of(o, 1, "web-1");
    uint64_t from = DAY - (T0 / S) % DAY, rows;
    give_hours(&h, from, 5, 2);
    for (int i = 0; i < 100; i++)
        tick(o, 3600);
    assert_int_equal(count(o, KEY_RAW, &rows), 0);
    assert_int_equal(count(o, KEY_HOUR, &rows), 0);
    assert_int_equal(count(o, KEY_DAY, &rows), 1);
    assert_int_equal(rows, 5 * 6 * 2);
    world_close(o);
}

static void a_long_window_is_added_to_the_hour_that_is_made(void **state)
{
    (void)state;
    struct world *o = fleet("864000", "8640000", "34560000");
    struct host h = host_of(o, 1, "web-1"), late = host_of(o, 2, "web-2");
    uint64_t from = HOUR - (T0 / S) % HOUR, rows;
    give_hours(&h, from, 4, 1);
    assert_true(count(o, KEY_HOUR, &rows) >= 2);
    // Web-2 was cut off: its spool has put four hours and a bit into one window.
    give_window(&late, (struct seen){.start_s = from,
                                     .length_s = 4 * HOUR + 600,
                                     .rows = 1000,
                                     .flags = WINDOW_MERGED});
    tick(o, 30); // the other host is not waited for any longer
    uint32_t hours = count(o, KEY_HOUR, &rows);
    assert_int_equal(rows, hours * 6 + 1000);
    assert_int_equal(count(o, KEY_RAW, &rows), 4 * 6 + 1);
    assert_int_equal(rows, 4 * 6 + 1000);
    world_close(o);
}

static void a_squeeze_shortens_the_finest_first_and_ends(void **state)
{
    (void)state;
    struct retention r = {
        .keep_ns = {RETENTION_RAW_NS, RETENTION_HOUR_NS, RETENTION_DAY_NS}};
    uint64_t before = retention_of(&r, KEY_RAW);
    for (r.squeeze = 1; r.squeeze < RETENTION_SQUEEZE_MAX; r.squeeze++) {
        uint64_t raw = retention_of(&r, KEY_RAW);
        assert_true(raw >= RETENTION_RAW_LEAST_NS && raw <= before);
        if (raw > RETENTION_RAW_LEAST_NS)
            assert_int_equal(retention_of(&r, KEY_HOUR), RETENTION_HOUR_NS);
        before = raw;
    }
    assert_int_equal(retention_of(&r, KEY_RAW), RETENTION_RAW_LEAST_NS);
    assert_int_equal(retention_of(&r, KEY_DAY), RETENTION_DAY_LEAST_NS);

    struct world *o = fleet("864000", "8640000", "34560000");
    struct host h = host_of(o, 1, "web-1");
    uint64_t from = DAY - (T0 / S) % DAY, rows;
    give_hours(&h, from, 24 * 5, 1);
    uint32_t raw = count(o, KEY_RAW, &rows);
    assert_int_equal(raw, 24 * 5 * 6);
    for (int i = 0; i < 60; i++)
        assert_int_equal(command_as(o, "system", "retention.squeeze",
                                    (const struct kv[]){{"step", "20"}}, 1,
                                    (struct span){0}),
                         0);
    assert_true(count(o, KEY_RAW, &rows) < raw / 2);
    assert_int_equal(COMMAND(o, "retention.squeeze", {"step", "0"}), 4); // not by hand
    world_close(o);
}

static void the_log_goes_with_its_windows(void **state)
{
    (void)state;
    struct world *o = fleet("7200", "259200", "34560000");
    struct host h = host_of(o, 1, "web-1");
    give_hours(&h, HOUR - (T0 / S) % HOUR, 24, 1);
    struct tape_pos head, oldest;
    assert_int_equal(tape_memory.head(o->tape, 0, &head, &oldest), ST_OK);
    assert_in_range(head.seq - oldest.seq, 12, 14); // two hours of ten minutes
    world_close(o);
}

// The same life once more, another way: restarts in between, and entries that failed.
static void another_fold_of_the_log_expires_the_same(void **state)
{
    (void)state;
    uint64_t hash[2];
    for (int run = 0; run < 2; run++) {
        struct world *o = fleet("7200", "172800", "34560000");
        struct host h = host_of(o, 1, "web-1");
        uint64_t from = DAY - (T0 / S) % DAY;
        for (uint64_t i = 0; i < 4 * 24; i++) {
            give_hours(&h, from + i * HOUR, 1, 2);
            if (run == 1 && i % 5 == 0)
                restart(o);
        }
        tick(o, 10);
        hash[run] = hash_world(o);
        world_close(o);
    }
    assert_int_equal(hash[0], hash[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_holds_every_row_of_its_windows),
        cmocka_unit_test(a_day_holds_every_row_of_its_hours),
        cmocka_unit_test(old_windows_go_when_they_are_rolled_up),
        cmocka_unit_test(a_silent_model_is_rolled_up_and_expires_by_ticks),
        cmocka_unit_test(a_long_window_is_added_to_the_hour_that_is_made),
        cmocka_unit_test(a_squeeze_shortens_the_finest_first_and_ends),
        cmocka_unit_test(the_log_goes_with_its_windows),
        cmocka_unit_test(another_fold_of_the_log_expires_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
