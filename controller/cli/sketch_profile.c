// Sketch profile: reads a table three times: for the kinds of its columns, for their
// sketches and with these their grids, and for the counts in the grids.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/sketch_profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "common/sketch/quantile.h"
#include "controller/cli/cli.h"
#include "controller/cli/csv.h"
#include "controller/cli/talk.h"

#define NUMBERS_MAX (1u << 24) // from stdin, which cannot be read twice
#define OUT_MAX (64u << 20)
#define TOP_SHOWN 10
#define TOP_IN_TABLE 3

const struct option_row cli_sketch_profile_options[CLI_SKETCH_PROFILE_OPTIONS] = {
    {"k", 0, VALUE_NUMBER, "1000", "size and error of the quantiles: 1000 is 0.28 %",
     "8..65535", NULL},
    {"type", 0, VALUE_WORD, "double", "of the numbers", "float|double", "TYPE"},
    {"output", 'o', VALUE_TEXT, NULL, "table, json or csv", "table|json|csv", "FORM"},
};

// A column: first its sketches, then its counts.
struct column {
    struct span name;
    enum profile_kind kind;
    struct profile *sketches;
    struct grid *grid;
    struct profile *counts;
};

struct work {
    const struct command_line *line;
    const char *path;
    struct csv *csv; // NULL: numbers
    struct column *column;
    uint32_t columns;
    uint64_t rows;
    double *number;
    size_t numbers;
    struct span field[CSV_FIELDS_MAX];
};

static uint64_t hash_of(struct span text)
{
    static const uint8_t no_key[16] = {0}; // nothing leaves this machine
    return hash_sip(no_key, text);
}

static void add_number(struct profile *p, struct span field)
{
    uint8_t state = csv_is_missing(field) ? VALUE_MISSING : VALUE_PRESENT;
    double value = 0;
    if (state == VALUE_PRESENT && !csv_number(field, &value))
        state = VALUE_TYPE_ERROR;
    profile_update(p, &(struct profile_column){.f64 = &value, .state = &state, .n = 1});
}

static void add_category(struct profile *p, struct span field)
{
    uint8_t state = csv_is_missing(field) ? VALUE_MISSING : VALUE_PRESENT;
    uint64_t hash = hash_of(field);
    profile_update_hash(p, &(struct profile_categories){&hash, &field, &state, 1});
}

static void add_field(const struct column *c, struct profile *p, struct span field)
{
    if (c->kind == PROFILE_CATEGORICAL)
        add_category(p, field);
    else
        add_number(p, field);
}

static int complain_row(const struct work *w, enum status st)
{
    talk_complain("%s:%llu: %s: every row needs %u fields and closed quotes", w->path,
                  (unsigned long long)csv_line(w->csv), status_text(st),
                  csv_columns(w->csv));
    return CLI_USAGE;
}

static int complain_status(const char *what, enum status st)
{
    talk_complain("%s: %s", what, status_text(st));
    return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
}

static int find_kinds(struct work *w)
{
    enum status st;
    while ((st = csv_next(w->csv, w->field)) == ST_OK) {
        w->rows++;
        for (uint32_t i = 0; i < w->columns; i++) {
            double number;
            if (!csv_is_missing(w->field[i]) && !csv_number(w->field[i], &number))
                w->column[i].kind = PROFILE_CATEGORICAL;
        }
    }
    return st == ST_EMPTY ? CLI_FINE : complain_row(w, st);
}

// One pass: every row into the sketches, or into the counts.
static int add_rows(struct work *w, bool is_counting)
{
    enum status st = csv_rewind(w->csv);
    while (st == ST_OK && (st = csv_next(w->csv, w->field)) == ST_OK)
        for (uint32_t i = 0; i < w->columns; i++) {
            const struct column *c = &w->column[i];
            add_field(c, is_counting ? c->counts : c->sketches, w->field[i]);
        }
    return st == ST_EMPTY ? CLI_FINE : complain_row(w, st);
}

static int add_all(struct work *w, bool is_counting)
{
    if (w->csv)
        return add_rows(w, is_counting);
    const struct column *c = w->column;
    profile_update(is_counting ? c->counts : c->sketches,
                   &(struct profile_column){.f64 = w->number, .n = w->numbers});
    return CLI_FINE;
}

static enum status grid_of_topk(const struct topk *t, struct grid **out)
{
    enum { MOST = 768 };
    static struct topk_item item[MOST];
    static struct grid_category category[MOST];
    uint32_t n = topk_heaviest(t, MOST, item);
    for (uint32_t i = 0; i < n; i++) {
        struct span text = item[i].text;
        category[i].hash = text.size ? hash_of(text) : item[i].hash;
        category[i].weight = item[i].upper;
    }
    return grid_of_categories(category, n, out);
}

// The grid that a baseline of this column would have; none without values.
static enum status make_grid(struct column *c)
{
    if (c->kind == PROFILE_CATEGORICAL)
        return grid_of_topk(profile_topk(c->sketches), &c->grid);
    struct quantile *q = profile_quantile(c->sketches);
    return quantile_n(q) ? grid_of_quantile(q, NULL, 0, &c->grid) : ST_OK;
}

