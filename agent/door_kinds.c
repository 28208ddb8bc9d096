// What each kind of door is opened with, and what it tells of itself. The contract
// stands in door.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <pwd.h>

#include "agent/door.h"
#include "agent/intake/post.h"
#include "agent/intake/probe.h"
#include "agent/intake/pull.h"
#include "agent/intake/tail.h"
#include "agent/intake/udp.h"
#include "agent/intake/unix.h"
#include "agent/lane/lane.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/text.h"

#define TAIL_LINES_A_TURN 2000
#define TAIL_EVERY_NS (200 * NS_PER_MS)
#define HTTP_ADDRESS "127.0.0.1:9412"
#define STATSD_ADDRESS "127.0.0.1:8125"
#define SCHEMA_BYTES_MAX (1u << 20)

// --- unix

static unsigned octal_of(uint64_t digits)
{
    unsigned mode = 0;
    for (unsigned shift = 0; digits > 0; digits /= 10, shift += 3)
        mode |= (unsigned)(digits % 10) << shift;
    return mode;
}

// ST_NOTFOUND: no such user; ST_FULL: too many.
static enum status take_users(const struct value_list *list,
                              uint32_t uid[UNIX_UIDS_MAX])
{
    if (list->count > UNIX_UIDS_MAX)
        return ST_FULL;
    for (size_t i = 0; i < list->count; i++) {
        uint64_t number;
        const struct passwd *user = getpwnam(list->item[i]);
        if (user)
            uid[i] = user->pw_uid;
        else if (text_u64(span_text(list->item[i]), &number) == ST_OK &&
                 number < UINT32_MAX)
            uid[i] = (uint32_t)number;
        else
            return ST_NOTFOUND;
    }
    return ST_OK;
}

static enum status open_unix(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct unix_door *u;
    uint32_t uid[UNIX_UIDS_MAX];
    ST_TRY(take_users(&s->users, uid));
    const struct unix_settings settings = {.path = d->path,
                                           .mode = octal_of(s->mode),
                                           .model = door_text(s->model),
                                           .uid = uid,
                                           .uids = (uint32_t)s->users.count};
    ST_TRY(unix_open(&settings, &sinks->stream, &u));
    d->self = u;
    return ST_OK;
}

static void close_unix(void *self)
{
    unix_close(self);
}

static int fd_of_unix(const void *self)
{
    return unix_fd(self);
}

static bool turn_unix(void *self, uint64_t now_ns)
{
    return unix_turn(self, now_ns);
}

static void tell_unix(const void *self, struct json *out)
{
    const struct unix_stats s = unix_stats(self);
    json_key_u64(out, "clients", s.clients);
    json_key_u64(out, "accepted", s.accepted);
    json_key_u64(out, "refused", s.refused);
    json_key_u64(out, "denied", s.denied);
    json_key_u64(out, "lines", s.lines);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "oversize", s.oversize);
    json_key_u64(out, "bytes", s.bytes);
}

// --- lane

static enum status open_lane(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct lane_door *l;
    const struct lane_settings settings = {.path = d->path, .mode = octal_of(s->mode)};
    ST_TRY(lane_open(&settings, &sinks->stream, &l));
    d->self = l;
    return ST_OK;
}

static void close_lane(void *self)
{
    lane_close(self);
}

static int fd_of_lane(const void *self)
{
    return lane_fd(self);
}

static bool turn_lane(void *self, uint64_t now_ns)
{
    return lane_turn(self, now_ns);
}

static uint64_t lane_patience(const void *self)
{
    return lane_patience_ns(self);
}

static void tell_lane(const void *self, struct json *out)
{
    const struct lane_stats s = lane_stats(self);
    json_key_u64(out, "processes", s.visitors);
    json_key_u64(out, "lanes", s.lanes);
    json_key_u64(out, "accepted", s.accepted);
    json_key_u64(out, "refused", s.refused);
    json_key_u64(out, "faults", s.faults);
    json_key_u64(out, "rows", s.rows);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "lane_full", s.full);
    json_key_u64(out, "beside_lost", s.beside);
}

// --- tail

static enum status read_schema(const char *path, struct chart *c)
{
    struct buf bytes;
    buf_init(&bytes, SCHEMA_BYTES_MAX);
    enum status st = file_read(path, &bytes);
    if (st == ST_OK)
        st = chart_read_bento(c, buf_span(&bytes));
    buf_fini(&bytes);
    return st;
}

