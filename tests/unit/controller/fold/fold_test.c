// The fold: exactly once, merged over hosts, judged in order, and the same to the byte
// however its entries were grouped, repeated or interrupted.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/controller/fold/world.h"

#include "controller/log/audit.h"
#include "controller/log/blob.h"
#include "controller/log/progress.h"

static struct world *fleet(void)
{
    struct world *o = world_open();
    begin_fleet(o);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}, {"owner", "ann"}), 0);
    return o;
}

static struct record_instance instance(struct host *h, const char *version,
                                       void *memory, size_t size)
{
    struct shelf *s = memory_shelf(h->o->memory);
    uint32_t model, number;
    struct pool pool;
    struct record_instance i;
    pool_init(&pool, memory, size);
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    assert_int_equal(names_version(s, model, span_text(version), &number), ST_OK);
    struct shelf_key k = key_instance(model, number, h->agent);
    assert_int_equal(
        records_get(s, SHELF_AGENT, &k, &record_instance_message, &pool, &i), ST_OK);
    return i;
}

static void windows_of_all_hosts_are_merged_and_judged_once(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    give_window(&a, (struct seen){.start_s = 0, .rows = 10});
    assert_int_equal(o->notes, 0); // the other host may still say something
    give_window(&b, (struct seen){.start_s = 0, .rows = 7});
    assert_int_equal(o->notes, 1);
    assert_int_equal(o->note[0].rows, 17);
    assert_int_equal(o->note[0].hosts, 2);
    assert_true(o->note[0].sum == 17);
    assert_int_equal(o->note[0].end, T0 + 60 * S);
    assert_int_equal(o->parts, 2);
    world_close(o);
}

