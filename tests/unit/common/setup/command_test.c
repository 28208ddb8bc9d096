// Command: verbs and options by table, and refusals that say what to do.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static int run_nothing(void *program, const struct command_line *line)
{
    (void)line;
    return *(int *)program;
}

static const struct option_row common_options[] = {
    {"output", 'o', VALUE_WORD, "table", "how to print", "table|json|name"},
    {"config", 0, VALUE_TEXT, NULL, "the client's file", NULL, "FILE"},
};

static const struct option_row add_options[] = {
    {"yes", 'y', VALUE_FLAG, NULL, "do not ask"},
    {"version", 0, VALUE_NAME, NULL, "the first version"},
    {"since", 0, VALUE_DURATION, "2h", "how far to look back", "1s..1d"},
    {"share", 0, VALUE_SHARE, "0.5", "of the traffic"},
    {"tag", 't', VALUE_LIST, NULL, "a word, again and again"},
    {"limit", 0, VALUE_NUMBER, NULL, "at most so many"},
};

static const struct verb_row verbs[] = {
    {"model add", "NAME [VERSION]", "Adds a model.", run_nothing, add_options, 6},
    {"model list", "", "Lists the models.", run_nothing},
    {"model", "", "Counts the models.", run_nothing},
    {"sketch rank", "FILE RANK...", "Ranks.", run_nothing, .more = "More words."},
};

static const struct command kedge = {"kedge", "Asks the controller.", verbs,
                                     4,       common_options,         2};

static struct command_line line;
static struct buf message;

static int begin(void **state)
{
    (void)state;
    buf_init(&message, 1 << 16);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&message);
    return 0;
}

// Splits the words by blanks, as argv; they live until the next call.
static enum command_next parse_for(const struct command *command, const char *words)
{
    static char copy[4096];
    static char *argv[512];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", words);
    char *save = NULL;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    buf_clear(&message);
    return command_parse(command, argc, argv, &line, &message);
}

static enum command_next parse(const char *words)
{
    return parse_for(&kedge, words);
}

static void refused(const char *words, const char *expected)
{
    assert_int_equal(parse(words), COMMAND_REFUSED);
    assert_string_equal(buf_cstr(&message), expected);
}

static void options_before_and_after_the_verb(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge -o json --config f model add m --yes v1"),
                     COMMAND_RUN);
    assert_string_equal(line.verb->path, "model add");
    assert_string_equal(command_text(&line, "output"), "json");
    assert_int_equal(command_u64(&line, "output"), 1);
    assert_string_equal(command_text(&line, "config"), "f");
    assert_true(command_flag(&line, "yes"));
    assert_string_equal(command_operand(&line, 0), "m");
    assert_string_equal(command_operand(&line, 1), "v1");
    assert_null(command_operand(&line, 2));
    assert_int_equal(parse("kedge model add m -o name --output=json"), COMMAND_RUN);
    assert_string_equal(command_text(&line, "output"), "json"); // the last one counts
}

static void the_longest_path_wins(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge model"), COMMAND_RUN);
    assert_string_equal(line.verb->path, "model");
    assert_int_equal(parse("kedge model list"), COMMAND_RUN);
    assert_string_equal(line.verb->path, "model list");
}

static void what_is_not_given_has_its_standard(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge model add m"), COMMAND_RUN);
    assert_int_equal(command_u64(&line, "since"), UINT64_C(7200000000000));
    assert_true(command_f64(&line, "share") == 0.5);
    assert_int_equal(command_u64(&line, "output"), 0);
    assert_false(command_flag(&line, "yes"));
    assert_false(command_has(&line, "since"));
    assert_null(command_text(&line, "version"));
    assert_int_equal(command_u64(&line, "limit"), 0);
    assert_int_equal(parse("kedge model add m --since 1h --share=1 --limit 3"),
                     COMMAND_RUN);
    assert_true(command_has(&line, "since"));
    assert_int_equal(command_u64(&line, "since"), UINT64_C(3600000000000));
    assert_true(command_f64(&line, "share") == 1);
    assert_int_equal(command_u64(&line, "limit"), 3);
}

static void a_list_is_given_again_and_again(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge model add m -t a --tag=b -tc"), COMMAND_RUN);
    size_t at = 0;
    assert_string_equal(command_each(&line, "tag", &at), "a");
    assert_string_equal(command_each(&line, "tag", &at), "b");
    assert_string_equal(command_each(&line, "tag", &at), "c");
    assert_null(command_each(&line, "tag", &at));
}