static enum status take_columns(const struct value_list *list, struct chart *c,
                                int which)
{
    for (size_t i = 0; i < list->count; i++)
        ST_TRY(chart_add(c, which, list->item[i]));
    return ST_OK;
}

static void set(const char **to, const char *said, const char *standard)
{
    if (door_text(said))
        *to = said;
    else if (!*to)
        *to = standard;
}

// What columns the section names; those of BentoML are in its schema.
static enum status make_chart(struct door *d, const struct door_section *s)
{
    struct mapping *m = &d->chart.mapping;
    bool is_labels = s->format == TAIL_LABELS, is_bento = s->format == TAIL_BENTOML;
    if (door_text(s->schema))
        ST_TRY(read_schema(s->schema, &d->chart));
    else if (is_bento && s->outputs.count == 0)
        return ST_NOTFOUND; // which column is the prediction?
    ST_TRY(take_columns(&s->inputs, &d->chart, 0));
    ST_TRY(take_columns(&s->outputs, &d->chart, 1));
    ST_TRY(take_columns(&s->labels, &d->chart, 2));
    if (is_labels && s->labels.count == 0)
        ST_TRY(chart_add(&d->chart, 2, "/label"));
    m->model = s->model;
    set(&m->version, s->version, NULL);
    set(&m->version_column, s->version_column, NULL);
    set(&m->time, s->time, is_labels ? "/ts" : is_bento ? "/timestamp" : NULL);
    set(&m->id, s->id, is_labels ? "/id" : is_bento ? "/request_id" : NULL);
    return ST_OK;
}

static enum status open_tail(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct tail *tail;
    ST_TRY(make_chart(d, s));
    const struct tail_settings t = {
        .name = s->name,
        .path = d->path,
        .format = (enum tail_format)s->format, // in the order of its words
        .from_end = s->from_end,
        .mapping = d->chart.mapping,
    };
    ST_TRY(tail_open(&t, &sinks->file, &tail));
    d->self = tail;
    return ST_OK;
}

static void close_tail(void *self)
{
    tail_close(self);
}

static bool turn_tail(void *self, uint64_t now_ns)
{
    return tail_turn(self, TAIL_LINES_A_TURN, now_ns);
}

static uint64_t tail_patience(const void *self)
{
    (void)self;
    return TAIL_EVERY_NS; // files are not polled
}

static void tell_tail(const void *self, struct json *out)
{
    const struct tail_stats s = tail_stats(self);
    json_key_u64(out, "lines", s.lines);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "oversize", s.oversize);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "rotations", s.rotations);
    json_key_u64(out, "truncations", s.truncations);
    json_key_u64(out, "lost_files", s.lost_files);
    json_key_u64(out, "offset", s.offset);
    json_key_u64(out, "rates", s.rates);
}

// --- http

static enum status open_http(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct post *post;
    const struct post_settings settings = {
        .listen = door_text(s->listen) ? s->listen : HTTP_ADDRESS,
        .model = door_text(s->model),
        .version = door_text(s->version),
        .token = door_text(s->token),
        .body_max = s->body,
        .answer_wait_ns = s->answer_wait_ns};
    ST_TRY(post_open(&settings, &sinks->stream, &post));
    d->self = post;
    return ST_OK;
}

static void close_http(void *self)
{
    post_close(self);
}

static int fd_of_http(const void *self)
{
    return post_fd(self);
}

static bool turn_http(void *self, uint64_t now_ns)
{
    return post_turn(self, now_ns);
}

static void end_http(void *self)
{
    post_end(self);
}

static void tell_http(const void *self, struct json *out)
{
    const struct post_stats s = post_stats(self);
    json_key_u64(out, "port", s.port);
    json_key_u64(out, "clients", s.clients);
    json_key_u64(out, "accepted", s.accepted);
    json_key_u64(out, "posts", s.posts);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "too_large", s.too_large);
    json_key_u64(out, "busy", s.busy);
    json_key_u64(out, "denied", s.denied);
    json_key_u64(out, "broken", s.broken);
    json_key_u64(out, "shed", s.shed);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "foreign", s.foreign);
    json_key_u64(out, "repeats", s.repeats);
    json_key_u64(out, "waiting", s.waiting);
    json_key_u64(out, "joined", s.joined);
    json_key_u64(out, "unanswered", s.unanswered);
    json_key_u64(out, "unasked", s.unasked);
}

// --- statsd