static enum status open_profiles(struct work *w)
{
    struct profile_options o = {
        .width = command_u64(w->line, "type") ? GRID_F64 : GRID_F32,
        .sketches = PROFILE_WITH_SKETCHES,
        .k = (uint32_t)command_u64(w->line, "k"),
        .seed = random_os(),
    };
    for (uint32_t i = 0; i < w->columns; i++) {
        o.kind = w->column[i].kind;
        ST_TRY(profile_open(&o, NULL, &w->column[i].sketches));
    }
    return ST_OK;
}

static enum status open_counts(struct work *w)
{
    for (uint32_t i = 0; i < w->columns; i++) {
        struct column *c = &w->column[i];
        struct profile_options o = {.kind = c->kind,
                                    .width = profile_width(c->sketches)};
        ST_TRY(make_grid(c));
        ST_TRY(profile_open(&o, c->grid, &c->counts));
    }
    return ST_OK;
}

static int count(struct work *w)
{
    enum status st = open_profiles(w);
    if (st != ST_OK)
        return complain_status(w->path, st);
    int code = add_all(w, false);
    if (code != CLI_FINE)
        return code;
    st = open_counts(w);
    return st == ST_OK ? add_all(w, true) : complain_status(w->path, st);
}

static void put_counters(struct json *j, const struct counters *c, bool is_numeric)
{
    json_key_u64(j, "rows", c->rows);
    json_key_u64(j, "missing", counters_absent(c));
    if (is_numeric) {
        json_key_u64(j, "pos_inf", c->pos_inf);
        json_key_u64(j, "neg_inf", c->neg_inf);
        json_key_u64(j, "zero", c->zero);
        json_key_u64(j, "negative", c->negative);
    }
    json_key_u64(j, "run_longest", c->run_longest);
}

static void put_quantiles(struct json *j, struct quantile *q)
{
    static const struct {
        const char *name;
        double rank;
    } rows[] = {{"p01", .01}, {"p05", .05}, {"p25", .25}, {"p50", .50},
                {"p75", .75}, {"p95", .95}, {"p99", .99}};
    struct quantile_view *v = NULL;
    if (quantile_view_open(quantile_k(q), &v) != ST_OK)
        return;
    if (quantile_view_load(v, q) == ST_OK)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            json_key_f64(j, rows[i].name,
                         quantile_view_quantile(v, rows[i].rank, QUANTILE_INCLUSIVE));
    quantile_view_close(v);
}

static void put_numbers(struct json *j, const struct column *c)
{
    const struct moments *m = profile_moments(c->counts);
    if (m->n == 0)
        return;
    json_key_f64(j, "mean", moments_mean(m));
    json_key_f64(j, "sd", moments_sd(m));
    json_key_f64(j, "min", m->min);
    put_quantiles(j, profile_quantile(c->sketches));
    json_key_f64(j, "max", m->max);
}

static void put_categories(struct json *j, const struct profile *p)
{
    struct topk_item item[TOP_SHOWN];
    struct buf name, top;
    uint32_t n = topk_heaviest(profile_topk(p), TOP_SHOWN, item);
    buf_init(&name, 256);
    buf_init(&top, 1024);
    json_key_f64(j, "distinct", round(distinct_estimate(profile_distinct(p))));
    json_key(j, "values");
    json_array(j);
    for (uint32_t i = 0; i < n; i++) {
        buf_clear(&name);
        topk_put_name(&item[i], &name);
        json_object(j);
        json_key_text(j, "value", buf_span(&name));
        json_key_u64(j, "least", item[i].lower);
        json_key_u64(j, "most", item[i].upper);
        json_object_end(j);
        if (i < TOP_IN_TABLE)
            buf_printf(&top, "%s%s", i ? ", " : "", buf_cstr(&name));
    }
    json_array_end(j);
    json_key_text(j, "top", buf_span(&top));
    buf_fini(&name);
    buf_fini(&top);
}

static void put_cells(struct json *j, const struct column *c)
{
    uint32_t n;
    const uint64_t *count = profile_cells(c->counts, &n);
    json_key(j, "cells");
    json_array(j);
    for (uint32_t i = 0; i < n; i++)
        json_u64(j, count[i]);
    json_array_end(j);
    if (!c->grid || c->kind == PROFILE_CATEGORICAL)
        return;
    json_key(j, "upper_bounds"); // of all cells but the last
    json_array(j);
    for (uint32_t i = 0; i + 1 < n; i++) {
        double low, high;
        grid_bounds(c->grid, i, &low, &high);
        json_f64(j, high);
    }
    json_array_end(j);
}

