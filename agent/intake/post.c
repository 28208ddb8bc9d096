// SPDX-License-Identifier: Apache-2.0
#include "agent/intake/post.h"

#include <stdio.h>
#include <string.h>

#include "agent/intake/address.h"
#include "agent/intake/meter.h"
#include "agent/intake/mhd.h"
#include "agent/intake/once.h"
#include "agent/intake/pair.h"
#include "agent/intake/parcel.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define CONNECTION_BYTES (32u << 10) // head and buffer of one
#define IDLE_S 60u
#define TURN_BYTES (64u << 10)
#define PARCEL_COST 1024 // what a parcel costs beside its bytes, in bytes
#define ANSWER_WAIT_NS (60 * NS_PER_S)

// How the body of a request is treated; it goes from one to the next.
enum way { WAY_HOLD, WAY_STREAM, WAY_SHED, WAY_TOO_LARGE };

struct request {
    struct parcel *parcel; // until it is queued
    struct unpacker *stream;
    uint64_t size; // bytes of the body so far
    enum way way;
    bool is_metrics;
};

enum answer { ANSWER_OK, ANSWER_JSON, ANSWER_HEALTHY, ANSWER_BUSY, ANSWER_NO, ANSWERS };

struct post {
    struct observation_sink sink; // as given
    struct observation_sink rows; // through meter and pair, counting drops
    struct observation_sink joined;
    struct pair *pair;
    struct meter *meter;
    struct once once;
    char *token; // "Bearer TOKEN"
    char *model;
    char *version;
    uint64_t body_max;
    const struct mhd *mhd;
    struct MHD_Daemon *daemon;
    struct MHD_Response *answer[ANSWERS];
    struct unpacker *reader; // of what was held
    struct unpacker *stream[POST_STREAMS_MAX];
    bool is_streaming[POST_STREAMS_MAX];
    struct parcel *first, *last; // waiting
    size_t held;
    struct post_stats stats;
    uint64_t now_ns;
};

// --- Where rows go

static void take_row(void *self, const struct observation *o)
{
    struct post *p = self;
    p->joined.row(p->joined.self, o);
}

static void take_drop(void *self, struct span model, enum drop_reason why,
                      uint64_t rows)
{
    struct post *p = self;
    p->stats.malformed += why == DROP_MALFORMED ? rows : 0;
    p->sink.drop(p->sink.self, model, why, rows);
}

static void take_settle(void *self)
{
    struct post *p = self;
    p->sink.settle(p->sink.self);
}

static enum status open_unpacker(struct post *p, struct unpacker **out)
{
    if (*out)
        return ST_OK;
    ST_TRY(unpacker_open(&p->rows, p->body_max, out));
    message_remember(unpacker_message(*out), &p->once);
    return message_assume(unpacker_message(*out), span_text(p->model),
                          span_text(p->version));
}

// --- Requests

static void end_stream(struct post *p, struct request *r)
{
    for (int i = 0; i < POST_STREAMS_MAX; i++)
        if (r->stream && p->stream[i] == r->stream)
            p->is_streaming[i] = false;
    r->stream = NULL;
}

static struct unpacker *free_stream(struct post *p)
{
    for (int i = 0; i < POST_STREAMS_MAX; i++) {
        if (p->is_streaming[i] || open_unpacker(p, &p->stream[i]) != ST_OK)
            continue;
        p->is_streaming[i] = true;
        return p->stream[i];
    }
    return NULL;
}

static void let_go(struct post *p, struct request *r)
{
    if (!r->parcel)
        return;
    p->held -= r->parcel->body.size;
    parcel_close(r->parcel);
    r->parcel = NULL;
}

// A body that is too long to be held is read from here on, as it comes.
static void begin_stream(struct post *p, struct request *r)
{
    r->stream = free_stream(p);
    r->way = r->stream ? WAY_STREAM : WAY_SHED;
    if (r->stream) {
        p->stats.foreign += !unpacker_begin(r->stream, r->parcel);
        unpacker_bytes(r->stream, buf_span(&r->parcel->body));
    }
    let_go(p, r);
}

