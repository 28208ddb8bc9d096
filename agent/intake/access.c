// Reads access logs: status, size and time of each request, and which model it was for.
// The contracts stand in decoder.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "agent/intake/decoder.h"
#include "agent/intake/route.h"
#include "agent/intake/teller.h"
#include "common/base/mem.h"
#include "common/base/text.h"

struct access {
    const struct mapping *mapping;
    struct teller teller;
    enum status (*read)(struct access *a, struct span line);
};

// --- Cutting

// Up to `end`, which is passed over. ST_CORRUPT when it does not come.
static enum status until(struct span *line, char end, struct span *out)
{
    const uint8_t *at = line->size ? memchr(line->data, end, line->size) : NULL;
    if (!at)
        return ST_CORRUPT;
    size_t size = (size_t)(at - line->data);
    *out = span_of(line->data, size);
    *line = span_of(at + 1, line->size - size - 1);
    return ST_OK;
}

static enum status word(struct span *line, struct span *out)
{
    while (line->size > 0 && line->data[0] == ' ')
        *line = span_of(line->data + 1, line->size - 1);
    if (until(line, ' ', out) == ST_OK)
        return ST_OK;
    *out = *line;
    *line = (struct span){0};
    return out->size > 0 ? ST_OK : ST_CORRUPT;
}

static enum status between(struct span *line, char begin, char end, struct span *out)
{
    struct span before;
    ST_TRY(until(line, begin, &before));
    return until(line, end, out);
}

// --- Figures

// "POST /v1/models/ranker:predict HTTP/1.1"
static enum status take_request(struct access *a, struct span request)
{
    struct span method, path;
    struct route route;
    struct teller *t = &a->teller;
    ST_TRY(word(&request, &method));
    ST_TRY(word(&request, &path));
    route_of(path, &route);
    t->model = route.model;
    t->version = route.version;
    return t->model.size == 0 && a->mapping->model
               ? word_set(&t->model, span_text(a->mapping->model))
               : ST_OK;
}

static enum status put(struct access *a, const char *name, double v)
{
    return flat_number(&a->teller.flat, span_text(name), SIDE_SIGNAL, v);
}

// A dash stands for what was not there.
static enum status number_of(struct span text, double *out)
{
    if (span_is(text, "-")) {
        *out = 0;
        return ST_OK;
    }
    return text_f64(text, out) == ST_OK ? ST_OK : ST_CORRUPT;
}

static enum status put_status(struct access *a, struct span text, double *status)
{
    ST_TRY(number_of(text, status));
    return put(a, "status", *status);
}

// --- nginx: ADDRESS - USER [02/Mar/2026:14:05:07 +0000] "POST ..." 200 118 "-" "curl"

static enum status nginx_time(struct access *a, struct span text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char zoned[48];
    if (text.size != 26)
        return ST_CORRUPT;
    const char *s = (const char *)text.data;
    int month = 0;
    for (int i = 0; i < 12; i++)
        if (memcmp(months + 3 * i, s + 3, 3) == 0)
            month = i + 1;
    snprintf(zoned, sizeof zoned, "%.4s-%02d-%.2sT%.8s%.3s:%.2s", s + 7, month, s,
             s + 12, s + 21, s + 24);
    ST_TRY(teller_time_text(&a->teller, span_text(zoned)));
    a->teller.written.size = 0; // it was written otherwise
    return ST_OK;
}

// Behind the two texts of "combined" may stand $request_time in seconds, then
// $upstream_response_time and $request_id.
static enum status nginx_times(struct access *a, struct span line)
{
    struct span quoted, time, upstream, id;
    double seconds;
    if (between(&line, '"', '"', &quoted) != ST_OK ||
        between(&line, '"', '"', &quoted) != ST_OK || word(&line, &time) != ST_OK ||
        text_f64(time, &seconds) != ST_OK)
        return ST_OK;
    ST_TRY(put(a, "latency_ms", seconds * 1e3));
    if (word(&line, &upstream) != ST_OK || word(&line, &id) != ST_OK ||
        span_is(id, "-"))
        return ST_OK;
    return word_set(&a->teller.id, id);
}

static enum status read_nginx(struct access *a, struct span line)
{
    struct span time, request, status_text, bytes_text;
    double status, bytes;
    ST_TRY(between(&line, '[', ']', &time));
    ST_TRY(between(&line, '"', '"', &request));
    ST_TRY(word(&line, &status_text));
    ST_TRY(word(&line, &bytes_text));
    ST_TRY(nginx_time(a, time));
    ST_TRY(take_request(a, request));
    ST_TRY(put_status(a, status_text, &status));
    ST_TRY(number_of(bytes_text, &bytes));
    ST_TRY(put(a, "bytes", bytes));
    ST_TRY(nginx_times(a, line));
    return put(a, "error", status >= 500);
}

