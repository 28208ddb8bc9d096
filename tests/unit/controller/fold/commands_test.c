// Commands and enrolments: who may, what is refused, and what every one of them leaves.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/controller/fold/world.h"

#include "common/drift/builder.h"
#include "controller/fold/marks.h"
#include "controller/log/audit.h"

static struct world *fleet(void)
{
    struct world *o = world_open();
    begin_fleet(o);
    return o;
}

static uint32_t say(struct world *o, const char *role, const char *verb)
{
    struct kv model = {"model", "bike"};
    return command_as(o, role, verb, &model, 1, (struct span){0});
}

static void a_role_may_do_what_it_may_and_nothing_else(void **state)
{
    (void)state;
    struct world *o = fleet();
    static const char *const roles[] = {"viewer", "operator", "approver",
                                        "admin",  "auditor",  "nobody"};
    static const struct {
        const char *verb;
        bool may[6];
    } rows[] = {
        {"model.add", {false, false, true, true, false, false}},
        {"version.add", {false, true, true, true, false, false}},
        {"baseline.seal", {false, false, true, true, false, false}},
        {"event.record", {false, true, true, true, false, false}},
        {"policy.set", {false, false, true, true, false, false}},
        {"agent.token", {false, false, false, true, false, false}},
        {"agent.approve", {false, false, false, true, false, false}},
        {"agent.revoke", {false, true, true, true, false, false}},
        {"agent.note", {false, false, false, false, false, false}},
        {"operator.add", {false, false, false, true, false, false}},
        {"operator.revoke", {false, false, false, true, false, false}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int r = 0; r < 6; r++) {
            bool was_denied = say(o, roles[r], rows[i].verb) == 4;
            assert_int_equal(was_denied, !rows[i].may[r]);
        }
    }
    assert_int_equal(say(o, "admin", "no.such.verb"), 2);
    world_close(o);
}

static void a_refused_command_changes_nothing_but_time(void **state)
{
    (void)state;
    struct world *o = fleet();
    uint64_t leaves[2];
    uint8_t root[32];
    struct shelf *s = memory_shelf(o->memory);
    assert_int_equal(audit_head(s, &leaves[0], root), ST_OK);
    assert_int_equal(COMMAND(o, "model.add", {"model", "no good name"}), 2);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}, {"mode", "maybe"}), 2);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"}),
                     3);
    assert_int_equal(COMMAND(o, "event.record", {"at", "yesterday"}), 2);
    assert_int_equal(COMMAND(o, "agent.token", {"id", "0011223344556677"}), 2);
    assert_int_equal(COMMAND(o, "agent.revoke", {"agent", "web-1"}), 3);
    assert_int_equal(COMMAND(o, "operator.add", {"name", "eve"}, {"role", "god"}), 2);
    assert_int_equal(COMMAND(o, "operator.revoke", {"name", "eve"}), 3);
    assert_int_equal(COMMAND(o, "baseline.seal", {"model", "bike"}), 2);
    assert_int_equal(audit_head(s, &leaves[1], root), ST_OK);
    assert_int_equal(leaves[0], leaves[1]);
    world_close(o);
}

static void models_and_versions_are_added_and_changed(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct shelf *s = memory_shelf(o->memory);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}, {"owner", "ann"},
                             {"mode", "auto"}, {"window", "1d"}),
                     0);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}, {"note", "hourly"}), 0);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"note", "first"}, {"at", "2012-07-01"}),
                     0);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"artifact", "beef"}),
                     2);
    uint8_t memory[8192];
    struct pool pool;
    struct record_model m;
    struct shelf_key k = key_model(span_text("bike"));
    pool_init(&pool, memory, sizeof memory);
    assert_int_equal(
        records_get(s, SHELF_CATALOG, &k, &record_model_message, &pool, &m), ST_OK);
    assert_true(span_is(m.owner, "ann")); // what is not said again stays
    assert_true(span_is(m.note, "hourly"));
    assert_int_equal(m.mode, POLICY_AUTO);
    assert_int_equal(m.window_ns, UINT64_C(86400) * S);
    static const uint8_t none[16];
    assert_memory_not_equal(m.key, none, sizeof none);
    world_close(o);
}