static void hold(struct post *p, struct request *r, struct span bytes)
{
    struct buf *body = &r->parcel->body;
    bool is_full = p->held + bytes.size > POST_HELD_MAX;
    if (!is_full && body->size + bytes.size <= PARCEL_BYTES_MAX) {
        buf_put_span(body, bytes);
        p->held += body->failed == ST_OK ? bytes.size : 0;
        if (body->failed == ST_OK)
            return;
    }
    begin_stream(p, r);
    if (r->stream)
        unpacker_bytes(r->stream, bytes);
}

static void take_body(struct post *p, struct request *r, struct span bytes)
{
    p->stats.bytes += bytes.size;
    r->size += bytes.size;
    if (r->size > p->body_max && r->way != WAY_TOO_LARGE) {
        if (r->stream)
            unpacker_abort(r->stream);
        end_stream(p, r);
        let_go(p, r);
        r->way = WAY_TOO_LARGE;
    }
    if (r->way == WAY_HOLD)
        hold(p, r, bytes);
    else if (r->way == WAY_STREAM)
        unpacker_bytes(r->stream, bytes);
}

static void queue(struct post *p, struct request *r)
{
    r->parcel->next = NULL;
    if (p->last)
        p->last->next = r->parcel;
    else
        p->first = r->parcel;
    p->last = r->parcel;
    p->stats.waiting++;
    r->parcel = NULL;
}

// --- Answers

static enum MHD_Result say(struct post *p, struct MHD_Connection *c, unsigned code,
                           enum answer which)
{
    return p->mhd->queue_response(c, code, p->answer[which]);
}

static enum MHD_Result deny(struct post *p, struct MHD_Connection *c, unsigned code)
{
    p->stats.denied++;
    return say(p, c, code, ANSWER_NO);
}

static enum MHD_Result finish(struct post *p, struct MHD_Connection *c,
                              struct request *r)
{
    switch (r->way) {
    case WAY_TOO_LARGE:
        p->stats.too_large++;
        p->sink.drop(p->sink.self, span_text(p->model), DROP_OVERSIZE, 1);
        return say(p, c, MHD_HTTP_CONTENT_TOO_LARGE, ANSWER_NO);
    case WAY_SHED:
        p->stats.shed++;
        p->sink.drop(p->sink.self, span_text(p->model), DROP_MEMORY, 1);
        break;
    case WAY_STREAM:
        unpacker_end(r->stream);
        end_stream(p, r);
        break;
    case WAY_HOLD:
        queue(p, r);
        break;
    }
    p->stats.posts++;
    return say(p, c, MHD_HTTP_OK, r->is_metrics ? ANSWER_JSON : ANSWER_OK);
}

static enum MHD_Result take_header(void *self, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    (void)kind;
    parcel_header(self, span_text(name), span_text(value));
    return MHD_YES;
}

// Compares all of it, however early they differ.
static bool is_token(const char *given, const char *wanted)
{
    size_t n = strlen(wanted);
    unsigned differ = !given || strlen(given) != n;
    for (size_t i = 0; i < n && !differ; i++)
        differ |= (unsigned)(given[i] ^ wanted[i]);
    return !differ;
}

static enum MHD_Result begin(struct post *p, struct MHD_Connection *c, const char *path,
                             const char *method, void **place)
{
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (is_get && strcmp(path, "/healthz") == 0)
        return say(p, c, MHD_HTTP_OK, ANSWER_HEALTHY);
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return deny(p, c, is_get ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED);
    const char *given =
        p->mhd->lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    if (p->token && !is_token(given, p->token))
        return deny(p, c, MHD_HTTP_UNAUTHORIZED);
    const char *length =
        p->mhd->lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    uint64_t size = 0;
    if (length && text_u64(span_text(length), &size) == ST_OK && size > p->body_max) {
        p->stats.too_large++;
        p->sink.drop(p->sink.self, span_text(p->model), DROP_OVERSIZE, 1);
        return say(p, c, MHD_HTTP_CONTENT_TOO_LARGE, ANSWER_NO);
    }
    bool is_metrics = strcmp(path, "/v1/metrics") == 0;
    if (is_metrics && p->held >= POST_HELD_MAX / 2) {
        p->stats.busy++;
        return say(p, c, MHD_HTTP_TOO_MANY_REQUESTS, ANSWER_BUSY);
    }
    struct request *r = MEM_NEW(struct request);
    struct parcel *parcel = r ? parcel_open(path, p->now_ns) : NULL;
    if (!parcel) {
        mem_free(r);
        return MHD_NO;
    }
    p->mhd->get_connection_values(c, MHD_HEADER_KIND, take_header, parcel);
    r->parcel = parcel;
    r->is_metrics = is_metrics;
    *place = r;
    return MHD_YES;
}

