// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/expire.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/cursor.h"
#include "controller/fold/commands.h"
#include "controller/log/blob.h"
#include "controller/log/names.h"
#include "controller/log/progress.h"

// Old windows go a few at a time, each series at its own moment: dropping one for each
// that comes would write the page of the oldest keys anew each time. More go than come:
// what has piled up shrinks.
#define DROPPED_EACH 8u // windows
#define DROPPED_AT_ONCE 20u
// Retention is given for windows of a minute; of longer ones as many are kept.
#define USUAL_WINDOW_NS (60 * NS_PER_S)

static enum status load_retention(struct fold *f, struct shelf *s)
{
    if (f->has_retention)
        return ST_OK;
    ST_TRY(retention_get(s, &f->retention));
    f->has_retention = true;
    return ST_OK;
}

// How long windows of this length are kept.
static uint64_t keep_raw(const struct fold *f, uint64_t length_ns)
{
    uint64_t keep = retention_of(&f->retention, KEY_RAW);
    uint64_t most = retention_of(&f->retention, KEY_DAY);
    uint64_t times = length_ns / USUAL_WINDOW_NS;
    if (times <= 1)
        return keep;
    return keep > most / times ? (keep > most ? keep : most) : keep * times;
}

// Drops at most *most of the oldest that start before `before_ns`.
static enum status drop(struct shelf *s, uint32_t series, enum key_resolution res,
                        uint64_t before_ns, uint32_t *most)
{
    struct shelf_key prefix = key_window_series(series, res);
    for (; *most > 0; --*most) {
        struct span key, value;
        enum status st =
            s->seek(s->self, SHELF_WINDOW, shelf_key_span(&prefix), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st != ST_OK)
            return st;
        if (key.size != prefix.size + 5u ||
            memcmp(key.data, prefix.bytes, prefix.size) != 0 ||
            load_be32(key.data + prefix.size) >= before_ns / NS_PER_S)
            return ST_OK;
        struct shelf_key old = {.size = (uint16_t)key.size};
        memcpy(old.bytes, key.data, key.size);
        ST_TRY(shelf_del(s, SHELF_WINDOW, &old));
    }
    return ST_OK;
}

