// Replay: reads the arguments, runs one stream, prints what was found.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/replay.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "controller/replay_run.h"

#define EXIT_FINE 0
#define EXIT_USAGE 2
#define EXIT_NOT_FOUND 3
#define OUTPUT_BYTES_MAX (256u * 1024 * 1024)

struct request {
    const char *stream, *manifest, *name;
    bool json;
};

static const char usage[] =
    "usage: kedge replay STREAM.csv[.gz] --manifest MANIFEST.json [--name N] "
    "[-o json|table]\n"
    "  --manifest FILE  columns, windows and reference rows of the stream\n"
    "  --name N         which of the manifest's streams (default: by file name)\n"
    "  -o json|table    form of the result (default: table to a terminal, else json)\n";

// 0 to go on, or the exit code + 1.
static int read_options(int argc, char **argv, struct request *out)
{
    static const struct option options[] = {{"manifest", required_argument, NULL, 'm'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    *out = (struct request){.json = !isatty(STDOUT_FILENO)};
    while ((c = getopt_long(argc, argv, "m:n:o:h", options, NULL)) != -1) {
        if (c == 'm')
            out->manifest = optarg;
        else if (c == 'n')
            out->name = optarg;
        else if (c == 'o' && strcmp(optarg, "json") == 0)
            out->json = true;
        else if (c == 'o' && strcmp(optarg, "table") == 0)
            out->json = false;
        else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return (c == 'h' ? EXIT_FINE : EXIT_USAGE) + 1;
        }
    }
    if (optind + 1 == argc && out->manifest) {
        out->stream = argv[optind];
        return 0;
    }
    fputs(usage, stderr);
    return EXIT_USAGE + 1;
}

static enum status print(const struct replay_result *result, bool json, char *why)
{
    struct buf text;
    buf_init(&text, OUTPUT_BYTES_MAX);
    if (json)
        replay_result_json(result, &text);
    else
        replay_result_table(result, &text);
    enum status st = text.failed;
    if (st == ST_OK &&
        (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout) != 0))
        st = ST_IO;
    if (st != ST_OK)
        snprintf(why, 256, "cannot print: %s", status_text(st));
    buf_fini(&text);
    return st;
}

static enum status replay(const struct request *q, struct replay_plan *plan,
                          struct replay_rows *rows, char *why)
{
    struct replay_table table;
    struct replay_result result = {.rows = 0};
    ST_TRY(replay_plan_read(q->manifest, q->name, q->stream, plan, why));
    ST_TRY(replay_table_open(q->stream, &table, why));
    enum status st = replay_rows_open(plan, &table, rows, why);
    if (st == ST_OK)
        st = replay_run(rows, &result, why);
    if (st == ST_OK)
        st = print(&result, q->json, why);
    replay_result_fini(&result);
    replay_table_close(&table);
    return st;
}

int replay_main(int argc, char **argv)
{
    struct request q;
    char why[256] = "";
    int done = read_options(argc, argv, &q);
    if (done)
        return done - 1;
    struct replay_plan *plan = MEM_NEW(struct replay_plan);
    struct replay_rows *rows = MEM_NEW(struct replay_rows);
    enum status st = plan && rows ? replay(&q, plan, rows, why) : ST_NOMEM;
    mem_free(plan);
    mem_free(rows);
    if (st == ST_OK)
        return EXIT_FINE;
    fprintf(stderr, "kedge replay: %s\n", why[0] ? why : status_text(st));
    return st == ST_NOTFOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
}