// Called once with the head, then with each piece of the body, then at its end.
static enum MHD_Result take(void *self, struct MHD_Connection *c, const char *path,
                            const char *method, const char *version, const char *data,
                            size_t *size, void **place)
{
    struct post *p = self;
    struct request *r = *place;
    (void)version;
    if (!r)
        return begin(p, c, path, method, place);
    if (*size == 0)
        return finish(p, c, r);
    take_body(p, r, span_of(data, *size));
    *size = 0;
    return MHD_YES;
}

static void done(void *self, struct MHD_Connection *c, void **place,
                 enum MHD_RequestTerminationCode code)
{
    struct post *p = self;
    struct request *r = *place;
    (void)c;
    if (!r)
        return;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK && (r->parcel || r->stream)) {
        p->stats.broken++;
        if (r->stream)
            unpacker_abort(r->stream);
    }
    end_stream(p, r);
    let_go(p, r);
    mem_free(r);
    *place = NULL;
}

static void count_client(void *self, struct MHD_Connection *c, void **place,
                         enum MHD_ConnectionNotificationCode code)
{
    struct post *p = self;
    (void)c, (void)place;
    bool is_new = code == MHD_CONNECTION_NOTIFY_STARTED;
    p->stats.accepted += is_new;
    p->stats.clients += is_new ? 1 : UINT64_MAX;
}

// --- Opening

static bool make_answers(struct post *p)
{
    static const struct {
        const char *body, *header, *value;
    } answers[ANSWERS] = {
        [ANSWER_OK] = {"", NULL, NULL},
        [ANSWER_JSON] = {"{}", "Content-Type", "application/json"},
        [ANSWER_HEALTHY] = {"ok\n", "Content-Type", "text/plain"},
        [ANSWER_BUSY] = {"", "Retry-After", "1"},
        [ANSWER_NO] = {"", NULL, NULL},
    };
    for (int i = 0; i < ANSWERS; i++) {
        // The library never writes to it; it only says so since 0.9.77.
        union {
            const char *in;
            void *out;
        } body = {.in = answers[i].body};
        p->answer[i] = p->mhd->create_response_from_buffer(
            strlen(answers[i].body), body.out, MHD_RESPMEM_PERSISTENT);
        if (!p->answer[i])
            return false;
        if (answers[i].header &&
            p->mhd->add_response_header(p->answer[i], answers[i].header,
                                        answers[i].value) != MHD_YES)
            return false;
    }
    return true;
}

static enum status begin_listening(struct post *p, const char *listen)
{
    struct address at;
    ST_TRY(address_of(listen, &at));
    unsigned flags = MHD_USE_EPOLL | (at.at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    p->daemon = p->mhd->start_daemon(
        flags, 0, NULL, NULL, take, p, MHD_OPTION_SOCK_ADDR, &at.at,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)POST_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, done, p,
        MHD_OPTION_NOTIFY_CONNECTION, count_client, p,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!p->daemon)
        return ST_EXISTS;
    const union MHD_DaemonInfo *info =
        p->mhd->get_daemon_info(p->daemon, MHD_DAEMON_INFO_BIND_PORT);
    p->stats.port = info ? info->port : 0;
    return ST_OK;
}

