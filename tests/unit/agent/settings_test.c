// Settings: agent.conf is taken as a whole, or refused with its file, line and reason.
//
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/settings.h"
#include "common/base/clock.h"
#include "common/base/file.h"

static char folder[] = "/tmp/kedge-settings-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char line[64];
    (void)snprintf(line, sizeof line, "rm -rf %s", folder);
    return system(line);
}

static enum status read_text(const char *text, struct settings *out, struct buf *why)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/agent.conf", folder);
    assert_int_equal(file_replace(path, span_text(text), FILE_PUBLIC), ST_OK);
    return settings_read(folder, out, why);
}

static void a_missing_file_means_all_standards(void **state)
{
    (void)state;
    struct settings s;
    struct buf why;
    buf_init(&why, 4096);
    assert_int_equal(settings_read(folder, &s, &why), ST_OK);
    assert_int_equal(s.models.count + s.doors.count, 0);
    assert_string_equal(s.executors, "executors.d");
    assert_int_equal(s.link.backoff_min_ns, NS_PER_S);
    assert_int_equal(s.link.beat_ns, 10 * NS_PER_S);
    assert_int_equal(s.spool.size_bytes, 64u << 20);
    assert_int_equal(s.policy.max_per_hour, 4);
    assert_int_equal(s.policy.min_interval_ns, 600 * NS_PER_S);
    settings_free(&s);
    buf_fini(&why);
}

static void reads_models_doors_and_the_policy(void **state)
{
    (void)state;
    struct settings s;
    struct buf why;
    buf_init(&why, 4096);
    enum status st =
        read_text("model \"bike\" { window = 1d lateness = 0s label_wait = 1d\n"
                  " performance = regression executor = links }\n"
                  "model \"fraud/7\" { }\n"
                  "door unix { path = rows.sock mode = 600 }\n"
                  "door log { kind = tail path = /x.csv model = bike\n"
                  " format = csv inputs = {hr, \"temp=t\"} time = ts }\n"
                  "local_policy { actions = {rollback} max_per_hour = 2 }\n",
                  &s, &why);
    if (st != ST_OK)
        fail_msg("%s", buf_cstr(&why));
    assert_int_equal(s.models.count, 2);
    const struct model_section *m = settings_model(&s, 0);
    assert_string_equal(m->name, "bike");
    assert_int_equal(m->window_ns, 86400 * NS_PER_S);
    assert_string_equal(m->executor, "links");
    assert_int_equal(m->performance, 1);
    assert_int_equal(settings_model(&s, 1)->window_ns, 60 * NS_PER_S);
    assert_int_equal(settings_door_kind(settings_door(&s, 0)), DOOR_UNIX);
    assert_int_equal(settings_door_kind(settings_door(&s, 1)), DOOR_TAIL);
    assert_int_equal(settings_door(&s, 1)->inputs.count, 2);
    assert_true(policy_allows_action(&s.policy, span_text("rollback")));
    assert_false(policy_allows_action(&s.policy, span_text("probe")));
    settings_free(&s);
    buf_fini(&why);
}

static const struct bad {
    const char *text;
    const char *why;
} bads[] = {
    {"model \"a\" {\n window = 60x\n}\n", "agent.conf:2: model \"a\": window"},
    {"model \"a\" { windw = 60s }\n", "window"},
    {"model \"a\" { performance = fine }\n", "agent.conf:1"},
    {"model \"../a\" { }\n", "model \"../a\": that is no name"},
    {"model \"a\" { }\nmodel \"b\" { executor = \"x y\" }\n", "agent.conf:2"},
    {"door somewhere { path = x }\n", "door somewhere: say its kind"},
    {"door tail { path = x }\n", "door tail: a tail needs path and model"},
    {"door scrape { model = m }\n", "door scrape: a scrape needs an url"},
    {"door probe { pidfile = x }\n", "door probe: a probe needs a model"},
    {"door http { body = 1 }\n", "body"},
    {"door unix { mode = 680 }\n", "octal"},
    {"link { backoff_min = 2s backoff_max = 1s }\n", "backoff_max is below"},
    {"local_policy { max_per_hour = 0 }\n", "agent.conf:1"},
    {"spool { size = 1KiB }\n", "agent.conf:1"},
    {"model \"a\" { }\nmodel \"a\" { }\n", "agent.conf:2"},
    {"nonsense", "agent.conf:1"},
};

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct settings s;
        struct buf why;
        buf_init(&why, 4096);
        enum status st = read_text(bads[i].text, &s, &why);
        if (st != ST_RANGE || !strstr(buf_cstr(&why), bads[i].why))
            fail_msg("%s: %s: %s", bads[i].text, status_name(st), buf_cstr(&why));
        buf_fini(&why);
    }
}

static void its_example_is_good_as_it_stands(void **state)
{
    (void)state;
    struct settings s;
    struct buf text, why;
    buf_init(&text, 65536);
    buf_init(&why, 4096);
    conf_example(&settings_table, &text);
    assert_int_equal(read_text(buf_cstr(&text), &s, &why), ST_OK);
    settings_free(&s);
    buf_fini(&text);
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_means_all_standards),
        cmocka_unit_test(reads_models_doors_and_the_policy),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(its_example_is_good_as_it_stands),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
