// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/intake/chart.h"
#include "agent/intake/feed.h"
#include "agent/intake/print.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/setup/command.h"

#define PIECE_BYTES (64u << 10)
#define OUT_BYTES_MAX (1u << 30)
#define CHART_BYTES_MAX (1u << 20)

#define EXIT_UNREADABLE 1

static int run(void *program, const struct command_line *line);

static const struct option_row options[] = {
    {"door", 'd', VALUE_WORD, "tail", "by which door it would come",
     "http|tail|scrape|udp", NULL},
    {"format", 'f', VALUE_TEXT, NULL,
     "how the lines of a file are written; guessed from its first line", NULL, NULL},
    {"mapping", 'm', VALUE_TEXT, NULL, "file of a mapping (JSON)", NULL, "FILE"},
    {"schema", 0, VALUE_TEXT, NULL, "schema log of BentoML", NULL, "FILE"},
    {"model", 0, VALUE_TEXT, NULL, "model of all rows", NULL, NULL},
    {"version", 0, VALUE_TEXT, NULL, "version of all rows", NULL, NULL},
    {"time", 0, VALUE_TEXT, NULL, "column or JSON pointer of the time", NULL, "PATH"},
    {"id", 0, VALUE_TEXT, NULL, "column or JSON pointer of the id", NULL, "PATH"},
    {"inputs", 0, VALUE_LIST, NULL, "an input", NULL, "PATH[=NAME]"},
    {"outputs", 0, VALUE_LIST, NULL, "an output", NULL, "PATH[=NAME]"},
    {"labels", 0, VALUE_LIST, NULL, "a label", NULL, "PATH[=NAME]"},
    {"prefix", 0, VALUE_TEXT, NULL, "how StatsD names are made up", NULL,
     "model.<model>.<signal>"},
    {"output", 'o', VALUE_WORD, "json", "how it is printed", "json", NULL},
};

static const struct verb_row verbs[] = {
    {"", "FILE", "Print the observations that a payload gives.", run, options,
     sizeof options / sizeof *options,
     "FILE is read as it would come by the door; - is the standard input. Nothing is\n"
     "counted or sent. Exit code 1: there was something that could not be read."},
};

static const struct command parse_command = {
    .program = "kedge ingest parse",
    .purpose = "Shows what Kedge would make of a payload.",
    .verb = verbs,
    .verbs = 1,
};

// --- The mapping

static enum status read_chart(struct chart *c, const char *path,
                              enum status (*read)(struct chart *c, struct span json))
{
    struct buf bytes;
    buf_init(&bytes, CHART_BYTES_MAX);
    enum status st = file_read(path, &bytes);
    if (st == ST_OK)
        st = read(c, buf_span(&bytes));
    buf_fini(&bytes);
    if (st != ST_OK)
        fprintf(stderr, "kedge: %s: %s\n", path, status_text(st));
    return st;
}

// BentoML keeps monitoring/NAME/data/data.1.log beside .../schema/schema.1.log.
static bool find_schema(const char *file, char out[PATH_MAX])
{
    char one[PATH_MAX], two[PATH_MAX];
    if (snprintf(one, sizeof one, "%s", file) >= (int)sizeof one ||
        snprintf(two, sizeof two, "%s", file) >= (int)sizeof two)
        return false;
    const char *name = basename(one);
    if (strncmp(name, "data.", 5) != 0)
        return false;
    int n = snprintf(out, PATH_MAX, "%s/../schema/schema.%s", dirname(two), name + 5);
    return n > 0 && n < PATH_MAX && access(out, R_OK) == 0;
}

static enum status take_option(struct chart *c, const struct command_line *line,
                               const char *name, const char **to)
{
    const char *text = command_text(line, name);
    if (!text)
        return ST_OK;
    *to = chart_keep(c, span_text(text));
    return *to ? ST_OK : ST_NOMEM;
}

static enum status take_lists(struct chart *c, const struct command_line *line)
{
    static const char *const lists[] = {"inputs", "outputs", "labels"};
    for (int i = 0; i < 3; i++) {
        size_t at = 0;
        const char *text;
        while ((text = command_each(line, lists[i], &at)))
            ST_TRY(chart_add(c, i, text));
    }
    return ST_OK;
}

