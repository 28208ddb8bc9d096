// Check: each field of an order that is not as it should be has its own answer.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include <signal.h>
#include <sys/resource.h>

#include "agent/act/check.h"
#include "agent/act/desk.h"

struct wrong {
    const char *name;
    const char *code;
    void (*make)(struct stand *s, struct order *o, struct check_facts *f);
};

#define CASE(what)                                                                     \
    static void what(struct stand *s, struct order *o, struct check_facts *f)
#define UNUSED ((void)s, (void)o, (void)f)

CASE(nothing)
{
    UNUSED;
}

CASE(other_fleet)
{
    UNUSED;
    o->fleet[0] ^= 1;
}

CASE(other_agent)
{
    UNUSED;
    o->agent[15] ^= 1;
}

CASE(other_agent_key)
{
    UNUSED;
    o->agent_key[0] ^= 1;
}

CASE(other_session)
{
    UNUSED;
    o->sess[3] ^= 1;
}

CASE(no_session)
{
    UNUSED;
    f->has_session = false;
}

CASE(foreign_id)
{
    UNUSED;
    o->order[0] ^= 1;
}

CASE(unknown_beat)
{
    UNUSED;
    o->hb[0] ^= 1;
}

CASE(too_old)
{
    UNUSED;
    f->now.boot_ns += (o->ttl_ms + 1) * NS_PER_MS;
}

CASE(as_old_as_allowed)
{
    UNUSED;
    f->now.boot_ns = f->beat[0].boot_ns + o->ttl_ms * NS_PER_MS;
}

CASE(wrong_wall_clock)
{
    UNUSED;
    f->now.wall_ns += UINT64_C(10) * 365 * 86400 * NS_PER_S;
}

CASE(endless_ttl)
{
    UNUSED;
    o->ttl_ms = ORDER_TTL_MS_MAX + 1;
}

CASE(no_ttl)
{
    UNUSED;
    o->ttl_ms = 0;
}

CASE(newer_ring)
{
    UNUSED;
    o->ring = 8;
}

CASE(older_ring)
{
    UNUSED;
    o->ring = 6;
}

CASE(expired_ring)
{
    UNUSED;
    s->ring.expires_ms = 1000;
}

CASE(expired_key)
{
    UNUSED;
    s->order_key.not_after = 1000;
}

CASE(key_for_other_actions)
{
    UNUSED;
    s->action[0] = span_text("pause");
}

CASE(needs_approvals)
{
    UNUSED;
    static const struct tally two = {{(const uint8_t *)"rollback", 8}, 2};
    s->ring.threshold = &two;
    s->ring.thresholds = 1;
}

CASE(unknown_action)
{
    UNUSED;
    o->action = span_text("explode");
    s->action[0] = o->action;
}

CASE(action_not_offered)
{
    UNUSED;
    o->action = span_text("retrain");
}

CASE(model_not_granted)
{
    UNUSED;
    s->grant[0] = span_text("fraud/*");
}

CASE(model_not_listed)
{
    UNUSED;
    static char glob[] = "fraud/*", *globs[] = {glob};
    s->policy.models = (struct value_list){globs, 1};
}

CASE(no_such_executor)
{
    UNUSED;
    o->executor = span_text("nothing");
}

CASE(other_executor_file)
{
    UNUSED;
    o->exec_digest[0] ^= 1;
}

CASE(executor_of_other_models)
{
    UNUSED;
    o->model = span_text("fraud");
    s->grant[0] = span_text("*");
}

CASE(has_params)
{
    UNUSED;
    static const struct pair pair = {{(const uint8_t *)"a", 1},
                                     {(const uint8_t *)"b", 1}};
    o->param = &pair;
    o->params = 1;
}

CASE(no_target)
{
    UNUSED;
    o->to_version = span_text("");
}

CASE(no_expectation)
{
    UNUSED;
    o->if_version = span_text("");
}

CASE(same_target)
{
    UNUSED;
    o->to_version = span_text("v2");
}

