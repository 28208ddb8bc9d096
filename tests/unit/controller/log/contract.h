// Contract: what every shelf and every tape promises, as tests that each driver must
// pass.
//
// A driver's own test fills in `struct driver` and runs SHELF_TESTS and TAPE_TESTS.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_TESTS_UNIT_CONTROLLER_LOG_CONTRACT_H
#define KEDGE_TESTS_UNIT_CONTROLLER_LOG_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "controller/log/keys.h"
#include "controller/log/shelf.h"
#include "controller/log/tape.h"

struct driver {
    void *self;
    // A transaction on the shelf.
    struct shelf *(*begin)(void *self);
    enum status (*commit)(void *self);
    void (*abort)(void *self);
    // The tape over it; `reopen` gives the same one as after a restart.
    const struct tape_driver *tape;
    struct tape *(*open)(void *self, const struct tape_fold *fold);
    struct tape *(*reopen)(void *self, struct tape *old, const struct tape_fold *fold);
};

static struct span bytes_of(const char *text)
{
    return span_text(text);
}

static void put(struct shelf *s, const char *key, const char *value)
{
    assert_int_equal(s->put(s->self, SHELF_EVENT, bytes_of(key), bytes_of(value)),
                     ST_OK);
}

static void expect(struct shelf *s, const char *key, const char *value)
{
    struct span v;
    enum status st = s->get(s->self, SHELF_EVENT, bytes_of(key), &v);
    if (!value) {
        assert_int_equal(st, ST_NOTFOUND);
        return;
    }
    assert_int_equal(st, ST_OK);
    assert_true(span_is(v, value));
}

// --- The shelf

static void keeps_what_is_committed_and_forgets_what_is_aborted(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    put(s, "a", "1");
    put(s, "b", "2");
    put(s, "a", "3");
    assert_int_equal(d->commit(d->self), ST_OK);
    s = d->begin(d->self);
    put(s, "a", "4");
    put(s, "c", "5");
    assert_int_equal(s->del(s->self, SHELF_EVENT, bytes_of("b")), ST_OK);
    expect(s, "b", NULL);
    d->abort(d->self);
    s = d->begin(d->self);
    expect(s, "a", "3");
    expect(s, "b", "2");
    expect(s, "c", NULL);
    assert_int_equal(s->del(s->self, SHELF_EVENT, bytes_of("zz")), ST_NOTFOUND);
    assert_int_equal(d->commit(d->self), ST_OK);
}

static void tables_do_not_share_keys(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    for (unsigned t = 0; t < SHELF_COUNT; t++) {
        uint8_t v = (uint8_t)t;
        assert_int_equal(
            s->put(s->self, (enum shelf_table)t, bytes_of("same"), span_of(&v, 1)),
            ST_OK);
    }
    for (unsigned t = 0; t < SHELF_COUNT; t++) {
        struct span v;
        assert_int_equal(s->get(s->self, (enum shelf_table)t, bytes_of("same"), &v),
                         ST_OK);
        assert_int_equal(v.data[0], t);
    }
    d->abort(d->self);
}

static void seeks_up_and_down_in_byte_order(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    struct span k, v;
    assert_int_equal(s->seek(s->self, SHELF_PLAN, bytes_of("a"), &k, &v), ST_NOTFOUND);
    assert_int_equal(s->seek_down(s->self, SHELF_PLAN, bytes_of("a"), &k, &v),
                     ST_NOTFOUND);
    const char *keys[] = {"b", "ba", "bb", "d", "\xff"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(
            s->put(s->self, SHELF_PLAN, bytes_of(keys[i]), bytes_of(keys[i])), ST_OK);
    const char *from[] = {"a", "b", "b!", "bb", "c", "e", "\xff"};
    const char *up[] = {"b", "b", "ba", "bb", "d", "\xff", "\xff"};
    const char *down[] = {NULL, "b", "b", "bb", "bb", "d", "\xff"};
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        assert_int_equal(s->seek(s->self, SHELF_PLAN, bytes_of(from[i]), &k, &v),
                         ST_OK);
        assert_true(span_is(k, up[i]));
        assert_true(span_is(v, up[i]));
        enum status st = s->seek_down(s->self, SHELF_PLAN, bytes_of(from[i]), &k, &v);
        assert_int_equal(st, down[i] ? ST_OK : ST_NOTFOUND);
        assert_true(st != ST_OK || span_is(k, down[i]));
    }
    d->abort(d->self);
}

