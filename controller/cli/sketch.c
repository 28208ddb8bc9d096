// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/sketch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/setup/command.h"
#include "common/sketch/quantile.h"
#include "controller/cli/cli.h"
#include "controller/cli/sketch_other.h"
#include "controller/cli/sketch_profile.h"
#include "controller/cli/talk.h"

#define FILE_MAX (64u << 20)
#define OUT_MAX (16u << 20)
#define NUMBER_MAX 64u // characters of one number on stdin

// A sketch file that was read, and what is known of its type.
struct opened {
    struct quantile *sketch;
    struct quantile_view *view;
    bool is_any_type; // empty: its bytes fit both
};

static void opened_fini(struct opened *o)
{
    quantile_view_close(o->view);
    quantile_close(o->sketch);
}

static int complain_file(const char *path, enum status st)
{
    talk_complain("%s: %s", path, status_text(st));
    return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
}

static enum status read_stdin(struct buf *bytes)
{
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, stdin)) > 0)
        buf_put(bytes, part, n);
    return ferror(stdin) ? ST_IO : bytes->failed;
}

static int read_file(const char *path, struct buf *bytes)
{
    enum status st =
        strcmp(path, "-") == 0 ? read_stdin(bytes) : file_read(path, bytes);
    return st == ST_OK ? CLI_FINE : complain_file(path, st);
}

// The type that --type names, else the one that the length tells.
static enum status choose_type(const struct command_line *line, struct span bytes,
                               enum quantile_type *type, bool *is_any)
{
    *is_any = false;
    if (command_has(line, "type")) {
        *type = command_u64(line, "type") ? QUANTILE_DOUBLE : QUANTILE_FLOAT;
        return ST_OK;
    }
    enum status st = quantile_infer_type(bytes, type);
    if (st != ST_CONFLICT)
        return st;
    *is_any = true;
    *type = QUANTILE_FLOAT;
    return ST_OK;
}

static int complain_bytes(const struct command_line *line, const char *path,
                          struct span bytes)
{
    const char *as_float = "", *as_double = "";
    if (quantile_check(QUANTILE_FLOAT, bytes, &as_float) == ST_OK)
        as_float = "it is one of floats";
    if (quantile_check(QUANTILE_DOUBLE, bytes, &as_double) == ST_OK)
        as_double = "it is one of doubles";
    if (command_has(line, "type"))
        talk_complain("%s: no KLL sketch of %ss: %s", path,
                      command_u64(line, "type") ? "double" : "float",
                      command_u64(line, "type") ? as_double : as_float);
    else if (strcmp(as_float, as_double) == 0)
        talk_complain("%s: no KLL sketch: %s", path, as_float);
    else
        talk_complain("%s: no KLL sketch: of floats, %s; of doubles, %s", path,
                      as_float, as_double);
    return CLI_UNHEALTHY;
}

static int parse_file(const struct command_line *line, const char *path,
                      struct span bytes, struct opened *out)
{
    enum quantile_type type = QUANTILE_FLOAT;
    enum status st = choose_type(line, bytes, &type, &out->is_any_type);
    if (st == ST_OK)
        st = quantile_parse(type, bytes, random_os(), &out->sketch);
    if (st == ST_CORRUPT)
        return complain_bytes(line, path, bytes);
    if (st == ST_OK)
        st = quantile_view_open(quantile_k(out->sketch), &out->view);
    if (st == ST_OK)
        st = quantile_view_load(out->view, out->sketch);
    if (st == ST_OK || st == ST_EMPTY)
        return CLI_FINE;
    return complain_file(path, st);
}

static int open_file(const struct command_line *line, const char *path,
                     struct opened *out)
{
    struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    *out = (struct opened){0};
    int code = read_file(path, &bytes);
    if (code == CLI_FINE)
        code = parse_file(line, path, buf_span(&bytes), out);
    buf_fini(&bytes);
    return code;
}

// JSON has no infinity: it is written as a text, NaN as null.
static void put_number(struct json *j, double v)
{
    if (isinf(v))
        json_cstr(j, v > 0 ? "inf" : "-inf");
    else
        json_f64(j, v);
}