static void a_verb_may_have_a_version_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge model add m --version v2"), COMMAND_RUN);
    assert_string_equal(command_text(&line, "version"), "v2");
    assert_int_equal(parse("kedge --version"), COMMAND_SAY);
    assert_string_equal(buf_cstr(&message), "kedge " KEDGE_VERSION "\n");
}

static void operands_are_counted(void **state)
{
    (void)state;
    refused("kedge model add", "kedge: model add: something is missing: expected NAME "
                               "[VERSION]\nTry 'kedge model add --help'.\n");
    refused("kedge model add a b c", "kedge: model add: too many words: expected NAME "
                                     "[VERSION]\nTry 'kedge model add --help'.\n");
    refused("kedge model list x", "kedge: model list: \"x\" is not expected here\n"
                                  "Try 'kedge model list --help'.\n");
    assert_int_equal(parse("kedge sketch rank f"), COMMAND_REFUSED);
    assert_int_equal(parse("kedge sketch rank f 1 2 3 4"), COMMAND_RUN);
    assert_int_equal(line.operands, 5);
    assert_int_equal(parse("kedge sketch rank f -- -1"), COMMAND_RUN);
    assert_string_equal(command_operand(&line, 1), "-1");
}

static void a_wrong_word_is_answered_with_the_nearest(void **state)
{
    (void)state;
    refused("kedge model ad", "kedge: model: \"ad\" is not expected here\n"
                              "Try 'kedge model --help'.\n");
    refused("kedge modl", "kedge: there is no verb \"modl\"; did you mean \"model\"?\n"
                          "Try 'kedge --help'.\n");
    refused("kedge sketch rnk", "kedge: there is no verb \"sketch rnk\"; did you mean "
                                "\"sketch rank\"?\nTry 'kedge --help'.\n");
    refused("kedge sketch", "kedge: there is no verb \"sketch\"; with \"sketch\" go: "
                            "rank\nTry 'kedge --help'.\n");
    refused("kedge fly", "kedge: there is no verb \"fly\"\nTry 'kedge --help'.\n");
    refused("kedge", "kedge: what shall it do?\nTry 'kedge --help'.\n");
    refused("kedge model add m --sinze 1h",
            "kedge: model add: there is no option --sinze; did you mean --since?\n"
            "Try 'kedge model add --help'.\n");
    refused("kedge model list -z", "kedge: model list: there is no option -z\n"
                                   "Try 'kedge model list --help'.\n");
}

static void a_prefix_is_never_taken_for_the_word(void **state)
{
    (void)state;
    refused("kedge model add m --ye",
            "kedge: model add: there is no option --ye; did "
            "you mean --yes?\nTry 'kedge model add --help'.\n");
    refused("kedge --out json model list",
            "kedge: there is no option --out\nTry 'kedge --help'.\n");
    refused("kedge model list --outpu=json",
            "kedge: model list: there is no option --outpu; did you mean --output?\n"
            "Try 'kedge model list --help'.\n");
    assert_int_equal(parse("kedge model list --hel"), COMMAND_REFUSED);
    assert_int_equal(parse("kedge --vers"), COMMAND_REFUSED);
}

static void values_are_checked_where_they_stand(void **state)
{
    (void)state;
    refused("kedge model add m --since", "kedge: model add: --since needs a duration\n"
                                         "Try 'kedge model add --help'.\n");
    refused("kedge model add m -t", "kedge: model add: --tag needs a list\n"
                                    "Try 'kedge model add --help'.\n");
    refused("kedge model add m --yes=no", "kedge: model add: --yes takes no value\n"
                                          "Try 'kedge model add --help'.\n");
    refused("kedge model add m --since 2d", "kedge: model add: --since: \"2d\" is "
                                            "outside 1s..1d\n"
                                            "Try 'kedge model add --help'.\n");
    refused("kedge -o xml model list",
            "kedge: --output: \"xml\" is none of the choices: write table, json or "
            "name\nTry 'kedge --help'.\n");
}