static void refuses_keys_and_values_beyond_the_limits(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    uint8_t *large = mem_zero(SHELF_VALUE_MAX + 1, 1);
    struct span v;
    assert_non_null(large);
    assert_int_equal(s->put(s->self, SHELF_PLAN, span_of(large, 0), bytes_of("x")),
                     ST_RANGE);
    assert_int_equal(
        s->put(s->self, SHELF_PLAN, span_of(large, SHELF_KEY_MAX + 1), bytes_of("x")),
        ST_RANGE);
    assert_int_equal(
        s->put(s->self, SHELF_PLAN, bytes_of("k"), span_of(large, SHELF_VALUE_MAX + 1)),
        ST_RANGE);
    assert_int_equal(
        s->put(s->self, SHELF_PLAN, span_of(large, SHELF_KEY_MAX), bytes_of("x")),
        ST_OK);
    assert_int_equal(
        s->put(s->self, SHELF_PLAN, bytes_of("k"), span_of(large, SHELF_VALUE_MAX)),
        ST_OK);
    assert_int_equal(s->get(s->self, SHELF_PLAN, bytes_of("k"), &v), ST_OK);
    assert_int_equal(v.size, SHELF_VALUE_MAX);
    assert_int_equal(s->put(s->self, SHELF_PLAN, bytes_of("e"), span_of(NULL, 0)),
                     ST_OK);
    assert_int_equal(s->get(s->self, SHELF_PLAN, bytes_of("e"), &v), ST_OK);
    assert_int_equal(v.size, 0);
    mem_free(large);
    d->abort(d->self);
}

static void a_key_that_outgrew_itself_is_refused(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    struct shelf_key k = shelf_key_of('x');
    uint8_t long_piece[SHELF_KEY_MAX] = {0};
    shelf_key_bytes(&k, span_of(long_piece, sizeof long_piece));
    shelf_key_u8(&k, 1);
    assert_int_equal(k.size, 0);
    assert_int_equal(shelf_put(s, SHELF_PLAN, &k, bytes_of("v")), ST_RANGE);
    d->abort(d->self);
}

static void a_walk_sees_its_prefix_and_survives_changes(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    for (uint32_t i = 0; i < 40; i++) {
        struct shelf_key k = shelf_key_of(i % 2 ? 'p' : 'q');
        shelf_key_be32(&k, i);
        assert_int_equal(shelf_put(s, SHELF_STATE, &k, bytes_of("v")), ST_OK);
    }
    struct shelf_key prefix = shelf_key_of('p');
    struct shelf_walk w;
    struct span key;
    uint32_t n = 0, last = 0;
    shelf_walk_init(&w, s, SHELF_STATE, &prefix);
    while (shelf_walk_next(&w, &key, NULL) == ST_OK) {
        uint32_t at = load_be32(key.data + 1);
        assert_true(n == 0 || at > last);
        last = at;
        n++;
        // What was given may be deleted, and others may come behind.
        struct shelf_key k = w.at;
        assert_int_equal(shelf_del(s, SHELF_STATE, &k), ST_OK);
    }
    assert_int_equal(n, 20);
    struct span v;
    struct shelf_key q = shelf_key_of('q');
    assert_int_equal(shelf_last(s, SHELF_STATE, &q, &key, &v), ST_OK);
    assert_int_equal(load_be32(key.data + 1), 38);
    assert_int_equal(shelf_last(s, SHELF_STATE, &prefix, &key, &v), ST_NOTFOUND);
    d->abort(d->self);
}