static void put_key_number(struct json *j, const char *key, double v)
{
    json_key(j, key);
    put_number(j, v);
}

static bool wants_json(const struct command_line *line)
{
    return talk_form(line) == RENDER_JSON;
}

static int print(struct buf *out)
{
    if (out->failed) {
        talk_complain("%s", status_text(out->failed));
        return CLI_USAGE;
    }
    fwrite(out->data, 1, out->size, stdout);
    return CLI_FINE;
}

static const char *type_word(const struct opened *o)
{
    if (o->is_any_type)
        return "any";
    return quantile_type_of(o->sketch) == QUANTILE_FLOAT ? "float" : "double";
}

static void show_json(struct opened *o, struct buf *out)
{
    struct json j;
    struct quantile *q = o->sketch;
    bool is_empty = quantile_n(q) == 0;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "type", type_word(o));
    json_key_u64(&j, "k", quantile_k(q));
    json_key_u64(&j, "n", quantile_n(q));
    json_key_u64(&j, "min_k", quantile_min_k(q));
    put_key_number(&j, "min", is_empty ? NAN : quantile_min(q));
    put_key_number(&j, "max", is_empty ? NAN : quantile_max(q));
    json_key_u64(&j, "retained", quantile_retained(q));
    json_key_u64(&j, "levels", quantile_levels(q));
    json_key_f64(&j, "rank_error", quantile_rank_error(quantile_min_k(q)));
    json_key_f64(&j, "pmf_error", quantile_pmf_error(quantile_min_k(q)));
    json_object_end(&j);
    buf_put_u8(out, '\n');
}

static void show_table(struct opened *o, struct buf *out)
{
    static const double ranks[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
    struct quantile *q = o->sketch;
    buf_printf(out,
               "type        %s\nk           %u\nn           %llu\nmin k       %u\n"
               "retained    %u in %u levels\nrank error  %.3f %% at 99 %% confidence\n",
               type_word(o), quantile_k(q), (unsigned long long)quantile_n(q),
               quantile_min_k(q), quantile_retained(q), quantile_levels(q),
               100 * quantile_rank_error(quantile_min_k(q)));
    if (quantile_n(q) == 0)
        return;
    buf_printf(out, "min         %.9g\n", quantile_min(q));
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        buf_printf(out, "p%-10g %.9g\n", 100 * ranks[i],
                   quantile_view_quantile(o->view, ranks[i], QUANTILE_INCLUSIVE));
    buf_printf(out, "max         %.9g\n", quantile_max(q));
}

static int show(void *program, const struct command_line *line)
{
    (void)program;
    const char *path = command_operand(line, 0);
    struct opened o = {0};
    struct buf bytes, out;
    bool as_json = wants_json(line), is_other = false;
    buf_init(&bytes, FILE_MAX);
    buf_init(&out, OUT_MAX);
    int code = read_file(path, &bytes);
    if (code == CLI_FINE)
        code = cli_sketch_show_other(path, buf_span(&bytes), as_json, &out, &is_other);
    if (code == CLI_FINE && !is_other)
        code = parse_file(line, path, buf_span(&bytes), &o);
    if (code == CLI_FINE && !is_other) {
        if (as_json)
            show_json(&o, &out);
        else
            show_table(&o, &out);
    }
    if (code == CLI_FINE)
        code = print(&out);
    opened_fini(&o);
    buf_fini(&bytes);
    buf_fini(&out);
    return code;
}

// A number on the command line: what strtod reads, infinities included.
static bool read_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && !isnan(*out);
}

