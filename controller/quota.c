// Quota: what to do when the disk or `store-size` fills up.
//
// At nine tenths the finest resolution is kept for half as long, then for half of that,
// until it helps: an entry of the log each time, so that every fold of it does the
// same. When even that does not help, no reports are taken, so none is acknowledged;
// agents keep what they have, and it is taken up again when there is room.
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "controller/core.h"
#include "controller/fold/expire.h"
#include "controller/log/retention.h"

// Least that must be free: a tenth of the disk, or this much.
#define DISK_RESERVE (UINT64_C(4) << 30)
#define SQUEEZE_AT 0.9
#define EASE_AT 0.7
#define EASE_NS (600 * NS_PER_S) // between steps back

// What bears on the decision.
struct room {
    struct store_size size;
    uint64_t free_bytes; // on the disk, and inside of the file
    uint64_t reserve, quota;
};

static struct room room_of(const struct core *c, const struct store_size *z)
{
    uint64_t tenth = z->disk_bytes / 10;
    return (struct room){.size = *z,
                         .free_bytes =
                             z->disk_free_bytes + z->file_bytes - z->used_bytes,
                         .reserve = tenth < DISK_RESERVE ? tenth : DISK_RESERVE,
                         .quota = c->settings->file.store_bytes};
}

static bool is_full(const struct room *r)
{
    return r->size.used_bytes > r->quota || r->free_bytes < r->reserve;
}

static bool is_tight(const struct room *r)
{
    return (double)r->size.used_bytes > SQUEEZE_AT * (double)r->quota ||
           r->free_bytes < 2 * r->reserve;
}

static bool is_easy(const struct room *r)
{
    return (double)r->size.used_bytes < EASE_AT * (double)r->quota &&
           r->free_bytes > 4 * r->reserve;
}

static void say(struct core *c, const struct room *r, bool was_full)
{
    if (c->is_full && !was_full)
        log_line(LOG_ERROR, "the disk is nearly full: no reports are taken",
                 "used=%" PRIu64 " quota=%" PRIu64 " free=%" PRIu64 " reserve=%" PRIu64,
                 r->size.used_bytes, r->quota, r->free_bytes, r->reserve);
    else if (was_full && !c->is_full)
        log_line(LOG_INFO, "reports are taken again", "used=%" PRIu64 " free=%" PRIu64,
                 r->size.used_bytes, r->free_bytes);
}

static bool read_retention(struct core *c, struct retention *out)
{
    struct store_txn *t;
    struct shelf *s;
    if (core_reader(c, &t, &s) != ST_OK)
        return false;
    enum status st = retention_get(s, out);
    store_abort(t);
    return st == ST_OK;
}

// Each squeeze sweeps a part of all series. A further step comes only when all of them
// have been swept at this one.
static bool is_swept(const struct core *c, const struct room *r)
{
    return c->squeezes > r->size.entries[SHELF_CATALOG] / EXPIRE_SQUEEZED_SERIES + 1;
}

static void squeeze(struct core *c, uint32_t step)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", step);
    struct entry_arg arg = {span_text("step"), span_text(text)};
    core_pack_command(c, "retention.squeeze", &arg, 1);
    core_append_alone(c, TAPE_COMMAND, buf_span(&c->body));
}

static void tighten(struct core *c, const struct room *r)
{
    struct retention keep;
    if (!read_retention(c, &keep))
        return;
    bool is_next = keep.squeeze == 0 || is_swept(c, r);
    uint32_t step = keep.squeeze;
    if (is_next && step < RETENTION_SQUEEZE_MAX) {
        step++;
        c->squeezes = 0;
        keep.squeeze = (uint8_t)step;
        log_line(LOG_WARN, "little room: windows are kept for a shorter time",
                 "step=%u raw_h=%" PRIu64 " hour_d=%" PRIu64 " day_d=%" PRIu64, step,
                 retention_of(&keep, KEY_RAW) / (3600 * NS_PER_S),
                 retention_of(&keep, KEY_HOUR) / (86400 * NS_PER_S),
                 retention_of(&keep, KEY_DAY) / (86400 * NS_PER_S));
    }
    c->squeezes++;
    squeeze(c, step);
}

static void ease(struct core *c)
{
    struct retention keep;
    if (!read_retention(c, &keep) || keep.squeeze == 0)
        return;
    log_line(LOG_INFO, "there is room again: windows are kept for longer", "step=%u",
             keep.squeeze - 1);
    squeeze(c, keep.squeeze - 1);
}

void quota_look(struct core *c, uint64_t mono_ns)
{
    struct store_size z;
    if (c->is_stuck || store_measure(c->store, &z) != ST_OK)
        return;
    struct room r = room_of(c, &z);
    bool was_full = c->is_full;
    c->is_full = is_full(&r);
    say(c, &r, was_full);
    if (is_tight(&r)) {
        tighten(c, &r);
        c->squeeze_ns = mono_ns;
    } else if (is_easy(&r) && mono_ns - c->squeeze_ns > EASE_NS) {
        c->squeeze_ns = mono_ns;
        ease(c);
    }
}
