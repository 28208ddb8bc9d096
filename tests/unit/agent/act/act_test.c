// Act: an order takes effect once, or is refused with the reason, and a receipt says
// so.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

static struct stand_receipt got[STAND_RECEIPTS];

static void expect(const struct stand_receipt *r, const char *state, const char *code)
{
    assert_string_equal(r->code, code);
    assert_string_equal(r->state, state);
}

static void rolls_back_by_the_link_and_tells_the_server(void **state)
{
    struct stand *s = *state;
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    expect(&got[0], "done", "");
    assert_string_equal(got[0].before, "v2");
    assert_string_equal(got[0].after, "v1");
    assert_string_equal(stand_link(s), "v1");
    assert_int_equal(stand_lines(s, "reloads"), 1);
}

static void
attests_what_is_served_at_the_start_after_a_switch_and_an_order(void **state)
{
    struct stand *s = *state;
    int attests;
    uint64_t next, end;
    stand_open(s);
    const char *const versions[] = {"v2", "v3"};
    for (int i = 0; i < 2; i++) {
        stand_point(s, versions[i]);
        end = clock_mono_ns() + 5 * NS_PER_S;
        do {
            stand_tick(s);
            act_turn(s->act, s->now, &next);
            (void)stand_receipts(s, got, &attests, NULL);
            (void)usleep(1000);
        } while (attests <= i && clock_mono_ns() < end);
        assert_int_equal(attests, i + 1);
        struct act_served served;
        assert_true(act_served(s->act, span_text("bike-demand"), &served));
        assert_true(span_is(served.version, versions[i]));
        assert_false(digest_is_none(served.digest));
    }
    struct order o = stand_order(s, 1);
    o.if_version = span_text("v3");
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    (void)stand_receipts(s, got, &attests, NULL);
    assert_int_equal(attests, 3);
    assert_int_equal(s->served, 3);
}

static void chains_its_receipts(void **state)
{
    struct stand *s = *state;
    static const uint8_t none[32];
    stand_open(s);
    for (uint64_t i = 1; i <= 3; i++) {
        struct order o = stand_order(s, i);
        o.if_version = span_text(i % 2 ? "v2" : "v1");
        o.to_version = span_text(i % 2 ? "v1" : "v2");
        stand_name(&o);
        stand_send(s, &o);
        assert_int_equal(stand_wait(s, (int)i, got), i);
        if (i == 2) { // across a restart
            stand_close(s);
            stand_open(s);
        }
    }
    assert_memory_equal(got[0].prev, none, 32);
    assert_memory_equal(got[1].prev, got[0].digest, 32);
    assert_memory_equal(got[2].prev, got[1].digest, 32);
}

static void does_nothing_when_it_is_there_already(void **state)
{
    struct stand *s = *state;
    stand_point(s, "v1");
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    expect(&got[0], "done", "ALREADY");
    assert_int_equal(stand_lines(s, "reloads"), 0);
}

static void answers_a_known_order_with_the_same_outcome_and_no_effect(void **state)
{
    struct stand *s = *state;
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    stand_point(s, "v2"); // somebody deploys v2 again: the old order must not undo that
    s->ahead_ns = 60 * NS_PER_S;
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 2, got), 2);
    stand_send(s, &o); // and a storm of repetitions makes no storm of receipts
    stand_send(s, &o);
    expect(&got[1], "done", "");
    assert_memory_equal(got[0].order, got[1].order, 16);
    assert_string_equal(stand_link(s), "v2");
    assert_int_equal(stand_lines(s, "reloads"), 1);
    assert_int_equal(stand_receipts(s, got, NULL, NULL), 2);
    assert_int_equal(act_stats(s->act).repeated, 3);
}

struct world {
    const char *name;
    void (*make)(struct stand *s, struct order *o);
    const char *state, *code, *link;
};

static void serves_v3(struct stand *s, struct order *o)
{
    (void)o;
    stand_point(s, "v3");
}

static void misses_the_target(struct stand *s, struct order *o)
{
    (void)s;
    o->to_version = span_text("v9");
}

static void has_a_changed_target(struct stand *s, struct order *o)
{
    (void)o;
    stand_write(s, "srv/versions/v1/model.json", "something else\n", 0644);
}

static void means_another_artifact(struct stand *s, struct order *o)
{
    (void)s;
    memset(o->to_digest, 9, 32);
}

static void expects_another_artifact(struct stand *s, struct order *o)
{
    (void)s;
    memset(o->if_digest, 9, 32);
}

