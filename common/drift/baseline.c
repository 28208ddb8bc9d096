// Baseline: the sealed figures and how they lie as bytes.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/baseline.h"

#include <math.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/drift/sealed.h"

#define BASELINE_FORMAT 1
#define FEATURE_BYTES_LEAST 16 // no encoded feature or scalar is shorter
#define HAS_FCI 1
#define HAS_GRID 2
#define HAS_HOURS 1
#define HAS_DAYS 2

void baseline_close(struct baseline *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; b->feature && i < b->features; i++) {
        profile_close(b->feature[i].total);
        grid_close(b->feature[i].grid);
    }
    mem_free(b->feature);
    mem_free(b->scalar);
    mem_free(b);
}

uint32_t baseline_features(const struct baseline *b)
{
    return b->features;
}

const struct baseline_feature *baseline_feature(const struct baseline *b, uint32_t i)
{
    return &b->feature[i];
}

uint32_t baseline_scalars(const struct baseline *b)
{
    return b->scalars;
}

const struct baseline_scalar *baseline_scalar(const struct baseline *b, uint32_t i)
{
    return &b->scalar[i];
}

// Names have no zero in them, so the byte after the last one tells the length.
static bool is_named(const char *own, struct span name)
{
    return name.size <= BASELINE_NAME_MAX && memcmp(own, name.data, name.size) == 0 &&
           own[name.size] == 0;
}

int32_t baseline_find_feature(const struct baseline *b, struct span name, uint32_t hint)
{
    if (hint < b->features && is_named(b->feature[hint].name, name))
        return (int32_t)hint;
    for (uint32_t i = 0; i < b->features; i++)
        if (is_named(b->feature[i].name, name))
            return (int32_t)i;
    return -1;
}

int32_t baseline_find_scalar(const struct baseline *b, struct span name, uint32_t hint)
{
    if (hint < b->scalars && is_named(b->scalar[hint].name, name))
        return (int32_t)hint;
    for (uint32_t i = 0; i < b->scalars; i++)
        if (is_named(b->scalar[i].name, name))
            return (int32_t)i;
    return -1;
}

uint64_t baseline_rows(const struct baseline *b)
{
    return b->rows;
}

uint32_t baseline_windows(const struct baseline *b)
{
    return b->windows;
}

uint64_t baseline_window_ns(const struct baseline *b)
{
    return b->window_ns;
}

uint64_t baseline_start(const struct baseline *b)
{
    return b->start;
}

uint64_t baseline_end(const struct baseline *b)
{
    return b->end;
}

enum baseline_performance baseline_performance(const struct baseline *b)
{
    return (enum baseline_performance)b->performance;
}

const uint8_t *baseline_source(const struct baseline *b)
{
    return b->source;
}

const uint8_t *baseline_key(const struct baseline *b)
{
    return b->key;
}

static void encode_text(const char *text, struct buf *out)
{
    struct span s = span_text(text);
    buf_put_u8(out, (uint8_t)s.size);
    buf_put_span(out, s);
}

static void encode_slots(const float *slot, uint32_t slots, struct buf *out)
{
    uint8_t *bytes = buf_reserve(out, 4 * (size_t)slots);
    for (uint32_t i = 0; bytes && i < slots; i++)
        store_le_f32(bytes + 4 * i, slot[i]);
}

static void encode_learned(const struct learn_profile *p, struct buf *out)
{
    const double figures[] = {p->mu, p->phi, p->noise, p->extra,
                              p->sd, p->tau, p->gate,  p->kappa};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        buf_put_le_f64(out, figures[i]);
    buf_put_varint(out, p->windows);
    buf_put_u8(
        out, (uint8_t)((p->has_hours ? HAS_HOURS : 0) | (p->has_days ? HAS_DAYS : 0)));
    if (p->has_hours)
        encode_slots(p->hour, LEARN_HOURS, out);
    if (p->has_days)
        encode_slots(p->day, LEARN_DAYS, out);
}

// The length of what `part` wrote goes before it: 4 bytes, filled in afterwards.
static size_t open_part(struct buf *out)
{
    buf_put_le32(out, 0);
    return out->size;
}

static void close_part(struct buf *out, size_t start)
{
    if (out->failed == ST_OK)
        store_le32(out->data + start - 4, (uint32_t)(out->size - start));
}

static void encode_feature(const struct baseline_feature *f, struct buf *out)
{
    encode_text(f->name, out);
    buf_put_u8(out, f->role);
    buf_put_u8(out, f->kind);
    buf_put_u8(out,
               (uint8_t)((f->has_fci ? HAS_FCI : 0) | (f->has_scores ? HAS_GRID : 0)));
    buf_put_u8(out, (uint8_t)profile_width(f->total));
    buf_put_le_f64(out, f->importance);
    buf_put_varint(out, f->dead_run);
    buf_put_varint(out, f->stuck_run);
    size_t part = open_part(out);
    profile_encode(f->total, PROFILE_WITH_SKETCHES, out);
    close_part(out, part);
    if (f->has_scores) {
        part = open_part(out);
        grid_encode(f->grid, out);
        close_part(out, part);
        buf_put_le_f64(out, f->scores.tail_share);
        for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
            encode_learned(&f->learned[c], out);
    }
    if (f->has_fci) {
        buf_put_le_f64(out, f->fci);
        encode_learned(&f->fci_learned, out);
    }
}

