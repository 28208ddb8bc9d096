// What each kind of door is opened with, and what it tells of itself. The contract
// stands in door.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "agent/door.h"
#include "agent/intake/post.h"
#include "agent/intake/tail.h"
#include "agent/intake/unix.h"
#include "agent/lane/lane.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define TAIL_LINES_A_TURN 2000
#define TAIL_EVERY_NS (200 * NS_PER_MS)

// --- unix

static unsigned octal_of(uint64_t digits)
{
    unsigned mode = 0;
    for (unsigned shift = 0; digits > 0; digits /= 10, shift += 3)
        mode |= (unsigned)(digits % 10) << shift;
    return mode;
}

static enum status open_unix(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct unix_door *u;
    const struct unix_settings settings = {
        .path = d->path, .mode = octal_of(s->mode), .model = door_text(s->model)};
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

// "PATH" or "PATH=NAME" for each. ST_FULL over MAPPING_COLUMNS_MAX.
static enum status take_columns(const struct value_list *list, struct door *d,
                                int which, const struct mapping_column **out,
                                uint32_t *count)
{
    if (list->count > MAPPING_COLUMNS_MAX)
        return ST_FULL;
    if (list->count == 0)
        return ST_OK;
    struct mapping_column *column = mem_zero(list->count, sizeof *column);
    if (!column)
        return ST_NOMEM;
    for (size_t i = 0; i < list->count; i++) {
        char *name = strchr(list->item[i], '=');
        if (name)
            *name++ = '\0';
        column[i] = (struct mapping_column){list->item[i], name};
    }
    d->column[which] = column;
    *out = column;
    *count = (uint32_t)list->count;
    return ST_OK;
}

static enum status open_tail(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct tail *tail;
    struct tail_settings t = {
        .name = s->name,
        .path = d->path,
        .format = (enum tail_format)s->format, // in the order of its words
        .from_end = s->from_end,
        .mapping = {.model = s->model,
                    .version = door_text(s->version),
                    .version_column = door_text(s->version_column),
                    .time = door_text(s->time),
                    .id = door_text(s->id)},
    };
    struct mapping *m = &t.mapping;
    ST_TRY(take_columns(&s->inputs, d, 0, &m->inputs, &m->n_inputs));
    ST_TRY(take_columns(&s->outputs, d, 1, &m->outputs, &m->n_outputs));
    ST_TRY(take_columns(&s->labels, d, 2, &m->labels, &m->n_labels));
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
}

// --- http

static enum status open_http(struct door *d, const struct door_section *s,
                             const struct door_sinks *sinks)
{
    struct post *post;
    const struct post_settings settings = {.listen = s->listen,
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
                       tell_http},
    };
    return &rows[kind];
}
