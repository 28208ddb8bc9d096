// Deploy bytes: the state of a deploy watch, packed.
//
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "common/base/cursor.h"
#include "common/drift/trial.h"

#define DEPLOY_FORMAT 1

static void put_f32(struct buf *out, float v)
{
    uint8_t bytes[4];
    store_le_f32(bytes, v);
    buf_put(out, bytes, sizeof bytes);
}

static void put_trail(const struct trail *t, struct buf *out)
{
    for (uint32_t side = 0; side < TRIAL_SIDES; side++)
        for (uint32_t i = 0; i < EVIDENCE_SIZES; i++)
            put_f32(out, t->side[side].m[i]);
    const float figures[] = {t->base, t->spread, t->lag, t->smooth, t->sum};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        put_f32(out, figures[i]);
    buf_put_varint(out, t->windows);
}

void deploy_encode(const struct deploy *d, struct buf *out)
{
    buf_put_u8(out, DEPLOY_FORMAT);
    buf_put_le64(out, d->court->fingerprint);
    buf_put_varint(out, d->settings.windows);
    buf_put_le_f64(out, d->settings.false_alarms);
    buf_put_varint(out, d->windows);
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        buf_put_varint(out, d->subject[i].recent);
        buf_put_varint(out, d->subject[i].rows);
        buf_put_u8(out, d->subject[i].hit);
        buf_put_u8(out, d->subject[i].hit_component);
        buf_put_u8(out, d->subject[i].hit_side);
        put_f32(out, d->subject[i].hit_evidence);
        for (uint32_t c = 0; c < d->court->subject[i].components; c++)
            put_trail(&d->subject[i].trail[c], out);
    }
}

static enum status get_f32(struct cursor *in, float least, float *out)
{
    struct span s;
    ST_TRY(cursor_bytes(in, 4, &s));
    *out = load_le_f32(s.data);
    return isfinite(*out) && *out >= least ? ST_OK : ST_CORRUPT;
}

static enum status get_u32(struct cursor *in, uint32_t *out)
{
    uint64_t v;
    ST_TRY(cursor_varint(in, &v));
    if (v > UINT32_MAX)
        return ST_CORRUPT;
    *out = (uint32_t)v;
    return ST_OK;
}

static enum status get_trail(struct cursor *in, struct trail *t)
{
    for (uint32_t side = 0; side < TRIAL_SIDES; side++)
        for (uint32_t i = 0; i < EVIDENCE_SIZES; i++) {
            ST_TRY(get_f32(in, 0, &t->side[side].m[i]));
            if (t->side[side].m[i] > EVIDENCE_LIMIT)
                return ST_CORRUPT;
        }
    ST_TRY(get_f32(in, -INFINITY, &t->base));
    ST_TRY(get_f32(in, 0, &t->spread));
    ST_TRY(get_f32(in, -INFINITY, &t->lag));
    ST_TRY(get_f32(in, -INFINITY, &t->smooth));
    ST_TRY(get_f32(in, -INFINITY, &t->sum));
    return get_u32(in, &t->windows);
}

static enum status get_hit(struct cursor *in, const struct subject *of,
                           struct deploy_subject *s)
{
    uint8_t hit;
    ST_TRY(cursor_u8(in, &hit));
    ST_TRY(cursor_u8(in, &s->hit_component));
    ST_TRY(cursor_u8(in, &s->hit_side));
    if (hit > 1 || s->hit_component >= of->components || s->hit_side >= TRIAL_SIDES)
        return ST_CORRUPT;
    s->hit = hit;
    return get_f32(in, 0, &s->hit_evidence);
}

static enum status get_deploy(struct cursor *in, struct deploy *d)
{
    ST_TRY(get_u32(in, &d->windows));
    for (uint32_t i = 0; i < d->court->subjects; i++) {
        ST_TRY(get_u32(in, &d->subject[i].recent));
        if (d->subject[i].recent > SUBJECT_RECENT)
            return ST_CORRUPT;
        ST_TRY(cursor_varint(in, &d->subject[i].rows));
        ST_TRY(get_hit(in, &d->court->subject[i], &d->subject[i]));
        for (uint32_t c = 0; c < d->court->subject[i].components; c++)
            ST_TRY(get_trail(in, &d->subject[i].trail[c]));
    }
    return cursor_end(in);
}

enum status deploy_decode(const struct baseline *b, struct span bytes,
                          struct deploy **out)
{
    struct cursor in = {bytes};
    struct deploy_settings settings;
    uint8_t format;
    uint64_t fingerprint;
    ST_TRY(cursor_u8(&in, &format));
    if (format != DEPLOY_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_le64(&in, &fingerprint));
    ST_TRY(get_u32(&in, &settings.windows));
    ST_TRY(cursor_le_f64(&in, &settings.false_alarms));
    struct deploy *d;
    enum status st = deploy_lay(b, &settings, &d);
    if (st != ST_OK)
        return st == ST_RANGE ? ST_CORRUPT : st;
    st = d->court->fingerprint == fingerprint ? get_deploy(&in, d) : ST_CONFLICT;
    if (st != ST_OK) {
        deploy_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}