static void encode_scalar(const struct baseline_scalar *s, struct buf *out)
{
    encode_text(s->name, out);
    buf_put_u8(out, s->sides);
    buf_put_u8(out, s->watch_only);
    buf_put_le_f64(out, s->scale);
    buf_put_le_f64(out, s->variance);
    buf_put_varint(out, s->rows_min);
    buf_put_le_f64(out, s->importance);
    encode_learned(&s->learned, out);
}

void baseline_encode(const struct baseline *b, struct buf *out)
{
    buf_put_u8(out, BASELINE_FORMAT);
    buf_put_u8(out, b->performance);
    buf_put_varint(out, b->rows);
    buf_put_varint(out, b->windows);
    buf_put_le64(out, b->window_ns);
    buf_put_le64(out, b->start);
    buf_put_le64(out, b->end);
    buf_put(out, b->source, sizeof b->source);
    buf_put(out, b->key, sizeof b->key);
    buf_put_varint(out, b->features);
    buf_put_varint(out, b->scalars);
    for (uint32_t i = 0; i < b->features; i++)
        encode_feature(&b->feature[i], out);
    for (uint32_t i = 0; i < b->scalars; i++)
        encode_scalar(&b->scalar[i], out);
}

static enum status decode_text(struct cursor *in, char out[BASELINE_NAME_MAX + 1])
{
    uint8_t size;
    struct span s;
    ST_TRY(cursor_u8(in, &size));
    ST_TRY(cursor_bytes(in, size, &s));
    if (size > BASELINE_NAME_MAX || !text_is_name(s))
        return ST_CORRUPT;
    memcpy(out, s.data, s.size);
    out[s.size] = 0;
    return ST_OK;
}

static enum status decode_u32(struct cursor *in, uint32_t most, uint32_t *out)
{
    uint64_t v;
    ST_TRY(cursor_varint(in, &v));
    if (v > most)
        return ST_CORRUPT;
    *out = (uint32_t)v;
    return ST_OK;
}

static enum status decode_double(struct cursor *in, double least, double most,
                                 double *out)
{
    ST_TRY(cursor_le_f64(in, out));
    return *out >= least && *out <= most ? ST_OK : ST_CORRUPT;
}

static enum status decode_slots(struct cursor *in, float *slot, uint32_t slots)
{
    struct span s;
    ST_TRY(cursor_bytes(in, 4 * (size_t)slots, &s));
    for (uint32_t i = 0; i < slots; i++) {
        slot[i] = load_le_f32(s.data + 4 * i);
        if (!isfinite(slot[i]))
            return ST_CORRUPT;
    }
    return ST_OK;
}

static enum status decode_learned(struct cursor *in, struct learn_profile *out)
{
    struct learn_profile p = {.mu = 0};
    uint8_t has;
    ST_TRY(decode_double(in, -1e300, 1e300, &p.mu));
    ST_TRY(decode_double(in, 0, 0.95, &p.phi));
    ST_TRY(decode_double(in, 0, 1e3, &p.noise));
    ST_TRY(decode_double(in, 0, 1e300, &p.extra));
    ST_TRY(decode_double(in, 0, 1e300, &p.sd));
    ST_TRY(decode_double(in, 0, 1e300, &p.tau));
    ST_TRY(decode_double(in, 0, 1e300, &p.gate));
    ST_TRY(decode_double(in, 1, 8, &p.kappa));
    ST_TRY(decode_u32(in, LEARN_WINDOWS_MAX, &p.windows));
    ST_TRY(cursor_u8(in, &has));
    if (has > (HAS_HOURS | HAS_DAYS))
        return ST_CORRUPT;
    p.has_hours = has & HAS_HOURS;
    p.has_days = has & HAS_DAYS;
    if (p.has_hours)
        ST_TRY(decode_slots(in, p.hour, LEARN_HOURS));
    if (p.has_days)
        ST_TRY(decode_slots(in, p.day, LEARN_DAYS));
    *out = p;
    return ST_OK;
}

static enum status decode_part(struct cursor *in, struct span *out)
{
    uint32_t size;
    ST_TRY(cursor_le32(in, &size));
    return cursor_bytes(in, size, out);
}

static enum status decode_profile(struct cursor *in, uint8_t width,
                                  struct baseline_feature *f)
{
    struct span bytes;
    if (width != GRID_F32 && width != GRID_F64)
        return ST_CORRUPT;
    ST_TRY(decode_part(in, &bytes));
    struct profile_options options = {
        .kind = f->kind == KIND_CATEGORICAL ? PROFILE_CATEGORICAL : PROFILE_NUMERIC,
        .width = (enum grid_width)width,
        .sketches = PROFILE_PLAIN,
    };
    ST_TRY(profile_open(&options, NULL, &f->total));
    ST_TRY(profile_decode(f->total, bytes));
    return profile_kind(f->total) == options.kind ? ST_OK : ST_CORRUPT;
}

