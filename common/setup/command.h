// Command: a program's verbs and options as tables; parser, --help and errors from
// them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_COMMON_SETUP_COMMAND_H
#define KEDGE_COMMON_SETUP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/setup/value.h"

#define COMMAND_GIVEN_MAX 128    // options on one command line
#define COMMAND_OPTIONS_MAX 64   // rows that one verb can take, its own and the common
#define COMMAND_USAGE_EXIT 2     // exit code of a wrong command line
#define COMMAND_OPERANDS_MAX 256 // operands on one command line

// --name VALUE, or -l VALUE. VALUE_FLAG takes no value. VALUE_LIST may be repeated; of
// the others the last one counts. `standard` is the value when it is not given, or
// NULL.
struct option_row {
    const char *name;
    char letter; // 0: none
    enum value_type type;
    const char *standard;
    const char *help;
    const char *rule;        // see value.h
    const char *placeholder; // in the usage line; NULL: by the type
};

struct command_line;

// One verb. `path` is one or more words ("run", "model add"). `operands` tells their
// count as a person reads it: "NAME [VERSION]", "FILE RANK...", "" for none.
struct verb_row {
    const char *path;
    const char *operands;
    const char *help; // one sentence; the first line of --help and of the manual
    int (*run)(void *program, const struct command_line *line); // gives the exit code
    const struct option_row *option;
    size_t options;
    const char *more; // further paragraphs for --help and the manual, or NULL
};

// A whole program. A program without verbs has one row whose path is "".
struct command {
    const char *program;
    const char *purpose;
    const struct verb_row *verb;
    size_t verbs;
    const struct option_row *option; // common to all verbs, before or after them
    size_t options;
};

struct command_given {
    const struct option_row *row;
    const char *text; // "" for a flag
};

// A command line that fits the tables. All texts are lent from argv.
struct command_line {
    const struct command *command;
    const struct verb_row *verb;
    struct command_given given[COMMAND_GIVEN_MAX];
    size_t given_count;
    const char *operand[COMMAND_OPERANDS_MAX];
    size_t operands;
};

// What to do after parsing.
enum command_next {
    COMMAND_RUN,     // call line->verb->run
    COMMAND_SAY,     // print `message` to stdout and exit 0 (--help, --version)
    COMMAND_REFUSED, // print `message` to stderr and exit 2
};

// Parses; permutes argv as getopt_long does. Options are never guessed from a prefix.
// The message is whole lines.
enum command_next command_parse(const struct command *command, int argc, char **argv,
                                struct command_line *line, struct buf *message);

// Parses, prints or runs, and gives the exit code. `program` is handed to the verb.
int command_main(const struct command *command, void *program, int argc, char **argv);

// Values by name; the name must be a row of the verb or of the command (asserted).
// The text given, else the standard, else NULL.
const char *command_text(const struct command_line *line, const char *name);
bool command_flag(const struct command_line *line, const char *name);
// Was it given on the line?
bool command_has(const struct command_line *line, const char *name);
// NUMBER, DURATION (ns), SIZE, TIME (ns), WORD (place); 0 when there is no value.
uint64_t command_u64(const struct command_line *line, const char *name);
double command_f64(const struct command_line *line, const char *name);
// Each text of a repeated option: start with *at = 0; NULL at the end.
const char *command_each(const struct command_line *line, const char *name, size_t *at);
// Operand `i`, or NULL.
const char *command_operand(const struct command_line *line, size_t i);

// The pages that --help prints: the whole program, or one verb.
void command_help(const struct command *command, const struct verb_row *verb,
                  struct buf *out);

// The page of the verbs whose first word this is: "audit" -> "audit log", "audit
// verify". False, and nothing is written: there is none.
bool command_help_group(const struct command *command, const char *word,
                        struct buf *out);

#endif