CASE(never_to)
{
    UNUSED;
    static char glob[] = "bike-demand@v1", *globs[] = {glob};
    s->policy.never_to = (struct value_list){globs, 1};
}

CASE(target_unknown_to_the_executor)
{
    UNUSED;
    const struct executor *e = executors_find(f->executors, span_text("words"));
    o->executor = span_text("words");
    memcpy(o->exec_digest, e->digest, 32);
    o->to_version = span_text("w1");
}

CASE(not_allowed_here)
{
    UNUSED;
    static char word[] = "probe", *words[] = {word};
    s->policy.actions = (struct value_list){words, 1};
}

CASE(vetoed)
{
    UNUSED;
    static char folder[STAND_PATH];
    stand_folder(s, "veto.d");
    stand_write(s, "veto.d/ALL", "", 0644);
    stand_path(s, "veto.d", folder);
    s->policy.veto_dir = folder;
}

static void journal_one(struct stand *s, struct check_facts *f, struct token token,
                        const char *model, bool begin)
{
    struct order o = stand_order(s, token.seq);
    o.token = token;
    o.model = span_text(model);
    o.attempt = (uint16_t)(1000 + token.seq);
    stand_name(&o);
    struct deed *deed;
    struct outcome outcome = {.state = RECEIPT_DONE};
    uint8_t kernel[16] = {0};
    assert_int_equal(
        deeds_receive(f->deeds, &o, span_text("x"), kernel, 0, f->now.wall_ns, &deed),
        ST_OK);
    if (begin)
        assert_int_equal(deeds_begin(f->deeds, deed, "v2", f->now.wall_ns), ST_OK);
    assert_int_equal(deeds_finish(f->deeds, deed, &outcome, f->now.wall_ns), ST_OK);
}

CASE(older_generation)
{
    UNUSED;
    journal_one(s, f, (struct token){2, 1}, "bike-demand", false);
}

CASE(not_above_the_fence)
{
    UNUSED;
    journal_one(s, f, (struct token){1, 50}, "bike-demand", false);
}

CASE(fence_of_another_model)
{
    UNUSED;
    journal_one(s, f, (struct token){9, 50}, "bike-other", false);
}

CASE(newer_generation)
{
    UNUSED;
    journal_one(s, f, (struct token){1, 50}, "bike-demand", false);
    o->token = (struct token){2, 1};
}

CASE(too_soon)
{
    UNUSED;
    s->policy.min_interval_ns = 600 * NS_PER_S;
    journal_one(s, f, (struct token){1, 1}, "bike-demand", true);
    o->token.seq = 50;
}

// The last thing done here was v1 -> v2 by an order of this plan, or of another one.
static void undo(struct stand *s, struct order *o, struct check_facts *f, bool is_own)
{
    s->policy.min_interval_ns = 600 * NS_PER_S;
    struct order last = stand_order(s, 1);
    last.token = (struct token){1, 1};
    last.attempt = 999;
    stand_name(&last);
    struct outcome outcome = {.state = RECEIPT_DONE, .before = "v1", .after = "v2"};
    memcpy(outcome.plan, o->plan, 16);
    outcome.plan[3] ^= is_own ? 0 : 1;
    struct deed *deed;
    uint8_t kernel[16] = {0};
    assert_int_equal(deeds_receive(f->deeds, &last, span_text("x"), kernel, 0,
                                   f->now.wall_ns, &deed),
                     ST_OK);
    assert_int_equal(deeds_begin(f->deeds, deed, "v1", f->now.wall_ns), ST_OK);
    assert_int_equal(deeds_finish(f->deeds, deed, &outcome, f->now.wall_ns), ST_OK);
    o->token.seq = 50;
    o->step = 1;
    o->plan[0] |= 1;
    stand_name(o);
}

CASE(undone_by_its_own_plan)
{
    o->plan[0] |= 1;
    undo(s, o, f, true);
}