static void has_a_veto(struct stand *s, struct order *o)
{
    static char folder[STAND_PATH];
    (void)o;
    stand_folder(s, "veto.d");
    stand_write(s, "veto.d/bike-demand", "", 0644);
    stand_path(s, "veto.d", folder);
    s->policy.veto_dir = folder;
}

static void cannot_tell_the_server(struct stand *s, struct order *o)
{
    (void)o;
    stand_write(s, "reload", "#!/bin/sh\nexit 1\n", 0755);
}

static void is_dry(struct stand *s, struct order *o)
{
    (void)s;
    o->dry = true;
}

static void only_probes(struct stand *s, struct order *o)
{
    (void)s;
    o->action = span_text("probe");
    o->to_version = span_text("");
}

static void has_another_executor(struct stand *s, struct order *o)
{
    stand_write(s, "executors.d/links.conf", "# changed after the order was sent\n",
                0644);
    (void)o;
}

static void points_outside(struct stand *s, struct order *o)
{
    char path[STAND_PATH];
    (void)o;
    stand_path(s, "srv/current", path);
    (void)unlink(path);
    assert_int_equal(symlink("../../etc", path), 0);
}

static void has_a_target_that_leads_away(struct stand *s, struct order *o)
{
    char path[STAND_PATH];
    stand_path(s, "srv/versions/v8", path);
    assert_int_equal(symlink("/etc", path), 0);
    o->to_version = span_text("v8");
}

static const struct world worlds[] = {
    {"serves v3", serves_v3, "refused", "E_PRECOND", "v3"},
    {"misses the target", misses_the_target, "refused", "E_TARGET", "v2"},
    {"changed target", has_a_changed_target, "refused", "E_DIGEST", "v2"},
    {"another artifact", means_another_artifact, "refused", "E_DIGEST", "v2"},
    {"other if_digest", expects_another_artifact, "refused", "E_PRECOND", "v2"},
    {"veto", has_a_veto, "vetoed", "E_VETO", "v2"},
    {"server deaf", cannot_tell_the_server, "failed", "E_RELOAD", "v1"},
    {"dry", is_dry, "done", "DRY", "v2"},
    {"probe", only_probes, "done", "", "v2"},
    {"executor changed", has_another_executor, "refused", "E_EXECUTOR", "v2"},
    {"points outside", points_outside, "failed", "E_PROBE", NULL},
    {"target leads away", has_a_target_that_leads_away, "refused", "E_TARGET", "v2"},
};

static void tells_the_truth_about_every_world(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        void *fresh;
        (void)stand_setup(&fresh);
        struct stand *s = fresh;
        stand_open(s);
        struct order o = stand_order(s, 1);
        worlds[i].make(s, &o);
        stand_name(&o);
        stand_send(s, &o);
        if (stand_wait(s, 1, got) != 1 || strcmp(got[0].code, worlds[i].code) != 0 ||
            strcmp(got[0].state, worlds[i].state) != 0)
            fail_msg("%s: %s %s", worlds[i].name, got[0].state, got[0].code);
        if (worlds[i].link)
            assert_string_equal(stand_link(s), worlds[i].link);
        (void)stand_teardown(&fresh);
    }
}

static void refuses_every_order_with_one_bit_flipped(void **state)
{
    struct stand *s = *state;
    struct buf body, sigs;
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    buf_init(&body, ORDER_BYTES_MAX);
    buf_init(&sigs, 4096);
    stand_seal(s, &o, &body, &sigs);
    struct envelope e = {.type = span_text(ORDER_TYPE),
                         .body = buf_span(&body),
                         .sigs = buf_span(&sigs)};
    uint64_t tried = 0;
    struct buf *part[] = {&body, &sigs};
    for (int k = 0; k < 2; k++) {
        for (size_t bit = 0; bit < part[k]->size * 8; bit++) {
            part[k]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            act_order(s->act, &e, s->now);
            part[k]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            tried++;
        }
    }
    struct act_stats stats = act_stats(s->act);
    assert_int_equal(stats.forged, tried);
    assert_int_equal(stand_receipts(s, got, NULL, NULL), 0);
    assert_string_equal(stand_link(s), "v2");
    act_order(s->act, &e, s->now); // and unflipped it is fine
    assert_int_equal(stand_wait(s, 1, got), 1);
    expect(&got[0], "done", "");
    buf_fini(&body);
    buf_fini(&sigs);
}

static void refuses_a_key_that_the_keyring_does_not_have(void **state)
{
    struct stand *s = *state;
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    assert_int_equal(sign_make(s->order_seed), ST_OK);
    stand_send(s, &o);
    assert_int_equal(act_stats(s->act).forged, 1);
    assert_string_equal(stand_link(s), "v2");
}

