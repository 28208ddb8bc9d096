// Case: `kedge why` asked of a recorded incident instead of the controller.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/case.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "controller/case_files.h"
#include "controller/watch/blame.h"
#include "controller/watch/blame_report.h"

#define EXIT_FINE 0
#define EXIT_USAGE 2
#define EXIT_NOT_FOUND 3
#define OUTPUT_BYTES_MAX (64u << 20)

static const char usage[] =
    "usage: kedge why --case DIR/case.json [--manifest FILE] [-o json|table]\n"
    "  --case FILE      a recorded incident: what moved, and when it was noticed\n"
    "  --manifest FILE  a list of cases that names the files of each\n"
    "  --signals FILE   windows of all entities; may be repeated, in order of time\n"
    "  --lineage FILE   upstream,downstream\n"
    "  --events FILE    t,entity,kind\n"
    "  --segment S      only what is in this segment: \"eu\" or \"region=eu\"\n"
    "  -o json|table    form of the answer (default: table to a terminal, else json)\n"
    "Files that are not named are looked for beside the case.\n";

static const struct option options[] = {{"case", required_argument, NULL, 'c'},
                                        {"manifest", required_argument, NULL, 'm'},
                                        {"signals", required_argument, NULL, 's'},
                                        {"lineage", required_argument, NULL, 'l'},
                                        {"events", required_argument, NULL, 'e'},
                                        {"segment", required_argument, NULL, 'g'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static bool take_option(int c, struct case_request *q, bool *json)
{
    if (c == 'c')
        q->question = optarg;
    else if (c == 'm')
        q->manifest = optarg;
    else if (c == 's' && q->signal_files < CASE_SIGNAL_FILES)
        q->signals[q->signal_files++] = optarg;
    else if (c == 'l')
        q->lineage = optarg;
    else if (c == 'e')
        q->events = optarg;
    else if (c == 'g')
        q->segment = optarg;
    else if (c == 'o' && strcmp(optarg, "json") == 0)
        *json = true;
    else if (c == 'o' && strcmp(optarg, "table") == 0)
        *json = false;
    else
        return false;
    return true;
}

// 0 to go on, or the exit code + 1.
static int read_options(int argc, char **argv, struct case_request *q, bool *json)
{
    int c;
    optind = 1;
    *q = (struct case_request){.question = NULL};
    *json = !isatty(STDOUT_FILENO);
    while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (take_option(c, q, json))
            continue;
        (void)fputs(usage, c == 'h' ? stdout : stderr);
        return (c == 'h' ? EXIT_FINE : EXIT_USAGE) + 1;
    }
    if (q->question && optind == argc)
        return 0;
    (void)fputs(usage, stderr);
    return EXIT_USAGE + 1;
}

static void write_answer(const struct blame_case *c, const struct blame_answer *a,
                         bool as_json, double took_ms, struct buf *out)
{
    if (!as_json) {
        blame_report_table(c, a, took_ms, out);
        return;
    }
    struct json j;
    json_init(&j, out);
    json_object(&j);
    blame_report_json(c, a, BLAME_UNIX_S, BLAME_NAMES, &j);
    json_object_end(&j);
    buf_put_text(out, "\n");
}

static enum status print(const struct blame_case *c, const struct blame_answer *a,
                         bool as_json, double took_ms)
{
    struct buf text;
    buf_init(&text, OUTPUT_BYTES_MAX);
    write_answer(c, a, as_json, took_ms, &text);
    enum status st = text.failed;
    if (st == ST_OK &&
        (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout) != 0))
        st = ST_IO;
    buf_fini(&text);
    return st;
}

static enum status answer(const struct case_request *q, bool as_json, char *why)
{
    struct case_files *files = MEM_NEW(struct case_files);
    struct blame_case c;
    struct blame_answer a;
    if (!files)
        return ST_NOMEM;
    enum status st = case_files_read(q, files, why);
    if (st == ST_OK) {
        files->texts.segment = span_text(q->segment ? q->segment : "");
        st = case_data_read(&files->texts, &c, why);
        case_files_fini(files);
    }
    mem_free(files);
    ST_TRY(st);
    uint64_t began = clock_mono_ns();
    st = blame_run(&c, NULL, &a);
    if (st == ST_OK) {
        st = print(&c, &a, as_json, (double)(clock_mono_ns() - began) / 1e6);
        blame_answer_fini(&a);
    }
    blame_case_fini(&c);
    return st;
}

int case_main(int argc, char **argv)
{
    struct case_request q;
    char why[CASE_WHY] = "";
    bool as_json;
    int done = read_options(argc, argv, &q, &as_json);
    if (done)
        return done - 1;
    enum status st = answer(&q, as_json, why);
    if (st == ST_OK)
        return EXIT_FINE;
    (void)fprintf(stderr, "kedge why: %s\n", why[0] ? why : status_text(st));
    return st == ST_NOTFOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
}