static void windows_are_judged_in_the_order_of_their_end(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    for (uint64_t i = 0; i < 5; i++)
        give_window(&a, (struct seen){.start_s = i * 60, .rows = 1});
    assert_int_equal(o->notes, 0);
    give_window(&b, (struct seen){.start_s = 240, .rows = 1});
    assert_int_equal(o->notes, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(o->note[i].end, T0 + (i + 1) * 60 * S);
    assert_int_equal(o->note[4].hosts, 2);
    world_close(o);
}

static void a_window_without_rows_moves_time_on(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    give_window(&a, (struct seen){.rows = 5});
    give_window(&b, (struct seen){.rows = 0});
    assert_int_equal(o->notes, 1);
    assert_int_equal(o->note[0].rows, 5);
    assert_int_equal(o->note[0].hosts, 2);
    world_close(o);
}

static void a_silent_host_is_waited_for_no_longer_than_patience(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    give_window(&b, (struct seen){.rows = 5});
    give_window(&a, (struct seen){.rows = 5});
    uint32_t before = o->notes;
    give_window(&a, (struct seen){.start_s = 60, .rows = 6});
    tick(o, 29);
    assert_int_equal(o->notes, before);
    tick(o, 1);
    assert_int_equal(o->notes, before + 1);
    assert_int_equal(o->note[before].rows, 6);
    // From now on it does not hold anybody up, until it speaks again.
    give_window(&a, (struct seen){.start_s = 120, .rows = 1});
    assert_int_equal(o->notes, before + 2);
    world_close(o);
}

static void two_versions_are_judged_apart_in_event_order(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    give_window(&a, (struct seen){.rows = 1});
    give_window(&b, (struct seen){.rows = 2});
    give_attest(&b, "v2", 60, "switch");
    assert_string_equal(o->was, "v1");
    give_window(&a, (struct seen){.start_s = 60, .rows = 3});
    give_window(&b, (struct seen){.start_s = 60, .rows = 4, .version = "v2"});
    assert_int_equal(o->notes, 3);
    assert_int_equal(o->note[1].end, o->note[2].end);
    assert_true(o->note[1].version != o->note[2].version);
    // The host that switched does not hold up the version that it left.
    give_window(&a, (struct seen){.start_s = 120, .rows = 3});
    give_window(&b, (struct seen){.start_s = 120, .rows = 4, .version = "v2"});
    assert_int_equal(o->notes, 5);
    world_close(o);
}

static void a_repeated_window_counts_once(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    for (int i = 0; i < 3; i++) {
        effects_clear(o->effects);
        give_window_as(&a, &(struct seen){"bike", "v1", 0, 60, 10, 0, 1, 2, 0}, 1);
        assert_non_null(newest(o, EFFECT_ACK)); // it is durable: say so each time
        assert_int_equal(newest(o, EFFECT_ACK)->number, 1);
    }
    assert_int_equal(o->notes, 1);
    uint8_t memory[4096];
    struct record_instance i = instance(&a, "v1", memory, sizeof memory);
    assert_int_equal(i.windows, 1);
    assert_int_equal(i.rows, 10);
    assert_int_equal(i.late, 1);
    assert_int_equal(i.observed, 13);
    assert_int_equal(tally_get(i.dropped, i.drops, "malformed"), 2);
    world_close(o);
}

static void what_comes_out_of_order_is_taken_once_each(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    struct random r = {3};
    uint64_t order[64];
    for (uint64_t i = 0; i < 64; i++)
        order[i] = i + 1;
    // Shuffled within groups of 16, each sent twice, as a reconnecting agent does.
    for (int g = 0; g < 64; g += 16) {
        for (int i = 15; i > 0; i--) {
            uint64_t k = random_u64(&r) % (uint64_t)(i + 1), t = order[g + i];
            order[g + i] = order[g + (int)k];
            order[g + (int)k] = t;
        }
        for (int twice = 0; twice < 2; twice++) {
            for (int i = 0; i < 16; i++) {
                struct seen w = {"bike", "v1", order[g + i] * 60, 60, 1, 0, 0, 0, 0};
                give_window_as(&a, &w, order[g + i]);
            }
        }
    }
    uint8_t memory[4096];
    assert_int_equal(instance(&a, "v1", memory, sizeof memory).rows, 64);
    world_close(o);
}

static void a_late_part_joins_the_next_window_and_an_older_one_is_counted(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    for (uint64_t i = 0; i < 6; i++)
        give_window(&a, (struct seen){.start_s = i * 60, .rows = 10});
    assert_int_equal(o->notes, 6);
    give_window(&a, (struct seen){.start_s = 240, .rows = 3, .flags = WINDOW_LATE});
    give_window(&a, (struct seen){.start_s = 0, .rows = 2, .flags = WINDOW_LATE});
    assert_int_equal(o->notes, 6);
    give_window(&a, (struct seen){.start_s = 360, .rows = 10});
    assert_int_equal(o->notes, 7);
    assert_int_equal(o->note[6].rows, 13);
    assert_int_equal(o->note[6].late_rows, 3);
    assert_true(o->note[6].sum == 13);
    struct progress_model m;
    uint32_t model;
    struct shelf *s = memory_shelf(o->memory);
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    assert_int_equal(progress_get_model(s, model, &m), ST_OK);
    assert_int_equal(m.too_late, 2);
    assert_int_equal(m.carried, 3);
    assert_int_equal(m.judged_ns, T0 + 420 * S);
    uint8_t memory[4096];
    assert_int_equal(instance(&a, "v1", memory, sizeof memory).rows,
                     75); // all are counted
    world_close(o);
}

static void a_flash_is_shown_at_once_and_judged_once(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    give_window(&a,
                (struct seen){.rows = 100, .flags = WINDOW_FLASH, .watermark_s = 20});
    assert_int_equal(o->flashes, 1);
    assert_int_equal(o->notes, 0);
    give_window(&a, (struct seen){.rows = 50});
    assert_int_equal(o->notes, 1);
    assert_int_equal(o->note[0].rows, 150);
    assert_int_equal(o->note[0].hosts, 1);
    world_close(o);
}

static void each_refusal_names_its_reason_and_changes_nothing(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    give_window(&a, (struct seen){.rows = 1});
    effects_clear(o->effects);
    give_window(&a, (struct seen){.model = "other", .rows = 1});
    assert_true(span_is(newest(o, EFFECT_REFUSE)->text, "scope"));
    struct host stranger = a;
    stranger.agent[0] ^= 1;
    give_window(&stranger, (struct seen){.rows = 1});
    assert_true(span_is(newest(o, EFFECT_REFUSE)->text, "unknown"));
    assert_int_equal(COMMAND(o, "agent.revoke", {"agent", "web-1"}), 0);
    assert_int_equal(newest(o, EFFECT_KEY)->code, 0);
    give_window(&a, (struct seen){.rows = 1});
    assert_true(span_is(newest(o, EFFECT_REFUSE)->text, "revoked"));
    assert_null(newest(o, EFFECT_ACK));
    assert_int_equal(o->notes, 1);
    world_close(o);
}

static void bytes_that_are_no_window_are_refused(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    struct buf b;
    buf_init(&b, 1u << 20);
    window_body(&a, &(struct seen){"bike", "v1", 0, 60, 10, 0, 0, 0, 0}, 1, &b);
    uint64_t whole = b.size;
    for (uint64_t cut = 0; cut < whole; cut += 1 + cut / 16)
        give(o, TAPE_WINDOW, span_of(b.data, cut));
    assert_int_equal(o->notes, 0);
    assert_null(newest(o, EFFECT_ACK));
    assert_true(span_is(newest(o, EFFECT_REFUSE)->text, "corrupt"));
    give(o, TAPE_WINDOW, buf_span(&b));
    assert_int_equal(o->notes, 1);
    buf_fini(&b);
    world_close(o);
}

static void a_model_that_nobody_added_is_listed_as_unknown(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    give_window(&a, (struct seen){.model = "bike-2", .rows = 1});
    assert_non_null(newest(o, EFFECT_ACK)); // kept, for when somebody adds it
    struct shelf *s = memory_shelf(o->memory);
    struct shelf_key k = key_unknown(span_text("bike-2"));
    struct span v;
    assert_int_equal(shelf_get(s, SHELF_CATALOG, &k, &v), ST_OK);
    k = key_unknown(span_text("bike"));
    assert_int_equal(shelf_get(s, SHELF_CATALOG, &k, &v), ST_NOTFOUND);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike-2"}), 0);
    k = key_unknown(span_text("bike-2"));
    assert_int_equal(shelf_get(s, SHELF_CATALOG, &k, &v), ST_NOTFOUND);
    world_close(o);
}

static void what_a_host_served_is_kept_with_its_times(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    give_attest(&a, "v1", 10, "start");
    give_attest(&a, "v1", 20, "start"); // a restart of the agent is no change
    give_attest(&a, "v2", 30, "switch");
    give_attest(&a, "v1", 40, "order");
    assert_int_equal(o->attests, 4);
    assert_string_equal(o->was, "v2");
    struct shelf *s = memory_shelf(o->memory);
    uint32_t model;
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    struct shelf_key prefix = key_served_by(model, a.agent);
    struct shelf_walk w;
    struct span v;
    static const struct {
        const char *version, *before;
        uint64_t at;
    } wanted[] = {{"v1", "", 10}, {"v2", "v1", 30}, {"v1", "v2", 40}};
    size_t n = 0;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while (shelf_walk_next(&w, NULL, &v) == ST_OK) {
        uint8_t memory[2048];
        struct pool pool;
        struct record_attest r;
        pool_init(&pool, memory, sizeof memory);
        assert_int_equal(records_read(v, &record_attest_message, &pool, &r), ST_OK);
        assert_true(n < 3);
        assert_true(span_is(r.version, wanted[n].version));
        assert_true(span_is(r.before, wanted[n].before));
        assert_int_equal(r.at, T0 + wanted[n].at * S);
        n++;
    }
    assert_int_equal(n, 3);
    world_close(o);
}

static void the_merge_and_each_report_can_be_read_again(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    give_attest(&a, "v1", 0, "start");
    give_attest(&b, "v1", 0, "start");
    give_window(&a, (struct seen){.rows = 10});
    give_window(&b, (struct seen){.rows = 20});
    struct shelf *s = memory_shelf(o->memory);
    uint32_t model, version, series;
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    assert_int_equal(names_version(s, model, span_text("v1"), &version), ST_OK);
    const uint8_t *whose[] = {a.agent, b.agent, NULL};
    uint64_t rows[] = {10, 20, 30};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(names_series(s, model, version, whose[i], &series), ST_OK);
        struct shelf_key k = key_window(series, KEY_RAW, T0, 0);
        struct blob blob;
        struct blob_feature f;
        assert_int_equal(blob_get(s, &k, &blob), ST_OK);
        assert_int_equal(blob.rows, rows[i]);
        assert_int_equal(blob.start, T0);
        assert_int_equal(blob_find(&blob, span_text("hr"), &f), ST_OK);
        assert_int_equal(blob_find(&blob, span_text("hs"), &f), ST_NOTFOUND);
        struct profile_options po = {.kind = PROFILE_NUMERIC, .width = GRID_F64};
        struct profile *p;
        assert_int_equal(profile_open(&po, NULL, &p), ST_OK);
        assert_int_equal(profile_decode(p, f.profile), ST_OK);
        assert_int_equal(profile_counters(p)->rows, rows[i]);
        profile_close(p);
    }
    world_close(o);
}

