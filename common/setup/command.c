// Command: from argv to a verb and its values, with getopt_long.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/setup/command.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define HELP_CODE 1000 // getopt's value for --help; the rows have 256 and up
#define VERSION_CODE 1001
#define ROW_CODE 256
#define PATH_WORDS_MAX 3

// The rows of one getopt run, and the forms in which getopt wants them.
struct rows {
    const struct option_row *row[COMMAND_OPTIONS_MAX];
    size_t count;
    struct option option[COMMAND_OPTIONS_MAX + 3];
    char letters[2 * COMMAND_OPTIONS_MAX + 8];
};

struct parsing {
    const struct command *command;
    struct command_line *line;
    struct buf *message;
};

static void add_rows(struct rows *r, const struct option_row *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(r->count < COMMAND_OPTIONS_MAX);
        bool takes_value = row[i].type != VALUE_FLAG;
        r->option[r->count] = (struct option){
            .name = row[i].name,
            .has_arg = takes_value ? required_argument : no_argument,
            .val = ROW_CODE + (int)r->count,
        };
        r->row[r->count++] = &row[i];
        if (!row[i].letter)
            continue;
        char letter[3] = {row[i].letter, takes_value ? ':' : '\0', '\0'};
        strcat(r->letters, letter);
    }
}

// `order` is "+" to stop at the first operand, "" to permute.
static void begin_rows(struct rows *r, const char *order)
{
    *r = (struct rows){.count = 0};
    strcpy(r->letters, order);
    strcat(r->letters, ":h");
}

static void end_rows(struct rows *r, bool has_version)
{
    size_t n = r->count;
    r->option[n++] = (struct option){.name = "help", .val = HELP_CODE};
    if (has_version)
        r->option[n++] = (struct option){.name = "version", .val = VERSION_CODE};
    r->option[n] = (struct option){0};
}

static const struct option_row *row_of(const struct rows *r, int code)
{
    if (code >= ROW_CODE && code < ROW_CODE + (int)r->count)
        return r->row[code - ROW_CODE];
    for (size_t i = 0; i < r->count; i++) {
        if (r->row[i]->letter && r->row[i]->letter == code)
            return r->row[i];
    }
    return NULL;
}

// Ends the message with where to look further.
static enum command_next refused(const struct parsing *p)
{
    const struct verb_row *verb = p->line->verb;
    bool has_path = verb && verb->path[0];
    buf_printf(p->message, "\nTry '%s%s%s --help'.\n", p->command->program,
               has_path ? " " : "", has_path ? verb->path : "");
    return COMMAND_REFUSED;
}

static void begin_message(const struct parsing *p)
{
    buf_printf(p->message, "%s: ", p->command->program);
    if (p->line->verb && p->line->verb->path[0])
        buf_printf(p->message, "%s: ", p->line->verb->path);
}

// The word of argv that getopt has just read an option from.
static const char *word_at(char **argv)
{
    return optarg && optarg == argv[optind - 1] ? argv[optind - 2] : argv[optind - 1];
}