static void numbers_count_up_from_one(void **state)
{
    struct driver *d = *state;
    struct shelf *s = d->begin(d->self);
    uint64_t n;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(shelf_next_number(s, "x", &n), ST_OK);
        assert_int_equal(n, i);
    }
    assert_int_equal(shelf_next_number(s, "y", &n), ST_OK);
    assert_int_equal(n, 1);
    d->abort(d->self);
}

// Random puts and dels against a plain array, over several transactions.
static void agrees_with_a_plain_table(void **state)
{
    enum { KEYS = 300 };
    struct driver *d = *state;
    static uint32_t kept[KEYS], now[KEYS];
    memset(kept, 0, sizeof kept);
    struct random r = {7};
    for (int round = 0; round < 20; round++) {
        struct shelf *s = d->begin(d->self);
        memcpy(now, kept, sizeof now);
        for (int i = 0; i < 200; i++) {
            uint32_t at = (uint32_t)(random_u64(&r) % KEYS);
            uint8_t key[4], value[4];
            store_be32(key, at);
            now[at] = random_u64(&r) % 3 ? (uint32_t)random_u64(&r) | 1 : 0;
            store_be32(value, now[at]);
            enum status st = now[at] ? s->put(s->self, SHELF_ALERT, span_of(key, 4),
                                              span_of(value, 4))
                                     : s->del(s->self, SHELF_ALERT, span_of(key, 4));
            assert_true(st == ST_OK || (!now[at] && st == ST_NOTFOUND));
        }
        if (round % 3 == 2) {
            d->abort(d->self);
        } else {
            assert_int_equal(d->commit(d->self), ST_OK);
            memcpy(kept, now, sizeof kept);
        }
    }
    struct shelf *s = d->begin(d->self);
    uint8_t from[5] = {0};
    uint32_t seen = 0, alive = 0;
    struct span k, v;
    size_t size = 4;
    while (s->seek(s->self, SHELF_ALERT, span_of(from, size), &k, &v) == ST_OK) {
        assert_int_equal(load_be32(v.data), kept[load_be32(k.data)]);
        memcpy(from, k.data, 4);
        size = 5;
        seen++;
    }
    for (int i = 0; i < KEYS; i++)
        alive += kept[i] != 0;
    assert_int_equal(seen, alive);
    d->abort(d->self);
}

// --- The tape

struct heard {
    int calls;
    enum status st;
    struct tape_pos last;
};

static void hear(void *keep, enum status st, struct tape_pos last)
{
    struct heard *h = keep;
    h->calls++;
    h->st = st;
    h->last = last;
}

// Appends one entry and tells what became of it.
static struct heard append_one(struct driver *d, struct tape *t, struct span body,
                               uint64_t expect_seq)
{
    struct tape_entry e = {.kind = TAPE_TICK, .at_ns = 7, .body = body};
    struct tape_append a = {.expect = expect_seq, .entry = &e, .entries = 1};
    struct heard h = {0};
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_OK);
    assert_int_equal(h.calls, 1);
    return h;
}

struct reading {
    uint64_t n, next;
    uint64_t stop_at;
    size_t bytes;
    uint8_t last;
};

static enum status read_one(void *keep, const struct tape_entry *e)
{
    struct reading *r = keep;
    if (r->stop_at && r->n == r->stop_at)
        return ST_CLOSED;
    assert_int_equal(e->pos.seq, r->next); // order, and no gap
    assert_int_equal(e->at_ns, 7);
    r->next++;
    r->n++;
    r->bytes += e->body.size;
    r->last = e->body.size > 0 ? e->body.data[e->body.size - 1] : 0;
    return ST_OK;
}