// Digests of 64 equal digits.
static const char *digest(char digit)
{
    static char text[2][65];
    static int turn;
    turn = !turn;
    memset(text[turn], digit, 64);
    return text[turn];
}

static void what_a_version_is_never_changes(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct shelf *s = memory_shelf(o->memory);
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}), 0);
    // Named first, its digests said later, and then said again: all the same version.
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"}),
                     0);
    for (int again = 0; again < 2; again++)
        assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                                 {"artifact", digest('a')}, {"data", digest('b')}),
                         0);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"code", "00112233445566778899aabbccddeeff00112233"}),
                     0);
    uint64_t leaves[2];
    uint8_t root[32];
    assert_int_equal(audit_head(s, &leaves[0], root), ST_OK);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"artifact", digest('c')}),
                     6);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"data", digest('c')}),
                     6);
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v1"},
                             {"code", digest('c')}),
                     6);
    assert_int_equal(audit_head(s, &leaves[1], root), ST_OK);
    assert_int_equal(leaves[0], leaves[1]); // a refusal leaves nothing
    assert_int_equal(COMMAND(o, "version.add", {"model", "bike"}, {"version", "v2"},
                             {"artifact", digest('c')}),
                     0);
    world_close(o);
}

// --- Baselines

static void seal_bytes(uint8_t key, struct buf *out)
{
    struct builder_settings bs = {.window_rows = 50, .seed = 1};
    memset(bs.key, key, sizeof bs.key);
    struct builder *b;
    struct baseline *sealed;
    assert_int_equal(builder_open(&bs, &b), ST_OK);
    assert_int_equal(
        builder_feature(b, span_text("hr"), ROLE_INPUT, KIND_NUMERIC, GRID_F64), ST_OK);
    for (int pass = 0; pass < 2; pass++) {
        struct random r = {4};
        for (uint64_t i = 0; i < 1000; i++) {
            struct builder_value v = {.number = random_normal(&r)};
            assert_int_equal(builder_row(b, T0 + i * 60 * S, &v), ST_OK);
        }
        if (pass == 0)
            assert_int_equal(builder_turn(b), ST_OK);
    }
    assert_int_equal(builder_seal(b, &sealed), ST_OK);
    baseline_encode(sealed, out);
    assert_int_equal(out->failed, ST_OK);
    baseline_close(sealed);
    builder_close(b);
}

static uint32_t seal(struct world *o, const char *version, struct span blob)
{
    struct kv arg[] = {
        {"model", "bike"}, {"version", version}, {"source", "train.csv"}};
    return command_as(o, "admin", "baseline.seal", arg, 3, blob);
}

static void a_baseline_brings_its_key_and_the_next_one_must_have_it(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct buf a, b;
    buf_init(&a, 1u << 20);
    buf_init(&b, 1u << 20);
    seal_bytes(1, &a);
    seal_bytes(2, &b);
    assert_int_equal(seal(o, "v1", buf_span(&a)), 3); // no such model
    assert_int_equal(COMMAND(o, "model.add", {"model", "bike"}), 0);
    assert_int_equal(seal(o, "v1", span_of(a.data, a.size - 1)), 2);
    assert_int_equal(seal(o, "v1", buf_span(&a)), 0);
    const struct effect *e = newest(o, EFFECT_REFERENCE);
    assert_non_null(e); // agents are told at once
    assert_true(span_is(e->text, "bike") && span_is(e->more, "v1"));
    assert_int_equal(seal(o, "v2", buf_span(&b)), 6); // another key
    assert_int_equal(seal(o, "v2", buf_span(&a)), 0);
    uint8_t *memory = mem_zero(1, 4u << 20);
    struct pool pool;
    struct record_baseline r;
    uint32_t model, version;
    struct shelf *s = memory_shelf(o->memory);
    pool_init(&pool, memory, 4u << 20);
    assert_int_equal(names_model(s, span_text("bike"), &model), ST_OK);
    assert_int_equal(names_version(s, model, span_text("v2"), &version), ST_OK);
    struct shelf_key k = key_baseline(model, version);
    assert_int_equal(
        records_get(s, SHELF_CATALOG, &k, &record_baseline_message, &pool, &r), ST_OK);
    assert_int_equal(r.rows, 1000);
    assert_true(span_equal(r.sealed, buf_span(&a)));
    assert_true(span_is(r.source, "train.csv"));
    mem_free(memory);
    buf_fini(&a);
    buf_fini(&b);
    world_close(o);
}