static int quantiles(void *program, const struct command_line *line)
{
    (void)program;
    struct opened o;
    struct buf out;
    struct json j;
    bool as_json = wants_json(line);
    buf_init(&out, OUT_MAX);
    int code = open_file(line, command_operand(line, 0), &o);
    json_init(&j, &out);
    if (as_json)
        json_array(&j);
    for (size_t i = 1; code == CLI_FINE && i < line->operands; i++) {
        double rank;
        if (!read_number(command_operand(line, i), &rank) || rank < 0 || rank > 1) {
            talk_complain("'%s' is no rank: write a share in 0..1, such as 0.95",
                          command_operand(line, i));
            code = CLI_USAGE;
            break;
        }
        double value = quantile_view_quantile(o.view, rank, QUANTILE_INCLUSIVE);
        if (!as_json) {
            buf_printf(&out, "%-10g %.9g\n", rank, value);
            continue;
        }
        json_object(&j);
        json_key_f64(&j, "rank", rank);
        put_key_number(&j, "value", value);
        json_object_end(&j);
    }
    if (as_json) {
        json_array_end(&j);
        buf_put_u8(&out, '\n');
    }
    if (code == CLI_FINE)
        code = print(&out);
    opened_fini(&o);
    buf_fini(&out);
    return code;
}

static int ranks(void *program, const struct command_line *line)
{
    (void)program;
    struct opened o;
    struct buf out;
    struct json j;
    bool as_json = wants_json(line);
    buf_init(&out, OUT_MAX);
    int code = open_file(line, command_operand(line, 0), &o);
    json_init(&j, &out);
    if (as_json)
        json_array(&j);
    for (size_t i = 1; code == CLI_FINE && i < line->operands; i++) {
        double value;
        if (!read_number(command_operand(line, i), &value)) {
            talk_complain("'%s' is no number", command_operand(line, i));
            code = CLI_USAGE;
            break;
        }
        double below = quantile_view_rank(o.view, value, QUANTILE_EXCLUSIVE);
        double upto = quantile_view_rank(o.view, value, QUANTILE_INCLUSIVE);
        if (!as_json) {
            buf_printf(&out, "%-14.9g %.6f of values are <=, %.6f are <\n", value, upto,
                       below);
            continue;
        }
        json_object(&j);
        put_key_number(&j, "value", value);
        json_key_f64(&j, "rank", upto);
        json_key_f64(&j, "exclusive", below);
        json_key_f64(&j, "error", quantile_rank_error(quantile_min_k(o.sketch)));
        json_object_end(&j);
    }
    if (code == CLI_FINE && !as_json)
        buf_printf(&out, "each within %.3f %% at 99 %% confidence\n",
                   100 * quantile_rank_error(quantile_min_k(o.sketch)));
    if (as_json) {
        json_array_end(&j);
        buf_put_u8(&out, '\n');
    }
    if (code == CLI_FINE)
        code = print(&out);
    opened_fini(&o);
    buf_fini(&out);
    return code;
}

// Points of the command line, ascending.
static int read_points(const struct command_line *line, double *point)
{
    for (size_t i = 1; i < line->operands; i++) {
        const char *text = command_operand(line, i);
        if (!read_number(text, &point[i - 1])) {
            talk_complain("'%s' is no number", text);
            return CLI_USAGE;
        }
        if (i > 1 && !(point[i - 2] < point[i - 1])) {
            talk_complain("'%s': the points must ascend", text);
            return CLI_USAGE;
        }
    }
    return CLI_FINE;
}

static void put_shares(const struct command_line *line, const struct opened *o,
                       const double *point, const double *share, struct buf *out)
{
    struct json j;
    size_t n = line->operands - 1;
    double error = quantile_pmf_error(quantile_min_k(o->sketch));
    if (!wants_json(line)) {
        for (size_t i = 0; i <= n; i++)
            buf_printf(out, "%-14.9g < x <= %-14.9g %.6f\n",
                       i ? point[i - 1] : -INFINITY, i < n ? point[i] : INFINITY,
                       share[i]);
        buf_printf(out, "each within %.3f %% at 99 %% confidence\n", 100 * error);
        return;
    }
    json_init(&j, out);
    json_array(&j);
    for (size_t i = 0; i <= n; i++) {
        json_object(&j);
        put_key_number(&j, "above", i ? point[i - 1] : -INFINITY);
        put_key_number(&j, "upto", i < n ? point[i] : INFINITY);
        json_key_f64(&j, "share", share[i]);
        json_key_f64(&j, "error", error);
        json_object_end(&j);
    }
    json_array_end(&j);
    buf_put_u8(out, '\n');
}