static bool is_turn(uint32_t series, uint64_t start_ns, uint64_t end_ns)
{
    return start_ns / (end_ns - start_ns) % DROPPED_EACH == series % DROPPED_EACH;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// A merged series at `horizon_ns`, its windows `length_ns` long.
static enum status drop_merged(struct fold *f, struct shelf *s,
                               const struct rollup_series *r, uint64_t horizon_ns,
                               uint64_t length_ns, uint32_t *most)
{
    struct rollup_mark m;
    ST_TRY(rollup_mark_get(s, r->series, &m));
    uint64_t raw = least(minus(horizon_ns, keep_raw(f, length_ns)), m.hour_ns);
    ST_TRY(drop(s, r->series, KEY_RAW, raw, most));
    uint64_t hour = minus(horizon_ns, retention_of(&f->retention, KEY_HOUR));
    ST_TRY(drop(s, r->series, KEY_HOUR, least(hour, m.day_ns), most));
    uint64_t day = minus(horizon_ns, retention_of(&f->retention, KEY_DAY));
    return drop(s, r->series, KEY_DAY, day, most);
}

// A host's reports are what merged windows may point to: they stay until these are
// rolled up.
static enum status drop_host(struct fold *f, struct shelf *s,
                             const struct rollup_series *host, uint64_t horizon_ns,
                             uint64_t length_ns, uint32_t *most)
{
    struct rollup_mark m = {0};
    uint32_t merged;
    uint64_t before = minus(horizon_ns, keep_raw(f, length_ns));
    enum status st = names_series(s, host->model, host->version, NULL, &merged);
    if (st == ST_OK)
        st = rollup_mark_get(s, merged, &m);
    if (st != ST_OK)
        return st == ST_NOTFOUND ? ST_OK : st;
    return drop(s, host->series, KEY_RAW, least(before, m.hour_ns), most);
}

enum status expire_merged(struct fold *f, struct shelf *s,
                          const struct rollup_series *r, const struct shelf_key *key,
                          uint64_t start_ns, uint64_t end_ns)
{
    uint64_t horizon = least(end_ns, f->moment.now_ns);
    uint32_t most = DROPPED_AT_ONCE;
    bool made;
    ST_TRY(load_retention(f, s));
    ST_TRY(rollup_window(f, s, r, key, start_ns));
    ST_TRY(rollup_due(f, s, r, horizon, &made));
    uint64_t keep = keep_raw(f, end_ns - start_ns);
    if (made)
        return drop_merged(f, s, r, horizon, end_ns - start_ns, &most);
    if (!is_turn(r->series, start_ns, end_ns))
        return ST_OK;
    // Without a new hour only windows can have become old.
    struct rollup_mark m;
    ST_TRY(rollup_mark_get(s, r->series, &m));
    return drop(s, r->series, KEY_RAW, least(minus(horizon, keep), m.hour_ns), &most);
}

enum status expire_host(struct fold *f, struct shelf *s,
                        const struct rollup_series *host, uint64_t start_ns,
                        uint64_t end_ns)
{
    uint64_t horizon = least(end_ns, f->moment.now_ns);
    uint32_t most = DROPPED_AT_ONCE;
    if (!is_turn(host->series, start_ns, end_ns))
        return ST_OK;
    ST_TRY(load_retention(f, s));
    return drop_host(f, s, host, horizon, end_ns - start_ns, &most);
}

// --- The sweep

#define SERIES_KEY_BYTES 9u // without an agent
#define SWEPT_AT_ONCE 16u   // of one series
#define ROLLED_AT_ONCE 4u

// Where a silent model is in its own time. 0: nothing of it was judged.
static uint64_t horizon_of(const struct fold *f, const struct progress_model *m)
{
    uint64_t now = f->moment.now_ns;
    if (m->judged_ns == 0)
        return 0;
    uint64_t silent = m->seen_ns ? minus(now, m->seen_ns) : 0;
    return least(least(m->judged_ns, now) + silent, now);
}

// The length of the newest window of a series; 0: there is none.
static enum status newest_length(struct shelf *s, uint32_t series, uint64_t *out)
{
    struct shelf_key prefix = key_window_series(series, KEY_RAW), at;
    struct span key;
    struct blob b;
    *out = 0;
    enum status st = shelf_last(s, SHELF_WINDOW, &prefix, &key, NULL);
    if (st == ST_OK) {
        at = (struct shelf_key){.size = (uint16_t)key.size};
        memcpy(at.bytes, key.data, key.size);
        st = blob_get(s, &at, &b);
    }
    if (st == ST_OK)
        *out = b.end - b.start;
    return st == ST_NOTFOUND ? ST_OK : st;
}

static enum status sweep_series(struct fold *f, struct shelf *s,
                                const struct rollup_series *r, bool is_merged,
                                uint32_t *most)
{
    struct progress_model m;
    uint64_t length;
    ST_TRY(progress_get_model(s, r->model, &m));
    uint64_t horizon = horizon_of(f, &m);
    if (horizon == 0)
        return ST_OK;
    ST_TRY(newest_length(s, r->series, &length));
    if (!is_merged)
        return drop_host(f, s, r, horizon, length, most);
    bool made = true;
    for (uint32_t i = 0; made && i < ROLLED_AT_ONCE; i++)
        ST_TRY(rollup_due(f, s, r, horizon, &made));
    return drop_merged(f, s, r, horizon, length, most);
}

static enum status load_place(struct shelf *s, struct shelf_key *at)
{
    struct shelf_key k = key_meta("sweep");
    struct span v;
    *at = shelf_key_of('s');
    enum status st = shelf_get(s, SHELF_META, &k, &v);
    if (st == ST_OK && v.size > 0 && v.size < SHELF_KEY_MAX) {
        memcpy(at->bytes, v.data, v.size);
        at->size = (uint16_t)v.size;
    }
    return st == ST_NOTFOUND ? ST_OK : st;
}

// The next series behind `at`, which moves there. ST_NOTFOUND at the end.
static enum status next_series(struct shelf *s, struct shelf_key *at,
                               struct rollup_series *r)
{
    struct shelf_key from = *at;
    struct span key, value;
    shelf_key_u8(&from, 0);
    ST_TRY(s->seek(s->self, SHELF_CATALOG, shelf_key_span(&from), &key, &value));
    if (key.size < SERIES_KEY_BYTES || key.data[0] != 's')
        return ST_NOTFOUND;
    if (key.size > SHELF_KEY_MAX - 1 || value.size != 4)
        return ST_CORRUPT;
    memcpy(at->bytes, key.data, key.size);
    at->size = (uint16_t)key.size;
    *r = (struct rollup_series){.model = load_be32(key.data + 1),
                                .version = load_be32(key.data + 5),
                                .series = load_be32(value.data)};
    return ST_OK;
}

enum status expire_sweep(struct fold *f, struct shelf *s, uint32_t series,
                         uint32_t most)
{
    struct shelf_key at, place = key_meta("sweep");
    ST_TRY(load_retention(f, s));
    ST_TRY(load_place(s, &at));
    for (uint32_t i = 0; i < series && most > 0; i++) {
        struct rollup_series r;
        enum status st = next_series(s, &at, &r);
        if (st == ST_NOTFOUND) {
            at = shelf_key_of('s'); // once round
            break;
        }
        if (st != ST_OK)
            return st;
        uint32_t before = most < SWEPT_AT_ONCE ? most : SWEPT_AT_ONCE, left = before;
        ST_TRY(sweep_series(f, s, &r, at.size == SERIES_KEY_BYTES, &left));
        most -= before - left;
    }
    return shelf_put(s, SHELF_META, &place, shelf_key_span(&at));
}

// --- Commands

enum status expire_command_retention(const struct order_of *o)
{
    static const char *const key[] = {"raw", "hour", "day"};
    struct retention r;
    ST_TRY(retention_get(o->s, &r));
    bool is_right = true;
    for (unsigned i = 0; i < 3; i++) {
        is_right = is_right && command_u64_arg(o, key[i], &r.keep_ns[i]);
        is_right = is_right && r.keep_ns[i] >= RETENTION_RAW_LEAST_NS &&
                   (i == 0 || r.keep_ns[i] >= r.keep_ns[i - 1]);
    }
    if (!is_right)
        return command_refused(o, EXIT_USAGE,
                               "raw, hour and day are ns that rise, 2 hours at least");
    ST_TRY(retention_put(o->s, &r));
    o->f->has_retention = false;
    ST_TRY(command_audit(o, span_text("@fleet"), (struct span){0}));
    return command_done(o, (struct span){0});
}

// One step on or back, and a large sweep. `series` and `most` bound it.
enum status expire_command_squeeze(const struct order_of *o)
{
    struct retention r;
    uint64_t step = 0;
    ST_TRY(retention_get(o->s, &r));
    if (!command_u64_arg(o, "step", &step) || step > RETENTION_SQUEEZE_MAX)
        return command_refused(o, EXIT_USAGE, "step: a number up to 31");
    if (step != r.squeeze) {
        r.squeeze = (uint8_t)step;
        ST_TRY(retention_put(o->s, &r));
        o->f->has_retention = false;
        ST_TRY(command_audit(o, span_text("@fleet"), (struct span){0}));
    }
    ST_TRY(expire_sweep(o->f, o->s, EXPIRE_SQUEEZED_SERIES, EXPIRE_SQUEEZED_MOST));
    return command_done(o, (struct span){0});
}
