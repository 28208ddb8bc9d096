// SPDX-License-Identifier: Apache-2.0
#include "agent/lane/form.h"

#include <math.h>
#include <stdbool.h>

#include "common/base/cursor.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

// --- What it looks like

static enum status take_text(struct cursor *c, struct span *out)
{
    uint8_t size;
    ST_TRY(cursor_u8(c, &size));
    if (size > LANE_NAME_MAX)
        return ST_CORRUPT;
    return cursor_bytes(c, size, out);
}

static enum status take_feature(struct cursor *c, struct form *f, uint32_t i)
{
    uint8_t side, kind;
    ST_TRY(cursor_u8(c, &side));
    ST_TRY(cursor_u8(c, &kind));
    ST_TRY(take_text(c, &f->datum[i].name));
    if (side >= SIDE_COUNT || kind > LANE_IS_VECTOR || f->datum[i].name.size == 0)
        return ST_CORRUPT;
    f->datum[i].side = (enum observation_side)side;
    f->kind[i] = kind;
    return ST_OK;
}

static enum status make_room(struct form *f)
{
    f->datum = mem_zero(f->features, sizeof *f->datum);
    f->kind = mem_zero(f->features, 1);
    return f->datum && f->kind ? ST_OK : ST_NOMEM;
}

// Processes that say the same of a model have rows of one shape: all of the packet but
// the number that it gives the model.
static uint64_t shape_of(const struct form *f, size_t size)
{
    uint64_t hash[2];
    hash_murmur3(span_of(f->packet + 3, size - 3), hash_secret(), hash);
    return hash[0] | 1;
}

static enum status take_form(struct form *f, size_t size, uint32_t *number)
{
    struct cursor c = {span_of(f->packet, size)};
    uint8_t type;
    uint16_t place, features;
    bool has_categories = false;
    ST_TRY(cursor_u8(&c, &type));
    ST_TRY(cursor_le16(&c, &place));
    ST_TRY(cursor_le16(&c, &features));
    ST_TRY(take_text(&c, &f->model));
    ST_TRY(take_text(&c, &f->version));
    if (type != LANE_HAS_MODEL || place >= LANE_MODELS_MAX || features == 0 ||
        features > LANE_FEATURES_MAX || f->model.size == 0)
        return ST_CORRUPT;
    f->features = features;
    ST_TRY(make_room(f));
    for (uint32_t i = 0; i < features; i++) {
        ST_TRY(take_feature(&c, f, i));
        has_categories = has_categories || f->kind[i] == LANE_IS_CATEGORY;
    }
    ST_TRY(cursor_end(&c));
    if (has_categories) {
        f->number = mem_zero(features, TEXT_NUMBER_BYTES);
        if (!f->number)
            return ST_NOMEM;
    }
    if (!has_categories)
        f->shape = shape_of(f, size);
    *number = place;
    return ST_OK;
}

enum status form_open(struct span packet, uint32_t *number, struct form **out)
{
    struct form *f = MEM_NEW(struct form);
    if (!f)
        return ST_NOMEM;
    f->packet = mem_copy(packet);
    enum status st = f->packet ? take_form(f, packet.size, number) : ST_NOMEM;
    if (st != ST_OK) {
        form_close(f);
        return st;
    }
    *out = f;
    return ST_OK;
}

void form_close(struct form *f)
{
    if (!f)
        return;
    mem_free(f->datum);
    mem_free(f->kind);
    mem_free(f->number);
    mem_free(f->packet);
    mem_free(f);
}

// --- Its rows

static void take_number(struct form *f, uint32_t i, double v)
{
    struct datum *d = &f->datum[i];
    d->kind = isnan(v) ? DATUM_MISSING : DATUM_NUMBER;
    d->number = v;
    if (f->kind[i] == LANE_IS_CATEGORY && isfinite(v)) {
        d->kind = DATUM_CATEGORY;
        char *text = f->number + (size_t)i * TEXT_NUMBER_BYTES;
        d->text = span_of(text, text_number(v, text));
    }
}

static enum status take_floats(struct form *f, struct span values, uint32_t *n)
{
    *n = (uint32_t)(values.size / sizeof(float));
    if (values.size % sizeof(float) != 0 || *n == 0 || *n > f->features)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < *n; i++) {
        float v;
        memcpy(&v, values.data + i * sizeof v, sizeof v);
        if (f->number) {
            take_number(f, i, (double)v);
            continue;
        }
        f->datum[i].kind = isnan(v) ? DATUM_MISSING : DATUM_NUMBER;
        f->datum[i].number = (double)v;
    }
    return ST_OK;
}