static enum status open_statsd(struct door *d, const struct door_section *s,
                               const struct door_sinks *sinks)
{
    struct udp *udp;
    const struct udp_settings settings = {
        .listen = door_text(s->listen) ? s->listen : STATSD_ADDRESS,
        .mapping = {.model = door_text(s->model),
                    .version = door_text(s->version),
                    .prefix = door_text(s->prefix)}};
    ST_TRY(udp_open(&settings, &sinks->stream, &udp));
    d->self = udp;
    return ST_OK;
}

static void close_statsd(void *self)
{
    udp_close(self);
}

static int fd_of_statsd(const void *self)
{
    return udp_fd(self);
}

static bool turn_statsd(void *self, uint64_t now_ns)
{
    return udp_turn(self, now_ns);
}

static void tell_statsd(const void *self, struct json *out)
{
    const struct udp_stats s = udp_stats(self);
    json_key_u64(out, "port", s.port);
    json_key_u64(out, "datagrams", s.datagrams);
    json_key_u64(out, "lines", s.lines);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "lost", s.lost);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "rates", s.rates);
}

// --- scrape

static enum status open_scrape(struct door *d, const struct door_section *s,
                               const struct door_sinks *sinks)
{
    struct pull *pull;
    const struct pull_settings settings = {.url = s->url,
                                           .model = door_text(s->model),
                                           .version = door_text(s->version),
                                           .interval_ns = s->interval_ns};
    ST_TRY(pull_open(&settings, &sinks->stream, &pull));
    d->self = pull;
    return ST_OK;
}

static void close_scrape(void *self)
{
    pull_close(self);
}

static int fd_of_scrape(const void *self)
{
    return pull_fd(self);
}

static bool turn_scrape(void *self, uint64_t now_ns)
{
    return pull_turn(self, now_ns);
}

static uint64_t scrape_patience(const void *self)
{
    return pull_patience_ns(self);
}

static void tell_scrape(const void *self, struct json *out)
{
    const struct pull_stats s = pull_stats(self);
    json_key_u64(out, "pages", s.pages);
    json_key_u64(out, "failures", s.failures);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "strangers", s.strangers);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "resets", s.resets);
}

// --- probe

static enum status open_probe(struct door *d, const struct door_section *s,
                              const struct door_sinks *sinks)
{
    struct probe *probe;
    const struct probe_settings settings = {.model = s->model,
                                            .version = door_text(s->version),
                                            .pidfile = door_text(s->pidfile),
                                            .cgroup = door_text(s->cgroup),
                                            .interval_ns = s->interval_ns};
    ST_TRY(probe_open(&settings, &sinks->stream, &probe));
    d->self = probe;
    return ST_OK;
}

static void close_probe(void *self)
{
    probe_close(self);
}

static bool turn_probe(void *self, uint64_t now_ns)
{
    probe_turn(self, now_ns);
    return false;
}

static void tell_probe(const void *self, struct json *out)
{
    const struct probe_stats s = probe_stats(self);
    json_key_u64(out, "looks", s.looks);
    json_key_u64(out, "absences", s.absences);
    json_key_u64(out, "restarts", s.restarts);
    json_key_u64(out, "pid", s.pid);
    json_key_u64(out, "processes", s.processes);
}

// --- All of them

const struct door_kind_row *door_kind(enum door_kind kind)
{
    static const struct door_kind_row rows[] = {
        [DOOR_UNIX] = {"unix", "agent.sock", open_unix, close_unix, fd_of_unix,
                       turn_unix, NULL, tell_unix},
        [DOOR_TAIL] = {"tail", NULL, open_tail, close_tail, NULL, turn_tail,
                       tail_patience, tell_tail},
        [DOOR_LANE] = {"lane", "lane.sock", open_lane, close_lane, fd_of_lane,
                       turn_lane, lane_patience, tell_lane},
        [DOOR_HTTP] = {"http", NULL, open_http, close_http, fd_of_http, turn_http, NULL,
                       tell_http, end_http},
        [DOOR_STATSD] = {"statsd", NULL, open_statsd, close_statsd, fd_of_statsd,
                         turn_statsd, NULL, tell_statsd},
        [DOOR_SCRAPE] = {"scrape", NULL, open_scrape, close_scrape, fd_of_scrape,
                         turn_scrape, scrape_patience, tell_scrape},
        [DOOR_PROBE] = {"probe", NULL, open_probe, close_probe, NULL, turn_probe, NULL,
                        tell_probe},
    };
    return &rows[kind];
}
