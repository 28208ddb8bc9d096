// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/baseline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/drift/builder.h"
#include "common/trust/digest.h"
#include "controller/cli/answer.h"
#include "controller/cli/cli.h"
#include "controller/cli/csv.h"
#include "controller/cli/talk.h"

#define SEALED_MAX (1u << 20)

const struct option_row cli_baseline_options[CLI_BASELINE_OPTIONS] = {
    {"model", 0, VALUE_TEXT, NULL, "the version that it describes", NULL,
     "NAME@VERSION"},
    {"csv", 0, VALUE_TEXT, NULL, "the training rows, with a header", NULL, "FILE"},
    {"time", 0, VALUE_TEXT, NULL, "column of the event time", NULL, "COLUMN"},
    {"window", 0, VALUE_DURATION, "60s", "length of a window, as the agents use",
     "1s..31d", NULL},
    {"prediction", 0, VALUE_TEXT, NULL, "column of the model's own predictions", NULL,
     "COLUMN"},
    {"label", 0, VALUE_TEXT, NULL, "column of the truth", NULL, "COLUMN"},
    {"label-delay", 0, VALUE_DURATION, "0s", "how long truth takes to arrive", NULL,
     NULL},
    {"performance", 0, VALUE_TEXT, NULL, "what the model predicts; the loss is |y-p|",
     "regression|binary", NULL},
    {"categorical", 0, VALUE_LIST, NULL,
     "column that is a category though it looks like "
     "a number",
     NULL, "COLUMN"},
    {"ignore", 0, VALUE_LIST, NULL, "column that is no feature", NULL, "COLUMN"},
};

// What a column of the file becomes.
struct column {
    bool is_used;
    enum drift_role role;
    enum drift_kind kind;
    uint32_t feature; // its number in the builder
};

struct work {
    const struct command_line *line;
    const char *path;
    struct csv *csv;
    struct column column[CSV_FIELDS_MAX];
    struct span field[CSV_FIELDS_MAX];
    struct builder_value value[CSV_FIELDS_MAX];
    int32_t time, prediction, label;
    struct builder *builder;
    struct baseline *older, *sealed;
    struct builder_settings settings;
};

static bool is_listed(const struct command_line *line, const char *option,
                      struct span name)
{
    size_t at = 0;
    const char *text;
    while ((text = command_each(line, option, &at)))
        if (span_is(name, text))
            return true;
    return false;
}

static int complain_row(const struct work *w, enum status st)
{
    talk_complain("%s:%llu: %s: every row needs %u fields, quotes closed, times rising",
                  w->path, (unsigned long long)csv_line(w->csv), status_text(st),
                  csv_columns(w->csv));
    return CLI_USAGE;
}

static int want_column(const struct work *w, const char *option, int32_t *out)
{
    const char *name = command_text(w->line, option);
    *out = -1;
    if (!name)
        return CLI_FINE;
    *out = csv_find(w->csv, name);
    if (*out >= 0)
        return CLI_FINE;
    talk_complain("%s: --%s: no column is called '%s'", w->path, option, name);
    return CLI_USAGE;
}

// Reads the file once: a column of which every value is a number is numeric.
static int find_kinds(struct work *w)
{
    uint32_t n = csv_columns(w->csv);
    for (uint32_t i = 0; i < n; i++) {
        struct span name = csv_name(w->csv, i);
        bool is_time = (int32_t)i == w->time;
        w->column[i] = (struct column){
            .is_used = !is_time && !is_listed(w->line, "ignore", name),
            .role = (int32_t)i == w->prediction ? ROLE_OUTPUT
                    : (int32_t)i == w->label    ? ROLE_LABEL
                                                : ROLE_INPUT,
            .kind = is_listed(w->line, "categorical", name) ? KIND_CATEGORICAL
                                                            : KIND_NUMERIC,
        };
        if (w->column[i].is_used && !text_is_name(name)) {
            talk_complain("%s: column %u has no usable name: letters, digits and _.-",
                          w->path, i + 1);
            return CLI_USAGE;
        }
    }
    enum status st;
    while ((st = csv_next(w->csv, w->field)) == ST_OK) {
        w->settings.rows_expected++;
        for (uint32_t i = 0; i < n; i++) {
            double number;
            if (!csv_is_missing(w->field[i]) && !csv_number(w->field[i], &number))
                w->column[i].kind = KIND_CATEGORICAL;
        }
    }
    return st == ST_EMPTY ? CLI_FINE : complain_row(w, st);
}

