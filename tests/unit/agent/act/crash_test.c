// Crash: wherever the agent dies, the effect happens once and the receipt is true.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

#include <sys/wait.h>

#define ROUNDS 3

static const uint64_t fault_patience = 2 * NS_PER_S;

static struct stand_receipt got[STAND_RECEIPTS];

// A process that receives the order and works until it has answered or dies.
static int live(struct stand *s, const struct order *o, int fault)
{
    pid_t child = fork();
    if (child == 0) {
        s->fault = fault;
        if (!o) // what died before it was written down is not taken up again
            s->patience_ns = fault_patience;
        stand_open(s);
        if (o)
            stand_send(s, o);
        int n = stand_wait(s, 1, got);
        _exit(n >= 1 ? 0 : 1);
    }
    int state;
    assert_int_equal(waitpid(child, &state, 0), child);
    assert_true(WIFEXITED(state));
    return WEXITSTATUS(state);
}

static const char *version_of(const struct stand *s)
{
    static char line[64];
    char path[STAND_PATH];
    if (strcmp(s->model[0].executor, "links") == 0)
        return stand_link(s);
    stand_path(s, "version", path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static void judge(struct stand *s, int fault)
{
    int n = stand_receipts(s, got, NULL, NULL);
    const struct stand_receipt *r = &got[0];
    bool is_link = strcmp(s->model[0].executor, "links") == 0;
    if (n != 1)
        fail_msg("fault %d: %d receipts", fault, n);
    // True: what it says is what is there.
    if (strcmp(r->after, version_of(s)) != 0)
        fail_msg("fault %d: %s says %s, but %s is served", fault, r->code, r->after,
                 version_of(s));
    bool is_done = strcmp(r->state, "done") == 0;
    if (is_done != (strcmp(version_of(s), "v1") == 0))
        fail_msg("fault %d: %s %s at %s", fault, r->state, r->code, version_of(s));
    // Once: a program that may not run twice has not; a server was told of the switch.
    if (!is_link && stand_lines(s, "applies") > 1)
        fail_msg("fault %d: applied %d times", fault, stand_lines(s, "applies"));
    if (is_link && (!is_done || stand_lines(s, "reloads") < 1))
        fail_msg("fault %d: %s, told %d times", fault, r->state,
                 stand_lines(s, "reloads"));
}

static void round_of(const char *executor, int fault, int second_fault)
{
    void *fresh;
    (void)stand_setup(&fresh);
    struct stand *s = fresh;
    s->model[0].executor = executor;
    struct order o = stand_order(s, 1);
    stand_name(&o);
    int first = live(s, &o, fault);
    assert_true(first == 0 || first == 9);
    if (first == 9 && second_fault >= 0 && fault != ACT_FAULT_BEFORE_RECEIVED)
        (void)live(s, NULL, second_fault);
    // The controller sends it again until it has a receipt; here, in the same session.
    if (stand_receipts(s, got, NULL, NULL) == 0)
        assert_int_equal(live(s, &o, -1), 0);
    judge(s, fault);
    // And once more: nothing may happen.
    const char *before = version_of(s);
    int applies = stand_lines(s, "applies");
    assert_int_equal(live(s, &o, -1), 0);
    assert_string_equal(version_of(s), before);
    assert_int_equal(stand_lines(s, "applies"), applies);
    (void)stand_teardown(&fresh);
}

static void has_one_effect_wherever_it_dies_switching_a_link(void **state)
{
    (void)state;
    for (int fault = -1; fault < ACT_FAULTS; fault++)
        for (int i = 0; i < ROUNDS; i++)
            round_of("links", fault, -1);
}

static void has_one_effect_wherever_it_dies_running_a_program(void **state)
{
    (void)state;
    for (int fault = -1; fault < ACT_FAULTS; fault++)
        for (int i = 0; i < ROUNDS; i++)
            round_of("words", fault, -1);
}

static void has_one_effect_when_it_dies_twice(void **state)
{
    (void)state;
    for (int fault = 0; fault < ACT_FAULTS; fault++)
        for (int second = 0; second < ACT_FAULTS; second++)
            round_of((fault + second) % 2 ? "links" : "words", fault, second);
}

// Killed after the program began and before it had its effect: it may have done half of
// something, so it does not run again.
static void does_not_run_a_program_again_that_was_interrupted(void **state)
{
    struct stand *s = *state;
    char text[STAND_PATH * 3];
    s->model[0].executor = "words";
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\necho x >> %s/applies\nsleep 1\necho v1 > %s/version\n",
                   s->folder, s->folder);
    stand_write(s, "apply", text, 0755);
    struct order o = stand_order(s, 1);
    stand_name(&o);
    pid_t child = fork();
    if (child == 0) {
        uint64_t next;
        stand_open(s);
        stand_send(s, &o);
        while (stand_lines(s, "applies") == 0) {
            stand_tick(s);
            act_turn(s->act, s->now, &next);
        }
        _exit(9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 9);
    assert_int_equal(live(s, &o, -1), 0);
    assert_int_equal(stand_receipts(s, got, NULL, NULL), 1);
    assert_string_equal(got[0].state, "failed");
    assert_string_equal(got[0].code, "INTERRUPTED");
    assert_string_equal(got[0].after, "v2");
    assert_int_equal(stand_lines(s, "applies"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_one_effect_wherever_it_dies_switching_a_link),
        cmocka_unit_test(has_one_effect_wherever_it_dies_running_a_program),
        cmocka_unit_test(has_one_effect_when_it_dies_twice),
        cmocka_unit_test_setup_teardown(
            does_not_run_a_program_again_that_was_interrupted, stand_setup,
            stand_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