static int shares(void *program, const struct command_line *line)
{
    (void)program;
    struct opened o;
    struct buf out;
    size_t n = line->operands - 1;
    double *point = mem_zero(2 * n + 1, sizeof *point);
    if (!point)
        return complain_file(command_operand(line, 0), ST_NOMEM);
    double *share = point + n;
    buf_init(&out, OUT_MAX);
    int code = open_file(line, command_operand(line, 0), &o);
    if (code == CLI_FINE)
        code = read_points(line, point);
    if (code == CLI_FINE) {
        if (quantile_view_pmf(o.view, point, n, QUANTILE_INCLUSIVE, share) != ST_OK)
            for (size_t i = 0; i <= n; i++)
                share[i] = NAN; // of nothing
        put_shares(line, &o, point, share, &out);
        code = print(&out);
    }
    opened_fini(&o);
    buf_fini(&out);
    mem_free(point);
    return code;
}

static int write_sketch(const struct command_line *line, struct quantile *q)
{
    const char *path = command_text(line, "write");
    struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    enum status st = quantile_serialize(q, &bytes);
    if (st == ST_OK && path)
        st = file_replace(path, buf_span(&bytes), FILE_PUBLIC);
    if (st == ST_OK && !path && isatty(STDOUT_FILENO)) {
        talk_complain("sketches are bytes: name a file with -O");
        buf_fini(&bytes);
        return CLI_USAGE;
    }
    if (st == ST_OK && !path)
        fwrite(bytes.data, 1, bytes.size, stdout);
    buf_fini(&bytes);
    return st == ST_OK ? CLI_FINE : complain_file(path ? path : "stdout", st);
}

// What a merge makes: of the first file's k unless one is asked for, and of the type of
// the first sketch that has one, since an empty one is of either.
struct merging {
    const struct command_line *line;
    struct quantile *into; // NULL until a type is known
    uint32_t k;
};

static int merge_one(struct merging *m, const char *path, struct opened *o)
{
    enum status st = ST_OK;
    m->k = m->k ? m->k : quantile_k(o->sketch);
    if (o->is_any_type)
        return CLI_FINE;
    if (!m->into)
        st = quantile_open(quantile_type_of(o->sketch), m->k, random_os(), &m->into);
    if (st == ST_OK)
        st = quantile_merge(m->into, o->sketch);
    if (st == ST_OK)
        return CLI_FINE;
    if (st != ST_RANGE)
        return complain_file(path, st);
    talk_complain("%s: float and double sketches do not merge", path);
    return CLI_USAGE;
}

static int merge(void *program, const struct command_line *line)
{
    (void)program;
    struct merging m = {line, NULL, 0};
    if (command_has(line, "k"))
        m.k = (uint32_t)command_u64(line, "k");
    int code = CLI_FINE;
    for (size_t i = 0; code == CLI_FINE && i < line->operands; i++) {
        struct opened o;
        const char *path = command_operand(line, i);
        code = open_file(line, path, &o);
        if (code == CLI_FINE)
            code = merge_one(&m, path, &o);
        opened_fini(&o);
    }
    enum status st = ST_OK;
    if (code == CLI_FINE && !m.into)
        st = quantile_open(QUANTILE_FLOAT, m.k, random_os(), &m.into);
    if (st != ST_OK)
        code = complain_file("merge", st);
    if (code == CLI_FINE)
        code = write_sketch(line, m.into);
    quantile_close(m.into);
    return code;
}

// Numbers separated by blanks, commas or line ends.
static int add_numbers(FILE *file, const char *name, struct quantile *q)
{
    char text[NUMBER_MAX];
    size_t size = 0;
    uint64_t line = 1;
    for (;;) {
        int c = getc(file);
        bool is_end = c == EOF || strchr(" \t\r\n,;", c) != NULL;
        if (!is_end && size < sizeof text - 1) {
            text[size++] = (char)c;
            continue;
        }
        text[size] = '\0';
        char *end = text;
        double value = size ? strtod(text, &end) : 0;
        if (!is_end || *end != '\0') {
            talk_complain("%s:%llu: '%s' is no number", name, (unsigned long long)line,
                          text);
            return CLI_USAGE;
        }
        if (size)
            (void)quantile_add(q, value);
        size = 0;
        line += c == '\n';
        if (c == EOF)
            return CLI_FINE;
    }
}

