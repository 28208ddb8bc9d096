// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/scrape.h"

#include <math.h>

#include "common/base/mem.h"
#include "common/base/text.h"

enum signal {
    SIGNAL_REQUESTS,
    SIGNAL_ERRORS,
    SIGNAL_DURATION_US,
    SIGNAL_QUEUE_US,
    SIGNAL_DURATION_S,
    SIGNAL_RUNNING,
    SIGNAL_WAITING,
    SIGNAL_TOKENS,
};

static const char *const signal_names[SCRAPE_SIGNALS] = {
    [SIGNAL_REQUESTS] = "requests_total",
    [SIGNAL_ERRORS] = "errors_total",
    [SIGNAL_DURATION_US] = "duration_us_total",
    [SIGNAL_QUEUE_US] = "queue_us_total",
    [SIGNAL_DURATION_S] = "duration_s_total",
    [SIGNAL_RUNNING] = "in_flight",
    [SIGNAL_WAITING] = "waiting",
    [SIGNAL_TOKENS] = "tokens_total",
};

static const struct {
    const char *metric;
    enum signal signal;
} metrics[] = {
    {"nv_inference_request_success", SIGNAL_REQUESTS},
    {"nv_inference_request_failure", SIGNAL_ERRORS},
    {"nv_inference_request_duration_us", SIGNAL_DURATION_US},
    {"nv_inference_queue_duration_us", SIGNAL_QUEUE_US},
    {"ts_inference_requests_total", SIGNAL_REQUESTS},
    {"ts_inference_latency_microseconds", SIGNAL_DURATION_US},
    {"ts_queue_latency_microseconds", SIGNAL_QUEUE_US},
    {"request_predict_seconds_count", SIGNAL_REQUESTS},
    {"request_predict_seconds_sum", SIGNAL_DURATION_S},
    {"vllm:request_success_total", SIGNAL_REQUESTS},
    {"vllm:e2e_request_latency_seconds_sum", SIGNAL_DURATION_S},
    {"vllm:num_requests_running", SIGNAL_RUNNING},
    {"vllm:num_requests_waiting", SIGNAL_WAITING},
    {"vllm:generation_tokens_total", SIGNAL_TOKENS},
};

static const char *const model_labels[] = {"model", "model_name"};
static const char *const version_labels[] = {"version", "model_version"};

enum status scrape_init(struct scrape *s, const struct observation_sink *sink)
{
    *s = (struct scrape){0};
    lines_init(&s->lines);
    s->series = mem_zero(SCRAPE_SERIES_MAX, sizeof *s->series);
    enum status st = teller_init(&s->teller, sink);
    return s->series ? st : ST_NOMEM;
}

void scrape_fini(struct scrape *s)
{
    lines_fini(&s->lines);
    teller_fini(&s->teller);
    mem_free(s->series);
}

enum status scrape_only(struct scrape *s, struct span model)
{
    return word_set(&s->only, model);
}

void scrape_begin(struct scrape *s, uint64_t now_ns)
{
    lines_clear(&s->lines);
    s->n = 0;
    s->teller.now_ns = now_ns;
}

// --- One sample: name{label="value",...} number [time]

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct span *line)
{
    while (line->size > 0 && is_blank(line->data[0]))
        *line = span_of(line->data + 1, line->size - 1);
}

static struct span take_until(struct span *line, const char *stops)
{
    size_t n = 0;
    while (n < line->size && (line->data[n] == 0 || !strchr(stops, line->data[n])))
        n++;
    struct span head = span_of(line->data, n);
    *line = span_of(line->data + n, line->size - n);
    return head;
}

static enum status take_byte(struct span *line, char c)
{
    if (line->size == 0 || line->data[0] != (uint8_t)c)
        return ST_CORRUPT;
    *line = span_of(line->data + 1, line->size - 1);
    return ST_OK;
}

// A label's value without its quotes; escapes are resolved, and all of it is cut where
// a name ends.
static enum status take_value(struct span *line, struct word *out)
{
    out->size = 0;
    ST_TRY(take_byte(line, '"'));
    for (size_t i = 0; i < line->size; i++) {
        uint8_t c = line->data[i];
        if (c == '"') {
            *line = span_of(line->data + i + 1, line->size - i - 1);
            return ST_OK;
        }
        if (c == '\\' && ++i < line->size)
            c = line->data[i] == 'n' ? '\n' : line->data[i];
        if (out->size < sizeof out->data)
            out->data[out->size++] = (char)c;
    }
    return ST_CORRUPT;
}

