// Conf: what a file means, and where and why it is refused.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

struct door {
    char *path;
};

struct model {
    char *name;
    uint64_t window_ns;
    unsigned mode;
    struct value_list tags;
    struct conf_many doors;
};

struct spool {
    uint64_t bytes;
    double share;
};

struct agent {
    char *controller;
    char *label;
    bool is_quiet;
    struct conf_many models;
    struct spool spool;
};

static const struct conf_row door_rows[] = {
    {"path", VALUE_TEXT, offsetof(struct door, path), NULL, "where it is"},
};

static const struct conf_table door_table = {
    "door", "an opening", sizeof(struct door), door_rows, 1,
};

static const struct conf_row model_rows[] = {
    {"window", VALUE_DURATION, offsetof(struct model, window_ns), "60s", "length",
     "1s..1d"},
    {"mode", VALUE_WORD, offsetof(struct model, mode), "suggest", "what to do",
     "observe|suggest|auto"},
    {"tags", VALUE_LIST, offsetof(struct model, tags), "", "words"},
    {"door", .offset = offsetof(struct model, doors), .table = &door_table,
     .is_many = true},
};

static const struct conf_table model_table = {
    .name = "model",
    .help = "one model",
    .size = sizeof(struct model),
    .row = model_rows,
    .rows = 4,
    .has_title = true,
    .title_offset = offsetof(struct model, name),
};

static const struct conf_row spool_rows[] = {
    {"size", VALUE_SIZE, offsetof(struct spool, bytes), "64MiB", "most bytes"},
    {"share", VALUE_SHARE, offsetof(struct spool, share), "0.5", "of the disk"},
};

static const struct conf_table spool_table = {
    "spool", "kept while cut off", sizeof(struct spool), spool_rows, 2,
};

static const struct conf_row agent_rows[] = {
    {"controller", VALUE_TEXT, offsetof(struct agent, controller), NULL, "where it is"},
    {"label", VALUE_NAME, offsetof(struct agent, label), "", "of this host"},
    {"quiet", VALUE_FLAG, offsetof(struct agent, is_quiet), "no", "say less"},
    {"model", .offset = offsetof(struct agent, models), .table = &model_table,
     .is_many = true},
    {"spool", .offset = offsetof(struct agent, spool), .table = &spool_table},
};

static const struct conf_table agent_table = {
    "agent.conf", "the agent", sizeof(struct agent), agent_rows, 5,
};

static struct agent agent;
static struct buf why;

static int begin(void **state)
{
    (void)state;
    buf_init(&why, 1 << 16);
    return 0;
}

static int end(void **state)
{
    (void)state;
    conf_free(&agent_table, &agent);
    buf_fini(&why);
    return 0;
}

static enum status parse(const char *text)
{
    conf_free(&agent_table, &agent);
    buf_clear(&why);
    return conf_parse("agent.conf", span_text(text), &agent_table, &agent, &why);
}

static void refused(const char *text, const char *line)
{
    static const struct agent nothing;
    assert_int_equal(parse(text), ST_RANGE);
    assert_string_equal(buf_cstr(&why), line);
    assert_memory_equal(&agent, &nothing, sizeof agent);
}

static const struct model *model(size_t i)
{
    assert_true(i < agent.models.count);
    return (const struct model *)agent.models.item + i;
}

static void a_whole_file(void **state)
{
    (void)state;
    assert_int_equal(parse("# the agent\n"
                           "controller = \"tcp://10.0.0.1:7701\" // here\n"
                           "label = host-1 /* of\n two lines */ quiet = yes\n"
                           "model bike-demand {\n"
                           "    window = 1d\n"
                           "    tags = {a, \"b c\"}\n"
                           "    door { path = /run/a } door { path = '/run/b' }\n"
                           "}\n"
                           "model \"credit/x\" { mode = auto }\n"
                           "spool { size = 1MiB }\n"),
                     ST_OK);
    assert_int_equal(why.size, 0);
    assert_string_equal(agent.controller, "tcp://10.0.0.1:7701");
    assert_string_equal(agent.label, "host-1");
    assert_true(agent.is_quiet);
    assert_int_equal(agent.models.count, 2);
    assert_string_equal(model(0)->name, "bike-demand");
    assert_int_equal(model(0)->window_ns, UINT64_C(86400000000000));
    assert_int_equal(model(0)->tags.count, 2);
    assert_string_equal(model(0)->tags.item[1], "b c");
    assert_int_equal(model(0)->doors.count, 2);
    assert_string_equal(((struct door *)model(0)->doors.item)[1].path, "/run/b");
    assert_string_equal(model(1)->name, "credit/x");
    assert_int_equal(model(1)->mode, 2);
    assert_int_equal(agent.spool.bytes, 1 << 20);
    assert_true(agent.spool.share == 0.5);
}

