// SPDX-License-Identifier: Apache-2.0
#include "agent/model/pane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

enum status pane_open(struct schema *schema, struct span version, uint64_t start,
                      uint64_t end, struct yardstick *yardstick, const uint8_t *key,
                      struct pane **out)
{
    struct pane *p = MEM_NEW(struct pane);
    if (!p)
        return ST_NOMEM;
    *p = (struct pane){
        .version = version,
        .start = start,
        .end = end,
        .yardstick = yardstick_hold(yardstick),
        .key = yardstick ? yardstick_key(yardstick) : key,
        .schema = schema,
    };
    *out = p;
    return ST_OK;
}

void pane_close(struct pane *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i]) {
            profile_close(p->column[i]->profile);
            mem_free(p->column[i]);
        }
    yardstick_drop(p->yardstick);
    mem_free(p->column);
    mem_free(p);
}

// --- Columns

static bool is_sketched(uint8_t role)
{
    return role != FEATURE_SIGNAL;
}

static enum status open_profile(struct pane *p, uint32_t slot, struct profile **out)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    const struct reference_feature *known = NULL;
    const struct grid *grid = NULL;
    if (p->yardstick)
        grid =
            yardstick_grid(p->yardstick, schema_name(p->schema, slot), f->role, &known);
    if (known && known->kind != f->kind)
        grid = NULL;
    struct profile_options options = {
        .kind = PROFILE_NUMERIC,
        .width = grid ? grid_width(grid) : GRID_F64,
        .sketches = PROFILE_WITH_SKETCHES,
        .seed = random_os(),
    };
    if (f->kind == FEATURE_CATEGORICAL)
        options.kind = PROFILE_CATEGORICAL;
    else if (!is_sketched(f->role)) {
        options.kind = PROFILE_SIGNAL;
        options.sketches = PROFILE_PLAIN;
        grid = NULL;
    }
    return profile_open(&options, grid, out);
}

static enum status make_place(struct pane *p, uint32_t slot)
{
    if (slot < p->columns)
        return ST_OK;
    uint32_t columns = p->schema->features > slot ? p->schema->features : slot + 1;
    struct pane_column **grown =
        mem_resize(p->column, columns, sizeof(struct pane_column *));
    if (!grown)
        return ST_NOMEM;
    memset(grown + p->columns, 0, (columns - p->columns) * sizeof *grown);
    p->column = grown;
    p->columns = columns;
    return ST_OK;
}

static enum status column_of(struct pane *p, uint32_t slot, struct pane_column **out)
{
    ST_TRY(make_place(p, slot));
    if (!p->column[slot]) {
        struct pane_column *c = MEM_NEW(struct pane_column);
        if (!c)
            return ST_NOMEM;
        enum status st = open_profile(p, slot, &c->profile);
        if (st != ST_OK) {
            mem_free(c);
            return st;
        }
        p->column[slot] = c;
    }
    *out = p->column[slot];
    return ST_OK;
}

static void flush(struct pane_column *c, uint8_t kind)
{
    if (c->staged == 0)
        return;
    if (kind == FEATURE_CATEGORICAL) {
        const struct profile_categories rows = {
            .hash = c->hash, .state = c->state, .n = c->staged};
        profile_update_hash(c->profile, &rows);
    } else {
        const struct profile_column rows = {.f64 = c->value,
                                            .state = c->state,
                                            .prediction = c->prediction,
                                            .n = c->staged};
        profile_update(c->profile, &rows);
    }
    c->staged = 0;
}

void pane_settle(struct pane *p)
{
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i])
            flush(p->column[i], p->schema->feature[i].kind);
}

static void stage(struct pane *p, uint32_t slot, struct pane_column *c, uint8_t state,
                  double prediction)
{
    c->state[c->staged] = state;
    c->prediction[c->staged] = prediction;
    c->row = p->values;
    p->type_errors += state == VALUE_TYPE_ERROR;
    if (++c->staged == PANE_STAGE_ROWS)
        flush(c, p->schema->feature[slot].kind);
}

// --- Values

// A number among categories is the category of its shortest text.
static uint64_t hash_number(const struct pane *p, double v)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%.17g", v);
    for (int digits = 1; digits < 17; digits++) {
        char shorter[32];
        int m = snprintf(shorter, sizeof shorter, "%.*g", digits, v);
        if (strtod(shorter, NULL) == v) {
            memcpy(text, shorter, (size_t)m);
            n = m;
            break;
        }
    }
    return hash_sip(p->key, span_of(text, (size_t)n));
}

static void stage_category(struct pane *p, uint32_t slot, struct pane_column *c,
                           const struct datum *d)
{
    uint8_t state = VALUE_PRESENT;
    c->hash[c->staged] = 0;
    if (d->kind == DATUM_CATEGORY)
        c->hash[c->staged] = hash_sip(p->key, d->text);
    else if (d->kind == DATUM_NUMBER)
        c->hash[c->staged] = hash_number(p, d->number);
    else
        state = d->kind == DATUM_MISSING ? VALUE_MISSING : VALUE_TYPE_ERROR;
    stage(p, slot, c, state, NAN);
}