static enum status copy_settings(struct post *p, const struct post_settings *s)
{
    if (!s->listen)
        return ST_RANGE;
    p->body_max = s->body_max ? s->body_max : POST_BODY_DEFAULT;
    p->model = s->model ? mem_text(span_text(s->model)) : NULL;
    p->version = s->version ? mem_text(span_text(s->version)) : NULL;
    if ((s->model && !p->model) || (s->version && !p->version))
        return ST_NOMEM;
    if (s->token) {
        size_t size = strlen(s->token) + sizeof "Bearer ";
        p->token = mem_zero(size, 1);
        if (!p->token)
            return ST_NOMEM;
        (void)snprintf(p->token, size, "Bearer %s", s->token);
    }
    return ST_OK;
}

enum status post_open(const struct post_settings *settings,
                      const struct observation_sink *sink, struct post **out)
{
    struct post *p = MEM_NEW(struct post);
    if (!p)
        return ST_NOMEM;
    p->sink = *sink;
    p->rows = (struct observation_sink){p, take_row, take_drop, take_settle};
    once_init(&p->once);
    p->mhd = mhd_load();
    enum status st = p->mhd ? copy_settings(p, settings) : ST_UNSUPPORTED;
    uint64_t wait =
        settings->answer_wait_ns ? settings->answer_wait_ns : ANSWER_WAIT_NS;
    if (st == ST_OK)
        st = pair_open(sink, wait, &p->pair);
    if (st == ST_OK) {
        pair_tell(p->pair);
        p->joined = pair_sink(p->pair);
        st = meter_open(&p->joined, &p->meter);
    }
    if (st == ST_OK) {
        p->joined = meter_sink(p->meter);
        st = open_unpacker(p, &p->reader);
    }
    if (st == ST_OK && !make_answers(p))
        st = ST_NOMEM;
    if (st == ST_OK)
        st = begin_listening(p, settings->listen);
    if (st != ST_OK) {
        post_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void post_close(struct post *p)
{
    if (!p)
        return;
    if (p->daemon)
        p->mhd->stop_daemon(p->daemon);
    for (int i = 0; i < ANSWERS; i++)
        if (p->answer[i])
            p->mhd->destroy_response(p->answer[i]);
    while (p->first) {
        struct parcel *next = p->first->next;
        parcel_close(p->first);
        p->first = next;
    }
    unpacker_close(p->reader);
    for (int i = 0; i < POST_STREAMS_MAX; i++)
        unpacker_close(p->stream[i]);
    meter_close(p->meter);
    pair_close(p->pair);
    mem_free(p->token);
    mem_free(p->model);
    mem_free(p->version);
    mem_free(p);
}

// --- Turns

int post_fd(const struct post *p)
{
    return p->mhd->get_daemon_info(p->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static size_t read_first(struct post *p)
{
    struct parcel *parcel = p->first;
    size_t size = parcel->body.size;
    p->first = parcel->next;
    if (!p->first)
        p->last = NULL;
    p->stats.waiting--;
    p->stats.foreign += !unpacker_begin(p->reader, parcel);
    unpacker_bytes(p->reader, buf_span(&parcel->body));
    unpacker_end(p->reader);
    p->held -= size;
    parcel_close(parcel);
    return size;
}

bool post_turn(struct post *p, uint64_t now_ns)
{
    p->now_ns = now_ns;
    pair_turn(p->pair, now_ns);
    meter_turn(p->meter, now_ns);
    (void)p->mhd->run(p->daemon);
    for (size_t done_bytes = 0; p->first && done_bytes < TURN_BYTES;)
        done_bytes += read_first(p) + PARCEL_COST;
    // What the library has read from the kernel already makes no descriptor readable.
    MHD_UNSIGNED_LONG_LONG wait_ms;
    bool is_due = p->mhd->get_timeout(p->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
    return p->first != NULL || is_due;
}

void post_end(struct post *p)
{
    while (p->first)
        read_first(p);
    pair_turn(p->pair, UINT64_MAX);
    p->sink.settle(p->sink.self);
}

struct post_stats post_stats(const struct post *p)
{
    struct post_stats stats = p->stats;
    struct pair_stats pair = pair_stats(p->pair);
    stats.repeats = p->once.repeats;
    stats.joined = pair.joined;
    stats.unanswered = pair.unanswered;
    stats.unasked = pair.unasked;
    return stats;
}
