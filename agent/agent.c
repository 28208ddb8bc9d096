// kedge-agent: the command line of the agent.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/act/job.h"
#include "agent/enroll.h"
#include "agent/intake/parse.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "proto/messages/enrol.h"

#define FOLDER "/var/lib/kedge-agent"
#define EXIT_FAILED 1
#define EXIT_CONFIG 78 // as sysexits.h: something in the files is wrong

static const struct option_row common_options[] = {
    {"dir", 'd', VALUE_TEXT, FOLDER, "the agent's folder", NULL, "DIR"},
};

static const struct option_row run_options[] = {
    {"check", 0, VALUE_FLAG, NULL, "read and check all files, then end", NULL, NULL},
    {"debug", 0, VALUE_FLAG, NULL, "log more", NULL, NULL},
};

static int run(void *program, const struct command_line *line)
{
    (void)program;
    const char *folder = command_text(line, "dir");
    struct buf why;
    buf_init(&why, 4096);
    log_setup("kedge-agent", command_flag(line, "debug") ? LOG_DEBUG : LOG_INFO,
              getenv("JOURNAL_STREAM") == NULL);
    struct agent *a = NULL;
    int code = 0;
    bool is_check = command_flag(line, "check");
    enum status st =
        is_check ? agent_check(folder, &why) : agent_open(folder, &a, &why);
    if (st != ST_OK) {
        fprintf(stderr, "kedge-agent: %s\n", buf_cstr(&why));
        code = st == ST_RANGE || st == ST_NOTFOUND || st == ST_CORRUPT ? EXIT_CONFIG
                                                                       : EXIT_FAILED;
    } else if (!is_check) {
        code = agent_run(a);
    }
    agent_close(a);
    buf_fini(&why);
    return code;
}

static const struct option_row enroll_options[] = {
    {"host", 0, VALUE_NAME, NULL, "name of this host; the system's when not given",
     NULL, "NAME"},
    {"model", 'm', VALUE_LIST, NULL, "a model that is served here, as a glob", NULL,
     "GLOB"},
    {"timeout", 0, VALUE_DURATION, "10s", "patience with each endpoint", "100ms..10m",
     NULL},
};

static void read_all(FILE *from, struct buf *out)
{
    char chunk[512];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, from)) > 0;)
        buf_put(out, chunk, n);
}

// The line from stdin, a file or the environment; or as it stands, which other users of
// this machine could see.
static enum status take_line(const char *operand, struct buf *out)
{
    if (!operand)
        operand = getenv("KEDGE_TOKEN");
    if (!operand)
        return ST_EMPTY;
    if (strcmp(operand, "-") == 0) {
        read_all(stdin, out);
        return out->failed;
    }
    if (operand[0] == '@')
        return file_read(operand + 1, out);
    if (operand != getenv("KEDGE_TOKEN"))
        fprintf(stderr, "kedge-agent: a join line on the command line can be seen by "
                        "other users; better give - and write it to stdin\n");
    buf_put_text(out, operand);
    return out->failed;
}

static int run_enroll(void *program, const struct command_line *line)
{
    (void)program;
    struct buf join, told;
    buf_init(&join, 4096);
    buf_init(&told, 4096);
    struct span model[ENROL_MODELS_MAX];
    struct enroll_ask ask = {
        .folder = command_text(line, "dir"),
        .host = command_text(line, "host"),
        .model = model,
        .patience_ns = command_u64(line, "timeout"),
    };
    size_t at = 0;
    for (const char *glob; (glob = command_each(line, "model", &at));)
        if (ask.models < ENROL_MODELS_MAX)
            model[ask.models++] = span_text(glob);
    enum status st = take_line(command_operand(line, 0), &join);
    if (st == ST_OK) {
        ask.line = buf_span(&join);
        st = enroll(&ask, &told);
    } else {
        buf_printf(&told, "%s",
                   st == ST_EMPTY ? "give a join line, -, @FILE or KEDGE_TOKEN"
                                  : status_text(st));
    }
    fprintf(st == ST_OK ? stdout : stderr, "%s%s\n",
            st == ST_OK ? "" : "kedge-agent: ", buf_cstr(&told));
    if (join.data)
        mem_wipe(join.data, join.capacity);
    buf_fini(&join);
    buf_fini(&told);
    return st == ST_OK ? 0 : EXIT_FAILED;
}