static enum status declare(struct work *w)
{
    uint32_t features = 0;
    for (uint32_t i = 0; i < csv_columns(w->csv); i++) {
        struct column *c = &w->column[i];
        if (!c->is_used)
            continue;
        c->feature = features++;
        const char *name = c->role == ROLE_OUTPUT  ? "prediction"
                           : c->role == ROLE_LABEL ? "label"
                                                   : NULL;
        struct span text = name ? span_text(name) : csv_name(w->csv, i);
        ST_TRY(builder_feature(w->builder, text, c->role, c->kind, GRID_F64));
    }
    return ST_OK;
}

static void take_value(const struct column *c, struct span field,
                       struct builder_value *out)
{
    *out = (struct builder_value){.text = field, .state = VALUE_PRESENT};
    if (csv_is_missing(field))
        out->state = VALUE_MISSING;
    else if (c->kind == KIND_NUMERIC && !csv_number(field, &out->number))
        out->state = VALUE_TYPE_ERROR;
}

static int feed_rows(struct work *w)
{
    uint64_t row = 0;
    enum status st = csv_rewind(w->csv);
    while (st == ST_OK && (st = csv_next(w->csv, w->field)) == ST_OK) {
        uint64_t at = row++ * NS_PER_S;
        if (w->time >= 0)
            st = text_time(w->field[w->time], &at);
        for (uint32_t i = 0; i < csv_columns(w->csv); i++)
            if (w->column[i].is_used)
                take_value(&w->column[i], w->field[i], &w->value[w->column[i].feature]);
        if (st == ST_OK)
            st = builder_row(w->builder, at, w->value);
    }
    return st == ST_EMPTY ? CLI_FINE : complain_row(w, st);
}

static int build(struct work *w)
{
    enum status st = builder_open(&w->settings, &w->builder);
    if (st == ST_OK)
        st = declare(w);
    if (st != ST_OK) {
        talk_complain("%s: %s", w->path, status_text(st));
        return CLI_USAGE;
    }
    int code = feed_rows(w);
    if (code != CLI_FINE)
        return code;
    builder_reuse(w->builder, w->older);
    st = builder_turn(w->builder);
    if (st == ST_OK && (code = feed_rows(w)) != CLI_FINE)
        return code;
    if (st == ST_OK)
        st = builder_seal(w->builder, &w->sealed);
    if (st == ST_OK)
        return CLI_FINE;
    talk_complain("%s: %s: a baseline needs rows that fill at least a few windows",
                  w->path, status_text(st));
    return CLI_USAGE;
}

// The model's key, which its categories are hashed with.
static int fetch_key(struct work *w, struct talk *t)
{
    struct buf text;
    buf_init(&text, 256);
    talk_add_model(t, command_text(w->line, "model"));
    int code = talk_ask(t, "model.key", span_text(""));
    if (code == CLI_FINE &&
        (answer_text(buf_span(&t->json), "key", &text) != ST_OK ||
         text_hex(buf_span(&text), w->settings.key, sizeof w->settings.key) != ST_OK)) {
        talk_complain("the controller's answer has no key");
        code = CLI_PARTIAL;
    }
    buf_fini(&text);
    return code;
}

// The newest baseline that another version of the model has; none is fine.
static int fetch_older(struct work *w, struct talk *t)
{
    struct buf text, bytes;
    buf_init(&text, CLIENT_ANSWER_MAX);
    buf_init(&bytes, BASELINE_BYTES_MAX);
    talk_clear(t);
    talk_add_model(t, command_text(w->line, "model"));
    talk_add(t, "sealed", span_text("yes"));
    int code = talk_ask(t, "baseline.newest", span_text(""));
    if (code == CLI_FINE &&
        answer_text(buf_span(&t->json), "sealed_bytes", &text) == ST_OK &&
        text.size > 0) {
        enum status st = text_base64url(buf_span(&text), &bytes);
        if (st == ST_OK)
            st = baseline_decode(buf_span(&bytes), &w->older);
        if (st != ST_OK)
            talk_complain(
                "the older baseline cannot be read (%s): this one gets cells of "
                "its own",
                status_text(st));
    }
    buf_fini(&text);
    buf_fini(&bytes);
    return code;
}

static void write_summary(const struct work *w, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "model", command_text(w->line, "model"));
    json_key_u64(&j, "rows", baseline_rows(w->sealed));
    json_key_u64(&j, "windows", baseline_windows(w->sealed));
    json_key_u64(&j, "features", baseline_features(w->sealed));
    json_key_bool(&j, "same_cells", w->older != NULL);
    json_key_hex(&j, "source_sha256", span_of(w->settings.source, 32));
    json_object_end(&j);
}