static enum status make_chart(struct chart *c, const struct command_line *line)
{
    char path[PATH_MAX];
    struct mapping *m = &c->mapping;
    const char *file = command_text(line, "mapping");
    const char *schema = command_text(line, "schema");
    if (file)
        ST_TRY(read_chart(c, file, chart_read));
    if (!schema && !file && find_schema(command_operand(line, 0), path))
        schema = path;
    if (schema)
        ST_TRY(read_chart(c, schema, chart_read_bento));
    ST_TRY(take_option(c, line, "model", &m->model));
    ST_TRY(take_option(c, line, "version", &m->version));
    ST_TRY(take_option(c, line, "time", &m->time));
    ST_TRY(take_option(c, line, "id", &m->id));
    ST_TRY(take_option(c, line, "prefix", &m->prefix));
    return take_lists(c, line);
}

// --- The file

static const char *format_of(const struct command_line *line, struct span head)
{
    const char *format = command_text(line, "format");
    const uint8_t *nl = head.size ? memchr(head.data, '\n', head.size) : NULL;
    if (format)
        return format;
    return feed_guess(nl ? span_of(head.data, (size_t)(nl - head.data)) : head);
}

static enum status feed_file(int fd, struct feed *f, const uint8_t *head, size_t size)
{
    static uint8_t piece[PIECE_BYTES];
    ssize_t n = (ssize_t)size;
    const uint8_t *at = head;
    while (n > 0) {
        ST_TRY(feed_bytes(f, span_of(at, (size_t)n), clock_wall_ns()));
        at = piece;
        n = read(fd, piece, sizeof piece);
    }
    return n < 0 ? ST_IO : feed_end(f);
}

static int report(const struct print *p, enum status st)
{
    int code = 0;
    for (uint32_t i = 0; i < DROP_REASONS; i++) {
        uint64_t dropped = print_dropped(p, (enum drop_reason)i);
        if (dropped == 0)
            continue;
        fprintf(stderr, "kedge: %llu could not be read: %s\n",
                (unsigned long long)dropped, drop_reason_name((enum drop_reason)i));
        code = EXIT_UNREADABLE;
    }
    if (st != ST_OK) {
        fprintf(stderr, "kedge: %s\n", status_text(st));
        code = EXIT_UNREADABLE;
    }
    return code;
}

static int parse_file(int fd, const struct command_line *line, const struct mapping *m)
{
    static uint8_t head[PIECE_BYTES];
    struct print *print = NULL;
    struct observation_sink sink;
    struct buf out;
    struct feed *f = NULL;
    ssize_t n = read(fd, head, sizeof head);
    size_t size = n > 0 ? (size_t)n : 0;
    const char *format = format_of(line, span_of(head, size));
    buf_init(&out, OUT_BYTES_MAX);
    enum status st = print_open(&out, &sink, &print);
    if (st == ST_OK)
        st = feed_open((enum feed_door)command_u64(line, "door"), format, m, &sink, &f);
    if (st == ST_UNSUPPORTED)
        fprintf(stderr, "kedge: no format is called %s\n", format);
    if (st == ST_OK)
        st = n < 0 ? ST_IO : feed_file(fd, f, head, size);
    feed_close(f);
    int code = EXIT_UNREADABLE;
    if (print) {
        print_end(print);
        code = report(print, st == ST_OK ? out.failed : st);
        printf("%s\n", buf_cstr(&out));
    }
    print_close(print);
    buf_fini(&out);
    return code;
}

static int run(void *program, const struct command_line *line)
{
    struct chart chart;
    const char *path = command_operand(line, 0);
    int code = EXIT_UNREADABLE;
    (void)program;
    int fd = strcmp(path, "-") == 0 ? dup(0) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "kedge: %s: %s\n", path, strerror(errno));
        return code;
    }
    chart_init(&chart);
    enum status st = make_chart(&chart, line);
    if (st == ST_OK)
        code = parse_file(fd, line, &chart.mapping);
    else
        fprintf(stderr, "kedge: the mapping: %s\n", status_text(st));
    chart_fini(&chart);
    close(fd);
    return code;
}

int intake_parse_main(int argc, char **argv)
{
    return command_main(&parse_command, NULL, argc, argv);
}
