// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/scrape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "controller/cli/cli.h"
#include "controller/cli/talk.h"

const struct option_row cli_scrape_options[] = {
    {"metric", 0, VALUE_TEXT, NULL, "the metric, with labels that must be there", NULL,
     "METRIC"},
    {"rate", 0, VALUE_FLAG, NULL, "a counter: its growth per second", NULL, NULL},
    {"every", 0, VALUE_DURATION, "60s", "time between two pages", "1s..1d", NULL},
    {"count", 0, VALUE_NUMBER, "1", "how many values are pushed; 0 = for ever",
     "0..1000000000", NULL}};

// --- One line of a page

static bool is_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == ':';
}

static struct span skip(struct span s, size_t n)
{
    return span_of(s.data + n, s.size - n);
}

static struct span skip_blanks(struct span s)
{
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = skip(s, 1);
    return s;
}

static struct span take_name(struct span *s)
{
    size_t n = 0;
    while (n < s->size && is_name(s->data[n]))
        n++;
    struct span name = span_of(s->data, n);
    *s = skip(*s, n);
    return name;
}

// The next `key="value"` of a list of labels, the value with its quotes. False at the
// end, or where it is none; then *s stands there.
static bool take_label(struct span *s, struct span *key, struct span *value)
{
    struct span rest = skip_blanks(*s);
    if (rest.size && rest.data[0] == ',')
        rest = skip_blanks(skip(rest, 1));
    *s = rest;
    *key = take_name(&rest);
    if (key->size == 0 || rest.size < 2 || rest.data[0] != '=' || rest.data[1] != '"')
        return false;
    size_t n = 2;
    while (n < rest.size && rest.data[n] != '"')
        n += rest.data[n] == '\\' ? 2 : 1;
    if (n >= rest.size)
        return false;
    *value = span_of(rest.data + 1, n);
    *s = skip(rest, n + 1);
    return true;
}

// Takes "{...}" off; false when it does not end.
static bool take_labels(struct span *s, struct span *labels)
{
    *labels = span_of(NULL, 0);
    if (s->size == 0 || s->data[0] != '{')
        return true;
    struct span rest = skip(*s, 1), key, value;
    const uint8_t *from = rest.data;
    while (take_label(&rest, &key, &value)) {
    }
    if (rest.size == 0 || rest.data[0] != '}')
        return false;
    *labels = span_of(from, (size_t)(rest.data - from));
    *s = skip(rest, 1);
    return true;
}

static bool has_label(struct span labels, struct span key, struct span value)
{
    struct span k, v;
    while (take_label(&labels, &k, &v))
        if (span_equal(k, key) && span_equal(v, value))
            return true;
    return false;
}

static bool has_all(struct span labels, struct span wanted)
{
    struct span key, value;
    while (take_label(&wanted, &key, &value))
        if (!has_label(labels, key, value))
            return false;
    return true;
}

// The sample's value; false: another metric's line, a comment, or broken.
static bool read_sample(struct span line, struct span name, struct span wanted,
                        double *out)
{
    struct span labels, own = take_name(&line);
    if (!span_equal(own, name) || !take_labels(&line, &labels) ||
        !has_all(labels, wanted))
        return false;
    line = skip_blanks(line);
    size_t n = 0;
    while (n < line.size && line.data[n] != ' ' && line.data[n] != '\t' &&
           line.data[n] != '\r')
        n++;
    return text_f64(span_of(line.data, n), out) == ST_OK && isfinite(*out);
}

enum status scrape_sum(struct span page, struct span metric, double *out)
{
    struct span name = take_name(&metric), wanted;
    bool is_good = name.size > 0 && take_labels(&metric, &wanted) && metric.size == 0;
    if (!is_good)
        return ST_CORRUPT;
    bool found = false;
    double sum = 0;
    while (page.size) {
        const uint8_t *end = memchr(page.data, '\n', page.size);
        size_t n = end ? (size_t)(end - page.data) : page.size;
        double v;
        if (read_sample(span_of(page.data, n), name, wanted, &v)) {
            sum += v;
            found = true;
        }
        page = skip(page, end ? n + 1 : n);
    }
    *out = sum;
    return found ? ST_OK : ST_NOTFOUND;
}

// --- The command

struct scrape {
    const struct command_line *line;
    const char *name, *from, *metric;
    bool is_rate, has_last;
    double last;
    uint64_t last_ns;
};

// The value to push; ST_EMPTY: the first one of a rate, or a counter that began anew.
static enum status next_value(struct scrape *s, uint64_t now_ns, double *out,
                              struct buf *why)
{
    struct buf page;
    double v = 0;
    buf_init(&page, SCRAPE_PAGE_MAX);
    enum status st = scrape_page(s->from, &page, why);
    if (st == ST_OK) {
        st = scrape_sum(buf_span(&page), span_text(s->metric), &v);
        if (st == ST_NOTFOUND)
            buf_printf(why, "%s: there is no %s", s->from, s->metric);
        if (st == ST_CORRUPT)
            buf_printf(why, "--metric: write it like orders_total{shop=\"eu\"}");
    }
    buf_fini(&page);
    ST_TRY(st);
    double before = s->last;
    uint64_t since = s->last_ns;
    bool had = s->has_last;
    s->last = v;
    s->last_ns = now_ns;
    s->has_last = true;
    *out = v;
    if (!s->is_rate)
        return ST_OK;
    if (!had || v < before || now_ns <= since)
        return ST_EMPTY;
    *out = (v - before) / ((double)(now_ns - since) / 1e9);
    return ST_OK;
}

static int push(struct talk *t, const struct scrape *s, double v)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", v);
    talk_clear(t);
    buf_clear(&t->json);
    talk_add(t, "name", span_text(s->name));
    talk_add(t, "value", span_text(text));
    return talk_ask(t, "signal.push", span_text(""));
}

static int push_all(struct talk *t, struct scrape *s, uint64_t count, uint64_t every_ns)
{
    struct buf why;
    buf_init(&why, 1024);
    int code = CLI_FINE;
    for (uint64_t pushed = 0; code == CLI_FINE && (count == 0 || pushed < count);) {
        double v;
        buf_clear(&why);
        enum status st = next_value(s, clock_mono_ns(), &v, &why);
        if (st == ST_OK) {
            code = push(t, s, v);
            pushed++;
        } else if (st != ST_EMPTY) {
            talk_complain("%s", buf_cstr(&why));
            code = st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
        }
        const struct timespec rest = {.tv_sec = (time_t)(every_ns / NS_PER_S),
                                      .tv_nsec = (long)(every_ns % NS_PER_S)};
        if (code == CLI_FINE && (count == 0 || pushed < count))
            (void)nanosleep(&rest, NULL);
    }
    buf_fini(&why);
    return code;
}

int cli_signal_scrape(void *program, const struct command_line *line)
{
    (void)program;
    static const struct render_view view = {"pushed", NULL, 0, NULL};
    struct scrape s = {.line = line,
                       .name = command_operand(line, 0),
                       .from = command_operand(line, 1),
                       .metric = command_text(line, "metric"),
                       .is_rate = command_flag(line, "rate")};
    if (!s.metric) {
        talk_complain("say which one: --metric orders_total");
        return CLI_USAGE;
    }
    struct talk t;
    int code = talk_open(&t, line);
    if (code == CLI_FINE)
        code = push_all(&t, &s, command_u64(line, "count"), command_u64(line, "every"));
    if (code == CLI_FINE)
        code = talk_show(&t, &view);
    talk_close(&t);
    return code;
}