static void stage_number(struct pane *p, uint32_t slot, struct pane_column *c,
                         const struct datum *d, double prediction)
{
    uint8_t state = VALUE_TYPE_ERROR;
    c->value[c->staged] = NAN;
    if (d->kind == DATUM_NUMBER) {
        state = VALUE_PRESENT;
        c->value[c->staged] = d->number;
    } else if (d->kind == DATUM_MISSING) {
        state = VALUE_MISSING;
    }
    stage(p, slot, c, state, prediction);
}

static const struct reference_feature *known_as(const struct pane *p,
                                                const struct datum *d)
{
    const struct reference_feature *known = NULL;
    if (p->yardstick)
        (void)yardstick_grid(p->yardstick, d->name, (uint8_t)d->side, &known);
    return known;
}

// What the baseline says a feature is goes before what its first value is.
static uint8_t kind_of(const struct pane *p, const struct datum *d)
{
    const struct reference_feature *known = known_as(p, d);
    if (known)
        return known->kind;
    return d->kind == DATUM_CATEGORY ? FEATURE_CATEGORICAL : FEATURE_NUMERIC;
}

// A feature that is only missing so far, and unknown to the baseline, has no kind and
// so no place yet.
static enum status count_datum(struct pane *p, const struct datum *d, uint32_t hint,
                               double prediction)
{
    uint8_t role = (uint8_t)d->side;
    uint32_t slot = schema_find(p->schema, d->name, role, hint);
    if (slot == UINT32_MAX && d->kind == DATUM_MISSING && !known_as(p, d))
        return ST_OK;
    if (slot == UINT32_MAX)
        ST_TRY(schema_add(p->schema, d->name, role, kind_of(p, d), &slot));
    struct pane_column *c;
    ST_TRY(column_of(p, slot, &c));
    if (c->row == p->values)
        return ST_OK; // a name that stands twice in one row counts once
    if (p->schema->feature[slot].kind == FEATURE_CATEGORICAL)
        stage_category(p, slot, c, d);
    else
        stage_number(p, slot, c, d, prediction);
    return ST_OK;
}

static enum status count_part(struct pane *p, const struct datum *d, const char *part,
                              double v)
{
    char name[OBSERVATION_NAME_MAX + 16];
    size_t size = d->name.size < OBSERVATION_NAME_MAX - 10 ? d->name.size
                                                           : OBSERVATION_NAME_MAX - 10;
    memcpy(name, d->name.data, size);
    strcpy(name + size, part);
    const struct datum one = {
        .name = span_text(name), .side = d->side, .kind = DATUM_NUMBER, .number = v};
    return count_datum(p, &one, UINT32_MAX, NAN);
}

static enum status count_text(struct pane *p, const struct datum *d)
{
    const struct text_figures *t = &d->figures;
    double chars = t->chars ? (double)t->chars : 1;
    ST_TRY(count_part(p, d, ".chars", (double)t->chars));
    ST_TRY(count_part(p, d, ".words", (double)t->words));
    ST_TRY(count_part(p, d, ".foreign", (double)t->non_ascii / chars));
    return count_part(p, d, ".digits", (double)t->digits / chars);
}

static enum status count_vector(struct pane *p, const struct datum *d)
{
    const struct vector_figures *v = &d->vector;
    ST_TRY(count_part(p, d, ".dim", (double)v->dim));
    ST_TRY(count_part(p, d, ".norm", v->norm));
    ST_TRY(count_part(p, d, ".mean", v->mean));
    ST_TRY(count_part(p, d, ".min", v->min));
    return count_part(p, d, ".max", v->max);
}

// Text under a name that is known as a category or number is a wrong value of that
// feature; under a new name its figures are the features.
static enum status count_any(struct pane *p, const struct datum *d, uint32_t hint,
                             double prediction)
{
    if (d->kind == DATUM_HISTOGRAM)
        return ST_OK;
    bool is_plain = d->kind == DATUM_MISSING || d->kind == DATUM_NUMBER ||
                    d->kind == DATUM_CATEGORY;
    if (is_plain ||
        schema_find(p->schema, d->name, (uint8_t)d->side, hint) != UINT32_MAX)
        return count_datum(p, d, hint, prediction);
    if (d->kind == DATUM_TEXT)
        return count_text(p, d);
    if (d->kind == DATUM_VECTOR)
        return count_vector(p, d);
    return count_part(p, d, ".bytes", (double)d->bytes);
}

static void count_absent(struct pane *p, bool has_side[SIDE_COUNT])
{
    const struct datum none = {.kind = DATUM_MISSING};
    for (uint32_t i = 0; i < p->columns; i++) {
        struct pane_column *c = p->column[i];
        const struct schema_feature *f = &p->schema->feature[i];
        if (!c || c->row == p->values || !has_side[f->role])
            continue;
        if (f->kind == FEATURE_CATEGORICAL)
            stage_category(p, i, c, &none);
        else
            stage_number(p, i, c, &none, NAN);
    }
}