// --- Enrolment

static void one_token_makes_one_agent_of_sixty_four_that_race(void **state)
{
    (void)state;
    struct world *o = fleet();
    mint(o, "00000000000000aa", "bike*");
    int granted = 0;
    struct host h;
    for (uint8_t n = 1; n <= 64; n++) {
        uint32_t code = enrol_with(o, n, "00000000000000aa", "web", &h);
        assert_true(code == 0 || code == 409);
        granted += code == 0;
    }
    assert_int_equal(granted, 1);
    // The winner asks again, as after a lost answer: the same grant, no second agent.
    uint64_t before = hash_world(o);
    assert_int_equal(enrol_with(o, 1, "00000000000000aa", "web", &h), 0);
    assert_int_not_equal(before, 0);
    struct shelf_key prefix = key_agents();
    struct shelf_walk w;
    uint32_t agents = 0;
    shelf_walk_init(&w, memory_shelf(o->memory), SHELF_AGENT, &prefix);
    while (shelf_walk_next(&w, NULL, NULL) == ST_OK)
        agents++;
    assert_int_equal(agents, 1);
    world_close(o);
}

static void a_token_ends_with_its_time_its_host_and_its_uses(void **state)
{
    (void)state;
    struct world *o = fleet();
    char pub[65];
    memset(pub, 'b', 64);
    pub[64] = 0;
    struct host h;
    assert_int_equal(enrol_with(o, 1, "00000000000000ff", "web-1", &h), 403);
    assert_int_equal(COMMAND(o, "agent.token", {"id", "00000000000000a1"}, {"pub", pub},
                             {"expires", "1m"}),
                     0);
    o->now_ns += 61 * S;
    assert_int_equal(enrol_with(o, 1, "00000000000000a1", "web-1", &h), 403);
    assert_int_equal(COMMAND(o, "agent.token", {"id", "00000000000000a2"}, {"pub", pub},
                             {"host", "web-*"}, {"count", "2"}),
                     0);
    assert_int_equal(enrol_with(o, 2, "00000000000000a2", "db-1", &h), 403);
    assert_int_equal(enrol_with(o, 3, "00000000000000a2", "web-1", &h), 0);
    assert_int_equal(enrol_with(o, 4, "00000000000000a2", "web-2", &h), 0);
    assert_int_equal(enrol_with(o, 5, "00000000000000a2", "web-3", &h), 409);
    assert_int_equal(COMMAND(o, "agent.token", {"id", "00000000000000a3"}, {"pub", pub},
                             {"expires", "8d"}),
                     2);
    world_close(o);
}

