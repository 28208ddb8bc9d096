// Pulse: what a merged window says in a few numbers.
//
// Layout: u8 version, be64 start, be64 rows, be64 known, u8 features; each: u8 role, u8
// name size, name, three little-endian floats.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/pulse.h"

#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/sketch/profile.h"
#include "controller/log/keys.h"

#define PULSE_VERSION 2u // version 1 had no known time
#define HEAD_BYTES 26u
#define PULSE_BYTES_MAX 16384u
#define NAME_MAX_BYTES 128u
#define DROPPED_EACH 8u // windows: the page of the oldest is not written each time
#define DROPPED_AT_ONCE 20u

static double missing_share(const struct counters *n)
{
    return n->rows ? 1 - (double)counters_valid(n) / (double)n->rows : 0;
}

// How much the cells differ: 1 when one holds all, near 0 when all hold the same.
static double concentration(const struct profile *p)
{
    uint32_t cells;
    const uint64_t *count = profile_cells(p, &cells);
    double all = 0, sum = 0;
    for (uint32_t i = 0; i < cells; i++)
        all += (double)count[i];
    for (uint32_t i = 0; i < cells && all > 0; i++)
        sum += ((double)count[i] / all) * ((double)count[i] / all);
    return sum;
}

static void put_float(struct buf *b, double v)
{
    uint8_t bytes[4];
    store_le_f32(bytes, (float)v);
    buf_put(b, bytes, sizeof bytes);
}

static void put_feature(struct buf *b, const struct judged_feature *f)
{
    const struct moments *m = profile_moments(f->profile);
    bool is_number = profile_kind(f->profile) != PROFILE_CATEGORICAL;
    buf_put_u8(b, f->role);
    buf_put_u8(b, (uint8_t)f->name.size);
    buf_put_span(b, f->name);
    put_float(b, missing_share(profile_counters(f->profile)));
    put_float(b, is_number ? moments_mean(m) : concentration(f->profile));
    put_float(b, is_number ? moments_sd(m) : 0);
}

static void encode(const struct judged_window *w, uint64_t now_ns, struct buf *b)
{
    uint32_t n = w->features < PULSE_FEATURES_MAX ? w->features : PULSE_FEATURES_MAX;
    buf_put_u8(b, PULSE_VERSION);
    buf_put_be64(b, w->start_ns);
    buf_put_be64(b, w->rows);
    buf_put_be64(b, now_ns);
    buf_put_u8(b, (uint8_t)n);
    for (uint32_t i = 0; i < n; i++)
        put_feature(b, &w->feature[i]);
}

// A few at a time, and more than came since the last turn.
static enum status drop_old(struct shelf *s, const struct judged_window *w)
{
    uint64_t span = (w->end_ns - w->start_ns) * PULSE_KEPT;
    struct shelf_key from = key_component(w->model_no, w->version_no, 0);
    for (uint32_t i = 0; i < DROPPED_AT_ONCE && w->end_ns > span; i++) {
        struct span key, value;
        enum status st =
            s->seek(s->self, SHELF_COMPONENT, shelf_key_span(&from), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        bool is_ours = key.size == from.size && memcmp(key.data, from.bytes, 8) == 0;
        uint64_t end = is_ours ? load_be64(key.data + 8) : 0;
        if (!is_ours || end + span >= w->end_ns)
            return ST_OK;
        struct shelf_key old = key_component(w->model_no, w->version_no, end);
        ST_TRY(shelf_del(s, SHELF_COMPONENT, &old));
    }
    return ST_OK;
}

enum status pulse_write(struct shelf *s, const struct judged_window *w, uint64_t now_ns)
{
    struct buf b;
    buf_init(&b, PULSE_BYTES_MAX);
    encode(w, now_ns, &b);
    enum status st = b.failed;
    struct shelf_key key = key_component(w->model_no, w->version_no, w->end_ns);
    if (st == ST_OK)
        st = shelf_put(s, SHELF_COMPONENT, &key, buf_span(&b));
    buf_fini(&b);
    ST_TRY(st);
    uint64_t turn = w->end_ns / (w->end_ns - w->start_ns) + w->model_no;
    return turn % DROPPED_EACH == 0 ? drop_old(s, w) : ST_OK;
}

static enum status read_feature(struct cursor *c, struct pulse_feature *f)
{
    uint8_t size;
    struct span numbers;
    ST_TRY(cursor_u8(c, &f->role));
    ST_TRY(cursor_u8(c, &size));
    ST_TRY(cursor_bytes(c, size, &f->name));
    ST_TRY(cursor_bytes(c, 12, &numbers));
    f->missing = load_le_f32(numbers.data);
    f->mean = load_le_f32(numbers.data + 4);
    f->sd = load_le_f32(numbers.data + 8);
    return size && size <= NAME_MAX_BYTES ? ST_OK : ST_CORRUPT;
}

enum status pulse_read(struct span value, uint64_t end_ns, struct pulse *out)
{
    bool is_old = value.size >= HEAD_BYTES - 8 && value.data[0] == 1;
    size_t head = is_old ? HEAD_BYTES - 8 : HEAD_BYTES;
    if (value.size < head || (!is_old && value.data[0] != PULSE_VERSION))
        return ST_CORRUPT;
    *out = (struct pulse){.start_ns = load_be64(value.data + 1),
                          .end_ns = end_ns,
                          .rows = load_be64(value.data + 9),
                          .known_ns = is_old ? 0 : load_be64(value.data + 17),
                          .features = value.data[head - 1]};
    struct cursor c = {.left = span_of(value.data + head, value.size - head)};
    if (out->features > PULSE_FEATURES_MAX || out->start_ns >= end_ns)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < out->features; i++)
        ST_TRY(read_feature(&c, &out->feature[i]));
    return cursor_end(&c);
}

enum status pulse_rows(struct shelf *s, uint32_t model, uint32_t version,
                       uint64_t from_ns, uint64_t until_ns, uint64_t *out)
{
    struct shelf_key at = key_component(model, version, from_ns + 1);
    *out = 0;
    for (;;) {
        struct span key, value;
        enum status st =
            s->seek(s->self, SHELF_COMPONENT, shelf_key_span(&at), &key, &value);
        if (st == ST_NOTFOUND)
            return ST_OK;
        ST_TRY(st);
        bool is_ours = key.size == at.size && memcmp(key.data, at.bytes, 8) == 0;
        uint64_t end = is_ours ? load_be64(key.data + 8) : UINT64_MAX;
        if (!is_ours || end > until_ns || value.size < HEAD_BYTES - 8)
            return ST_OK;
        *out += load_be64(value.data + 9);
        at = key_component(model, version, end + 1);
    }
}