enum status pane_row(struct pane *p, const struct observation *o, double prediction)
{
    bool has_side[SIDE_COUNT] = {false};
    enum status st = ST_OK;
    p->values++;
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        if (d->side == SIDE_LABEL)
            continue;
        has_side[d->side] = true;
        enum status one = count_any(p, d, i, prediction);
        st = one == ST_OK ? st : one;
    }
    has_side[SIDE_SIGNAL] = false; // signals come one at a time
    count_absent(p, has_side);
    p->rows += has_side[SIDE_INPUT] || has_side[SIDE_OUTPUT];
    return st;
}

enum status pane_number(struct pane *p, const char *name, enum feature_role role,
                        double value)
{
    const struct datum d = {.name = span_text(name),
                            .side = (enum observation_side)role,
                            .kind = isnan(value) ? DATUM_MISSING : DATUM_NUMBER,
                            .number = value};
    p->values++;
    return count_datum(p, &d, UINT32_MAX, NAN);
}

// --- Snapshots

#define PANE_VERSION 1

static void save_column(struct pane *p, uint32_t slot, struct buf *bytes,
                        struct buf *out)
{
    const struct schema_feature *f = &p->schema->feature[slot];
    const struct profile *profile = p->column[slot]->profile;
    bool has_cells = profile_grid_id(profile) != 0;
    buf_clear(bytes);
    profile_encode(profile, has_cells ? PROFILE_PLAIN : PROFILE_WITH_SKETCHES, bytes);
    buf_put_u8(out, f->role);
    buf_put_u8(out, f->kind);
    buf_put_u8(out, f->given_size);
    buf_put(out, f->given, f->given_size);
    buf_put_le32(out, (uint32_t)bytes->size);
    buf_put_span(out, buf_span(bytes));
}

void pane_save(struct pane *p, struct buf *out)
{
    struct buf bytes;
    uint32_t met = 0;
    pane_settle(p);
    for (uint32_t i = 0; i < p->columns; i++)
        met += p->column[i] != NULL;
    buf_init(&bytes, PROFILE_BYTES_MAX);
    buf_put_u8(out, PANE_VERSION);
    buf_put_le64(out, p->start);
    buf_put_le64(out, p->end);
    buf_put_le64(out, p->rows);
    buf_put_le64(out, p->type_errors);
    buf_put_le32(out, met);
    for (uint32_t i = 0; i < p->columns; i++)
        if (p->column[i])
            save_column(p, i, &bytes, out);
    if (bytes.failed != ST_OK)
        out->failed = bytes.failed;
    buf_fini(&bytes);
}

// The bytes are merged into a profile that has the grid itself, not only its id.
static enum status load_profile(struct pane_column *c, struct span bytes)
{
    const struct profile_options options = {
        .kind = PROFILE_SIGNAL, .seed = 1, .width = GRID_F64};
    struct profile *read;
    ST_TRY(profile_open(&options, NULL, &read));
    enum status st = profile_decode(read, bytes);
    // Cells of another grid could not be counted on.
    bool is_empty = st == ST_OK && profile_counters(read)->rows == 0;
    if (st == ST_OK && !is_empty &&
        profile_grid_id(read) != profile_grid_id(c->profile))
        st = ST_CONFLICT;
    if (st == ST_OK)
        st = profile_merge(c->profile, read);
    profile_close(read);
    return st;
}

static enum status load_column(struct pane *p, struct cursor *from)
{
    uint8_t role, kind, given_size;
    uint32_t size, slot;
    struct span given, bytes;
    struct pane_column *c;
    ST_TRY(cursor_u8(from, &role));
    ST_TRY(cursor_u8(from, &kind));
    ST_TRY(cursor_u8(from, &given_size));
    ST_TRY(cursor_bytes(from, given_size, &given));
    ST_TRY(cursor_le32(from, &size));
    ST_TRY(cursor_bytes(from, size, &bytes));
    if (role >= FEATURE_ROLES || kind >= FEATURE_KINDS || given_size > FIELD_NAME_MAX)
        return ST_CORRUPT;
    ST_TRY(schema_add(p->schema, given, role, kind, &slot));
    ST_TRY(column_of(p, slot, &c));
    return load_profile(c, bytes);
}

enum status pane_load(struct cursor *from, struct schema *schema, struct span version,
                      struct yardstick *yardstick, const uint8_t *key,
                      struct pane **out)
{
    uint8_t format;
    uint64_t start, end, rows, type_errors;
    uint32_t columns;
    ST_TRY(cursor_u8(from, &format));
    ST_TRY(cursor_le64(from, &start));
    ST_TRY(cursor_le64(from, &end));
    ST_TRY(cursor_le64(from, &rows));
    ST_TRY(cursor_le64(from, &type_errors));
    ST_TRY(cursor_le32(from, &columns));
    if (format != PANE_VERSION || start >= end || columns > WINDOW_FEATURES_MAX)
        return ST_CORRUPT;
    struct pane *p;
    ST_TRY(pane_open(schema, version, start, end, yardstick, key, &p));
    p->rows = rows;
    p->type_errors = type_errors;
    enum status st = ST_OK;
    for (uint32_t i = 0; st == ST_OK && i < columns; i++)
        st = load_column(p, from);
    if (st != ST_OK) {
        pane_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}
