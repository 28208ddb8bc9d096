// Exec: the contract between an executor's file and the command that it names.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/act/stand.h"

static struct stand_receipt got[STAND_RECEIPTS];

static void apply_is(const struct stand *s, const char *script)
{
    char text[2048];
    (void)snprintf(text, sizeof text, "#!/bin/sh\ncd %s\n%s\n", s->folder, script);
    stand_write(s, "apply", text, 0755);
}

static const struct stand_receipt *answer_to(struct stand *s, uint64_t seq)
{
    struct order o = stand_order(s, seq);
    stand_name(&o);
    stand_send(s, &o);
    int n = stand_wait(s, (int)seq, got);
    assert_int_equal(n, seq);
    return &got[n - 1];
}

struct ending {
    const char *script;
    const char *state, *code;
};

static const struct ending endings[] = {
    {"echo v1 > version", "done", ""},
    {"echo v1 > version; exit 10", "done", ""},
    {"exit 0", "failed", "E_FAILED"}, // it said done, and the probe does not agree
    {"exit 11", "refused", "E_PRECOND"},
    {"exit 12", "refused", "E_TARGET"},
    {"exit 13", "failed", "E_TOOL"},
    {"exit 75", "failed", "E_LATER"},
    {"exit 42", "failed", "E_FAILED"},
    {"kill -9 $$", "failed", "E_FAILED"},
    {"echo v1 > version; kill -9 $$", "done", ""}, // the probe decides
    {"echo v7 > version", "uncertain", "E_FAILED"},
    {"echo ' ; rm -rf x' > version", "uncertain", "E_FAILED"},
    {"echo x >> tries; test $(wc -l < tries) -ge 2 || exit 20; echo v1 > version",
     "done", ""},
};

static void tells_each_end_of_a_command_truly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        void *fresh;
        (void)stand_setup(&fresh);
        struct stand *s = fresh;
        s->model[0].executor = "words";
        stand_open(s);
        apply_is(s, endings[i].script);
        const struct stand_receipt *r = answer_to(s, 1);
        if (strcmp(r->state, endings[i].state) != 0 ||
            strcmp(r->code, endings[i].code) != 0)
            fail_msg("%s: %s %s", endings[i].script, r->state, r->code);
        (void)stand_teardown(&fresh);
    }
}

static void hands_over_each_word_and_variable_as_promised(void **state)
{
    struct stand *s = *state;
    s->model[0].executor = "words";
    stand_open(s);
    apply_is(s, "echo \"$#:$1:$2\" > words; env | sort > env; echo v1 > version");
    assert_string_equal(answer_to(s, 1)->state, "done");
    char path[STAND_PATH];
    struct buf text;
    buf_init(&text, 8192);
    stand_path(s, "words", path);
    assert_int_equal(file_read(path, &text), ST_OK);
    assert_string_equal(buf_cstr(&text), "2:v2:v1\n");
    buf_clear(&text);
    stand_path(s, "env", path);
    assert_int_equal(file_read(path, &text), ST_OK);
    static const char *const wanted[] = {
        "KEDGE_ACTION=rollback\n",
        "KEDGE_DRY_RUN=0\n",
        "KEDGE_FROM=v2\n",
        "KEDGE_MODEL=bike-demand\n",
        "KEDGE_TO=v1\n",
        "KEDGE_V=1\n",
        "KEDGE_DEADLINE_MS=5000\n",
        "LANG=C.UTF-8\n",
        "PATH=/usr/sbin:/usr/bin\n",
        "KEDGE_INCIDENT=03030303030303030303030303030303\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!strstr(buf_cstr(&text), wanted[i]))
            fail_msg("no %s in\n%s", wanted[i], buf_cstr(&text));
    assert_null(strstr(buf_cstr(&text), "HOME="));
    buf_fini(&text);
}

// Versions are words of a narrow kind already on the wire, so nothing can be smuggled
// in.
static void takes_no_version_that_is_no_name(void **state)
{
    struct stand *s = *state;
    static const char *const bad[] = {"; rm -rf x", "$(id)", "../../etc", "a\nb",
                                      "-rf",        "a b",   "",          "\xc0\xaf"};
    stand_open(s);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct order o = stand_order(s, 1);
        struct buf body;
        buf_init(&body, ORDER_BYTES_MAX);
        o.to_version = span_text(bad[i]);
        enum status st = message_encode(&order_message, &o, &body, NULL);
        assert_true(bad[i][0] == '\0' || st == ST_RANGE);
        buf_fini(&body);
    }
}

static void ends_a_command_that_runs_too_long(void **state)
{
    struct stand *s = *state;
    s->model[0].executor = "words";
    stand_open(s);
    apply_is(s, "exec sleep 60");
    struct order o = stand_order(s, 1);
    o.run_ms = 300;
    stand_name(&o);
    uint64_t begin = clock_mono_ns();
    stand_send(s, &o);
    assert_int_equal(stand_wait(s, 1, got), 1);
    assert_true(clock_mono_ns() - begin < 6 * NS_PER_S);
    assert_string_equal(got[0].state, "failed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_end_of_a_command_truly),
        TEST(hands_over_each_word_and_variable_as_promised),
        TEST(takes_no_version_that_is_no_name),
        TEST(ends_a_command_that_runs_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
