// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/feed.h"

#include <string.h>

#include "agent/intake/decoder.h"
#include "agent/intake/http.h"
#include "agent/intake/lines.h"
#include "agent/intake/scrape.h"
#include "common/base/mem.h"

struct feed {
    enum feed_door door;
    struct observation_sink sink;
    struct http *http;
    struct scrape scrape;
    bool has_scrape;
    struct decoder decoder; // of lines
    struct lines lines;
    bool awaits_header;
    const char *model;
    uint64_t now_ns;
};

static const struct {
    const char *format;
    enum status (*open)(const struct mapping *m, struct decoder *out);
    const char *looks; // words of a line that give it away, all of them
    const char *like;
} formats[] = {
    {"sagemaker-data-capture", decoder_sagemaker, "\"captureData\"",
     "\"eventMetadata\""},
    {"azureml-data-collector", decoder_azureml, "\"azureml.", "\"data\""},
    {"vertex-request-response-logging", decoder_vertex, "\"deployed_model_id\"",
     "_payload\""},
    {"rows", decoder_rows, "\"model\"", "\"features\""},
    {"torchserve-access", decoder_torchserve, "ACCESS_LOG - ", "\""},
    {"envoy-default", decoder_envoy, "Z] \"", "\" "},
    {"nginx-combined", decoder_nginx, "] \"", "\" "},
    {"bentoml-monitor", decoder_jsonl, "\"request_id\"", "\"timestamp\""},
    {"labels", decoder_jsonl, "{", "\"label\""},
    {"jsonl", decoder_jsonl, "{", "}"},
    {"csv", decoder_csv, "", ""},
};

#define FORMATS (sizeof formats / sizeof *formats)

const char *feed_format(uint32_t n)
{
    return n < FORMATS ? formats[n].format : NULL;
}

static bool holds(struct span line, const char *word)
{
    size_t size = strlen(word);
    return size == 0 || (line.size && memmem(line.data, line.size, word, size));
}

const char *feed_guess(struct span line)
{
    size_t i = 0;
    while (i + 1 < FORMATS &&
           !(holds(line, formats[i].looks) && holds(line, formats[i].like)))
        i++;
    return formats[i].format;
}

static enum status open_lines(struct feed *f, const char *format,
                              const struct mapping *m)
{
    lines_init(&f->lines);
    if (f->door == FEED_UDP)
        return decoder_statsd(m, &f->decoder);
    for (size_t i = 0; i < FORMATS; i++)
        if (format && strcmp(format, formats[i].format) == 0)
            return formats[i].open(m, &f->decoder);
    return ST_UNSUPPORTED;
}

enum status feed_open(enum feed_door door, const char *format, const struct mapping *m,
                      const struct observation_sink *sink, struct feed **out)
{
    struct feed *f = MEM_NEW(struct feed);
    if (!f)
        return ST_NOMEM;
    f->door = door;
    f->sink = *sink;
    f->model = m->model;
    enum status st;
    if (door == FEED_HTTP) {
        st = http_open(&f->sink, &f->http);
    } else if (door == FEED_SCRAPE) {
        f->has_scrape = true;
        st = scrape_init(&f->scrape, &f->sink);
        if (st == ST_OK)
            scrape_begin(&f->scrape, 0);
    } else {
        st = open_lines(f, format, m);
        f->awaits_header = st == ST_OK && f->decoder.header;
    }
    if (st != ST_OK) {
        feed_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void feed_close(struct feed *f)
{
    if (!f)
        return;
    http_close(f->http);
    if (f->has_scrape)
        scrape_fini(&f->scrape);
    if (f->decoder.close)
        f->decoder.close(f->decoder.self);
    lines_fini(&f->lines);
    mem_free(f);
}

static void drop(struct feed *f, enum drop_reason why)
{
    f->sink.drop(f->sink.self, span_text(f->model), why, 1);
}

static void take_line(struct feed *f, enum line_kind kind, struct span line)
{
    bool is_header = false;
    if (kind == LINE_OVERSIZE) {
        drop(f, DROP_OVERSIZE);
        return;
    }
    if (line.size == 0)
        return;
    if (f->awaits_header)
        is_header = f->decoder.header(f->decoder.self, line);
    f->awaits_header = false;
    if (is_header)
        return;
    enum status st = f->decoder.line(f->decoder.self, line, f->now_ns, &f->sink);
    if (st != ST_OK)
        drop(f, st == ST_FULL    ? DROP_FEATURES
                : st == ST_NOMEM ? DROP_MEMORY
                                 : DROP_MALFORMED);
    f->sink.settle(f->sink.self);
}

enum status feed_bytes(struct feed *f, struct span bytes, uint64_t now_ns)
{
    f->now_ns = now_ns;
    if (f->door == FEED_HTTP)
        return http_bytes(f->http, bytes, now_ns);
    if (f->door == FEED_SCRAPE)
        return scrape_bytes(&f->scrape, bytes);
    for (;;) {
        struct span line = {0};
        enum line_kind kind = lines_next(&f->lines, &bytes, &line);
        if (kind == LINE_NONE)
            return ST_OK;
        take_line(f, kind, line);
    }
}

enum status feed_end(struct feed *f)
{
    if (f->door == FEED_HTTP)
        return http_end(f->http);
    if (f->door == FEED_SCRAPE)
        return scrape_end(&f->scrape);
    struct span line = {0};
    enum line_kind kind = lines_last(&f->lines, &line);
    if (kind != LINE_NONE)
        take_line(f, kind, line);
    return ST_OK;
}