static void the_report_of_a_lone_host_is_its_own_merge(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1");
    give_window(&a, (struct seen){.rows = 10});
    assert_int_equal(o->notes, 1);
    assert_int_equal(o->note[0].hosts, 1);
    struct shelf *s = memory_shelf(o->memory);
    uint32_t model, version, series;
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    assert_int_equal(names_version(s, model, span_text("v1"), &version), ST_OK);
    assert_int_equal(names_series(s, model, version, NULL, &series), ST_OK);
    struct shelf_key k = key_window(series, KEY_RAW, T0, 0);
    struct span v;
    struct blob blob;
    struct blob_feature f;
    assert_int_equal(shelf_get(s, SHELF_WINDOW, &k, &v), ST_OK);
    assert_true(v.size < 100); // it only says where the report lies
    assert_int_equal(blob_get(s, &k, &blob), ST_OK);
    assert_int_equal(blob.rows, 10);
    assert_int_equal(blob_find(&blob, span_text("hr"), &f), ST_OK);
    world_close(o);
}

// --- The same bytes, whatever happened on the way

static enum status copy_entry(void *keep, const struct tape_entry *e)
{
    struct world *o = keep;
    struct tape_entry again = *e;
    struct tape_append a = {.expect = TAPE_ANY, .entry = &again, .entries = 1};
    enum status st = tape_memory.append(o->tape, &a, hear_world, o);
    return st == ST_OK ? o->st : st;
}