// Bytes of the counts, which every window carries, and of the sketches.
static void put_sizes(struct json *j, const struct column *c)
{
    struct buf plain, whole;
    buf_init(&plain, PROFILE_BYTES_MAX);
    buf_init(&whole, PROFILE_BYTES_MAX);
    profile_encode(c->counts, PROFILE_PLAIN, &plain);
    profile_encode(c->sketches, PROFILE_WITH_SKETCHES, &whole);
    json_key_u64(j, "bytes", plain.size);
    json_key_u64(j, "sketch_bytes", whole.size);
    buf_fini(&plain);
    buf_fini(&whole);
}

static void put_column(struct json *j, const struct column *c)
{
    bool is_numeric = c->kind != PROFILE_CATEGORICAL;
    json_object(j);
    json_key_text(j, "column", c->name);
    json_key_cstr(j, "kind", is_numeric ? "numeric" : "categorical");
    put_counters(j, profile_counters(c->counts), is_numeric);
    json_key_bool(j, "constant", profile_is_constant(c->counts));
    if (is_numeric)
        put_numbers(j, c);
    else
        put_categories(j, c->sketches);
    put_cells(j, c);
    put_sizes(j, c);
    json_object_end(j);
}

static int show(const struct work *w)
{
    static const struct render_list lists[] = {
        {"columns", NULL,
         "column kind rows missing zero min p50 max mean sd run_longest distinct top"}};
    static const struct render_view view = {"rows", lists, 1, NULL};
    struct buf json, out;
    struct json j;
    buf_init(&json, OUT_MAX);
    buf_init(&out, OUT_MAX);
    json_init(&j, &json);
    json_object(&j);
    json_key_u64(&j, "rows", w->csv ? w->rows : w->numbers);
    json_key(&j, "columns");
    json_array(&j);
    for (uint32_t i = 0; i < w->columns; i++)
        put_column(&j, &w->column[i]);
    json_array_end(&j);
    json_object_end(&j);
    enum status st = json.failed;
    if (st == ST_OK)
        st = render_answer(buf_span(&json), talk_form(w->line), &view, &out);
    if (st == ST_OK)
        fwrite(out.data, 1, out.size, stdout);
    buf_fini(&json);
    buf_fini(&out);
    return st == ST_OK ? CLI_FINE : complain_status(w->path, st);
}

static int open_table(struct work *w)
{
    enum status st = csv_open(w->path, &w->csv);
    if (st != ST_OK)
        return complain_status(w->path, st);
    w->columns = csv_columns(w->csv);
    w->column = mem_zero(w->columns, sizeof *w->column);
    if (!w->column)
        return complain_status(w->path, ST_NOMEM);
    for (uint32_t i = 0; i < w->columns; i++)
        w->column[i].name = csv_name(w->csv, i);
    return find_kinds(w);
}

static bool is_separator(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == ',' || c == ';';
}

// The next run of other characters, cut at `size`; false at the end.
static bool read_word(FILE *file, char *text, size_t size)
{
    size_t n = 0;
    int c = getc(file);
    while (is_separator(c))
        c = getc(file);
    for (; c != EOF && !is_separator(c); c = getc(file))
        if (n + 1 < size)
            text[n++] = (char)c;
    text[n] = '\0';
    return n > 0;
}

static enum status grow(struct work *w, size_t *room)
{
    if (w->numbers < *room)
        return ST_OK;
    if (*room >= NUMBERS_MAX)
        return ST_FULL;
    size_t more = *room ? 2 * *room : 4096;
    double *number = mem_resize(w->number, more, sizeof *number);
    if (!number)
        return ST_NOMEM;
    w->number = number;
    *room = more;
    return ST_OK;
}

static int read_numbers(struct work *w)
{
    char text[64];
    size_t room = 0;
    while (read_word(stdin, text, sizeof text)) {
        enum status st = grow(w, &room);
        if (st != ST_OK)
            return complain_status(w->path, st);
        if (!csv_number(span_text(text), &w->number[w->numbers++])) {
            talk_complain("stdin: '%s' is no number (a table must be a file, since it "
                          "is read three times)",
                          text);
            return CLI_USAGE;
        }
    }
    w->columns = 1;
    w->column = mem_zero(1, sizeof *w->column);
    if (!w->column)
        return complain_status(w->path, ST_NOMEM);
    w->column[0].name = span_text("value");
    return CLI_FINE;
}

static void work_fini(struct work *w)
{
    for (uint32_t i = 0; w->column && i < w->columns; i++) {
        profile_close(w->column[i].sketches);
        profile_close(w->column[i].counts);
        grid_close(w->column[i].grid);
    }
    mem_free(w->column);
    mem_free(w->number);
    csv_close(w->csv);
}

int cli_sketch_profile(void *program, const struct command_line *line)
{
    (void)program;
    static struct work w; // its fields are too many for a stack
    w = (struct work){.line = line, .path = command_operand(line, 0)};
    bool is_stdin = !w.path || strcmp(w.path, "-") == 0;
    w.path = is_stdin ? "stdin" : w.path;
    int code = is_stdin ? read_numbers(&w) : open_table(&w);
    if (code == CLI_FINE)
        code = count(&w);
    if (code == CLI_FINE)
        code = show(&w);
    work_fini(&w);
    return code;
}