static bool is_one_of(struct span name, const char *const *names)
{
    return span_is(name, names[0]) || span_is(name, names[1]);
}

static enum status take_labels(struct span *line, struct word *model,
                               struct word *version)
{
    ST_TRY(take_byte(line, '{'));
    for (;;) {
        struct word value;
        skip_blanks(line);
        if (take_byte(line, '}') == ST_OK)
            return ST_OK;
        struct span name = take_until(line, "= \t");
        skip_blanks(line);
        ST_TRY(take_byte(line, '='));
        skip_blanks(line);
        ST_TRY(take_value(line, &value));
        if (is_one_of(name, model_labels))
            *model = value;
        else if (is_one_of(name, version_labels))
            *version = value;
        skip_blanks(line);
        if (line->size > 0 && line->data[0] != '}')
            ST_TRY(take_byte(line, ','));
    }
}

static enum status number_of(struct span text, double *out)
{
    if (text_f64(text, out) == ST_OK)
        return ST_OK;
    bool is_special =
        span_is(text, "NaN") || span_is(text, "+Inf") || span_is(text, "-Inf");
    *out = NAN; // told by nobody: a sum of it would be lost for good
    return is_special ? ST_OK : ST_CORRUPT;
}

static enum status series_of(struct scrape *s, const struct word *model,
                             const struct word *version, struct scrape_series **out)
{
    for (uint32_t i = 0; i < s->n; i++) {
        *out = &s->series[i];
        if (span_equal(word_span(&(*out)->model), word_span(model)) &&
            span_equal(word_span(&(*out)->version), word_span(version)))
            return ST_OK;
    }
    if (s->n == SCRAPE_SERIES_MAX)
        return ST_FULL;
    *out = &s->series[s->n++];
    **out = (struct scrape_series){.model = *model, .version = *version};
    return ST_OK;
}

static enum status take_sample(struct scrape *s, struct span line)
{
    struct word model = {.size = 0}, version = {.size = 0};
    struct scrape_series *series;
    double v;
    struct span name = take_until(&line, "{ \t");
    skip_blanks(&line);
    if (line.size > 0 && line.data[0] == '{')
        ST_TRY(take_labels(&line, &model, &version));
    skip_blanks(&line);
    struct span number = take_until(&line, " \t");
    if (name.size == 0 || number_of(number, &v) != ST_OK)
        return ST_CORRUPT;
    if (model.size == 0)
        model = s->only;
    bool is_wanted =
        s->only.size == 0 || span_equal(word_span(&model), word_span(&s->only));
    for (size_t i = 0; is_wanted && i < sizeof metrics / sizeof *metrics; i++) {
        if (!span_is(name, metrics[i].metric) || model.size == 0 || isnan(v))
            continue;
        ST_TRY(series_of(s, &model, &version, &series));
        series->sum[metrics[i].signal] += v;
        series->has[metrics[i].signal] = true;
        return ST_OK;
    }
    s->strangers++;
    return ST_OK;
}

static enum status take_line(struct scrape *s, enum line_kind kind, struct span line)
{
    skip_blanks(&line);
    if (kind == LINE_WHOLE && (line.size == 0 || line.data[0] == '#'))
        return ST_OK;
    enum status st = kind == LINE_WHOLE ? take_sample(s, line) : ST_CORRUPT;
    if (st != ST_CORRUPT)
        return st;
    s->malformed++;
    return ST_OK;
}

enum status scrape_bytes(struct scrape *s, struct span bytes)
{
    for (;;) {
        struct span line = {0};
        enum line_kind kind = lines_next(&s->lines, &bytes, &line);
        if (kind == LINE_NONE)
            return ST_OK;
        ST_TRY(take_line(s, kind, line));
    }
}

static enum status hand(struct scrape *s, const struct scrape_series *series)
{
    struct teller *t = &s->teller;
    teller_begin(t, t->now_ns, SIDE_SIGNAL);
    t->model = series->model;
    t->version = series->version;
    for (uint32_t i = 0; i < SCRAPE_SIGNALS; i++)
        if (series->has[i])
            ST_TRY(flat_number(&t->flat, span_text(signal_names[i]), SIDE_SIGNAL,
                               series->sum[i]));
    return teller_hand(t);
}

enum status scrape_end(struct scrape *s)
{
    struct span line = {0};
    enum line_kind kind = lines_last(&s->lines, &line);
    if (kind != LINE_NONE)
        ST_TRY(take_line(s, kind, line));
    for (uint32_t i = 0; i < s->n; i++)
        ST_TRY(hand(s, &s->series[i]));
    return ST_OK;
}
