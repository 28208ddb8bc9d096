// SPDX-License-Identifier: Apache-2.0
#include "agent/doors.h"

#include <limits.h>
#include <stdio.h>

#include "agent/intake/tail.h"
#include "agent/intake/unix.h"
#include "agent/lane/lane.h"
#include "common/base/clock.h"
#include "common/base/cursor.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define TAIL_LINES_A_TURN 2000
#define TAIL_EVERY_NS (200 * NS_PER_MS)
#define SOCKET_MODE 0660

// One of the three is set. A tail borrows its mapping and path from here.
struct door {
    const char *name;
    struct unix_door *socket;
    struct tail *tail;
    struct lane_door *lane;
    char path[PATH_MAX];
    struct mapping_column *column[3]; // inputs, outputs, labels; NULL: none said
};

struct doors {
    struct door door[SETTINGS_DOORS_MAX];
    uint32_t count;
};

static unsigned octal_of(uint64_t digits)
{
    unsigned mode = 0;
    for (unsigned shift = 0; digits > 0; digits /= 10, shift += 3)
        mode |= (unsigned)(digits % 10) << shift;
    return mode;
}

static enum status path_of(const char *folder, const char *name, char out[PATH_MAX])
{
    if (name[0] != '/')
        return file_join(folder, name, out, PATH_MAX);
    return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ? ST_OK : ST_RANGE;
}

static const char *text_or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

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
                             const struct observation_sink *sink)
{
    struct tail_settings t = {
        .name = s->name,
        .path = d->path,
        .format = (enum tail_format)s->format, // in the order of its words
        .from_end = s->from_end,
        .mapping = {.model = s->model,
                    .version = text_or_null(s->version),
                    .version_column = text_or_null(s->version_column),
                    .time = text_or_null(s->time),
                    .id = text_or_null(s->id)},
    };
    struct mapping *m = &t.mapping;
    ST_TRY(take_columns(&s->inputs, d, 0, &m->inputs, &m->n_inputs));
    ST_TRY(take_columns(&s->outputs, d, 1, &m->outputs, &m->n_outputs));
    ST_TRY(take_columns(&s->labels, d, 2, &m->labels, &m->n_labels));
    return tail_open(&t, sink, &d->tail);
}

static enum status open_socket(struct door *d, unsigned mode, const char *model,
                               const struct observation_sink *sink)
{
    struct unix_settings u = {.path = d->path, .mode = mode, .model = model};
    return unix_open(&u, sink, &d->socket);
}

static enum status open_lane(struct door *d, unsigned mode,
                             const struct observation_sink *sink)
{
    struct lane_settings l = {.path = d->path, .mode = mode};
    return lane_open(&l, sink, &d->lane);
}

// What is open when nothing is said.
static enum status open_standard(struct doors *d, const char *folder,
                                 const struct observation_sink *stream)
{
    struct door *rows = &d->door[d->count++];
    rows->name = "unix";
    ST_TRY(path_of(folder, "agent.sock", rows->path));
    ST_TRY(open_socket(rows, SOCKET_MODE, NULL, stream));
    struct door *lanes = &d->door[d->count++];
    lanes->name = "lane";
    ST_TRY(path_of(folder, "lane.sock", lanes->path));
    return open_lane(lanes, SOCKET_MODE, stream);
}

static enum status open_one(const char *folder, const struct door_section *s,
                            const struct observation_sink *stream,
                            const struct observation_sink *file, struct door *d)
{
    const char *path = text_or_null(s->path);
    d->name = s->name;
    enum door_kind kind = settings_door_kind(s);
    const char *standard = kind == DOOR_LANE ? "lane.sock" : "agent.sock";
    ST_TRY(path_of(folder, path ? path : standard, d->path));
    if (kind == DOOR_TAIL)
        return open_tail(d, s, file);
    if (kind == DOOR_LANE)
        return open_lane(d, octal_of(s->mode), stream);
    return open_socket(d, octal_of(s->mode), text_or_null(s->model), stream);
}