// A day in the life of three hosts, with switches, repeats and silences.
static void live_a_day(struct world *o, uint64_t seed, bool with_restarts)
{
    struct random r = {seed};
    begin_fleet(o);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}), 0);
    struct host h[3] = {host_of(o, 1, "web-1"), host_of(o, 2, "web-2"),
                        host_of(o, 3, "web-3")};
    uint64_t at[3] = {0};
    for (int step = 0; step < 300; step++) {
        uint64_t roll = random_u64(&r);
        struct host *one = &h[roll % 3];
        uint64_t *when = &at[roll % 3];
        roll /= 3;
        if (roll % 11 == 0)
            tick(o, roll / 11 % 40);
        else if (roll % 13 == 0)
            give_attest(one, roll / 13 % 2 ? "v1" : "v2", *when * 60 + 1, "switch");
        else if (roll % 7 == 0 && one->seq > 0)
            give_window_as(
                one, &(struct seen){"bike", "v1", *when * 60, 60, 3, 0, 0, 0, 0},
                one->seq); // says something else under a number that is taken
        else
            give_window(one, (struct seen){.start_s = (*when)++ * 60,
                                           .rows = (uint32_t)(roll % 30),
                                           .version = roll / 30 % 2 ? "v1" : "v2"});
        effects_clear(o->effects);
        if (with_restarts && step % 17 == 5)
            restart(o);
    }
}