static enum status decode_scores(struct cursor *in, struct baseline_feature *f)
{
    struct span bytes;
    double tail;
    ST_TRY(decode_part(in, &bytes));
    ST_TRY(grid_decode(bytes, &f->grid));
    if ((grid_form(f->grid) == GRID_CATEGORIES) != (f->kind == KIND_CATEGORICAL))
        return ST_CORRUPT;
    ST_TRY(decode_double(in, 0, 1, &tail));
    for (uint32_t c = 0; c < COMPONENT_COUNT; c++)
        ST_TRY(decode_learned(in, &f->learned[c]));
    return sealed_derive(f, tail);
}

static enum status decode_feature(struct cursor *in, struct baseline_feature *f)
{
    uint8_t has, width;
    ST_TRY(decode_text(in, f->name));
    ST_TRY(cursor_u8(in, &f->role));
    ST_TRY(cursor_u8(in, &f->kind));
    ST_TRY(cursor_u8(in, &has));
    ST_TRY(cursor_u8(in, &width));
    if (f->role > ROLE_LABEL || f->kind > KIND_CATEGORICAL ||
        has > (HAS_FCI | HAS_GRID))
        return ST_CORRUPT;
    ST_TRY(decode_double(in, 0, 1e9, &f->importance));
    ST_TRY(decode_u32(in, UINT32_MAX, &f->dead_run));
    ST_TRY(decode_u32(in, UINT32_MAX, &f->stuck_run));
    ST_TRY(decode_profile(in, width, f));
    if (has & HAS_GRID)
        ST_TRY(decode_scores(in, f));
    f->has_fci = has & HAS_FCI;
    if (!f->has_fci)
        return ST_OK;
    ST_TRY(decode_double(in, -10, 10, &f->fci));
    return decode_learned(in, &f->fci_learned);
}

static enum status decode_scalar(struct cursor *in, struct baseline_scalar *s)
{
    uint8_t watch_only;
    ST_TRY(decode_text(in, s->name));
    ST_TRY(cursor_u8(in, &s->sides));
    ST_TRY(cursor_u8(in, &watch_only));
    if (s->sides == 0 || s->sides > LEARN_BOTH || watch_only > 1)
        return ST_CORRUPT;
    s->watch_only = watch_only;
    ST_TRY(decode_double(in, 0, 1e300, &s->scale));
    ST_TRY(decode_double(in, 0, 1e300, &s->variance));
    ST_TRY(cursor_varint(in, &s->rows_min));
    ST_TRY(decode_double(in, 0, 1e9, &s->importance));
    return decode_learned(in, &s->learned);
}

static enum status decode_head(struct cursor *in, struct baseline *b)
{
    uint8_t format;
    struct span bytes;
    ST_TRY(cursor_u8(in, &format));
    if (format != BASELINE_FORMAT)
        return ST_VERSION;
    ST_TRY(cursor_u8(in, &b->performance));
    ST_TRY(cursor_varint(in, &b->rows));
    ST_TRY(decode_u32(in, UINT32_MAX, &b->windows));
    ST_TRY(cursor_le64(in, &b->window_ns));
    ST_TRY(cursor_le64(in, &b->start));
    ST_TRY(cursor_le64(in, &b->end));
    if (b->performance >= PERFORMANCE_COUNT || b->end < b->start)
        return ST_CORRUPT;
    ST_TRY(cursor_bytes(in, sizeof b->source, &bytes));
    memcpy(b->source, bytes.data, bytes.size);
    ST_TRY(cursor_bytes(in, sizeof b->key, &bytes));
    memcpy(b->key, bytes.data, bytes.size);
    return ST_OK;
}

static enum status decode_body(struct cursor *in, struct baseline *b)
{
    uint32_t features, scalars;
    ST_TRY(decode_head(in, b));
    ST_TRY(decode_u32(in, DRIFT_FEATURES_MAX, &features));
    ST_TRY(decode_u32(in, SEALED_SCALARS_MAX, &scalars));
    if (((uint64_t)features + scalars) * FEATURE_BYTES_LEAST > in->left.size)
        return ST_CORRUPT;
    b->feature = mem_zero(features, sizeof *b->feature);
    b->scalar = mem_zero(scalars, sizeof *b->scalar);
    if ((features && !b->feature) || (scalars && !b->scalar))
        return ST_NOMEM;
    b->features = features;
    b->scalars = scalars;
    for (uint32_t i = 0; i < features; i++)
        ST_TRY(decode_feature(in, &b->feature[i]));
    for (uint32_t i = 0; i < scalars; i++)
        ST_TRY(decode_scalar(in, &b->scalar[i]));
    return cursor_end(in);
}

enum status baseline_decode(struct span bytes, struct baseline **out)
{
    if (bytes.size > BASELINE_BYTES_MAX)
        return ST_CORRUPT;
    struct baseline *b = MEM_NEW(struct baseline);
    if (!b)
        return ST_NOMEM;
    struct cursor in = {bytes};
    enum status st = decode_body(&in, b);
    if (st != ST_OK) {
        baseline_close(b);
        return st;
    }
    *out = b;
    return ST_OK;
}
