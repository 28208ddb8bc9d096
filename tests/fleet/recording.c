// Recording: rows of a few shapes, a builder, and profiles on its grids.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/recording.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/drift/builder.h"

#define BASELINE_WINDOWS 60u
#define SEALED_MAX (1u << 20)
#define NAME_MAX_BYTES 16
#define PROFILE_MAX (96u << 10)

struct recording {
    struct recording_options o;
    struct random random;
    char (*name)[NAME_MAX_BYTES];
    double *row; // one window: features x rows, feature by feature
    struct buf sealed;
    struct buf profile[RECORDING_WINDOWS];
    struct window_feature *feature[RECORDING_WINDOWS];
};

static bool is_prediction(const struct recording *r, uint32_t feature)
{
    return r->o.features > 1 && feature + 1 == r->o.features;
}

// A normal, a skewed, a counted, a bounded and a mostly empty one, in turn.
static double draw(struct random *random, uint32_t feature)
{
    double z = random_normal(random);
    switch (feature % 5) {
    case 0:
        return 50 + 10 * z;
    case 1:
        return exp(1 + 0.8 * z);
    case 2:
        return floor(fabs(z) * 6);
    case 3:
        return random_unit(random);
    default:
        return random_unit(random) < 0.9 ? 0 : fabs(100 * z);
    }
}

static void draw_window(struct recording *r)
{
    for (uint32_t i = 0; i < r->o.rows; i++) {
        double sum = 0;
        for (uint32_t f = 0; f < r->o.features; f++) {
            double v = draw(&r->random, f);
            sum += f < 3 ? v : 0;
            r->row[(size_t)f * r->o.rows + i] = v;
        }
        if (r->o.features > 1)
            r->row[(size_t)(r->o.features - 1) * r->o.rows + i] =
                1 / (1 + exp(-(sum - 55) / 20));
    }
}

static enum status feed(struct recording *r, struct builder *b)
{
    struct builder_value *value = mem_zero(r->o.features, sizeof *value);
    uint64_t step = r->o.window_ns / r->o.rows;
    enum status st = value ? ST_OK : ST_NOMEM;
    r->random = (struct random){1};
    for (uint32_t w = 0; w < BASELINE_WINDOWS && st == ST_OK; w++) {
        draw_window(r);
        for (uint32_t i = 0; i < r->o.rows && st == ST_OK; i++) {
            for (uint32_t f = 0; f < r->o.features; f++)
                value[f].number = r->row[(size_t)f * r->o.rows + i];
            st = builder_row(b, w * r->o.window_ns + i * step, value);
        }
    }
    mem_free(value);
    return st;
}

static enum status declare(struct recording *r, struct builder *b)
{
    for (uint32_t f = 0; f < r->o.features; f++)
        ST_TRY(builder_feature(b, span_text(r->name[f]),
                               is_prediction(r, f) ? ROLE_OUTPUT : ROLE_INPUT,
                               KIND_NUMERIC, GRID_F64));
    return ST_OK;
}

static enum status build(struct recording *r, struct builder *b)
{
    ST_TRY(declare(r, b));
    ST_TRY(feed(r, b));
    ST_TRY(builder_turn(b));
    ST_TRY(feed(r, b));
    struct baseline *sealed;
    ST_TRY(builder_seal(b, &sealed));
    baseline_encode(sealed, &r->sealed);
    baseline_close(sealed);
    return r->sealed.failed;
}

static enum status record_feature(struct recording *r, const struct baseline *b,
                                  uint32_t window, uint32_t f)
{
    bool has_sketches =
        r->o.sketch_every > 0 && window % r->o.sketch_every == r->o.sketch_every - 1;
    enum profile_sketches sketches =
        has_sketches ? PROFILE_WITH_SKETCHES : PROFILE_PLAIN;
    struct profile_options po = {
        .kind = PROFILE_NUMERIC, .width = GRID_F64, .sketches = sketches, .seed = 1};
    struct profile *p;
    ST_TRY(profile_open(&po, baseline_feature(b, f)->grid, &p));
    struct profile_column c = {.f64 = r->row + (size_t)f * r->o.rows, .n = r->o.rows};
    if (r->o.features > 1)
        c.prediction = r->row + (size_t)(r->o.features - 1) * r->o.rows;
    profile_update(p, &c);
    size_t at = r->profile[window].size;
    profile_encode(p, sketches, &r->profile[window]);
    profile_close(p);
    r->feature[window][f] = (struct window_feature){
        .name = span_text(r->name[f]),
        .role = is_prediction(r, f) ? FEATURE_OUTPUT : FEATURE_INPUT,
        .profile = {.size = r->profile[window].size - at}};
    return r->profile[window].failed;
}

static enum status record(struct recording *r, const struct baseline *b)
{
    for (uint32_t w = 0; w < RECORDING_WINDOWS; w++) {
        buf_init(&r->profile[w], (size_t)r->o.features * PROFILE_MAX);
        r->feature[w] = mem_zero(r->o.features, sizeof *r->feature[w]);
        if (!r->feature[w])
            return ST_NOMEM;
        draw_window(r);
        for (uint32_t f = 0; f < r->o.features; f++)
            ST_TRY(record_feature(r, b, w, f));
        // The buffer has stopped moving: now its places are good.
        const uint8_t *at = r->profile[w].data;
        for (uint32_t f = 0; f < r->o.features; f++) {
            r->feature[w][f].profile.data = at;
            at += r->feature[w][f].profile.size;
        }
    }
    return ST_OK;
}

static enum status make(struct recording *r)
{
    struct builder_settings bs = {.window_ns = r->o.window_ns, .seed = 1};
    struct builder *b = NULL;
    struct baseline *sealed = NULL;
    r->name = mem_zero(r->o.features, sizeof *r->name);
    r->row = mem_zero((size_t)r->o.features * r->o.rows, sizeof *r->row);
    if (!r->name || !r->row)
        return ST_NOMEM;
    for (uint32_t f = 0; f < r->o.features; f++)
        (void)snprintf(r->name[f], sizeof r->name[f], "f%03u", f);
    if (r->o.features > 1)
        memcpy(r->name[r->o.features - 1], "prediction", sizeof "prediction");
    ST_TRY(builder_open(&bs, &b));
    enum status st = build(r, b);
    if (st == ST_OK)
        st = baseline_decode(buf_span(&r->sealed), &sealed);
    if (st == ST_OK)
        st = record(r, sealed);
    baseline_close(sealed);
    builder_close(b);
    return st;
}

enum status recording_open(const struct recording_options *o, struct recording **out)
{
    if (o->features == 0 || o->features > WINDOW_FEATURES_MAX || o->rows == 0)
        return ST_RANGE;
    struct recording *r = MEM_NEW(struct recording);
    if (!r)
        return ST_NOMEM;
    r->o = *o;
    buf_init(&r->sealed, SEALED_MAX);
    enum status st = make(r);
    if (st != ST_OK) {
        recording_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void recording_close(struct recording *r)
{
    if (!r)
        return;
    for (uint32_t w = 0; w < RECORDING_WINDOWS; w++) {
        buf_fini(&r->profile[w]);
        mem_free(r->feature[w]);
    }
    buf_fini(&r->sealed);
    mem_free(r->row);
    mem_free(r->name);
    mem_free(r);
}

struct span recording_baseline(const struct recording *r)
{
    return buf_span(&r->sealed);
}

const struct window_feature *recording_window(const struct recording *r, uint32_t i)
{
    return r->feature[i % RECORDING_WINDOWS];
}