static void restarts_leave_no_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *a = world_open(), *b = world_open();
        live_a_day(a, seed, false);
        live_a_day(b, seed, true);
        assert_true(hash_world(a) == hash_world(b));
        assert_int_equal(a->notes, b->notes);
        world_close(a);
        world_close(b);
    }
}

static void a_replay_of_the_log_gives_the_same_bytes(void **state)
{
    (void)state;
    struct world *a = world_open(), *b = world_open();
    live_a_day(a, 5, false);
    struct tape_reader reader = {.keep = b, .entry = copy_entry};
    assert_int_equal(tape_memory.read(a->tape, 0, (struct tape_pos){1, 0}, &reader),
                     ST_OK);
    assert_true(hash_world(a) == hash_world(b));
    assert_int_equal(a->notes, b->notes);
    assert_memory_equal(a->note, b->note, a->notes * sizeof a->note[0]);
    world_close(a);
    world_close(b);
}

struct pile {
    struct tape_entry entry[2000];
    struct buf body[2000];
    uint32_t n;
};

static enum status pile_up(void *keep, const struct tape_entry *e)
{
    struct pile *p = keep;
    assert_true(p->n < 2000);
    buf_init(&p->body[p->n], 1u << 20);
    buf_put_span(&p->body[p->n], e->body);
    p->entry[p->n] = *e;
    p->entry[p->n].body = buf_span(&p->body[p->n]);
    p->n++;
    return ST_OK;
}

// Appends the pile in groups; some of them fail for want of memory first, and are given
// again.
static void give_pile(struct world *o, const struct pile *p, uint64_t seed,
                      bool with_faults)
{
    struct random r = {seed};
    for (uint32_t at = 0; at < p->n;) {
        uint32_t n = 1 + (uint32_t)(random_u64(&r) % 40);
        if (n > p->n - at)
            n = p->n - at;
        struct tape_append a = {
            .expect = TAPE_ANY, .entry = p->entry + at, .entries = n};
        if (with_faults && random_u64(&r) % 2) {
            uint32_t drops = o->drops, notes = o->notes;
            (void)mem_fail_from(1 + random_u64(&r) % 400);
            assert_int_equal(tape_memory.append(o->tape, &a, hear_world, o), ST_OK);
            (void)mem_fail_from(0);
            if (o->st == ST_OK) {
                at += n;
                effects_clear(o->effects);
                continue;
            }
            assert_int_equal(o->drops, drops + 1);
            o->notes = notes;
        }
        assert_int_equal(tape_memory.append(o->tape, &a, hear_world, o), ST_OK);
        assert_int_equal(o->st, ST_OK);
        effects_clear(o->effects);
        at += n;
    }
}

static void grouping_and_failed_transactions_leave_no_trace(void **state)
{
    (void)state;
    static struct pile pile;
    struct world *a = world_open();
    live_a_day(a, 9, false);
    struct tape_reader reader = {.keep = &pile, .entry = pile_up};
    assert_int_equal(tape_memory.read(a->tape, 0, (struct tape_pos){1, 0}, &reader),
                     ST_OK);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *b = world_open();
        give_pile(b, &pile, seed, seed > 1);
        assert_true(hash_world(a) == hash_world(b));
        assert_int_equal(a->notes, b->notes);
        world_close(b);
    }
    for (uint32_t i = 0; i < pile.n; i++)
        buf_fini(&pile.body[i]);
    world_close(a);
}