static void what_is_not_said_has_its_standard(void **state)
{
    (void)state;
    assert_int_equal(parse("controller=c model m {}"), ST_OK);
    assert_null(agent.label);
    assert_false(agent.is_quiet);
    assert_int_equal(agent.spool.bytes, 64 << 20);
    assert_int_equal(model(0)->window_ns, UINT64_C(60000000000));
    assert_int_equal(model(0)->mode, 1);
    assert_int_equal(model(0)->tags.count, 0);
    assert_int_equal(model(0)->doors.count, 0);
}

static void every_error_names_its_line(void **state)
{
    (void)state;
    refused("controller=c\n\nmodel m {\n  window = 60x\n}",
            "agent.conf:4: model \"m\": window: \"60x\" is no duration: write one like "
            "250ms, 60s, 10m, 2h or 1d");
    refused("controller=c\nmodel m {\n  window = 2d\n}",
            "agent.conf:3: model \"m\": window: \"2d\" is outside 1s..1d");
    refused("controller=c\nquiet = maybe",
            "agent.conf:2: quiet: \"maybe\" is no yes or no: write yes, no, true, "
            "false, on or off");
    refused("controller=c\nspool {\n size = much\n}",
            "agent.conf:3: spool: size: \"much\" is no size: write one like 4096, "
            "64KiB or 2MiB");
    refused("quiet = yes\n", "agent.conf:3: controller is missing: add it");
    refused("controller=c\nmodel m {\n door {\n }\n}",
            "agent.conf:4: door: path is missing: add it");
}

static void unknown_names_are_refused_with_a_guess(void **state)
{
    (void)state;
    refused("controler = c",
            "agent.conf:1: there is no \"controler\": did you mean \"controller\"?");
    refused("controller=c\nmodel m {\n windwo = 1s }",
            "agent.conf:3: model \"m\": there is no \"windwo\": did you mean "
            "\"window\"?");
    refused("controller=c\nmodel m { controller = x }",
            "agent.conf:2: model \"m\": there is no \"controller\" here: remove it");
    refused("include(\"/etc/passwd\")",
            "agent.conf:1: there is no \"include\" here: remove it");
}

static void nothing_stands_twice(void **state)
{
    (void)state;
    refused("controller=c\ncontroller=d",
            "agent.conf:2: controller stands twice: keep one");
    refused("controller=c\nmodel m {\n tags={a}\n tags={b}\n}",
            "agent.conf:4: model \"m\": tags stands twice: keep one");
    refused("controller=c\nmodel m {}\nmodel m {}",
            "agent.conf:3: found duplicate title 'm': keep one, or give it another "
            "title");
    refused("controller=c\nspool {}\nspool {}\n",
            "agent.conf:3: spool: this section stands twice: keep one");
    assert_int_equal(parse("controller=c model m { mode=auto } model n { mode=auto }"),
                     ST_OK); // the same option in two sections is no repetition
}

static void what_is_open_must_be_closed(void **state)
{
    (void)state;
    refused("controller=c\nlabel = \"x\n",
            "agent.conf:2: a quote without its end: close it");
    refused("controller=c\nlabel = 'x\n",
            "agent.conf:2: a quote without its end: close it");
    refused("controller=c\n/* x\n",
            "agent.conf:2: a comment without its end: close it with */");
    refused("controller=c\nmodel m {\n\n",
            "agent.conf:2: a brace without its end: close it with }");
    refused("controller=c\n}\n", "agent.conf:2: unexpected closing brace: write name = "
                                 "value, or name { ... }");
    // After each of these the scanner is clean for the next file.
    assert_int_equal(parse("controller=c"), ST_OK);
}

static void the_environment_has_no_say(void **state)
{
    (void)state;
    setenv("KEDGE_TEST_SECRET", "leaked", 1);
    assert_int_equal(parse("controller = \"a${KEDGE_TEST_SECRET}b$c\\\"d\""), ST_OK);
    assert_string_equal(agent.controller, "a${KEDGE_TEST_SECRET}b$c\"d");
    assert_int_equal(parse("controller = '${KEDGE_TEST_SECRET}'"), ST_OK);
    assert_string_equal(agent.controller, "${KEDGE_TEST_SECRET}");
    refused("\ncontroller = ${KEDGE_TEST_SECRET}",
            "agent.conf:2: the environment is not read here: write the value itself");
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    refused("controller=c\n\x01", "agent.conf:2: a control character: remove it");
    refused("controller=\"\xff\"",
            "agent.conf:1: the file is no UTF-8 text: save it as such");
    assert_int_equal(
        conf_parse("agent.conf", span_of("a\0b", 3), &agent_table, &agent, &why),
        ST_RANGE);
}