static struct reading read_from(struct driver *d, struct tape *t, uint64_t after)
{
    struct reading r = {.next = after + 1};
    struct tape_reader reader = {.keep = &r, .entry = read_one};
    struct tape_pos pos = {1, after};
    assert_int_equal(d->tape->read(t, 0, pos, &reader), ST_OK);
    return r;
}

static void entries_come_back_in_order_after_a_restart(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    struct tape_entry e[100];
    uint8_t body[100];
    for (int i = 0; i < 100; i++) {
        body[i] = (uint8_t)i;
        e[i] =
            (struct tape_entry){.kind = TAPE_TICK, .at_ns = 7, .body = {&body[i], 1}};
    }
    struct heard h = {0};
    for (uint32_t round = 0; round < 10; round++) {
        struct tape_append a = {
            .expect = TAPE_ANY, .entry = e, .entries = 1 + round * 11 % 100};
        assert_int_equal(d->tape->append(t, &a, hear, &h), ST_OK);
        assert_int_equal(h.st, ST_OK);
    }
    uint64_t last = h.last.seq;
    t = d->reopen(d->self, t, NULL);
    struct tape_pos head, oldest;
    assert_int_equal(d->tape->head(t, 0, &head, &oldest), ST_OK);
    assert_int_equal(head.seq, last);
    assert_int_equal(oldest.seq, 1);
    assert_int_equal(read_from(d, t, 0).n, last);
    assert_int_equal(read_from(d, t, last - 3).n, 3);
    assert_int_equal(read_from(d, t, last).n, 0);
    d->tape->close(t);
}

static void compare_and_append_has_one_winner(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    assert_int_equal(append_one(d, t, bytes_of("a"), 0).st, ST_OK);
    int won = 0;
    for (int i = 0; i < 16; i++) {
        enum status st = append_one(d, t, bytes_of("b"), 1).st;
        assert_true(st == ST_OK || st == ST_CONFLICT);
        won += st == ST_OK;
    }
    assert_int_equal(won, 1);
    assert_int_equal(read_from(d, t, 0).n, 2);
    d->tape->close(t);
}

static void bodies_from_nothing_to_the_limit(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    uint8_t *body = mem_zero(TAPE_BODY_MAX + 1, 1);
    assert_non_null(body);
    size_t sizes[] = {0, 1, 2000, 2100, 4096, 52000, 131072, 1u << 20, TAPE_BODY_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i] > 0)
            body[sizes[i] - 1] = (uint8_t)(i + 1);
        struct heard h = append_one(d, t, span_of(body, sizes[i]), TAPE_ANY);
        assert_int_equal(h.st, ST_OK);
        struct reading r = read_from(d, t, h.last.seq - 1);
        assert_int_equal(r.bytes, sizes[i]);
        assert_int_equal(r.last, sizes[i] > 0 ? i + 1 : 0);
    }
    struct tape_entry e = {.body = {body, TAPE_BODY_MAX + 1}};
    struct tape_append a = {.expect = TAPE_ANY, .entry = &e, .entries = 1};
    struct heard h = {0};
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_RANGE);
    a.entries = 0;
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_RANGE);
    a.entries = TAPE_APPEND_MAX + 1;
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_RANGE);
    a.partition = 1;
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_RANGE);
    assert_int_equal(h.calls, 0);
    mem_free(body);
    d->tape->close(t);
}

static void a_reader_may_stop_and_limit_itself(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    for (int i = 0; i < 10; i++)
        (void)append_one(d, t, bytes_of("x"), TAPE_ANY);
    struct reading r = {.next = 1, .stop_at = 4};
    struct tape_reader reader = {.keep = &r, .entry = read_one};
    assert_int_equal(d->tape->read(t, 0, (struct tape_pos){1, 0}, &reader), ST_OK);
    assert_int_equal(r.n, 4);
    r = (struct reading){.next = 4};
    reader.limit = 5;
    assert_int_equal(d->tape->read(t, 0, (struct tape_pos){1, 3}, &reader), ST_OK);
    assert_int_equal(r.n, 5);
    d->tape->close(t);
}