static void runs_one_order_of_a_model_at_a_time_in_their_order(void **state)
{
    struct stand *s = *state;
    stand_open(s);
    const char *const from[] = {"v2", "v1", "v3"}, *const to[] = {"v1", "v3", "v2"};
    for (uint64_t i = 0; i < 3; i++) {
        struct order o = stand_order(s, i + 1);
        o.if_version = span_text(from[i]);
        o.to_version = span_text(to[i]);
        stand_name(&o);
        stand_send(s, &o);
    }
    assert_int_equal(stand_wait(s, 3, got), 3);
    for (int i = 0; i < 3; i++) {
        expect(&got[i], "done", "");
        assert_string_equal(got[i].after, to[i]);
    }
    assert_string_equal(stand_link(s), "v2");
}

static void keeps_a_receipt_until_the_spool_has_room(void **state)
{
    struct stand *s = *state;
    uint64_t next;
    stand_open(s);
    s->is_full = true;
    struct order o = stand_order(s, 1);
    stand_name(&o);
    stand_send(s, &o);
    for (int i = 0; i < 5000 && act_stats(s->act).done == 0; i++) {
        stand_tick(s);
        act_turn(s->act, s->now, &next);
        (void)usleep(1000);
    }
    assert_string_equal(stand_link(s), "v1");
    assert_int_equal(stand_receipts(s, got, NULL, NULL), 0);
    s->is_full = false;
    assert_int_equal(stand_wait(s, 1, got), 1);
    expect(&got[0], "done", "");
}

static void locks_a_model_after_an_uncertain_end_until_a_person_unlocks_it(void **state)
{
    struct stand *s = *state;
    s->model[0].executor = "words";
    stand_open(s);
    char text[STAND_PATH + 64];
    (void)snprintf(text, sizeof text, "#!/bin/sh\necho v7 > %s/version\nexit 1\n",
                   s->folder);
    stand_write(s, "apply", text, 0755);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    expect(&got[0], "uncertain", "E_FAILED");
    stand_write(s, "version", "v2\n", 0644);
    for (int i = 0; i < 2; i++) { // also after a restart
        o = stand_order(s, 2 + (uint64_t)i);
        stand_name(&o);
        stand_send(s, &o);
        assert_int_equal(stand_wait(s, 2 + i, got), 2 + i);
        expect(&got[1 + i], "refused", "E_LOCKED");
        stand_close(s);
        stand_open(s);
    }
    stand_executors(s);
    assert_int_equal(act_unlock(s->act, span_text("bike-demand")), ST_OK);
    assert_int_equal(act_unlock(s->act, span_text("bike-demand")), ST_NOTFOUND);
    stand_close(s);
    stand_open(s);
    o = stand_order(s, 9);
    stand_name(&o);
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 4, got), 4);
    expect(&got[3], "done", "");
}

static void refuses_to_start_with_a_broken_executor_file(void **state)
{
    struct stand *s = *state;
    char error[512];
    stand_write(s, "executors.d/bad.conf", "executor \"bad\" { kind = sorcery }\n",
                0644);
    assert_int_equal(stand_try_open(s, error, sizeof error), ST_CORRUPT);
    assert_non_null(strstr(error, "bad.conf:1"));
    stand_write(s, "executors.d/bad.conf", "", 0666);
    assert_int_equal(stand_try_open(s, error, sizeof error), ST_DENIED);
    assert_non_null(strstr(error, "chmod"));
    char path[STAND_PATH];
    stand_path(s, "executors.d/bad.conf", path);
    assert_int_equal(unlink(path), 0);
    s->model[0].executor = "nothing";
    assert_int_equal(stand_try_open(s, error, sizeof error), ST_RANGE);
    assert_non_null(strstr(error, "nothing"));
    s->model[0].executor = "links";
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rolls_back_by_the_link_and_tells_the_server),
        TEST(attests_what_is_served_at_the_start_after_a_switch_and_an_order),
        TEST(chains_its_receipts),
        TEST(does_nothing_when_it_is_there_already),
        TEST(answers_a_known_order_with_the_same_outcome_and_no_effect),
        cmocka_unit_test(tells_the_truth_about_every_world),
        TEST(refuses_every_order_with_one_bit_flipped),
        TEST(refuses_a_key_that_the_keyring_does_not_have),
        TEST(runs_one_order_of_a_model_at_a_time_in_their_order),
        TEST(keeps_a_receipt_until_the_spool_has_room),
        TEST(locks_a_model_after_an_uncertain_end_until_a_person_unlocks_it),
        TEST(refuses_to_start_with_a_broken_executor_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