enum status doors_open(const char *folder, const struct settings *settings,
                       const struct observation_sink *stream,
                       const struct observation_sink *file, struct doors **out,
                       struct buf *why)
{
    struct doors *d = MEM_NEW(struct doors);
    if (!d)
        return ST_NOMEM;
    enum status st = ST_OK;
    if (settings->doors.count == 0)
        st = open_standard(d, folder, stream);
    for (size_t i = 0; st == ST_OK && i < settings->doors.count; i++)
        st = open_one(folder, settings_door(settings, i), stream, file,
                      &d->door[d->count++]);
    if (st != ST_OK) {
        const struct door *last = &d->door[d->count - 1];
        buf_printf(why, "door %s at %s: %s", last->name, last->path, status_text(st));
        doors_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void doors_close(struct doors *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < d->count; i++) {
        unix_close(d->door[i].socket);
        tail_close(d->door[i].tail);
        lane_close(d->door[i].lane);
        for (int k = 0; k < 3; k++)
            mem_free(d->door[i].column[k]);
    }
    mem_free(d);
}

// For each tail of the model: u8 length and its name, u8 length and its mark.
void doors_mark(const struct doors *d, struct span model, struct buf *out)
{
    for (uint32_t i = 0; i < d->count; i++) {
        const struct tail *t = d->door[i].tail;
        if (!t || !span_equal(tail_model(t), model))
            continue;
        struct buf mark;
        buf_init(&mark, TAIL_MARK_MAX);
        tail_mark(t, &mark);
        struct span name = tail_name(t);
        if (mark.failed == ST_OK && name.size <= UINT8_MAX) {
            buf_put_u8(out, (uint8_t)name.size);
            buf_put_span(out, name);
            buf_put_u8(out, (uint8_t)mark.size);
            buf_put_span(out, buf_span(&mark));
        }
        buf_fini(&mark);
    }
}

static struct tail *tail_of(struct doors *d, struct span name)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (d->door[i].tail && span_equal(tail_name(d->door[i].tail), name))
            return d->door[i].tail;
    return NULL;
}

static enum status next_mark(struct cursor *c, struct span *name, struct span *mark)
{
    uint8_t size;
    ST_TRY(cursor_u8(c, &size));
    ST_TRY(cursor_bytes(c, size, name));
    ST_TRY(cursor_u8(c, &size));
    return cursor_bytes(c, size, mark);
}

void doors_resume(struct doors *d, struct span marks)
{
    struct cursor c = {marks};
    while (c.left.size > 0) {
        struct span name, mark;
        if (next_mark(&c, &name, &mark) != ST_OK)
            return;
        struct tail *t = tail_of(d, name);
        if (t && tail_resume(t, mark) != ST_OK)
            log_line(LOG_WARN, "a file's mark cannot be read; it begins anew",
                     "door=%.*s", (int)name.size, (const char *)name.data);
    }
}

uint32_t doors_fds(const struct doors *d, int out[DOORS_FDS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++)
        if (d->door[i].socket)
            out[n++] = unix_fd(d->door[i].socket);
        else if (d->door[i].lane)
            out[n++] = lane_fd(d->door[i].lane);
    return n;
}

uint64_t doors_patience_ns(const struct doors *d)
{
    uint64_t patience = NS_PER_S;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct door *one = &d->door[i];
        uint64_t own = one->tail   ? TAIL_EVERY_NS
                       : one->lane ? lane_patience_ns(one->lane)
                                   : NS_PER_S;
        patience = own < patience ? own : patience;
    }
    return patience;
}

bool doors_turn(struct doors *d, uint64_t now_ns)
{
    bool is_more = false;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->door[i].lane)
            is_more |= lane_turn(d->door[i].lane, now_ns);
        if (d->door[i].socket)
            is_more |= unix_turn(d->door[i].socket, now_ns);
        if (d->door[i].tail)
            is_more |= tail_turn(d->door[i].tail, TAIL_LINES_A_TURN, now_ns);
    }
    return is_more;
}

static void socket_status(const struct unix_stats s, struct json *out)
{
    json_key_cstr(out, "kind", "unix");
    json_key_u64(out, "clients", s.clients);
    json_key_u64(out, "accepted", s.accepted);
    json_key_u64(out, "refused", s.refused);
    json_key_u64(out, "lines", s.lines);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "oversize", s.oversize);
    json_key_u64(out, "bytes", s.bytes);
}

static void tail_status(const struct tail_stats s, struct json *out)
{
    json_key_cstr(out, "kind", "tail");
    json_key_u64(out, "lines", s.lines);
    json_key_u64(out, "malformed", s.malformed);
    json_key_u64(out, "oversize", s.oversize);
    json_key_u64(out, "bytes", s.bytes);
    json_key_u64(out, "rotations", s.rotations);
    json_key_u64(out, "truncations", s.truncations);
    json_key_u64(out, "lost_files", s.lost_files);
    json_key_u64(out, "offset", s.offset);
}

static void lane_status(const struct lane_stats s, struct json *out)
{
    json_key_cstr(out, "kind", "lane");
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

void doors_status(const struct doors *d, struct json *out)
{
    json_array(out);
    for (uint32_t i = 0; i < d->count; i++) {
        json_object(out);
        json_key_cstr(out, "name", d->door[i].name);
        json_key_cstr(out, "path", d->door[i].path);
        if (d->door[i].socket)
            socket_status(unix_stats(d->door[i].socket), out);
        else if (d->door[i].lane)
            lane_status(lane_stats(d->door[i].lane), out);
        else
            tail_status(tail_stats(d->door[i].tail), out);
        json_object_end(out);
    }
    json_array_end(out);
}