static void trimming_forgets_the_oldest_only(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    for (int i = 0; i < 20; i++)
        (void)append_one(d, t, bytes_of("x"), TAPE_ANY);
    assert_int_equal(d->tape->trim(t, 0, (struct tape_pos){1, 12}), ST_OK);
    struct tape_pos head, oldest;
    assert_int_equal(d->tape->head(t, 0, &head, &oldest), ST_OK);
    assert_int_equal(oldest.seq, 13);
    struct reading r = {.next = 1};
    struct tape_reader reader = {.keep = &r, .entry = read_one};
    assert_int_equal(d->tape->read(t, 0, (struct tape_pos){1, 0}, &reader),
                     ST_NOTFOUND);
    assert_int_equal(read_from(d, t, 12).n, 8);
    assert_int_equal(d->tape->trim(t, 0, (struct tape_pos){1, 99}), ST_RANGE);
    t = d->reopen(d->self, t, NULL);
    assert_int_equal(read_from(d, t, 12).n, 8);
    assert_int_equal(append_one(d, t, bytes_of("y"), 20).st, ST_OK);
    d->tape->close(t);
}

static void a_reader_ahead_of_the_head_learns_that_the_tape_regressed(void **state)
{
    struct driver *d = *state;
    struct tape *t = d->open(d->self, NULL);
    (void)append_one(d, t, bytes_of("x"), TAPE_ANY);
    struct reading r = {.next = 1};
    struct tape_reader reader = {.keep = &r, .entry = read_one};
    assert_int_equal(d->tape->read(t, 0, (struct tape_pos){1, 2}, &reader),
                     ST_REGRESSED);
    d->tape->close(t);
}

// A fold that counts, and fails when told to.
struct counting {
    int entries, flushes, drops;
    int fail_at; // number of the entry that fails; 0: none
    enum tape_home_kind home;
};

static enum status count_entry(void *self, struct shelf *s, const struct tape_entry *e,
                               struct tape_home *home)
{
    struct counting *c = self;
    if (++c->entries == c->fail_at)
        return ST_CORRUPT;
    struct shelf_key k = shelf_key_of('f');
    shelf_key_be64(&k, e->pos.seq);
    if (c->home == HOME_SHELF) {
        uint8_t value[64] = "head:";
        memcpy(value + 5, e->body.data, e->body.size);
        *home = (struct tape_home){.kind = HOME_SHELF,
                                   .table = SHELF_WINDOW,
                                   .key = k,
                                   .offset = 5,
                                   .size = (uint32_t)e->body.size};
        return shelf_put(s, SHELF_WINDOW, &k, span_of(value, sizeof value));
    }
    if (c->home == HOME_CUT)
        *home = (struct tape_home){.kind = HOME_CUT, .size = 3};
    return shelf_put(s, SHELF_STATE, &k, e->body);
}

static enum status count_flush(void *self, struct shelf *s)
{
    (void)s;
    ((struct counting *)self)->flushes++;
    return ST_OK;
}

static void count_drop(void *self)
{
    ((struct counting *)self)->drops++;
}

static struct tape_fold counting_fold(struct counting *c)
{
    return (struct tape_fold){
        .self = c, .entry = count_entry, .flush = count_flush, .dropped = count_drop};
}