static const struct option_row status_options[] = {
    {"output", 'o', VALUE_TEXT, "json", "how it is written", "json", NULL},
};

static int ask(const struct command_line *line, const char *words)
{
    char path[4096];
    struct buf out;
    buf_init(&out, STATUS_ANSWER_MAX);
    enum status st =
        file_join(command_text(line, "dir"), "status.sock", path, sizeof path);
    if (st == ST_OK)
        st = status_ask(path, words, &out);
    if (st == ST_OK)
        (void)fwrite(out.data, 1, out.size, stdout);
    else
        fprintf(stderr, "kedge-agent: %s: %s\n", path,
                st == ST_NOTFOUND ? "no agent runs there" : status_text(st));
    buf_fini(&out);
    return st == ST_OK ? 0 : EXIT_FAILED;
}

static int run_status(void *program, const struct command_line *line)
{
    (void)program;
    return ask(line, "status");
}

static int ask_of_model(const struct command_line *line, const char *verb)
{
    char words[STATUS_LINE_MAX];
    const char *model = command_operand(line, 0);
    if (!text_is_name(span_text(model)) || strlen(model) > 128) {
        fprintf(stderr, "kedge-agent: that is no name of a model\n");
        return COMMAND_USAGE_EXIT;
    }
    (void)snprintf(words, sizeof words, "%s %s", verb, model);
    return ask(line, words);
}

static int run_unlock(void *program, const struct command_line *line)
{
    (void)program;
    return ask_of_model(line, "unlock");
}

static int run_accept(void *program, const struct command_line *line)
{
    (void)program;
    return ask_of_model(line, "accept");
}

#define OPTIONS(rows) .option = rows, .options = sizeof rows / sizeof rows[0]

static const struct verb_row verbs[] = {
    {.path = "run",
     .operands = "",
     .help = "Watch the models of this host and report to the controller.",
     .run = run,
     OPTIONS(run_options)},
    {.path = "enroll",
     .operands = "[LINE]",
     .help = "Make this host known to a controller with a one-time join line.",
     .run = run_enroll,
     OPTIONS(enroll_options),
     .more =
         "LINE is what `kedge agent token` printed; - reads it from stdin, @FILE from "
         "a file; without LINE it is taken from KEDGE_TOKEN. The same line may be used "
         "again after a crash. The keys are made here and never leave this host."},
    {.path = "status",
     .operands = "",
     .help = "Print how the agent of this host is, also while the controller is away.",
     .run = run_status,
     OPTIONS(status_options)},
    {.path = "unlock",
     .operands = "MODEL",
     .help = "Say that a model whose switch ended uncertainly has been looked at.",
     .run = run_unlock},
    {.path = "accept",
     .operands = "MODEL",
     .help =
         "Accept a changed schema: the columns are learned anew from the next rows.",
     .run = run_accept},
};

static const struct command command = {
    .program = "kedge-agent",
    .purpose =
        "The Kedge agent: summarises what the models of this host see and answer.",
    .verb = verbs,
    .verbs = sizeof verbs / sizeof verbs[0],
    OPTIONS(common_options),
};

int main(int argc, char **argv)
{
    (void)umask(0077);
    // What a running agent starts to carry out an order; see agent/act/job.h.
    if (argc == 2 && strcmp(argv[1], "execute") == 0)
        return job_serve(0, 3);
    // `kedge ingest parse`; it has a command line of its own.
    if (argc > 1 && strcmp(argv[1], "parse") == 0)
        return intake_parse_main(argc - 1, argv + 1);
    return command_main(&command, NULL, argc, argv);
}