// --- Envoy: [time] "POST ..." 200 FLAGS RECEIVED SENT DURATION UPSTREAM "xff" "agent"
// "request id" "authority" "upstream"

static enum status read_envoy(struct access *a, struct span line)
{
    struct span time, request, status_text, flags, received, sent, duration, upstream;
    struct span quoted, id;
    double status, bytes, ms;
    ST_TRY(between(&line, '[', ']', &time));
    ST_TRY(between(&line, '"', '"', &request));
    ST_TRY(word(&line, &status_text));
    ST_TRY(word(&line, &flags));
    ST_TRY(word(&line, &received));
    ST_TRY(word(&line, &sent));
    ST_TRY(word(&line, &duration));
    ST_TRY(word(&line, &upstream));
    ST_TRY(between(&line, '"', '"', &quoted)); // addresses: passed over
    ST_TRY(between(&line, '"', '"', &quoted));
    ST_TRY(between(&line, '"', '"', &id));
    ST_TRY(teller_time_text(&a->teller, time));
    ST_TRY(take_request(a, request));
    ST_TRY(word_set(&a->teller.id, span_is(id, "-") ? (struct span){0} : id));
    ST_TRY(put_status(a, status_text, &status));
    ST_TRY(number_of(sent, &bytes));
    ST_TRY(number_of(duration, &ms));
    ST_TRY(put(a, "bytes", bytes));
    ST_TRY(put(a, "latency_ms", ms));
    return put(a, "error", status >= 500);
}

// --- TorchServe: 2018-10-15 13:56:18,976 [INFO ] W-9000 ACCESS_LOG - /127.0.0.1:64003
// "POST /predictions/resnet-18 HTTP/1.1" 200 118

static enum status torchserve_time(struct access *a, struct span text)
{
    char dotted[24];
    if (text.size != 23)
        return ST_CORRUPT;
    memcpy(dotted, text.data, 23);
    dotted[19] = '.';
    ST_TRY(teller_time_text(&a->teller, span_of(dotted, 23)));
    a->teller.written.size = 0;
    return ST_OK;
}

static enum status read_torchserve(struct access *a, struct span line)
{
    struct span level, request, status_text, duration;
    double status, ms;
    struct span time = span_of(line.data, line.size < 23 ? line.size : 23);
    if (!line.size || !memmem(line.data, line.size, "ACCESS_LOG", 10))
        return ST_CORRUPT;
    ST_TRY(torchserve_time(a, time));
    ST_TRY(between(&line, '[', ']', &level));
    ST_TRY(between(&line, '"', '"', &request));
    ST_TRY(word(&line, &status_text));
    ST_TRY(word(&line, &duration));
    ST_TRY(take_request(a, request));
    ST_TRY(put_status(a, status_text, &status));
    ST_TRY(number_of(duration, &ms));
    ST_TRY(put(a, "latency_ms", ms));
    return put(a, "error", status >= 500);
}

// --- The decoder

static enum status read_line(void *self, struct span line, uint64_t now_ns,
                             const struct observation_sink *sink)
{
    struct access *a = self;
    a->teller.sink = sink;
    teller_begin(&a->teller, now_ns, SIDE_SIGNAL);
    ST_TRY(a->read(a, line));
    return teller_hand(&a->teller);
}

static void close_access(void *self)
{
    struct access *a = self;
    teller_fini(&a->teller);
    mem_free(a);
}

static enum status open_access(enum status (*read)(struct access *a, struct span line),
                               const struct mapping *m, struct decoder *out)
{
    struct access *a = MEM_NEW(struct access);
    if (!a)
        return ST_NOMEM;
    a->mapping = m;
    a->read = read;
    enum status st = teller_init(&a->teller, NULL);
    if (st != ST_OK) {
        close_access(a);
        return st;
    }
    *out = (struct decoder){.self = a, .line = read_line, .close = close_access};
    return ST_OK;
}

enum status decoder_nginx(const struct mapping *m, struct decoder *out)
{
    return open_access(read_nginx, m, out);
}

enum status decoder_envoy(const struct mapping *m, struct decoder *out)
{
    return open_access(read_envoy, m, out);
}

enum status decoder_torchserve(const struct mapping *m, struct decoder *out)
{
    return open_access(read_torchserve, m, out);
}