static void tell_refused(const struct quantile *q)
{
    struct quantile_tally t = quantile_offered(q);
    if (t.nan + t.pos_inf + t.neg_inf)
        talk_complain("left out: %llu NaN, %llu +inf, %llu -inf",
                      (unsigned long long)t.nan, (unsigned long long)t.pos_inf,
                      (unsigned long long)t.neg_inf);
}

static int build(void *program, const struct command_line *line)
{
    (void)program;
    struct quantile *q = NULL;
    enum quantile_type type =
        command_u64(line, "type") ? QUANTILE_DOUBLE : QUANTILE_FLOAT;
    uint32_t k = (uint32_t)command_u64(line, "k");
    enum status st = quantile_open(type, k, random_os(), &q);
    if (st != ST_OK)
        return complain_file("build", st);
    const char *path = command_operand(line, 0);
    bool is_stdin = !path || strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    int code = file ? add_numbers(file, is_stdin ? "stdin" : path, q)
                    : complain_file(path, ST_NOTFOUND);
    if (file && !is_stdin)
        fclose(file);
    if (code == CLI_FINE) {
        tell_refused(q);
        code = write_sketch(line, q);
    }
    quantile_close(q);
    return code;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TYPE_ROW                                                                       \
    {                                                                                  \
        "type", 0, VALUE_WORD, NULL, "of the items; else the length tells",            \
            "float|double", "TYPE"                                                     \
    }

static const struct option_row read_options[] = {
    TYPE_ROW, {"output", 'o', VALUE_TEXT, NULL, "table or json", "table|json", "FORM"}};
static const struct option_row merge_options[] = {
    TYPE_ROW,
    {"k", 0, VALUE_NUMBER, NULL, "of the result; else the first file's", "8..65535",
     NULL},
    {"write", 'O', VALUE_TEXT, NULL, "where the sketch goes; else stdout", NULL,
     "FILE"}};
static const struct option_row build_options[] = {
    TYPE_ROW,
    {"k", 0, VALUE_NUMBER, "200", "size and error: 200 is 1.3 %, 1000 is 0.28 %",
     "8..65535", NULL},
    {"write", 'O', VALUE_TEXT, NULL, "where the sketch goes; else stdout", NULL,
     "FILE"}};

static const struct verb_row verbs[] = {
    {"show", "FILE", "what a sketch holds, and how exact it is", show, read_options,
     COUNT(read_options), NULL},
    {"quantile", "FILE RANK...", "values at these ranks, inclusive", quantiles,
     read_options, COUNT(read_options), NULL},
    {"rank", "FILE VALUE...", "ranks of these values", ranks, read_options,
     COUNT(read_options), NULL},
    {"pmf", "FILE POINT...", "shares of the values between these ascending points",
     shares, read_options, COUNT(read_options), NULL},
    {"merge", "FILE...", "one sketch of many, of any k", merge, merge_options,
     COUNT(merge_options), NULL},
    {"profile", "[FILE]", "all that is kept of each column of a table, or of numbers",
     cli_sketch_profile, cli_sketch_profile_options, CLI_SKETCH_PROFILE_OPTIONS,
     "FILE is CSV with a header. Without it, or as -, numbers are read from stdin. A "
     "column is numeric when all its values are numbers."},
    {"build", "[FILE]", "a sketch of numbers from a file or stdin", build,
     build_options, COUNT(build_options), NULL},
};

static const struct command command = {
    .program = "kedge sketch",
    .purpose =
        "sketches in the Apache DataSketches formats: quantiles (KLL); 'show' reads "
        "HLL and Frequent Items too",
    .verb = verbs,
    .verbs = COUNT(verbs),
};

int cli_sketch(int argc, char **argv)
{
    return command_main(&command, NULL, argc, argv);
}