static enum status take_doubles(struct form *f, struct span values, uint32_t *n)
{
    *n = (uint32_t)(values.size / sizeof(double));
    if (values.size % sizeof(double) != 0 || *n == 0 || *n > f->features)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < *n; i++) {
        double v;
        memcpy(&v, values.data + i * sizeof v, sizeof v);
        take_number(f, i, v);
    }
    return ST_OK;
}

static enum status take_raw(struct cursor *c, void *out, size_t size)
{
    struct span bytes;
    ST_TRY(cursor_bytes(c, size, &bytes));
    memcpy(out, bytes.data, size);
    return ST_OK;
}

static enum status take_category(struct cursor *c, struct datum *d)
{
    ST_TRY(take_text(c, &d->text));
    d->kind = d->text.size > 0 ? DATUM_CATEGORY : DATUM_MISSING;
    return ST_OK;
}

static enum status take_figures(struct cursor *c, struct datum *d)
{
    uint32_t figure[4];
    ST_TRY(take_raw(c, figure, sizeof figure));
    d->kind = DATUM_TEXT;
    d->figures = (struct text_figures){figure[0], figure[1], figure[2], figure[3]};
    return ST_OK;
}

static enum status take_vector(struct cursor *c, struct datum *d)
{
    uint32_t dim;
    double figure[4];
    ST_TRY(take_raw(c, &dim, sizeof dim));
    ST_TRY(take_raw(c, figure, sizeof figure));
    for (int i = 0; i < 4; i++)
        if (!isfinite(figure[i]))
            return ST_CORRUPT;
    if (figure[0] < 0)
        return ST_CORRUPT;
    d->kind = DATUM_VECTOR;
    d->vector =
        (struct vector_figures){dim, sqrt(figure[0]), figure[1], figure[2], figure[3]};
    return ST_OK;
}

static enum status take_value(struct form *f, uint32_t i, struct cursor *c)
{
    struct datum *d = &f->datum[i];
    uint8_t tag;
    double number;
    ST_TRY(cursor_u8(c, &tag));
    switch (tag) {
    case LANE_MISSING:
        d->kind = DATUM_MISSING;
        return ST_OK;
    case LANE_NUMBER:
        ST_TRY(take_raw(c, &number, sizeof number));
        take_number(f, i, number);
        return ST_OK;
    case LANE_CATEGORY:
        return take_category(c, d);
    case LANE_TEXT:
        return take_figures(c, d);
    case LANE_VECTOR:
        return take_vector(c, d);
    default:
        return ST_CORRUPT;
    }
}

static enum status take_mixed(struct form *f, struct span values, uint32_t *n)
{
    struct cursor c = {values};
    for (*n = 0; c.left.size > 0; ++*n) {
        if (*n == f->features)
            return ST_CORRUPT;
        ST_TRY(take_value(f, *n, &c));
    }
    return *n > 0 ? ST_OK : ST_CORRUPT;
}

// A label or a metric: one number under a name.
static enum status take_single(const struct lane_record *head, struct span values,
                               struct datum *one)
{
    double v;
    struct cursor c = {values};
    ST_TRY(take_raw(&c, &v, sizeof v));
    *one = (struct datum){.name = span_text("label"), .side = SIDE_LABEL, .number = v};
    one->kind = isnan(v) ? DATUM_MISSING : DATUM_NUMBER;
    if (head->kind == LANE_LABEL)
        return cursor_end(&c);
    one->name = c.left;
    one->side = SIDE_SIGNAL;
    return c.left.size > 0 && c.left.size <= LANE_NAME_MAX ? ST_OK : ST_CORRUPT;
}

enum status form_read(struct form *f, const struct lane_record *head, struct span rest,
                      uint64_t now_ns, struct observation *out)
{
    size_t padded = ((size_t)head->id_size + 7) & ~(size_t)7;
    if (head->id_size > LANE_NAME_MAX || padded > rest.size)
        return ST_CORRUPT;
    struct span values = span_of(rest.data + padded, rest.size - padded);
    *out = (struct observation){
        .model = f->model,
        .version = f->version,
        .id = span_of(rest.data, head->id_size),
        .t = head->t ? head->t : now_ns,
        .has_time = head->t != 0,
        .weight = 1,
        .value = f->datum,
    };
    switch (head->kind) {
    case LANE_F32:
        ST_TRY(take_floats(f, values, &out->values));
        out->shape = f->shape ? f->shape + out->values : 0;
        return ST_OK;
    case LANE_F64:
        ST_TRY(take_doubles(f, values, &out->values));
        out->shape = f->shape ? f->shape + out->values : 0;
        return ST_OK;
    case LANE_MIXED:
        return take_mixed(f, values, &out->values);
    case LANE_LABEL:
    case LANE_METRIC:
        out->value = &f->single;
        out->values = 1;
        return take_single(head, values, &f->single);
    default:
        return ST_CORRUPT;
    }
}