CASE(undone_by_another_plan)
{
    o->plan[0] |= 1;
    undo(s, o, f, false);
}

CASE(too_often)
{
    UNUSED;
    for (uint64_t i = 1; i <= 4; i++)
        journal_one(s, f, (struct token){1, i}, "bike-demand", true);
    o->token.seq = 50;
}

CASE(too_often_on_this_host)
{
    UNUSED;
    s->policy.max_per_hour_all = 3;
    for (uint64_t i = 1; i <= 3; i++)
        journal_one(s, f, (struct token){1, i}, "bike-other", true);
    o->token.seq = 50;
}

CASE(often_long_ago)
{
    UNUSED;
    for (uint64_t i = 1; i <= 4; i++)
        journal_one(s, f, (struct token){1, i}, "bike-demand", true);
    o->token.seq = 50;
    f->now.wall_ns += UINT64_C(3601) * NS_PER_S;
}

CASE(locked)
{
    UNUSED;
    struct order earlier = stand_order(s, 1);
    stand_name(&earlier);
    struct deed *deed;
    struct outcome outcome = {.state = RECEIPT_UNCERTAIN};
    uint8_t kernel[16] = {0};
    assert_int_equal(deeds_receive(f->deeds, &earlier, span_text("x"), kernel, 0,
                                   f->now.wall_ns, &deed),
                     ST_OK);
    assert_int_equal(deeds_finish(f->deeds, deed, &outcome, f->now.wall_ns), ST_OK);
    o->token.seq = 50;
}

CASE(queue_is_full)
{
    UNUSED;
    for (uint64_t i = 1; i <= DEED_QUEUE_MAX; i++) {
        struct order earlier = stand_order(s, i);
        earlier.model = span_text("bike-other");
        stand_name(&earlier);
        struct deed *deed;
        uint8_t kernel[16] = {0};
        assert_int_equal(deeds_receive(f->deeds, &earlier, span_text("x"), kernel, 0,
                                       f->now.wall_ns, &deed),
                         ST_OK);
    }
}

static const struct wrong wrongs[] = {
    {"nothing", "", nothing},
    {"other fleet", "E_FLEET", other_fleet},
    {"other agent", "E_NOT_ME", other_agent},
    {"other agent key", "E_NOT_ME", other_agent_key},
    {"other session", "E_STALE_SESSION", other_session},
    {"no session", "E_STALE_SESSION", no_session},
    {"foreign id", "E_ORDER", foreign_id},
    {"older generation", "E_FENCED", older_generation},
    {"not above the fence", "E_REPLAY", not_above_the_fence},
    {"fence of another model", "", fence_of_another_model},
    {"newer generation", "", newer_generation},
    {"unknown beat", "E_EXPIRED", unknown_beat},
    {"too old", "E_EXPIRED", too_old},
    {"as old as allowed", "", as_old_as_allowed},
    {"wrong wall clock", "", wrong_wall_clock},
    {"endless ttl", "E_EXPIRED", endless_ttl},
    {"no ttl", "E_EXPIRED", no_ttl},
    {"newer ring", "E_KEY", newer_ring},
    {"older ring", "", older_ring},
    {"expired ring", "E_KEY", expired_ring},
    {"expired key", "E_KEY", expired_key},
    {"key for other actions", "E_KEY", key_for_other_actions},
    {"unknown action", "E_ACTION", unknown_action},
    {"action not offered", "E_ACTION", action_not_offered},
    {"needs approvals", "E_KEY", needs_approvals},
    {"model not granted", "E_SCOPE", model_not_granted},
    {"model not listed", "E_SCOPE", model_not_listed},
    {"no such executor", "E_EXECUTOR", no_such_executor},
    {"other executor file", "E_EXECUTOR", other_executor_file},
    {"executor of other models", "E_EXECUTOR", executor_of_other_models},
    {"has params", "E_PARAM", has_params},
    {"no target", "E_TARGET", no_target},
    {"no expectation", "E_TARGET", no_expectation},
    {"same target", "E_TARGET", same_target},
    {"never to", "E_TARGET", never_to},
    {"target unknown to the executor", "E_TARGET", target_unknown_to_the_executor},
    {"not allowed here", "E_LOCAL", not_allowed_here},
    {"vetoed", "E_VETO", vetoed},
    {"locked", "E_LOCKED", locked},
    {"too soon", "E_LOCAL", too_soon},
    {"undone by its own plan", "", undone_by_its_own_plan},
    {"undone by another plan", "E_LOCAL", undone_by_another_plan},
    {"too often", "E_LOCAL", too_often},
    {"too often on this host", "E_LOCAL", too_often_on_this_host},
    {"often long ago", "", often_long_ago},
    {"queue is full", "E_BUSY", queue_is_full},
};