static void append_and_fold_are_one(void **state)
{
    struct driver *d = *state;
    struct counting c = {.fail_at = 3};
    struct tape_fold fold = counting_fold(&c);
    struct tape *t = d->open(d->self, &fold);
    struct tape_entry e[4];
    for (int i = 0; i < 4; i++)
        e[i] =
            (struct tape_entry){.kind = TAPE_TICK, .at_ns = 7, .body = bytes_of("b")};
    struct tape_append a = {.expect = TAPE_ANY, .entry = e, .entries = 4};
    struct heard h = {0};
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_OK);
    assert_int_equal(h.st, ST_CORRUPT);
    assert_int_equal(c.drops, 1);
    assert_int_equal(c.flushes, 0);
    assert_int_equal(read_from(d, t, 0).n, 0);
    struct shelf *s = d->begin(d->self);
    struct shelf_key k = shelf_key_of('f');
    struct span key, v;
    assert_int_equal(shelf_last(s, SHELF_STATE, &k, &key, &v), ST_NOTFOUND);
    d->abort(d->self);
    c = (struct counting){0};
    assert_int_equal(d->tape->append(t, &a, hear, &h), ST_OK);
    assert_int_equal(h.st, ST_OK);
    assert_int_equal(c.entries, 4);
    assert_int_equal(c.flushes, 1);
    assert_int_equal(c.drops, 0);
    assert_int_equal(h.last.seq, 4);
    d->tape->close(t);
}

static void a_body_may_live_on_the_shelf_or_be_cut(void **state)
{
    struct driver *d = *state;
    struct counting c = {.home = HOME_SHELF};
    struct tape_fold fold = counting_fold(&c);
    struct tape *t = d->open(d->self, &fold);
    (void)append_one(d, t, bytes_of("shelved"), TAPE_ANY);
    c.home = HOME_CUT;
    (void)append_one(d, t, bytes_of("cut off"), TAPE_ANY);
    c.home = HOME_LOG;
    (void)append_one(d, t, bytes_of("logged!"), TAPE_ANY);
    assert_int_equal(read_from(d, t, 0).bytes, 7 + 3 + 7);
    // The value goes with retention: its entry can no longer be read.
    struct shelf *s = d->begin(d->self);
    struct shelf_key k = shelf_key_of('f');
    shelf_key_be64(&k, 1);
    assert_int_equal(shelf_del(s, SHELF_WINDOW, &k), ST_OK);
    assert_int_equal(d->commit(d->self), ST_OK);
    struct reading r = {.next = 1};
    struct tape_reader reader = {.keep = &r, .entry = read_one};
    assert_int_equal(d->tape->read(t, 0, (struct tape_pos){1, 0}, &reader),
                     ST_NOTFOUND);
    assert_int_equal(read_from(d, t, 1).n, 2);
    d->tape->close(t);
}

#define CONTRACT_TESTS(setup, teardown)                                                \
    cmocka_unit_test_setup_teardown(                                                   \
        keeps_what_is_committed_and_forgets_what_is_aborted, setup, teardown),         \
        cmocka_unit_test_setup_teardown(tables_do_not_share_keys, setup, teardown),    \
        cmocka_unit_test_setup_teardown(seeks_up_and_down_in_byte_order, setup,        \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(refuses_keys_and_values_beyond_the_limits,     \
                                        setup, teardown),                              \
        cmocka_unit_test_setup_teardown(a_key_that_outgrew_itself_is_refused, setup,   \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(a_walk_sees_its_prefix_and_survives_changes,   \
                                        setup, teardown),                              \
        cmocka_unit_test_setup_teardown(numbers_count_up_from_one, setup, teardown),   \
        cmocka_unit_test_setup_teardown(agrees_with_a_plain_table, setup, teardown),   \
        cmocka_unit_test_setup_teardown(entries_come_back_in_order_after_a_restart,    \
                                        setup, teardown),                              \
        cmocka_unit_test_setup_teardown(compare_and_append_has_one_winner, setup,      \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(bodies_from_nothing_to_the_limit, setup,       \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(a_reader_may_stop_and_limit_itself, setup,     \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(trimming_forgets_the_oldest_only, setup,       \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(                                               \
            a_reader_ahead_of_the_head_learns_that_the_tape_regressed, setup,          \
            teardown),                                                                 \
        cmocka_unit_test_setup_teardown(append_and_fold_are_one, setup, teardown),     \
        cmocka_unit_test_setup_teardown(a_body_may_live_on_the_shelf_or_be_cut, setup, \
                                        teardown)

#endif