static enum command_next refuse_option(const struct parsing *p, const struct rows *r,
                                       char **argv, int code)
{
    const char *word = word_at(argv);
    const struct option_row *row = row_of(r, optopt);
    begin_message(p);
    if (code == ':' && row) {
        buf_printf(p->message, "--%s needs a %s", row->name, value_noun(row->type));
        return refused(p);
    }
    if (row && row->type == VALUE_FLAG && strchr(word, '=')) {
        buf_printf(p->message, "--%s takes no value", row->name);
        return refused(p);
    }
    if (optopt && optopt < ROW_CODE && strncmp(word, "--", 2) != 0) {
        buf_printf(p->message, "there is no option -%c", optopt);
        if (optopt >= '0' && optopt <= '9')
            buf_put_text(p->message, "; write -- before a negative number");
        return refused(p);
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *best = NULL;
    unsigned distance = 0;
    for (size_t i = 0; i < r->count; i++)
        value_nearer(name, r->row[i]->name, &best, &distance);
    buf_printf(p->message, "there is no option --%s", name);
    if (best)
        buf_printf(p->message, "; did you mean --%s?", best);
    return refused(p);
}

// getopt_long takes a prefix for the whole word; we do not guess.
static bool is_whole(const char *word, const char *name)
{
    if (strncmp(word, "--", 2) != 0)
        return true; // by its letter
    size_t size = strcspn(word + 2, "=");
    return span_equal(span_of(word + 2, size), span_text(name));
}

static enum command_next keep(const struct parsing *p, const struct option_row *row)
{
    struct command_line *line = p->line;
    struct buf why;
    buf_init(&why, VALUE_TEXT_MAX);
    enum command_next next = COMMAND_RUN;
    bool is_fine = row->type == VALUE_FLAG ||
                   value_check(row->type, row->rule, span_text(optarg), &why) == ST_OK;
    if (!is_fine || line->given_count == COMMAND_GIVEN_MAX) {
        begin_message(p);
        buf_printf(p->message, "--%s: %s", row->name,
                   is_fine ? "too many options" : buf_cstr(&why));
        next = refused(p);
    } else {
        const char *text = row->type == VALUE_FLAG ? "" : optarg;
        line->given[line->given_count++] = (struct command_given){row, text};
    }
    buf_fini(&why);
    return next;
}

// Reads the options that `r` knows; afterwards optind is the first operand.
static enum command_next read_options(const struct parsing *p, struct rows *r, int argc,
                                      char **argv)
{
    optind = 0; // makes getopt forget the run before
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, r->letters, r->option, NULL);
        if (code == -1)
            return COMMAND_RUN;
        if (code == '?' || code == ':')
            return refuse_option(p, r, argv, code);
        const struct option_row *row = row_of(r, code);
        const char *name = row ? row->name : code == VERSION_CODE ? "version" : "help";
        if (!is_whole(word_at(argv), name)) {
            optopt = 0;
            return refuse_option(p, r, argv, '?');
        }
        if (code == VERSION_CODE) {
            buf_printf(p->message, "%s %s\n", p->command->program, KEDGE_VERSION);
            return COMMAND_SAY;
        }
        if (!row) {
            command_help(p->command, p->line->verb, p->message);
            return COMMAND_SAY;
        }
        enum command_next next = keep(p, row);
        if (next != COMMAND_RUN)
            return next;
    }
}

// How many words of argv the verb's path takes; 0 when they differ.
static int match_path(const char *path, int argc, char **argv)
{
    int words = 0;
    while (*path) {
        size_t size = strcspn(path, " ");
        if (words == argc || !span_equal(span_of(path, size), span_text(argv[words])))
            return 0;
        words++;
        path += size + (path[size] == ' ');
    }
    return words;
}

// Is the word the first one of some verb of two? Then its second words are the help.
static bool list_second_words(const struct parsing *p, const char *word)
{
    bool is_any = false;
    size_t size = strlen(word);
    for (size_t i = 0; i < p->command->verbs; i++) {
        const char *path = p->command->verb[i].path;
        if (strncmp(path, word, size) != 0 || path[size] != ' ')
            continue;
        buf_printf(p->message, "%s%s", is_any ? ", " : "", path + size + 1);
        is_any = true;
    }
    return is_any;
}

// "audit --help" asks for the verbs that begin with "audit".
static bool asks_for_group(const struct parsing *p, int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) &&
           command_help_group(p->command, argv[0], p->message);
}

static enum command_next refuse_verb(const struct parsing *p, int argc, char **argv)
{
    if (asks_for_group(p, argc, argv))
        return COMMAND_SAY;
    begin_message(p);
    if (argc == 0) {
        buf_put_text(p->message, "what shall it do?");
        return refused(p);
    }
    char words[128];
    snprintf(words, sizeof words, "%s%s%s", argv[0], argc > 1 ? " " : "",
             argc > 1 ? argv[1] : "");
    const char *best = NULL;
    unsigned distance = 0;
    for (size_t i = 0; i < p->command->verbs; i++) {
        const char *path = p->command->verb[i].path;
        value_nearer(strchr(path, ' ') ? words : argv[0], path, &best, &distance);
    }
    buf_printf(p->message, "there is no verb \"%s\"", words);
    if (best) {
        buf_printf(p->message, "; did you mean \"%s\"?", best);
        return refused(p);
    }
    size_t before = p->message->size;
    buf_printf(p->message, "; with \"%s\" go: ", argv[0]);
    if (!list_second_words(p, argv[0]) && !p->message->failed)
        p->message->size = before;
    return refused(p);
}