static int seal(struct work *w, struct talk *t)
{
    static const struct render_view view = {
        "model rows windows features same_cells source_sha256", NULL, 0};
    struct buf bytes;
    buf_init(&bytes, SEALED_MAX);
    baseline_encode(w->sealed, &bytes);
    if (bytes.failed) {
        talk_complain("%s: the baseline is larger than 1 MiB: leave columns out with "
                      "--ignore",
                      w->path);
        buf_fini(&bytes);
        return CLI_USAGE;
    }
    const char *name = strrchr(w->path, '/');
    talk_clear(t);
    talk_add_model(t, command_text(w->line, "model"));
    talk_add(t, "source", span_text(name ? name + 1 : w->path));
    int code = talk_ask(t, "baseline.seal", buf_span(&bytes));
    if (code == CLI_FINE) {
        buf_clear(&t->json);
        write_summary(w, &t->json);
        code = talk_show(t, &view);
    }
    buf_fini(&bytes);
    return code;
}

static int prepare(struct work *w)
{
    const char *model = command_text(w->line, "model");
    w->path = command_text(w->line, "csv");
    if (!w->path || !model || !strchr(model, '@')) {
        talk_complain("baseline create wants --model NAME@VERSION and --csv FILE");
        return CLI_USAGE;
    }
    const char *performance = command_text(w->line, "performance");
    w->settings.window_ns = command_u64(w->line, "window");
    w->settings.label_delay_ns = command_u64(w->line, "label-delay");
    w->settings.performance = !performance ? PERFORMANCE_NONE
                              : strcmp(performance, "binary") == 0
                                  ? PERFORMANCE_BINARY
                                  : PERFORMANCE_REGRESSION;
    w->settings.seed = 1; // the same file gives the same bytes
    enum status st = digest_of_file(w->path, w->settings.source);
    if (st == ST_OK)
        st = csv_open(w->path, &w->csv);
    if (st != ST_OK) {
        talk_complain("%s: %s", w->path, status_text(st));
        return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
    }
    int code = want_column(w, "time", &w->time);
    if (code == CLI_FINE)
        code = want_column(w, "prediction", &w->prediction);
    if (code == CLI_FINE)
        code = want_column(w, "label", &w->label);
    return code == CLI_FINE ? find_kinds(w) : code;
}

int cli_baseline_create(void *program, const struct command_line *line)
{
    (void)program;
    struct work *w = MEM_NEW(struct work);
    if (!w)
        return CLI_UNREACHABLE;
    w->line = line;
    int code = prepare(w);
    struct talk t = {0};
    if (code == CLI_FINE)
        code = talk_open(&t, line);
    if (code == CLI_FINE)
        code = fetch_key(w, &t);
    if (code == CLI_FINE)
        code = fetch_older(w, &t);
    if (code == CLI_FINE)
        code = build(w);
    if (code == CLI_FINE)
        code = seal(w, &t);
    if (t.line)
        talk_close(&t);
    baseline_close(w->sealed);
    baseline_close(w->older);
    builder_close(w->builder);
    csv_close(w->csv);
    mem_free(w);
    return code;
}

int cli_baseline_verify(void *program, const struct command_line *line)
{
    (void)program;
    const char *path = command_operand(line, 1);
    uint8_t digest[DIGEST_BYTES];
    enum status st = digest_of_file(path, digest);
    if (st != ST_OK) {
        talk_complain("%s: %s", path, status_text(st));
        return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
    }
    struct talk t;
    struct buf own, sealed;
    buf_init(&own, 128);
    buf_init(&sealed, 128);
    text_put_hex(&own, span_of(digest, sizeof digest));
    int code = talk_open(&t, line);
    if (code == CLI_FINE) {
        talk_add_model(&t, command_operand(line, 0));
        code = talk_ask(&t, "baseline.show", span_text(""));
    }
    if (code == CLI_FINE) {
        bool is_same =
            answer_text(buf_span(&t.json), "source_sha256", &sealed) == ST_OK &&
            span_equal(buf_span(&own), buf_span(&sealed));
        printf("%s  file %s  sealed from %s\n", is_same ? "MATCH" : "MISMATCH",
               buf_cstr(&own), buf_cstr(&sealed));
        code = is_same ? CLI_FINE : CLI_UNHEALTHY;
    }
    talk_close(&t);
    buf_fini(&own);
    buf_fini(&sealed);
    return code;
}
