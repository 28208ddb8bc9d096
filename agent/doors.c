// SPDX-License-Identifier: Apache-2.0
#include "agent/doors.h"

#include <stdio.h>

#include "agent/door.h"
#include "agent/intake/tail.h"
#include "common/base/clock.h"
#include "common/base/cursor.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct doors {
    struct door door[SETTINGS_DOORS_MAX];
    uint32_t count;
};

static enum status path_of(const char *folder, const char *name, char out[PATH_MAX])
{
    if (name[0] != '/')
        return file_join(folder, name, out, PATH_MAX);
    return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ? ST_OK : ST_RANGE;
}

static enum status open_one(const char *folder, const struct door_section *s,
                            const struct door_sinks *sinks, struct door *d)
{
    chart_init(&d->chart);
    d->name = s->name;
    d->kind = door_kind(settings_door_kind(s));
    const char *path = door_text(s->path) ? s->path : d->kind->path;
    if (path)
        ST_TRY(path_of(folder, path, d->path));
    return d->kind->open(d, s, sinks);
}

// What is open when nothing is said.
static enum status open_standard(struct doors *d, const char *folder,
                                 const struct door_sinks *sinks)
{
    static char unix_name[] = "unix", lane_name[] = "lane";
    const struct door_section rows = {
        .name = unix_name, .kind = DOOR_UNIX, .mode = SETTINGS_SOCKET_MODE};
    const struct door_section lanes = {
        .name = lane_name, .kind = DOOR_LANE, .mode = SETTINGS_SOCKET_MODE};
    ST_TRY(open_one(folder, &rows, sinks, &d->door[d->count++]));
    return open_one(folder, &lanes, sinks, &d->door[d->count++]);
}

enum status doors_open(const char *folder, const struct settings *settings,
                       const struct observation_sink *stream,
                       const struct observation_sink *file, struct doors **out,
                       struct buf *why)
{
    struct doors *d = MEM_NEW(struct doors);
    if (!d)
        return ST_NOMEM;
    const struct door_sinks sinks = {*stream, *file};
    enum status st = ST_OK;
    if (settings->doors.count == 0)
        st = open_standard(d, folder, &sinks);
    for (size_t i = 0; st == ST_OK && i < settings->doors.count; i++)
        st = open_one(folder, settings_door(settings, i), &sinks, &d->door[d->count++]);
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
        if (d->door[i].self)
            d->door[i].kind->close(d->door[i].self);
        chart_fini(&d->door[i].chart);
    }
    mem_free(d);
}

// --- Marks of files

static struct tail *tail_at(const struct door *d)
{
    return d->kind == door_kind(DOOR_TAIL) ? d->self : NULL;
}

// For each tail of the model: u8 length and its name, u8 length and its mark.
void doors_mark(const struct doors *d, struct span model, struct buf *out)
{
    for (uint32_t i = 0; i < d->count; i++) {
        const struct tail *t = tail_at(&d->door[i]);
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
    for (uint32_t i = 0; i < d->count; i++) {
        struct tail *t = tail_at(&d->door[i]);
        if (t && span_equal(tail_name(t), name))
            return t;
    }
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

// --- Turns

uint32_t doors_fds(const struct doors *d, int out[DOORS_FDS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct door *one = &d->door[i];
        int fd = one->kind->fd ? one->kind->fd(one->self) : -1;
        if (fd >= 0)
            out[n++] = fd;
    }
    return n;
}

uint64_t doors_patience_ns(const struct doors *d)
{
    uint64_t patience = NS_PER_S;
    for (uint32_t i = 0; i < d->count; i++) {
        const struct door *one = &d->door[i];
        uint64_t own = one->kind->patience ? one->kind->patience(one->self) : NS_PER_S;
        patience = own < patience ? own : patience;
    }
    return patience;
}

bool doors_turn(struct doors *d, uint64_t now_ns)
{
    bool is_more = false;
    for (uint32_t i = 0; i < d->count; i++)
        is_more |= d->door[i].kind->turn(d->door[i].self, now_ns);
    return is_more;
}

void doors_end(struct doors *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (d->door[i].kind->end)
            d->door[i].kind->end(d->door[i].self);
}

void doors_status(const struct doors *d, struct json *out)
{
    json_array(out);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct door *one = &d->door[i];
        json_object(out);
        json_key_cstr(out, "name", one->name);
        json_key_cstr(out, "path", door_text(one->path));
        json_key_cstr(out, "kind", one->kind->name);
        one->kind->status(one->self, out);
        json_object_end(out);
    }
    json_array_end(out);
}