// Finds the verb with the longest path; its last word becomes argv[0] of the second
// run.
static int find_verb(const struct parsing *p, int argc, char **argv)
{
    int longest = -1;
    for (size_t i = 0; i < p->command->verbs; i++) {
        const struct verb_row *verb = &p->command->verb[i];
        int words = match_path(verb->path, argc, argv);
        if ((words > 0 || !verb->path[0]) && words > longest) {
            longest = words;
            p->line->verb = verb;
        }
    }
    return longest;
}

// Least and most operands by the text: "NAME [VERSION]", "FILE RANK...".
static void count_operands(const char *text, size_t *least, size_t *most)
{
    *least = *most = 0;
    while (*text) {
        size_t size = strcspn(text, " ");
        *most += 1;
        *least += text[0] != '[';
        if (size > 3 && memmem(text, size, "...", 3))
            *most = COMMAND_OPERANDS_MAX;
        text += size + (text[size] == ' ');
    }
}

static enum command_next keep_operands(const struct parsing *p, int argc, char **argv)
{
    size_t least, most, n = argc > 0 ? (size_t)argc : 0;
    count_operands(p->line->verb->operands, &least, &most);
    if (most > COMMAND_OPERANDS_MAX)
        most = COMMAND_OPERANDS_MAX;
    if (n < least || n > most) {
        begin_message(p);
        if (n > most && most == 0)
            buf_printf(p->message, "\"%s\" is not expected here", argv[0]);
        else
            buf_printf(p->message, "%s: expected %s",
                       n < least ? "something is missing" : "too many words",
                       p->line->verb->operands);
        return refused(p);
    }
    for (size_t i = 0; i < n; i++)
        p->line->operand[i] = argv[i];
    p->line->operands = n;
    return COMMAND_RUN;
}

enum command_next command_parse(const struct command *command, int argc, char **argv,
                                struct command_line *line, struct buf *message)
{
    assert(argc > 0);
    *line = (struct command_line){.command = command};
    struct parsing p = {command, line, message};
    struct rows rows;
    begin_rows(&rows, "+");
    add_rows(&rows, command->option, command->options);
    end_rows(&rows, true);
    bool has_verbs = command->verbs > 1 || command->verb[0].path[0];
    if (has_verbs) {
        enum command_next next = read_options(&p, &rows, argc, argv);
        if (next != COMMAND_RUN)
            return next;
    }
    int used = has_verbs ? optind : 1;
    argc -= used;
    argv += used;
    int words = find_verb(&p, argc, argv);
    if (words < 0)
        return refuse_verb(&p, argc, argv);
    begin_rows(&rows, "");
    add_rows(&rows, line->verb->option, line->verb->options);
    add_rows(&rows, command->option, command->options);
    end_rows(&rows, !has_verbs);
    // getopt skips argv[0]; the last word of the path, or the program, stands there.
    enum command_next next =
        read_options(&p, &rows, argc - words + 1, argv + words - 1);
    if (next != COMMAND_RUN)
        return next;
    return keep_operands(&p, argc - words + 1 - optind, argv + words - 1 + optind);
}

int command_main(const struct command *command, void *program, int argc, char **argv)
{
    struct buf message;
    struct command_line line;
    buf_init(&message, 1 << 16);
    enum command_next next = command_parse(command, argc, argv, &line, &message);
    int code = 0;
    if (next != COMMAND_RUN)
        fputs(buf_cstr(&message), next == COMMAND_SAY ? stdout : stderr);
    buf_fini(&message);
    if (next == COMMAND_REFUSED)
        code = COMMAND_USAGE_EXIT;
    else if (next == COMMAND_RUN)
        code = line.verb->run(program, &line);
    return code;
}