// Each case on a host of its own, so that none leans on another.
static void answers_each_fault_with_its_code(void **state)
{
    (void)state;
    const struct check_signers signers = {.count = 1};
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        void *fresh;
        (void)stand_setup(&fresh);
        struct stand *s = fresh;
        stand_open(s);
        struct check_facts facts;
        struct verdict verdict;
        desk_facts(s->act, s->now, &facts);
        struct order o = stand_order(s, 10);
        stand_name(&o);
        uint8_t id[16];
        memcpy(id, o.order, 16);
        wrongs[i].make(s, &o, &facts);
        if (memcmp(id, o.order, 16) == 0) // the fault is not in the id itself
            stand_name(&o);
        check_order(&o, &signers, &facts, &verdict);
        if (strcmp(verdict.code, wrongs[i].code) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", wrongs[i].name, verdict.code,
                     wrongs[i].code);
        assert_true((verdict.state == RECEIPT_ACCEPTED) == (wrongs[i].code[0] == '\0'));
        assert_null(verdict.known);
        (void)stand_teardown(&fresh);
    }
}

static void knows_an_order_again_before_it_looks_at_the_fence(void **state)
{
    struct stand *s = *state;
    const struct check_signers signers = {.count = 1};
    struct check_facts facts;
    struct verdict verdict;
    stand_open(s);
    desk_facts(s->act, s->now, &facts);
    struct order o = stand_order(s, 10);
    stand_name(&o);
    struct deed *deed;
    uint8_t kernel[16] = {0};
    assert_int_equal(deeds_receive(facts.deeds, &o, span_text("x"), kernel, 0,
                                   facts.now.wall_ns, &deed),
                     ST_OK);
    check_order(&o, &signers, &facts, &verdict);
    assert_ptr_equal(verdict.known, deed);
    o.sess[0] ^= 1; // a stale session comes first, whatever the id
    check_order(&o, &signers, &facts, &verdict);
    assert_string_equal(verdict.code, "E_STALE_SESSION");
    assert_null(verdict.known);
}

static void refuses_when_the_journal_cannot_be_written(void **state)
{
    struct stand *s = *state;
    static struct stand_receipt got[STAND_RECEIPTS];
    stand_open(s);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    struct rlimit old, none;
    char path[STAND_PATH];
    struct stat info;
    stand_path(s, "journal", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)info.st_size; // the file may not grow by a byte
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    s->is_full = true; // nor may the receipt be written meanwhile
    stand_send(s, &o);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    s->is_full = false;
    assert_string_equal(stand_link(s), "v2");
    assert_int_equal(act_stats(s->act).refused, 1);
    stand_send(s, &o); // room again: the same order is taken
    assert_int_equal(stand_wait(s, 1, got), 1);
    assert_string_equal(got[0].state, "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_each_fault_with_its_code),
        cmocka_unit_test_setup_teardown(
            knows_an_order_again_before_it_looks_at_the_fence, stand_setup,
            stand_teardown),
        cmocka_unit_test_setup_teardown(refuses_when_the_journal_cannot_be_written,
                                        stand_setup, stand_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