static void a_pending_agent_may_not_report_before_it_is_approved(void **state)
{
    (void)state;
    struct world *o = fleet();
    char pub[65];
    memset(pub, 'c', 64);
    pub[64] = 0;
    struct host h;
    assert_int_equal(COMMAND(o, "agent.token", {"id", "00000000000000a4"}, {"pub", pub},
                             {"require-approval", "yes"}),
                     0);
    assert_int_equal(enrol_with(o, 1, "00000000000000a4", "web-1", &h), 0);
    assert_int_equal(newest(o, EFFECT_KEY)->code, 0);
    give_window(&h, (struct seen){.rows = 1});
    assert_null(newest(o, EFFECT_ACK));
    assert_int_equal(COMMAND(o, "agent.approve", {"agent", "web-1"}), 0);
    assert_int_equal(newest(o, EFFECT_KEY)->code, 1);
    give_window(&h, (struct seen){.rows = 1});
    assert_non_null(newest(o, EFFECT_ACK));
    assert_int_equal(COMMAND(o, "agent.revoke", {"agent", "web-1"}, {"why", "stolen"}),
                     0);
    assert_int_equal(COMMAND(o, "agent.approve", {"agent", "web-1"}),
                     3); // found no more
    world_close(o);
}

// --- Marks

// Against a plain set: what is taken was not there, and what is refused was, or lies so
// far behind that it can only be a repetition.
static void marks_agree_with_a_plain_set(void **state)
{
    (void)state;
    enum { N = 5000 };
    static bool seen[N + 200];
    struct random r = {17};
    for (int round = 0; round < 20; round++) {
        memset(seen, 0, sizeof seen);
        struct mark m = {0};
        uint64_t newest_seq = 0;
        for (uint64_t i = 1; i < N; i++) {
            uint64_t step = random_u64(&r) % 20;
            uint64_t seq = step < 16         ? newest_seq + 1
                           : step < 18       ? newest_seq + 1 + random_u64(&r) % 5
                           : newest_seq > 60 ? newest_seq - random_u64(&r) % 60
                                             : 1;
            bool taken = mark_take(&m, seq);
            assert_true(taken == !seen[seq] || newest_seq - seq >= MARKS_WIDTH);
            if (taken)
                seen[seq] = true;
            if (seq > newest_seq)
                newest_seq = seq;
            if (newest_seq > N)
                break;
        }
    }
    struct mark m = {0};
    assert_true(mark_take(&m, 5));
    assert_true(mark_take(&m, UINT64_MAX));
    assert_false(mark_take(&m, UINT64_MAX));
    assert_false(mark_take(&m, 6));
}

static void of_many_boots_the_longest_silent_is_forgotten(void **state)
{
    (void)state;
    struct world *o = fleet();
    struct shelf *s = memory_shelf(o->memory);
    uint8_t agent[16] = {1}, boot[16] = {0};
    bool is_new;
    for (uint32_t i = 0; i < MARKS_BOOTS_MAX + 3; i++) {
        boot[0] = (uint8_t)i;
        assert_int_equal(marks_fold(s, agent, boot, 1, 100 + i, &is_new), ST_OK);
        assert_true(is_new);
    }
    struct mark m;
    for (uint32_t i = 0; i < MARKS_BOOTS_MAX + 3; i++) {
        boot[0] = (uint8_t)i;
        assert_int_equal(marks_get(s, agent, boot, &m), ST_OK);
        assert_int_equal(m.taken, i >= 3);
    }
    world_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_may_do_what_it_may_and_nothing_else),
        cmocka_unit_test(a_refused_command_changes_nothing_but_time),
        cmocka_unit_test(models_and_versions_are_added_and_changed),
        cmocka_unit_test(what_a_version_is_never_changes),
        cmocka_unit_test(a_baseline_brings_its_key_and_the_next_one_must_have_it),
        cmocka_unit_test(one_token_makes_one_agent_of_sixty_four_that_race),
        cmocka_unit_test(a_token_ends_with_its_time_its_host_and_its_uses),
        cmocka_unit_test(a_pending_agent_may_not_report_before_it_is_approved),
        cmocka_unit_test(marks_agree_with_a_plain_set),
        cmocka_unit_test(of_many_boots_the_longest_silent_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