static void limits_are_refused(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, CONF_FILE_BYTES + 1);
    memset(buf_reserve(&text, CONF_FILE_BYTES + 1), '\n', CONF_FILE_BYTES + 1);
    assert_int_equal(
        conf_parse("agent.conf", buf_span(&text), &agent_table, &agent, &why), ST_FULL);
    buf_clear(&text);
    buf_put_text(&text, "controller=c model m { tags = {a");
    for (int i = 0; i < CONF_LIST_MAX; i++)
        buf_put_text(&text, ",a");
    buf_put_text(&text, "} }");
    refused(buf_cstr(&text), "agent.conf:1: model \"m\": tags has more than 1024 "
                             "items: use fewer");
    buf_clear(&text);
    buf_put_text(&text, "controller=c model \"");
    for (int i = 0; i < 129; i++)
        buf_put_u8(&text, 'x');
    buf_put_text(&text, "\" {}");
    assert_int_equal(parse(buf_cstr(&text)), ST_RANGE);
    assert_non_null(strstr(buf_cstr(&why), "needs a title of 1 to 128 bytes"));
    buf_fini(&text);
}

static void reads_a_file_and_says_when_it_cannot(void **state)
{
    (void)state;
    char path[] = "/tmp/kedge-conf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "controller=c\nx=1", 16), 16);
    close(fd);
    assert_int_equal(conf_read(path, &agent_table, &agent, &why), ST_RANGE);
    const char *name = strrchr(path, '/') + 1;
    assert_memory_equal(buf_cstr(&why), name, strlen(name));
    assert_non_null(strstr(buf_cstr(&why), ":2: there is no \"x\" here"));
    unlink(path);
    buf_clear(&why);
    assert_int_equal(conf_read(path, &agent_table, &agent, &why), ST_NOTFOUND);
    assert_non_null(strstr(buf_cstr(&why), path));
    buf_clear(&why);
    assert_int_equal(conf_read("/", &agent_table, &agent, &why), ST_IO);
    assert_string_equal(buf_cstr(&why), "/: Is a directory");
}

static void the_example_can_be_filled_in_and_read(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 16);
    conf_example(&agent_table, &text);
    char *at = strstr(buf_cstr(&text), "controller = \"\"");
    assert_non_null(at);
    memcpy(at, "controller = cc", 15);
    assert_int_equal(parse(buf_cstr(&text)), ST_OK);
    assert_string_equal(agent.controller, "cc");
    assert_int_equal(agent.models.count, 0);
    // With the marks before the sections taken away, they are read as well.
    struct buf open;
    buf_init(&open, 1 << 16);
    bool is_inside = false;
    char *save = NULL;
    for (char *line = strtok_r((char *)text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        is_inside = is_inside || strncmp(line, "# spool {", 9) == 0;
        buf_printf(&open, "%s\n", is_inside ? line + 2 : line);
        is_inside = is_inside && strcmp(line, "# }") != 0;
    }
    assert_int_equal(parse(buf_cstr(&open)), ST_OK);
    assert_int_equal(agent.spool.bytes, 64 << 20);
    buf_fini(&open);
    buf_fini(&text);
}

static void survives_each_failing_allocation(void **state)
{
    (void)state;
    const char *text = "controller=c label=l model m { tags={a,b} door { path=/x } }";
    for (uint64_t n = 1;; n++) {
        buf_clear(&why);
        conf_free(&agent_table, &agent);
        mem_fail_from(n);
        enum status st =
            conf_parse("agent.conf", span_text(text), &agent_table, &agent, &why);
        uint64_t asked = mem_fail_from(0);
        if (asked < n) {
            assert_int_equal(st, ST_OK);
            return;
        }
        assert_int_equal(st, ST_NOMEM);
        assert_null(agent.controller);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_file, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_said_has_its_standard, begin, end),
        cmocka_unit_test_setup_teardown(every_error_names_its_line, begin, end),
        cmocka_unit_test_setup_teardown(unknown_names_are_refused_with_a_guess, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nothing_stands_twice, begin, end),
        cmocka_unit_test_setup_teardown(what_is_open_must_be_closed, begin, end),
        cmocka_unit_test_setup_teardown(the_environment_has_no_say, begin, end),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text, begin, end),
        cmocka_unit_test_setup_teardown(limits_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(reads_a_file_and_says_when_it_cannot, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_example_can_be_filled_in_and_read, begin,
                                        end),
        cmocka_unit_test_setup_teardown(survives_each_failing_allocation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