static void every_change_left_its_leaf(void **state)
{
    (void)state;
    struct world *o = world_open();
    live_a_day(o, 2, true);
    struct shelf *s = memory_shelf(o->memory);
    struct audit_report r;
    assert_int_equal(audit_verify(s, &r), ST_OK);
    assert_null(r.trouble);
    assert_true(r.leaves > 20);
    uint64_t leaves;
    uint8_t root[32];
    assert_int_equal(audit_head(s, &leaves, root), ST_OK);
    assert_memory_equal(root, r.root, 32);
    // One byte of one leaf, and it is found.
    for (uint64_t n = 0; n < r.leaves; n += 7) {
        struct shelf_key k = key_leaf(n);
        struct span v;
        uint8_t copy[8192], bad[8192];
        assert_int_equal(shelf_get(s, SHELF_AUDIT, &k, &v), ST_OK);
        size_t size = v.size;
        memcpy(copy, v.data, size);
        memcpy(bad, v.data, size);
        bad[size - 1] ^= 1;
        assert_int_equal(shelf_put(s, SHELF_AUDIT, &k, span_of(bad, size)), ST_OK);
        struct audit_report found;
        assert_int_equal(audit_verify(s, &found), ST_OK);
        assert_int_equal(found.first_bad, n);
        assert_non_null(found.trouble);
        assert_int_equal(shelf_put(s, SHELF_AUDIT, &k, span_of(copy, size)), ST_OK);
    }
    world_close(o);
}

static void ticks_come_often_while_windows_wait(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct host a = host_of(o, 1, "web-1"), b = host_of(o, 2, "web-2");
    struct shelf *s = memory_shelf(o->memory);
    give_attest(&b, "v1", 0, "start");
    assert_int_equal(fold_next_tick(o->fold, s), o->now_ns + 10 * S);
    give_window(&a, (struct seen){.rows = 1});
    assert_int_equal(fold_next_tick(o->fold, s), o->now_ns + S);
    tick(o, 40);
    assert_int_equal(fold_next_tick(o->fold, s), o->now_ns + 10 * S);
    world_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_all_hosts_are_merged_and_judged_once),
        cmocka_unit_test(windows_are_judged_in_the_order_of_their_end),
        cmocka_unit_test(a_window_without_rows_moves_time_on),
        cmocka_unit_test(a_silent_host_is_waited_for_no_longer_than_patience),
        cmocka_unit_test(two_versions_are_judged_apart_in_event_order),
        cmocka_unit_test(a_repeated_window_counts_once),
        cmocka_unit_test(what_comes_out_of_order_is_taken_once_each),
        cmocka_unit_test(a_late_part_joins_the_next_window_and_an_older_one_is_counted),
        cmocka_unit_test(a_flash_is_shown_at_once_and_judged_once),
        cmocka_unit_test(each_refusal_names_its_reason_and_changes_nothing),
        cmocka_unit_test(bytes_that_are_no_window_are_refused),
        cmocka_unit_test(a_model_that_nobody_added_is_listed_as_unknown),
        cmocka_unit_test(what_a_host_served_is_kept_with_its_times),
        cmocka_unit_test(the_merge_and_each_report_can_be_read_again),
        cmocka_unit_test(the_report_of_a_lone_host_is_its_own_merge),
        cmocka_unit_test(restarts_leave_no_trace),
        cmocka_unit_test(a_replay_of_the_log_gives_the_same_bytes),
        cmocka_unit_test(grouping_and_failed_transactions_leave_no_trace),
        cmocka_unit_test(every_change_left_its_leaf),
        cmocka_unit_test(ticks_come_often_while_windows_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
