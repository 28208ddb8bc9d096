// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/course.h"

#include <string.h>

#include "common/base/cursor.h"
#include "controller/log/keys.h"

#define FORMAT 1
#define DEPLOY_BYTES_MAX (4u << 20)

enum { HEALTHY = 1, WATCHED = 2, RETURN = 4 };

void course_init(struct course *c)
{
    *c = (struct course){0};
    buf_init(&c->deploy, DEPLOY_BYTES_MAX);
}

void course_fini(struct course *c)
{
    buf_fini(&c->deploy);
}

void course_set(struct course_version *v, uint32_t no, struct span name)
{
    size_t size = name.size < COURSE_NAME_MAX ? name.size : COURSE_NAME_MAX;
    *v = (struct course_version){.no = no};
    if (size)
        memcpy(v->name, name.data, size);
}

static void put_version(struct buf *b, const struct course_version *v)
{
    buf_put_le32(b, v->no);
    buf_put_u8(b, (uint8_t)strlen(v->name));
    buf_put_text(b, v->name);
}

static enum status take_version(struct cursor *in, struct course_version *v)
{
    uint32_t no;
    uint8_t size;
    struct span name;
    ST_TRY(cursor_le32(in, &no));
    ST_TRY(cursor_u8(in, &size));
    ST_TRY(cursor_bytes(in, size, &name));
    course_set(v, no, name);
    return ST_OK;
}

static enum status decode(struct span bytes, struct course *c)
{
    struct cursor in = {bytes};
    uint8_t format, flags;
    uint32_t size;
    struct span deploy;
    ST_TRY(cursor_u8(&in, &format));
    if (format != FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_u8(&in, &flags));
    ST_TRY(take_version(&in, &c->newest));
    ST_TRY(take_version(&in, &c->previous));
    ST_TRY(cursor_le64(&in, &c->deployed_ns));
    ST_TRY(cursor_le32(&in, &size));
    ST_TRY(cursor_bytes(&in, size, &deploy));
    c->was_previous_healthy = flags & HEALTHY;
    c->is_watched = flags & WATCHED;
    c->is_return = flags & RETURN;
    buf_put_span(&c->deploy, deploy);
    ST_TRY(c->deploy.failed);
    return cursor_end(&in);
}

enum status course_load(struct shelf *s, uint32_t model, struct course *c)
{
    struct shelf_key key = key_state('x', model);
    struct span bytes;
    enum status st = shelf_get(s, SHELF_STATE, &key, &bytes);
    if (st == ST_NOTFOUND)
        return ST_OK;
    ST_TRY(st);
    return decode(bytes, c);
}

enum status course_store(struct shelf *s, uint32_t model, const struct course *c)
{
    struct buf b;
    buf_init(&b, DEPLOY_BYTES_MAX + 1024);
    buf_put_u8(&b, FORMAT);
    buf_put_u8(&b,
               (uint8_t)((c->was_previous_healthy ? HEALTHY : 0) |
                         (c->is_watched ? WATCHED : 0) | (c->is_return ? RETURN : 0)));
    put_version(&b, &c->newest);
    put_version(&b, &c->previous);
    buf_put_le64(&b, c->deployed_ns);
    buf_put_le32(&b, (uint32_t)c->deploy.size);
    buf_put_span(&b, buf_span(&c->deploy));
    struct shelf_key key = key_state('x', model);
    enum status st =
        b.failed ? b.failed : shelf_put(s, SHELF_STATE, &key, buf_span(&b));
    buf_fini(&b);
    return st;
}