static void too_many_words_are_refused(void **state)
{
    (void)state;
    char words[4096] = "kedge model add m";
    for (int i = 0; i <= COMMAND_GIVEN_MAX; i++)
        strcat(words, " -y");
    assert_int_equal(parse(words), COMMAND_REFUSED);
    strcpy(words, "kedge sketch rank");
    for (int i = 0; i <= COMMAND_OPERANDS_MAX; i++)
        strcat(words, " 1");
    assert_int_equal(parse(words), COMMAND_REFUSED);
}

static void help_tells_every_row(void **state)
{
    (void)state;
    assert_int_equal(parse("kedge --help"), COMMAND_SAY);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_non_null(strstr(buf_cstr(&message), verbs[i].path));
        assert_non_null(strstr(buf_cstr(&message), verbs[i].help));
    }
    assert_int_equal(parse("kedge model add -h"), COMMAND_SAY);
    assert_string_equal(
        buf_cstr(&message),
        "Usage: kedge model add [OPTION...] NAME [VERSION]\n\n"
        "Adds a model.\n\n"
        "Options:\n"
        "  -y, --yes             do not ask\n"
        "      --version NAME    the first version\n"
        "      --since DURATION  how far to look back (1s..1d) [2h]\n"
        "      --share SHARE     of the traffic [0.5]\n"
        "  -t, --tag TEXT        a word, again and again\n"
        "      --limit N         at most so many\n\n"
        "Everywhere:\n"
        "  -o, --output WORD     how to print (table|json|name) [table]\n"
        "      --config FILE     the client's file\n");
    assert_int_equal(parse("kedge sketch rank --help"), COMMAND_SAY);
    assert_non_null(strstr(buf_cstr(&message), "\nMore words.\n"));
    // The first word of some verbs: theirs, and no others.
    assert_int_equal(parse("kedge sketch --help"), COMMAND_SAY);
    assert_non_null(strstr(buf_cstr(&message), "sketch rank"));
    assert_null(strstr(buf_cstr(&message), "model add"));
    assert_int_equal(parse("kedge nothing --help"), COMMAND_REFUSED);
}

static void a_program_may_have_no_verbs(void **state)
{
    (void)state;
    static const struct verb_row only[] = {
        {"", "[FILE]", "Reads.", run_nothing, add_options, 1}};
    static const struct command reader = {"reader", "Reads.", only, 1};
    assert_int_equal(parse_for(&reader, "reader -y f"), COMMAND_RUN);
    assert_true(command_flag(&line, "yes"));
    assert_string_equal(command_operand(&line, 0), "f");
    assert_int_equal(parse_for(&reader, "reader"), COMMAND_RUN);
    assert_int_equal(parse_for(&reader, "reader --version"), COMMAND_SAY);
    assert_int_equal(parse_for(&reader, "reader --help"), COMMAND_SAY);
    assert_non_null(strstr(buf_cstr(&message), "Usage: reader [OPTION...] [FILE]\n"));
    assert_int_equal(parse_for(&reader, "reader a b"), COMMAND_REFUSED);
}

static void main_gives_the_exit_code(void **state)
{
    (void)state;
    int code = 7;
    char *fine[] = {(char *)(uintptr_t) "kedge", (char *)(uintptr_t) "model", NULL};
    assert_int_equal(command_main(&kedge, &code, 2, fine), 7);
    char *wrong[] = {(char *)(uintptr_t) "kedge", (char *)(uintptr_t) "fly", NULL};
    assert_int_equal(command_main(&kedge, &code, 2, wrong), COMMAND_USAGE_EXIT);
    char *help[] = {(char *)(uintptr_t) "kedge", (char *)(uintptr_t) "--version", NULL};
    assert_int_equal(command_main(&kedge, &code, 2, help), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_before_and_after_the_verb, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_path_wins, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_given_has_its_standard, begin, end),
        cmocka_unit_test_setup_teardown(a_list_is_given_again_and_again, begin, end),
        cmocka_unit_test_setup_teardown(a_verb_may_have_a_version_of_its_own, begin,
                                        end),
        cmocka_unit_test_setup_teardown(operands_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(a_wrong_word_is_answered_with_the_nearest,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_prefix_is_never_taken_for_the_word, begin,
                                        end),
        cmocka_unit_test_setup_teardown(values_are_checked_where_they_stand, begin,
                                        end),
        cmocka_unit_test_setup_teardown(too_many_words_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(help_tells_every_row, begin, end),
        cmocka_unit_test_setup_teardown(a_program_may_have_no_verbs, begin, end),
        cmocka_unit_test_setup_teardown(main_gives_the_exit_code, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
